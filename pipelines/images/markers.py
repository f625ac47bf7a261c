"""Whether decoding a part of a JPEG would notice all that decoding the whole notices.

A part is decoded down to its last row, so what is broken below it goes unseen, and whether an example counts
as good would depend on what was drawn. Of entropy-coded data libjpeg forgives everything (it warns and goes
on); it gives up at markers that must not be there, and at the end of the data. So a file is fit for parts if

  it ends with the end marker, and between the start of its only scan and that there are none but restart
  markers; or it has several scans (progressive), for then all of them are read before the first row is made.

Any other is to be decoded whole: what is good is in every case what a full decode takes. A look at every
byte costs 2 % of decoding a large file, 3 % to 8 % of a small one.
"""

import tensorflow as tf

from pipelines.images.raw import bytes_at, when_needed

_HEAD = 2048  # bytes in which the scan of most JPEGs starts
_MOST_SEGMENTS = 256
_IS_FRAME = [0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC) for code in range(256)]
_IS_PROGRESSIVE = [frame and code & 3 == 2 for code, frame in enumerate(_IS_FRAME)]
_SCAN, _FILL = 0xDA, 0xFF


def fit_for_parts(contents: tf.Tensor) -> tf.Tensor:
    """bool scalar, whether every part of a JPEG can be decoded if and only if the whole can.

    Args:
      contents: scalar string, a JPEG whose header TensorFlow can read; of anything else the answer is either.
    """
    values = tf.io.decode_raw(contents, tf.uint8)
    size = tf.size(values)
    head = values[:_HEAD]
    starts = (head[:-1] == 0xFF) & (head[1:] == _SCAN)
    first = tf.cast(_first(starts), tf.int32)
    ends = (size >= 4) & tf.reduce_all(bytes_at(contents, size - 2, 2) == [0xFF, 0xD9])
    # If no marker follows the first thing that looks like the start of a scan, it is the start of the scan.
    plain = (first >= 0) & _no_markers(values[tf.maximum(first, 0) + 2 : -2])
    return tf.cond(ends & ~plain, lambda: _by_segments(contents), lambda: ends)


def _first(found: tf.Tensor) -> tf.Tensor:
    """The place of the first True of a vector, -1 if there is none."""
    return tf.concat([tf.where(found)[:, 0], [-1]], 0)[0]


def _no_markers(values: tf.Tensor) -> tf.Tensor:
    """Whether entropy-coded data holds no markers but those of a restart."""
    first, second = values[:-1], values[1:]
    marked = (first == 0xFF) & (second != 0)
    restarts = lambda: tf.reduce_all(~marked | ((second >= 0xD0) & (second <= 0xD7)))  # noqa: E731
    return tf.cond(tf.reduce_any(marked), restarts, lambda: tf.constant(True))  # most files have none


@when_needed
def _by_segments(contents: tf.Tensor) -> tf.Tensor:
    """The same by the segments in front of the scan, which may hold what looks like markers (a thumbnail)."""

    def goes_on(_: tf.Tensor, segment: tf.Tensor, __: tf.Tensor) -> tf.Tensor:
        return (segment[0] == 0xFF) & (segment[1] != _SCAN)

    def advance(at: tf.Tensor, segment: tf.Tensor, frame: tf.Tensor) -> tuple[tf.Tensor, ...]:
        frame = tf.where(tf.gather(_IS_FRAME, segment[1]), segment, frame)
        length = 2 + 256 * segment[2] + segment[3]
        at += tf.where(segment[1] == _FILL, 1, length)
        return at, bytes_at(contents, at, 10), frame

    at, segment, frame = tf.while_loop(
        goes_on,
        advance,
        (tf.constant(2), bytes_at(contents, 2, 10), tf.zeros([10], tf.int32)),
        maximum_iterations=_MOST_SEGMENTS,
    )
    found = (segment[0] == 0xFF) & (segment[1] == _SCAN)
    several = tf.gather(_IS_PROGRESSIVE, frame[1]) | (segment[4] < frame[9])
    values = tf.io.decode_raw(contents, tf.uint8)
    return found & (several | _no_markers(values[at + 2 : -2]))
