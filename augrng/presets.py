"""Recipes that others published, ready to be given a seed; each says whose it is.

    aug = augrng.presets.imagenet_train(224, seed=7)

All are for uint8 RGB images, and end before normalisation: that is `Output`'s.
"""

import dataclasses
from collections.abc import Sequence

from augrng.compose import Compose
from augrng.recipe import snake_case
from augrng.transforms import (
    CenterCrop,
    ColorJitter,
    GaussianBlur,
    Maybe,
    RandAugment,
    RandomCrop,
    RandomFlip,
    RandomGrayscale,
    RandomResizedCrop,
    RandomSolarize,
    Resize,
    Transform,
)


def imagenet_train(size: int = 224, *, seed: int | None = None) -> Compose:
    """Random resized crop and flip: the training recipe of torchvision's references.

    Args:
      size: of the output's sides, in pixels.
      seed: see `Compose`.
    """
    return Compose([RandomResizedCrop(size, size), RandomFlip()], seed)


def imagenet_eval(size: int = 224, *, seed: int | None = None) -> Compose:
    """Resize of the shorter side to 8/7 of `size`, then the middle: torchvision's evaluation recipe.

    With Pillow's antialiased filter, on whose pixels published weights were measured. Nothing is drawn.

    Args:
      size: of the output's sides, in pixels.
      seed: see `Compose`.
    """
    return Compose([Resize(size * 8 // 7, antialias="exact"), CenterCrop(size, size)], seed)


def imagenet_randaugment(
    size: int = 224, n: int = 2, magnitude: int = 9, *, seed: int | None = None
) -> Compose:
    """`imagenet_train`, then `RandAugment`: torchvision's references with `--auto-augment ra`.

    Args:
      size: of the output's sides, in pixels.
      n: how many operations.
      magnitude: place on their scale.
      seed: see `Compose`.
    """
    return Compose([RandomResizedCrop(size, size), RandomFlip(), RandAugment(n, magnitude)], seed)


def cifar10_train(*, seed: int | None = None) -> Compose:
    """A crop of 32x32, the image padded by 4 pixels, and flip: "Deep Residual Learning" (He et al., 2016).

    Args:
      seed: see `Compose`.
    """
    return Compose([RandomCrop(32, 32, padding=4), RandomFlip()], seed)


def simclr(size: int = 224, views: int = 2, *, seed: int | None = None) -> list[Compose]:
    """Independent views of one example: "A Simple Framework for Contrastive Learning" (Chen et al., 2020).

    Crop, flip, colour jitter of strength 1 with probability 0.8, grey with 0.2, blur with 0.5, its window a
    tenth of the size.

    Args:
      size: of the output's sides, in pixels.
      views: how many; each has streams of its own, named view_0/..., so that one more changes no other.
      seed: of all of them; see `Compose`.
    """
    recipe = [
        RandomResizedCrop(size, size),
        RandomFlip(),
        Maybe(ColorJitter(0.8, 0.8, 0.8, 0.2), p=0.8, name="maybe_jitter"),
        RandomGrayscale(p=0.2),
        Maybe(GaussianBlur(size // 20 * 2 + 1), p=0.5, name="maybe_blur"),
    ]
    return [_view(recipe, number, seed) for number in range(views)]


def dino(
    size: int = 224, local_size: int = 96, local_views: int = 8, *, seed: int | None = None
) -> list[Compose]:
    """Two large views of an example and several small ones: "Emerging Properties in Self-Supervised Vision
    Transformers" (Caron et al., 2021).

    Global views show at least 0.4 of the area, one always blurred, the other with probability 0.1 and
    solarised with 0.2; local ones show at most 0.4, blurred with 0.5.

    Args:
      size: of the global views' sides, in pixels.
      local_size: of the local views' sides, in pixels.
      local_views: how many.
      seed: of all of them; see `Compose`.

    Returns:
      The two global views, then the local ones.
    """

    def recipe(side: int, scale: tuple[float, float], blurred: float, solarized: float) -> list[Transform]:
        return [
            RandomResizedCrop(side, side, scale),
            RandomFlip(),
            Maybe(ColorJitter(0.4, 0.4, 0.2, 0.1), p=0.8, name="maybe_jitter"),
            RandomGrayscale(p=0.2),
            Maybe(GaussianBlur(side // 20 * 2 + 1), p=blurred, name="maybe_blur"),
            *([RandomSolarize(128, p=solarized)] if solarized else []),
        ]

    wide = [recipe(size, (0.4, 1), *strength) for strength in ((1, 0), (0.1, 0.2))]
    local = [recipe(local_size, (0.05, 0.4), 0.5, 0)] * local_views
    return [_view(one, number, seed) for number, one in enumerate([*wide, *local])]


def _view(transforms: Sequence[Transform], number: int, seed: int | None) -> Compose:
    """A recipe whose streams no other view has."""
    named = [
        dataclasses.replace(transform, name=f"view_{number}/{transform.name or snake_case(transform)}")
        for transform in transforms
    ]
    return Compose(named, seed)
