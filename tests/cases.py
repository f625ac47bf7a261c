"""The recipes and inputs of `pipelines.cases`, which the scripts check machines with too."""

from pipelines.cases import CASES as CASES
from pipelines.cases import COUNT as COUNT
from pipelines.cases import EPOCH as EPOCH
from pipelines.cases import SIZE as SIZE
from pipelines.cases import compose as compose
from pipelines.cases import example_ids as example_ids
from pipelines.cases import fingerprint_of as fingerprint_of
from pipelines.cases import pictures as pictures
