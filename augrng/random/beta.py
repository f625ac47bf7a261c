"""Draws of the Beta distribution from one word each, in integers.

  share :: word -> alpha -> int64 in [0, 2**16]: lambda of Beta(alpha, alpha), in units of 2**-16
  ends  :: alpha -> int64[2**15]: where the shares 0, 1, 2, ... below one half end, of 2**22

The 23 bits of a uniform are one that says which half a share lies in, and 22 that are looked up in the
distribution of the lower half; so a share is as likely as what is left of it. What comes out is lambda
rounded to the nearest of the 2**16 + 1 shares, with probabilities to within 2**-23.
"""

import functools

import numpy as np
import tensorflow as tf

from augrng.random.draws import UNIFORM_BITS, uniform

FRACTION = 16
ONE = 1 << FRACTION
LEAST, MOST = 0.01, 100  # alpha

_HALF = ONE // 2
_BITS = UNIFORM_BITS - 1
_ROW = 128
_LOG_2 = 0.6931471805599453


def share(word: tf.Tensor, alpha: float) -> tf.Tensor:
    """int64[...], lambda in units of 2**-16, of words uint32[...]; alpha lies in `LEAST` to `MOST`."""
    u = uniform(word)
    place = u & ((1 << _BITS) - 1)
    table = tf.constant(ends(float(alpha)).reshape(-1, _ROW), tf.int32)
    # How many ends lie at or below the place: whole rows of the table, then of the row that has the next one.
    low = tf.cast(place, tf.int32)[..., None]
    row = tf.reduce_sum(tf.cast(table[:-1, -1] <= low, tf.int64), -1)
    found = row * _ROW + tf.reduce_sum(tf.cast(tf.gather(table, row) <= low, tf.int64), -1)
    return tf.where(u >= 1 << _BITS, ONE - found, found)


@functools.lru_cache(maxsize=64)
def ends(alpha: float) -> np.ndarray:
    """int64[2**15]: the distribution at 1/2, 3/2, 5/2, ... shares, of 2**22 for one half; rising.

    Made of additions, products and quotients of float64 alone, each rounded as IEEE 754 says: the same on
    every machine, as no library's exp and log are.
    """
    x = np.append((np.arange(_HALF) + 0.5) / ONE, 0.5)
    below = _below(x, alpha)
    return np.floor(below[:-1] / below[-1] * (1 << _BITS) + 0.5).astype(np.int64)


def _below(x: np.ndarray, alpha: float) -> np.ndarray:
    """The incomplete beta function of x in (0, 1/2], times a constant.

    x**a (1 - x)**a / a times the hypergeometric series F(2a, 1; a + 1; x), whose terms are all positive
    (DLMF 8.17.8).
    """
    term = np.ones_like(x)
    total = np.ones_like(x)
    for n in range(64 + int(4 * alpha)):
        term = term * x * ((2 * alpha + n) / (alpha + 1 + n))
        total = total + term
    return _exp(alpha * _log(4 * x * (1 - x))) * total


def _log(y: np.ndarray) -> np.ndarray:
    """The logarithm of y > 0, by the series of atanh."""
    mantissa, exponent = np.frexp(y)
    z = (mantissa - 1) / (mantissa + 1)
    square, total = z * z, np.zeros_like(z)
    for n in range(41, 0, -2):
        total = total * square + 1 / n
    return exponent * _LOG_2 + 2 * z * total


def _exp(y: np.ndarray) -> np.ndarray:
    """e**y for y <= 0, by Taylor's series for what is left of a power of two."""
    power = np.rint(y / _LOG_2)
    rest, total = y - power * _LOG_2, np.ones_like(y)
    for n in range(18, 0, -1):
        total = total * rest / n + 1
    return np.ldexp(total, power.astype(np.int64))
