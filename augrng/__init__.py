"""Image augmentation whose random decisions are pure functions of (seed, op, epoch, example id).

Recipes: Compose, from_json, read_recipe, differences, presets, STREAM_VERSION
Seeds and keys: seed_everything, get_seed, split, fold_in, bits, string_ids
Geometry: RandomCrop, RandomResizedCrop, CenterCrop, BoxSafeCrop, Resize, Pad, RandomFlip, RandomRotation,
  RandomQuarterTurn, RandomAffine, RandomPerspective, RandomShear, RandomTranslation, RandomZoom
Colour: ColorJitter, RandomBrightness, RandomContrast, RandomSaturation, RandomHue, RandomGamma,
  RandomGrayscale, ToGrayscale, RandomInvert, RandomPosterize, RandomSolarize, RandomEqualize,
  RandomAutocontrast, RandomAdjustSharpness, RandomChannelShuffle, RandomJpegQuality
Noise, blur and holes: GaussianBlur, GaussianNoise, RandomErasing, Cutout, GridMask
Policies and choices: RandAugment, TrivialAugmentWide, AutoAugment, AugMix, OneOf, SomeOf, Maybe,
  Sequential
Mixing: MixUp, CutMix, Mosaic
Transforms of one's own: Custom, Map, Pixels, Table, Transform, register, Sampling
What moves along: Mask, Boxes, Keypoints
What comes out: Output, Fingerprint, fingerprint, keep_programs
For Keras: Augment, Finish, LogImages
For notebooks: show, compare
Functions with explicit seeds: stateless_random_crop, stateless_random_flip_left_right,
  stateless_random_flip_up_down, stateless_random_rotation, stateless_random_brightness,
  stateless_random_contrast, stateless_random_hue, stateless_random_saturation

Datasets: `augrng.pipelines`. A recipe as StableHLO: `augrng.export`. Both are imported by themselves.
"""

import importlib
from typing import TYPE_CHECKING, Any

from augrng import starting

starting.import_quietly()

from augrng import presets as presets
from augrng.caching import keep_programs as keep_programs
from augrng.compose import Compose as Compose
from augrng.compose import from_json as from_json
from augrng.fingerprint import Fingerprint as Fingerprint
from augrng.fingerprint import fingerprint as fingerprint
from augrng.geometry.sampling import Sampling as Sampling
from augrng.output import Output as Output
from augrng.random.bits import bits as bits
from augrng.random.keys import fold_in as fold_in
from augrng.random.keys import split as split
from augrng.random.keys import string_ids as string_ids
from augrng.random.seeds import get_seed as get_seed
from augrng.random.seeds import seed_everything as seed_everything
from augrng.recipe import STREAM_VERSION as STREAM_VERSION
from augrng.stateless import stateless_random_brightness as stateless_random_brightness
from augrng.stateless import stateless_random_contrast as stateless_random_contrast
from augrng.stateless import stateless_random_crop as stateless_random_crop
from augrng.stateless import stateless_random_flip_left_right as stateless_random_flip_left_right
from augrng.stateless import stateless_random_flip_up_down as stateless_random_flip_up_down
from augrng.stateless import stateless_random_hue as stateless_random_hue
from augrng.stateless import stateless_random_rotation as stateless_random_rotation
from augrng.stateless import stateless_random_saturation as stateless_random_saturation
from augrng.targets import Boxes as Boxes
from augrng.targets import Keypoints as Keypoints
from augrng.targets import Mask as Mask
from augrng.transforms import AugMix as AugMix
from augrng.transforms import AutoAugment as AutoAugment
from augrng.transforms import BoxSafeCrop as BoxSafeCrop
from augrng.transforms import CenterCrop as CenterCrop
from augrng.transforms import ColorJitter as ColorJitter
from augrng.transforms import Custom as Custom
from augrng.transforms import CutMix as CutMix
from augrng.transforms import Cutout as Cutout
from augrng.transforms import GaussianBlur as GaussianBlur
from augrng.transforms import GaussianNoise as GaussianNoise
from augrng.transforms import GridMask as GridMask
from augrng.transforms import Map as Map
from augrng.transforms import Maybe as Maybe
from augrng.transforms import MixUp as MixUp
from augrng.transforms import Mosaic as Mosaic
from augrng.transforms import OneOf as OneOf
from augrng.transforms import Pad as Pad
from augrng.transforms import Pixels as Pixels
from augrng.transforms import RandAugment as RandAugment
from augrng.transforms import RandomAdjustSharpness as RandomAdjustSharpness
from augrng.transforms import RandomAffine as RandomAffine
from augrng.transforms import RandomAutocontrast as RandomAutocontrast
from augrng.transforms import RandomBrightness as RandomBrightness
from augrng.transforms import RandomChannelShuffle as RandomChannelShuffle
from augrng.transforms import RandomContrast as RandomContrast
from augrng.transforms import RandomCrop as RandomCrop
from augrng.transforms import RandomEqualize as RandomEqualize
from augrng.transforms import RandomErasing as RandomErasing
from augrng.transforms import RandomFlip as RandomFlip
from augrng.transforms import RandomGamma as RandomGamma
from augrng.transforms import RandomGrayscale as RandomGrayscale
from augrng.transforms import RandomHue as RandomHue
from augrng.transforms import RandomInvert as RandomInvert
from augrng.transforms import RandomJpegQuality as RandomJpegQuality
from augrng.transforms import RandomPerspective as RandomPerspective
from augrng.transforms import RandomPosterize as RandomPosterize
from augrng.transforms import RandomQuarterTurn as RandomQuarterTurn
from augrng.transforms import RandomResizedCrop as RandomResizedCrop
from augrng.transforms import RandomRotation as RandomRotation
from augrng.transforms import RandomSaturation as RandomSaturation
from augrng.transforms import RandomShear as RandomShear
from augrng.transforms import RandomSolarize as RandomSolarize
from augrng.transforms import RandomTranslation as RandomTranslation
from augrng.transforms import RandomZoom as RandomZoom
from augrng.transforms import Resize as Resize
from augrng.transforms import Sequential as Sequential
from augrng.transforms import SomeOf as SomeOf
from augrng.transforms import Table as Table
from augrng.transforms import ToGrayscale as ToGrayscale
from augrng.transforms import Transform as Transform
from augrng.transforms import TrivialAugmentWide as TrivialAugmentWide
from augrng.transforms import register as register
from augrng.written import differences as differences
from augrng.written import read_recipe as read_recipe

__version__ = "0.2.0"

__all__ = [  # noqa: RUF022  in the groups of the docstring
    "Compose", "from_json", "read_recipe", "differences", "presets", "STREAM_VERSION",
    "seed_everything", "get_seed", "split", "fold_in", "bits", "string_ids",
    "RandomCrop", "RandomResizedCrop", "CenterCrop", "BoxSafeCrop", "Resize", "Pad", "RandomFlip",
    "RandomRotation", "RandomQuarterTurn", "RandomAffine", "RandomPerspective", "RandomShear",
    "RandomTranslation", "RandomZoom",
    "ColorJitter", "RandomBrightness", "RandomContrast", "RandomSaturation", "RandomHue", "RandomGamma",
    "RandomGrayscale", "ToGrayscale", "RandomInvert", "RandomPosterize", "RandomSolarize",
    "RandomEqualize", "RandomAutocontrast", "RandomAdjustSharpness", "RandomChannelShuffle",
    "RandomJpegQuality",
    "GaussianBlur", "GaussianNoise", "RandomErasing", "Cutout", "GridMask",
    "RandAugment", "TrivialAugmentWide", "AutoAugment", "AugMix", "OneOf", "SomeOf", "Maybe",
    "Sequential",
    "MixUp", "CutMix", "Mosaic",
    "Custom", "Map", "Pixels", "Table", "Transform", "register", "Sampling",
    "Mask", "Boxes", "Keypoints",
    "Output", "Fingerprint", "fingerprint", "keep_programs",
    "Augment", "Finish", "LogImages",
    "show", "compare",
    "stateless_random_crop", "stateless_random_flip_left_right", "stateless_random_flip_up_down",
    "stateless_random_rotation", "stateless_random_brightness", "stateless_random_contrast",
    "stateless_random_hue", "stateless_random_saturation",
]  # fmt: skip

if TYPE_CHECKING:
    from augrng.keras import Augment as Augment
    from augrng.keras import Finish as Finish
    from augrng.keras import LogImages as LogImages
    from augrng.pipelines.show.notebook import compare as compare
    from augrng.pipelines.show.notebook import show as show

# What is imported when it is asked for: it needs Keras, or Pillow.
_LATER = {
    "Augment": "augrng.keras",
    "Finish": "augrng.keras",
    "LogImages": "augrng.keras",
    "show": "augrng.pipelines.show.notebook",
    "compare": "augrng.pipelines.show.notebook",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_LATER[name]), name)
    except ModuleNotFoundError as error:
        if _LATER[name].startswith(str(error.name)):
            raise
        raise ImportError(f"augrng.{name}: needs {error.name}: pip install 'augrng[pipelines]'") from error


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
