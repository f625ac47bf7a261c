"""Transforms: frozen dataclasses that say what to draw and what it does."""

from augrng.transforms.base import Params as Params
from augrng.transforms.base import Transform as Transform
from augrng.transforms.geometry import CenterCrop as CenterCrop
from augrng.transforms.geometry import RandomCrop as RandomCrop
from augrng.transforms.geometry import RandomFlip as RandomFlip
from augrng.transforms.geometry import RandomQuarterTurn as RandomQuarterTurn
from augrng.transforms.geometry import RandomRotation as RandomRotation

BY_NAME = {
    transform.__name__: transform
    for transform in (CenterCrop, RandomCrop, RandomFlip, RandomQuarterTurn, RandomRotation)
}
