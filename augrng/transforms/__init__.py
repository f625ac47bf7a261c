"""Transforms: frozen dataclasses that say what to draw and what it does."""

from augrng.transforms.base import Transform as Transform
from augrng.transforms.choosing import Maybe as Maybe
from augrng.transforms.choosing import OneOf as OneOf
from augrng.transforms.choosing import Sequential as Sequential
from augrng.transforms.choosing import SomeOf as SomeOf
from augrng.transforms.color import RandomBrightness as RandomBrightness
from augrng.transforms.color import RandomContrast as RandomContrast
from augrng.transforms.color import RandomGamma as RandomGamma
from augrng.transforms.color import RandomHue as RandomHue
from augrng.transforms.color import RandomSaturation as RandomSaturation
from augrng.transforms.color import ToGrayscale as ToGrayscale
from augrng.transforms.custom import Custom as Custom
from augrng.transforms.custom import RandomJpegQuality as RandomJpegQuality
from augrng.transforms.custom import register as register
from augrng.transforms.enhance import ColorJitter as ColorJitter
from augrng.transforms.enhance import RandomAutocontrast as RandomAutocontrast
from augrng.transforms.enhance import RandomEqualize as RandomEqualize
from augrng.transforms.enhance import RandomGrayscale as RandomGrayscale
from augrng.transforms.enhance import RandomInvert as RandomInvert
from augrng.transforms.enhance import RandomPosterize as RandomPosterize
from augrng.transforms.enhance import RandomSolarize as RandomSolarize
from augrng.transforms.erasing import Cutout as Cutout
from augrng.transforms.erasing import GaussianNoise as GaussianNoise
from augrng.transforms.erasing import GridMask as GridMask
from augrng.transforms.erasing import RandomErasing as RandomErasing
from augrng.transforms.filters import GaussianBlur as GaussianBlur
from augrng.transforms.filters import RandomAdjustSharpness as RandomAdjustSharpness
from augrng.transforms.filters import RandomChannelShuffle as RandomChannelShuffle
from augrng.transforms.geometry import CenterCrop as CenterCrop
from augrng.transforms.geometry import RandomCrop as RandomCrop
from augrng.transforms.geometry import RandomFlip as RandomFlip
from augrng.transforms.geometry import RandomQuarterTurn as RandomQuarterTurn
from augrng.transforms.geometry import RandomRotation as RandomRotation
from augrng.transforms.mixing.base import Mixing as Mixing
from augrng.transforms.mixing.mixup import MixUp as MixUp
from augrng.transforms.mixing.windows import CutMix as CutMix
from augrng.transforms.mixing.windows import Mosaic as Mosaic
from augrng.transforms.moving import Pad as Pad
from augrng.transforms.moving import RandomAffine as RandomAffine
from augrng.transforms.moving import RandomShear as RandomShear
from augrng.transforms.moving import RandomTranslation as RandomTranslation
from augrng.transforms.moving import RandomZoom as RandomZoom
from augrng.transforms.parts import Map as Map
from augrng.transforms.parts import Params as Params
from augrng.transforms.parts import Pixels as Pixels
from augrng.transforms.parts import Table as Table
from augrng.transforms.perspective import RandomPerspective as RandomPerspective
from augrng.transforms.policies.augmix import AugMix as AugMix
from augrng.transforms.policies.published import AutoAugment as AutoAugment
from augrng.transforms.policies.published import RandAugment as RandAugment
from augrng.transforms.policies.published import TrivialAugmentWide as TrivialAugmentWide
from augrng.transforms.resize import Resize as Resize
from augrng.transforms.windows.box_safe import BoxSafeCrop as BoxSafeCrop
from augrng.transforms.windows.resized import RandomResizedCrop as RandomResizedCrop

_ALL = (
    *(CenterCrop, RandomCrop, RandomFlip, RandomQuarterTurn, RandomResizedCrop, RandomRotation, Resize),
    *(Maybe, OneOf, Sequential, SomeOf),
    *(RandomBrightness, RandomContrast, RandomGamma, RandomHue, RandomSaturation, ToGrayscale),
    *(ColorJitter, GaussianBlur, RandomAdjustSharpness, RandomAutocontrast, RandomChannelShuffle),
    *(AutoAugment, Cutout, GaussianNoise, GridMask, Pad, RandAugment, RandomAffine, RandomErasing),
    *(RandomShear, RandomTranslation, RandomZoom, TrivialAugmentWide),
    *(AugMix, BoxSafeCrop, Custom, RandomJpegQuality, RandomPerspective),
    *(CutMix, MixUp, Mosaic),
    *(RandomEqualize, RandomGrayscale, RandomInvert, RandomPosterize, RandomSolarize),
)
BY_NAME = {transform.__name__: transform for transform in _ALL}
