"""Image augmentation whose random decisions are pure functions of (seed, op, epoch, example id)."""

from augrng.compose import Compose as Compose
from augrng.compose import from_json as from_json
from augrng.fingerprint import Fingerprint as Fingerprint
from augrng.fingerprint import fingerprint as fingerprint
from augrng.geometry.sampling import Sampling as Sampling
from augrng.random.bits import bits as bits
from augrng.random.keys import fold_in as fold_in
from augrng.random.keys import split as split
from augrng.random.keys import string_ids as string_ids
from augrng.random.seeds import get_seed as get_seed
from augrng.random.seeds import seed_everything as seed_everything
from augrng.recipe import STREAM_VERSION as STREAM_VERSION
from augrng.stateless import stateless_random_crop as stateless_random_crop
from augrng.stateless import stateless_random_flip_left_right as stateless_random_flip_left_right
from augrng.stateless import stateless_random_flip_up_down as stateless_random_flip_up_down
from augrng.stateless import stateless_random_rotation as stateless_random_rotation
from augrng.transforms import CenterCrop as CenterCrop
from augrng.transforms import RandomCrop as RandomCrop
from augrng.transforms import RandomFlip as RandomFlip
from augrng.transforms import RandomQuarterTurn as RandomQuarterTurn
from augrng.transforms import RandomResizedCrop as RandomResizedCrop
from augrng.transforms import RandomRotation as RandomRotation
from augrng.transforms import Resize as Resize

__version__ = "0.1.0"
