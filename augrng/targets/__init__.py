"""What is known about a picture and moves with its pixels: masks, boxes, keypoints."""

from augrng.targets.base import Target as Target
from augrng.targets.boxes import Boxes as Boxes
from augrng.targets.keypoints import Keypoints as Keypoints
from augrng.targets.mask import Mask as Mask
