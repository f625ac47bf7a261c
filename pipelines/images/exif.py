"""The orientation that EXIF asks for, of JPEG, PNG and WebP files: as Pillow's `exif_transpose` finds it.

It is looked for in a JPEG's APP1 segment before the scan, a PNG's eXIf chunk and a WebP's EXIF chunk; not in
XMP, and not in the text chunks ("Raw profile type exif") of old PNGs.
"""

from collections.abc import Callable

import tensorflow as tf

from pipelines.images.raw import big_endian, bytes_at, little_endian, substring, when_needed

_SEGMENT = 10  # bytes: a JPEG segment's marker and length, and b"Exif\0\0"
_MAX_STEPS = 256  # segments or runs of chunks that are looked at
_MAX_ENTRIES = 64  # of an EXIF directory; sorted by tag, 0x112 is among the first
_HEAD = 1024  # bytes in which the tables of most JPEGs lie
_RUN = 64  # chunks of one size that are passed over in one step
_PREFIX = b"Exif\0\0"
_SCAN, _FILL, _APP1 = 0xDA, 0xFF, 0xE1
_JFIF = list(b"\xff\xd8\xff\xe0\0\x10")  # a JPEG that starts with an ordinary APP0: byte 20 starts the next
_IS_EXTRA = [code & 0xF0 == 0xE0 or code in (0xFE, _FILL) for code in range(256)]  # APPn, COM, fill bytes
_BYTE_ORDERS = (b"II*\0", b"II\0*", b"MM\0*", b"MM*\0")
_TAG = 0x0112
_SHORTS, _LONGS = (3, 8), (4, 9)  # types of numbers: unsigned, signed


def of_jpeg(contents: tf.Tensor) -> tf.Tensor:
    """int32 scalar, 1 to 8: the orientation of a JPEG; 1 if it says none, or one that makes no sense."""
    head = _head(contents)
    hinted = _hinted(head)
    extra = tf.gather(_IS_EXTRA, tf.cast(tf.gather(head, [3, 21]), tf.int32))
    only_jfif = tf.reduce_all(head[:6] == _JFIF) & ~extra[1]
    return tf.cond(hinted | (extra[0] & ~only_jfif), lambda: _by_segments(contents), lambda: tf.constant(1))


def _head(contents: tf.Tensor) -> tf.Tensor:
    """uint8[_HEAD], the first bytes, zeros where there are none."""
    return tf.io.decode_raw(tf.strings.substr(contents, 0, _HEAD), tf.uint8, fixed_length=_HEAD)


def _hinted(head: tf.Tensor) -> tf.Tensor:
    """Whether something that looks like the start of an APP1 segment is among the first bytes."""
    return tf.reduce_any((head[:-1] == 0xFF) & (head[1:] == _APP1))


@when_needed
def _by_segments(contents: tf.Tensor) -> tf.Tensor:
    """From the segments before the scan; if none near the start may be EXIF, from those before the tables."""
    behind_tables = _hinted(_head(contents))

    def is_exif(segment: tf.Tensor) -> tf.Tensor:
        return tf.reduce_all(segment[4:] == list(_PREFIX)) & (segment[1] == _APP1)

    def goes_on(_: tf.Tensor, segment: tf.Tensor) -> tf.Tensor:
        wanted = tf.gather(_IS_EXTRA, segment[1]) | (behind_tables & (segment[1] != _SCAN))
        return (segment[0] == 0xFF) & wanted & ~is_exif(segment)

    def advance(at: tf.Tensor, segment: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        fills = tf.reduce_sum(tf.math.cumprod(tf.cast(segment == _FILL, tf.int32)))
        at += tf.where(fills > 1, fills - 1, 2 + tf.maximum(big_endian(segment[2:4]), 2))
        return at, bytes_at(contents, at, _SEGMENT)

    at, segment = tf.while_loop(
        goes_on,
        advance,
        (tf.constant(2), bytes_at(contents, 2, _SEGMENT)),
        maximum_iterations=_MAX_STEPS,
    )
    return tf.cond(
        is_exif(segment),
        lambda: in_tiff(substring(contents, at + _SEGMENT, big_endian(segment[2:4]) - 8)),
        lambda: tf.constant(1),
    )


def of_png(contents: tf.Tensor) -> tf.Tensor:
    """int32 scalar, 1 to 8: the orientation of a PNG; 1 if it says none, or one that makes no sense."""
    first = bytes_at(contents, 33, 8)
    is_all = (33 + 12 + big_endian(first[:4]) + 12) == tf.strings.length(contents)
    plain = is_all & tf.reduce_all(first[4:] == list(b"IDAT"))  # IHDR, IDAT, IEND: nothing to look for
    return tf.cond(plain, lambda: tf.constant(1), lambda: _in_png_chunks(contents))


def of_webp(contents: tf.Tensor) -> tf.Tensor:
    """int32 scalar, 1 to 8: the orientation of a WebP; 1 if it says none, or one that makes no sense."""
    head = bytes_at(contents, 0, 32)
    has_exif = tf.equal(head[15], ord("X")) & (head[20] & 8 > 0)
    return tf.cond(has_exif, lambda: _in_webp_chunks(contents), lambda: tf.constant(1))


@when_needed
def _in_png_chunks(contents: tf.Tensor) -> tf.Tensor:
    return _in_chunks(contents, 33, b"eXIf", b"IEND", png=True)


@when_needed
def _in_webp_chunks(contents: tf.Tensor) -> tf.Tensor:
    return _in_chunks(contents, 12, b"EXIF", b"\0\0\0\0", png=False)


def _in_chunks(contents: tf.Tensor, start: int, name: bytes, end: bytes, *, png: bool) -> tf.Tensor:
    """From the first chunk of a name; a chunk is its length, name, data, CRC (PNG) or name, length, data."""
    size = tf.strings.length(contents)
    values = tf.io.decode_raw(contents, tf.uint8, fixed_length=size + 8)
    number: Callable[[tf.Tensor], tf.Tensor] = big_endian if png else little_endian

    def heads(places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Lengths, int32[N], and names, int32[N, 4]; of places outside the file those of an end."""
        index = tf.minimum(places, size)[:, None] + tf.range(8)
        read = tf.cast(tf.gather(values, index), tf.int32)
        lengths, names = (read[:, :4], read[:, 4:]) if png else (read[:, 4:], read[:, :4])
        return number(lengths), names

    def step(lengths: tf.Tensor) -> tf.Tensor:
        return lengths + 12 if png else lengths + 8 + (lengths & 1)

    def goes_on(at: tf.Tensor, length: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        is_last = tf.reduce_all(found == list(name)) | tf.reduce_all(found == list(end))
        return ~is_last & (length >= 0) & (at < size - 8)

    def advance(at: tf.Tensor, length: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # Image data comes in many chunks of one size; as many as are alike are passed over at once.
        stride = tf.minimum(step(length), size)
        places = at + tf.minimum(tf.range(_RUN + 1), (size - at) // stride + 1) * stride
        lengths, names = heads(places)
        alike = tf.equal(lengths, length) & tf.reduce_all(tf.equal(names, found), -1)
        count = tf.clip_by_value(tf.reduce_sum(tf.math.cumprod(tf.cast(alike, tf.int32))), 1, _RUN)
        return places[count], lengths[count], names[count]

    lengths, names = heads(tf.constant([start]))
    at, length, found = tf.while_loop(
        goes_on, advance, (tf.constant(start), lengths[0], names[0]), maximum_iterations=_MAX_STEPS
    )
    return tf.cond(
        tf.reduce_all(found == list(name)),
        lambda: in_tiff(substring(contents, at + 8, length)),
        lambda: tf.constant(1),
    )


def in_tiff(block: tf.Tensor) -> tf.Tensor:
    """The orientation in the first directory of a TIFF block, a whole number of any type; 1 by default."""
    prefixed = tf.equal(tf.strings.substr(block, 0, len(_PREFIX)), _PREFIX)
    tiff = substring(block, tf.where(prefixed, len(_PREFIX), 0), tf.strings.length(block))
    known = tf.reduce_any(tf.equal(tf.strings.substr(tiff, 0, 4), _BYTE_ORDERS))
    head = bytes_at(tiff, 0, 8)
    little = tf.equal(head[0], ord("I"))

    def number(values: tf.Tensor) -> tf.Tensor:
        return tf.where(little, little_endian(values), big_endian(values))

    directory = number(head[4:8])
    count = number(bytes_at(tiff, directory, 2))
    entries = tf.reshape(bytes_at(tiff, directory + 2, 12 * _MAX_ENTRIES), [_MAX_ENTRIES, 12])
    tags, types, many = number(entries[:, :2]), number(entries[:, 2:4]), number(entries[:, 4:8])
    short, long = (tf.reduce_any(types[:, None] == kinds, -1) for kinds in (_SHORTS, _LONGS))
    fits = (many == 1) | (short & (many == 2))  # more would lie elsewhere
    found = (tags == _TAG) & (short | long) & fits & (tf.range(_MAX_ENTRIES) < count)
    place = tf.argmax(found)
    values = tf.gather(entries[:, 8:], place)
    value = tf.where(tf.gather(short, place), number(values[:2]), number(values))
    return tf.where(known & tf.reduce_any(found) & (value >= 1) & (value <= 8), value, 1)
