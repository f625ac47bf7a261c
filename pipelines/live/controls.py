"""What the live page offers: transforms, and a control for each argument, from their dataclass fields."""

import dataclasses
import functools
import inspect
import re
import types
import typing
from collections.abc import Sequence
from typing import Any

from augrng import transforms as library
from augrng.geometry.sampling import FILL_MODES, INTERPOLATIONS
from augrng.transforms import BoxSafeCrop, Custom, Mixing, Transform
from augrng.transforms.choosing import Chooser
from augrng.transforms.geometry import FLIP_MODES
from augrng.transforms.policies.published import POLICIES
from pipelines.show import gallery

_GROUPS = {
    "Crop and size": ("RandomCrop", "RandomResizedCrop", "CenterCrop", "Resize", "Pad"),
    "Move": (
        *("RandomFlip", "RandomRotation", "RandomQuarterTurn", "RandomAffine", "RandomPerspective"),
        *("RandomShear", "RandomTranslation", "RandomZoom"),
    ),
    "Colour": (
        *("ColorJitter", "RandomBrightness", "RandomContrast", "RandomSaturation", "RandomHue"),
        *("RandomGamma", "RandomGrayscale", "ToGrayscale", "RandomInvert", "RandomPosterize"),
        *("RandomSolarize", "RandomEqualize", "RandomAutocontrast", "RandomAdjustSharpness"),
        *("RandomChannelShuffle", "RandomJpegQuality"),
    ),
    "Noise, blur, holes": ("GaussianBlur", "GaussianNoise", "RandomErasing", "Cutout", "GridMask"),
    "Policies": ("RandAugment", "TrivialAugmentWide", "AutoAugment", "AugMix"),
    "Choices": ("Maybe", "OneOf", "SomeOf", "Sequential"),
}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "mode": FLIP_MODES,
    "interpolation": INTERPOLATIONS,
    "fill_mode": FILL_MODES,
    "policy": tuple(POLICIES),
    "antialias": (True, False, "exact"),
}
# Where a slider begins and ends, and its step; numbers beyond can be typed. By field, or by transform.field.
_SCALES: dict[str, tuple[float, float, float]] = {
    "p": (0, 1, 0.05),
    "degrees": (-180, 180, 1),
    "height": (1, 512, 1),
    "width": (1, 512, 1),
    "AugMix.width": (1, 8, 1),
    "padding": (0, 128, 1),
    "max_delta": (0, 1, 0.01),
    "RandomHue.max_delta": (0, 0.5, 0.01),
    "lower": (0, 4, 0.05),
    "upper": (0, 4, 0.05),
    "gain": (0, 4, 0.05),
    "low": (0, 100, 1),
    "high": (0, 100, 1),
    "brightness": (0, 2, 0.05),
    "contrast": (0, 2, 0.05),
    "saturation": (0, 2, 0.05),
    "hue": (-0.5, 0.5, 0.01),
    "scale": (0, 2, 0.01),
    "ratio": (0, 4, 0.01),
    "GridMask.ratio": (0, 1, 0.01),
    "sigma": (0.1, 10, 0.1),
    "GaussianNoise.sigma": (0, 1, 0.01),
    "mean": (-1, 1, 0.01),
    "kernel_size": (1, 63, 2),
    "sharpness_factor": (0, 8, 0.1),
    "bits": (0, 8, 1),
    "threshold": (0, 256, 1),
    "distortion_scale": (0, 0.99, 0.01),
    "length": (1, 256, 1),
    "holes": (1, 16, 1),
    "period": (2, 256, 1),
    "n": (0, 8, 1),
    "RandAugment.n": (1, 8, 1),
    "magnitude": (0, 30, 1),
    "bins": (2, 100, 1),
    "severity": (1, 10, 1),
    "depth": (-1, 3, 1),
    "shear": (-80, 80, 1),
    "translate": (0, 1, 0.01),
    "x_factor": (-1, 1, 0.01),
    "y_factor": (-1, 1, 0.01),
    "height_factor": (-1, 1, 0.01),
    "width_factor": (-1, 1, 0.01),
}
_REMARKS = {
    "name": "of its random stream; without one, its type's",
    "seed": "of its own, in place of the recipe's",
    "interpolation": "how pixels are read in between",
    "fill_mode": "what lies outside the picture",
    "fill_value": "a number, or one for each channel",
}


def shown(kind: type[Transform]) -> bool:
    """Whether the page can show what a transform does to an image alone."""
    return not issubclass(kind, (Mixing, BoxSafeCrop, Custom))


@functools.cache
def catalogue() -> list[dict[str, Any]]:
    """The transforms by groups, each with its arguments and what it starts with; none of one's own."""
    kinds = {name: kind for name, kind in library.BY_NAME.items() if shown(kind)}
    return [
        {"group": group, "transforms": [_described(kinds[name]) for name in names]}
        for group, names in _GROUPS.items()
    ]


def _described(kind: type[Transform]) -> dict[str, Any]:
    said = _said_of_arguments(kind)
    hints = typing.get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if not field.kw_only]
    fields += [field for field in dataclasses.fields(kind) if field.kw_only]
    return {
        "type": kind.__name__,
        "does": str(inspect.getdoc(kind)).splitlines()[0].replace("`", ""),
        "arguments": [_control(kind, field, hints[field.name], said.get(field.name, "")) for field in fields],
        "start": start_of(kind),
    }


def _control(kind: type[Transform], field: dataclasses.Field, hint: Any, said: str) -> dict[str, Any]:
    """One argument: which control it has, its default, the ends of its slider, a remark."""
    name = field.name
    kinds = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
    scale = _SCALES.get(f"{kind.__name__}.{name}", _SCALES.get(name))
    required = field.default is dataclasses.MISSING
    return {
        "name": name,
        "control": _kind_of_control(name, kinds, issubclass(kind, Chooser)),
        "whole": not any("float" in str(one) for one in kinds),
        "required": required,
        "optional": type(None) in kinds,
        "default": None if required else field.default,
        "choices": list(_CHOICES.get(name, ())),
        "scale": list(scale) if scale else None,
        "remark": said or _REMARKS.get(name, ""),
        "further": name in _REMARKS,
    }


def _kind_of_control(name: str, kinds: set[Any], chooses: bool) -> str:
    """choice, switch, number, range (a pair), either of these, text, one or several transforms."""
    if chooses and name in ("transform", "transforms"):
        return "one" if name == "transform" else "several"
    if name in _CHOICES:
        return "choice"
    if bool in kinds:
        return "switch"
    if kinds & {str}:
        return "text" if kinds <= {str, type(None)} else "values"
    if name == "seed":
        return "seed"
    pairs = [one for one in kinds if typing.get_origin(one) is tuple]
    if not pairs:
        return "number"
    if any(Ellipsis in typing.get_args(pair) for pair in pairs):
        return "values"
    return "either" if kinds & {int, float} else "range"


@functools.cache
def _starts() -> dict[str, Transform]:
    inner = library.RandomRotation(30)
    several: Sequence[Transform] = [inner, library.RandomHue(0.2)]
    made = [
        library.Maybe(inner),
        library.OneOf(several),
        library.SomeOf(several),
        library.Sequential(several),
    ]
    return {type(one).__name__: one for one in (*gallery.transforms(192), *made)}


def start_of(kind: type[Transform]) -> dict[str, Any]:
    """What a transform that is added begins with, as a step of JSON by hand."""
    step = step_of(_starts()[kind.__name__])
    step.pop("p", None)  # some are sure to act in the gallery
    return step


def step_of(transform: Transform) -> dict[str, Any]:
    """A transform as a step of JSON by hand, without the arguments left at their defaults."""
    given = {field.name: (getattr(transform, field.name), field) for field in dataclasses.fields(transform)}
    return {"type": type(transform).__name__} | {
        name: _plain(value) for name, (value, field) in given.items() if value != field.default
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Transform):
        return step_of(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _said_of_arguments(kind: type[Transform]) -> dict[str, str]:
    """What a docstring says of each argument, in one line."""
    text = str(inspect.getdoc(kind)).partition("\nArgs:\n")[2].partition("\n\n")[0]
    found = re.findall(r"(?m)^  (\w+): (.*(?:\n    .*)*)", text)
    return {name: " ".join(said.split()).replace("`", "") for name, said in found}
