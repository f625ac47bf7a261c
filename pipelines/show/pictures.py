"""Image files as RGB pictures, through Pillow: for tools that show images, not for training."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


class UnreadableImageError(Exception):
    """A file that is missing, truncated, or no image."""


def read_image(path: Path, shorter_side: int = 0) -> Image.Image:
    """Reads an image file as RGB, turned as its EXIF orientation says; the first frame of several.

    Transparent pixels are laid over white; 16-bit grey keeps its upper 8 bits.

    Args:
      path: of the file.
      shorter_side: if above 0, larger pictures are shrunk until their shorter side has this many pixels.

    Returns:
      An RGB picture.

    Raises:
      UnreadableImageError: if the file cannot be read or decoded; the message says why.
    """
    try:
        with Image.open(path) as opened:
            picture = _rgb(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise UnreadableImageError(str(error)) from error
    scale = shorter_side / min(picture.size)
    if 0 < scale < 1:
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return picture


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture, np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")
