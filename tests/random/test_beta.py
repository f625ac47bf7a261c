"""Shares of the Beta distribution from one word, against SciPy's distribution."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from augrng.random import beta

ALPHAS = [0.2, 0.4, 1, 8]


@pytest.mark.parametrize("alpha", [*ALPHAS, 0.01, 2.5, 100])
def test_the_table_is_the_distribution_rounded(alpha):
    """Far from where another machine's last bit could show: within half a unit, and rising."""
    table = beta.ends(float(alpha))
    exact = stats.beta.cdf((np.arange(2**15) + 0.5) / 2**16, alpha, alpha) * 2**23
    assert table.shape == (2**15,)
    assert np.abs(table - exact).max() <= 0.5 + 1e-6
    assert (np.diff(table) >= 0).all()
    assert table[-1] < 2**22


@pytest.mark.parametrize("alpha", ALPHAS)
def test_shares_are_distributed_as_scipy_says(alpha, rng):
    words = rng.integers(0, 2**32, 100_000).astype(np.uint32)
    shares = beta.share(tf.constant(words), alpha).numpy()
    # Each share stands for those that are rounded to it: one of them is drawn.
    low, high = (stats.beta.cdf((shares + end) / 2**16, alpha, alpha) for end in (-0.5, 0.5))
    drawn = low + (high - low) * rng.random(len(words))
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    # By the inverse of the distribution, the upper half a mirror image of the lower one.
    place = (words & (2**22 - 1)) + 0.5
    inverse = np.rint(stats.beta.ppf(place / 2**23, alpha, alpha) * 2**16)
    inverse = np.where(words & 2**22, 2**16 - inverse, inverse)
    assert np.abs(shares - inverse).max() <= 1
    assert (shares != inverse).mean() < 0.02


def test_the_ends():
    words = tf.constant([0, 2**22 - 1, 2**22, 2**23 - 1, 2**23, 2**32 - 1], tf.uint32)
    uniform = [0, 2**15, 2**16, 2**15, 0, 2**15]
    compiled = tf.function(beta.share, jit_compile=True)
    for share in (beta.share, compiled):
        assert share(words, 1.0).numpy().tolist() == uniform
