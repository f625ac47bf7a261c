"""Transforms: frozen dataclasses that say what to draw and what it does."""

from augrng.transforms.base import Params as Params
from augrng.transforms.base import Transform as Transform
from augrng.transforms.geometry import CenterCrop as CenterCrop
from augrng.transforms.geometry import RandomCrop as RandomCrop
from augrng.transforms.geometry import RandomFlip as RandomFlip
from augrng.transforms.geometry import RandomQuarterTurn as RandomQuarterTurn
from augrng.transforms.geometry import RandomRotation as RandomRotation
from augrng.transforms.resize import RandomResizedCrop as RandomResizedCrop
from augrng.transforms.resize import Resize as Resize

_ALL = (CenterCrop, RandomCrop, RandomFlip, RandomQuarterTurn, RandomResizedCrop, RandomRotation, Resize)
BY_NAME = {transform.__name__: transform for transform in _ALL}
