"""Fixed-point functions in int64, the same bits on every device.

FRACTION  the number of fraction bits of a fixed-point number; ONE = 2**FRACTION is 1.0
TURN      2**32: angles are integers in units of 1/2**32 of a turn (a quarter turn is 2**30)
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from augrng.compiled import traced_once

FRACTION = 24
ONE = 1 << FRACTION
TURN = 1 << 32

_WORK = 30  # fraction bits inside sincos
_HALF_PI = round(math.pi / 2 * TURN)


def turns(degrees: float) -> int:
    """Degrees as an integer angle, to the nearest 2**-32 turn; exact for multiples of 90."""
    return round(degrees / 360 * TURN) if degrees % 90 else round(degrees / 90) * (TURN // 4)


def degrees(angle: int) -> float:
    """An integer angle in degrees."""
    return angle * 360 / TURN


def shift_round(x: tf.Tensor, count: int) -> tf.Tensor:
    """x / 2**count, rounded to the nearest integer, halves up."""
    return tf.bitwise.right_shift(x + (1 << (count - 1)), tf.constant(count, x.dtype))


def length(x: tf.Tensor) -> tf.Tensor:
    """How many bits |x| has, int64: 0 for 0, n for 2**(n - 1) <= |x| < 2**n."""
    powers = tf.constant([1 << power for power in range(63)], tf.int64)
    return tf.reduce_sum(tf.cast(tf.abs(x)[..., None] >= powers, tf.int64), -1)


def scale(x: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """x 2**count for a count of either sign, rounded to the nearest integer, halves up."""
    down = tf.clip_by_value(-count, 0, 62)
    half = tf.where(down > 0, tf.bitwise.left_shift(tf.ones_like(down), tf.maximum(down - 1, 0)), 0 * down)
    raised = tf.bitwise.left_shift(x + half, tf.clip_by_value(count, 0, 62) + tf.zeros_like(x))
    return tf.bitwise.right_shift(raised, down + tf.zeros_like(x))


def multiply(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The product of two fixed-point numbers, to within 2**-FRACTION.

    Exact if either is a whole number, or both have at most FRACTION / 2 fraction bits in use.
    |a|, |b| and |a b| must stay below 2**26 (in units of 1.0): the product is made of two parts so
    that each fits in 64 bits.
    """
    half = FRACTION // 2
    count = tf.constant(half, tf.int64)
    a_high, a_low = tf.bitwise.right_shift(a, count), a & ((1 << half) - 1)
    product = a_high * b + tf.bitwise.right_shift(a_low * b, count)
    return tf.bitwise.right_shift(product + (1 << (half - 1)), count)


@traced_once
def sincos(angle: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Sine and cosine of an angle, both fixed-point, to within 2**-24.

    Exact at every quarter turn. Taylor series on [-1/8, 1/8] turn after folding the quadrant away.

    Args:
      angle: int64[...] in units of 2**-32 turn; any value, it wraps.
    """
    quarter = TURN // 4
    folded = angle + quarter // 2
    quadrant = tf.bitwise.right_shift(folded, tf.constant(30, tf.int64)) & 3
    x = shift_round(((folded & (quarter - 1)) - quarter // 2) * _HALF_PI, 32)
    square = shift_round(x * x, _WORK)
    sine = shift_round(x * _series(square, first=1), _WORK)
    cosine = _series(square, first=0)
    sine, cosine = (shift_round(value, _WORK - FRACTION) for value in (sine, cosine))
    odd = tf.equal(quadrant & 1, 1)
    sine, cosine = tf.where(odd, cosine, sine), tf.where(odd, sine, cosine)
    return (
        tf.where(quadrant >= 2, -sine, sine),
        tf.where((quadrant == 1) | (quadrant == 2), -cosine, cosine),
    )


def _series(square: tf.Tensor, first: int) -> tf.Tensor:
    """Sum over k of (-square)**k / (2k + first)!: cosine (0) or sine(x)/x (1)."""
    return _sum([round((-1) ** k * 2**_WORK / math.factorial(2 * k + first)) for k in range(7)], square)


def _sum(terms: Sequence[int], x: tf.Tensor) -> tf.Tensor:
    """terms[0] + terms[1] x + ..., all with `_WORK` fraction bits, by Horner's rule; below 4 in size."""
    count = tf.constant(_WORK, x.dtype)
    *terms, total = terms
    for term in reversed(terms):  # the product is rounded; the term, a whole number after the shift, is not
        total = tf.bitwise.right_shift(total * x + ((1 << (_WORK - 1)) + (term << _WORK)), count)
    return total


@traced_once
def exp2(x: tf.Tensor) -> tf.Tensor:
    """2**x for fixed-point x in [-20, 20], fixed-point, to within 2**-23 of its value or 2**-24.

    Taylor series of exp(f log 2) for the fraction f of x, then a shift by its whole part.
    """
    whole = tf.bitwise.right_shift(x, tf.constant(FRACTION, tf.int64))
    fraction = tf.bitwise.left_shift(x & (ONE - 1), tf.constant(_WORK - FRACTION, tf.int64))
    total = _sum([round(math.log(2) ** k / math.factorial(k) * 2**_WORK) for k in range(12)], fraction)
    down = _WORK - FRACTION - whole
    left = tf.bitwise.left_shift(total, tf.maximum(-down, 0))
    half = tf.bitwise.left_shift(tf.ones_like(x), tf.maximum(down, 0)) // 2
    return tf.bitwise.right_shift(left + half, tf.maximum(down, 0))


@traced_once
def square_root(x: tf.Tensor) -> tf.Tensor:
    """floor(sqrt(x)) of integers in [0, 2**62), exactly.

    A float64 square root is off by less than one; comparing squares as integers settles which it is.
    """
    root = tf.cast(tf.sqrt(tf.cast(x, tf.float64)), tf.int64)
    root -= tf.cast(root * root > x, tf.int64)
    return root + tf.cast((root + 1) * (root + 1) <= x, tf.int64)


def never(drawn: tf.Tensor) -> tf.Tensor:
    """False, bool[], for a number that was drawn; a compiler does not know.

    XLA on the CPU computes a value again for each place that reads it: a table for each pixel, a word
    for each of its bytes. What a branch made is computed once, in a third to a fifth of the time.
    """
    return tf.equal(tf.cast(tf.reshape(drawn, [-1])[0], tf.int64), tf.int64.min)
