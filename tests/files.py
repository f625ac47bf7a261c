"""Image files made by hand, and the ways to have them read."""

import functools
import io
import struct

import tensorflow as tf
from PIL import Image

from pipelines.images import decode as dec


def encoded(pixels, kind="JPEG", mode="RGB", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def idx_files(folder, images, labels):
    """Arrays of bytes as MNIST's files: what to call them on a command line."""
    for name, array in (("images", images), ("labels", labels)):
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        (folder / name).write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())
    return f"idx:{folder / 'images'},{folder / 'labels'}"


def through_dataset(function, *inputs):
    """The one element of a `tf.data` pipeline that maps `function` over one input."""
    dataset = tf.data.Dataset.from_tensors(inputs).map(function)
    return next(iter(dataset))


@functools.cache
def _compiled(function, **options):
    """A function of one encoded image as a graph; a dataset would be traced anew for each image."""
    return tf.function(functools.partial(function, **options), [tf.TensorSpec([], tf.string)])


def probed(contents):
    return tuple(int(value) for value in _compiled(dec.probe)(contents))


def decoded(contents, **options):
    return _compiled(dec.decode, **options)(contents).numpy()


def tiff(order, type_, value, *, count=1, tag=0x112):
    """A TIFF block with one entry; `value` is what its four bytes hold."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IHHHI", 8, 1, tag, type_, count) + value + bytes(4)


def short(order, number):
    return tiff(order, 3, struct.pack(order + "HH", number, 0))


def with_segment(jpeg, data, marker=0xE1, at=2, fill=0):
    segment = b"\xff" * (fill + 1) + bytes([marker]) + struct.pack(">H", 2 + len(data)) + data
    return jpeg[:at] + segment + jpeg[at:]


def blocks(data, size=255):
    """GIF sub-blocks."""
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def lzw(indices, interlaced=False):
    """Palette indices [H, W] as an image of a GIF, no code ever being compressed."""
    height = len(indices)
    rows = range(height)
    if interlaced:
        rows = [y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, height, step)]
    stream = [int(index) for y in rows for index in indices[y]]
    bits, place, out = 0, 0, bytearray()
    codes = []
    for number, index in enumerate(stream):
        if number % 250 == 0:
            codes.append(256)  # clear before codes grow to 10 bits
        codes.append(index)
    for code in [*codes, 257]:
        bits |= code << place
        place += 9
        while place >= 8:
            out.append(bits & 255)
            bits, place = bits >> 8, place - 8
    out.append(bits & 255)
    return bytes(out)


def gif_image(indices, corner=(0, 0), palette=b"", interlaced=False, size=255):
    height, width = indices.shape
    flags = (0x80 | _bits(palette) if palette else 0) | 0x40 * interlaced
    place = struct.pack("<HHHHB", *corner, width, height, flags)
    return b"," + place + palette + b"\x08" + blocks(lzw(indices, interlaced), size)


def gif(images, screen, palette=b"", before=b"", background=0):
    """A GIF of what `gif_image` made; `screen` is (width, height)."""
    flags = 0x80 | _bits(palette) if palette else 0
    return b"GIF89a" + struct.pack("<HHBBB", *screen, flags, background, 0) + palette + before + images + b";"


def transparent(index):
    return b"!\xf9\x04\x01\0\0" + bytes([index]) + b"\0"


def _bits(palette):
    return (len(palette) // 3).bit_length() - 2


def bmp(
    rows,
    width,
    height,
    bits,
    *,
    header=40,
    compression=0,
    palette=b"",
    masks=(),
    colours=0,
    gap=0,
    offset=None,
):
    """A BMP of rows as they are stored; a negative height runs downwards."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        fields = (header, width, height, 1, bits, compression, len(rows), 2835, 2835, colours, 0)
        info = struct.pack("<IiiHHIIiiII", *fields)
        packed = struct.pack(f"<{len(masks)}I", *masks)
        info = (info + packed).ljust(header, b"\0")
    start = 14 + len(info) + len(palette) + gap if offset is None else offset
    file = b"BM" + struct.pack("<IHHI", 14 + len(info) + len(palette) + gap + len(rows), 0, 0, start)
    return file + info + palette + bytes(gap) + rows
