"""The recipes and inputs of `pipelines.run.cases`, which the scripts check machines with too."""

from pipelines.run.cases import CASES as CASES
from pipelines.run.cases import COUNT as COUNT
from pipelines.run.cases import EPOCH as EPOCH
from pipelines.run.cases import SIZE as SIZE
from pipelines.run.cases import UINT8_ONLY as UINT8_ONLY
from pipelines.run.cases import UNRECORDED as UNRECORDED
from pipelines.run.cases import compose as compose
from pipelines.run.cases import example_ids as example_ids
from pipelines.run.cases import fingerprint_of as fingerprint_of
from pipelines.run.cases import pictures as pictures
