"""The harness of `test_invariance` over what changes colours, chooses and mixes: in a file of its own, so that
two workers share what takes longest and most memory."""

import pytest

from tests.cases import COLORED, compose
from tests.modes import MODES, assert_same, restored, yardstick


@pytest.fixture(scope="module")
def yardsticks():
    return {case: yardstick(case) for case in COLORED}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", COLORED)
def test_every_mode_gives_the_same_pixels(case, mode, yardsticks):
    assert_same(MODES[mode](compose(case)), yardsticks[case])


@pytest.mark.parametrize("case", COLORED)
def test_a_restored_iterator_gives_the_same_pixels(case, yardsticks, tmp_path):
    assert_same(restored(compose(case), tmp_path), yardsticks[case])
