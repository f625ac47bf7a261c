"""What Pillow, SciPy and torchvision's code make of pictures."""

import numpy as np
import scipy.ndimage
from PIL import Image, ImageEnhance, ImageOps

ONE = 1 << 24


def hue_of_pillow(image, drawn):
    """torchvision's `adjust_hue` of PIL images, in NumPy."""
    hue, saturation, value = Image.fromarray(image).convert("HSV").split()
    moved = (np.asarray(hue, np.int64) + int(drawn["hue"] / ONE * 255)) % 256
    merged = Image.merge("HSV", (Image.fromarray(moved.astype(np.uint8)), saturation, value))
    return merged.convert("RGB")


def blurred(image, drawn, size=7):
    place, sigma = np.arange(size) - size // 2, drawn["sigma"] / ONE
    weights = np.exp(-(place**2) / (2 * sigma**2))
    for axis in (0, 1):
        image = scipy.ndimage.correlate1d(
            image.astype(np.float64), weights / weights.sum(), axis=axis, mode="mirror"
        )
    return np.rint(image)


def grey(image, drawn):
    return np.repeat(np.asarray(Image.fromarray(image).convert("L"))[..., None], 3, -1)


def done(image, operation, strength, interpolation=Image.NEAREST):
    """One operation of a policy as torchvision does it to a PIL image."""
    affine = {
        "ShearX": (1, strength, 0, 0, 1, 0),
        "ShearY": (1, 0, 0, strength, 1, 0),
        "TranslateX": (1, 0, -int(strength), 0, 1, 0),
        "TranslateY": (1, 0, 0, 0, 1, -int(strength)),
    }
    if operation in affine:
        return image.transform(image.size, Image.AFFINE, affine[operation], interpolation)
    if operation == "Rotate":
        return image.rotate(strength, interpolation)
    if operation in ("Brightness", "Color", "Contrast", "Sharpness"):
        return getattr(ImageEnhance, operation)(image).enhance(1 + strength)
    if operation == "Posterize":
        return ImageOps.posterize(image, int(strength))
    if operation == "Solarize":
        return ImageOps.solarize(image, strength)
    if operation == "Identity":
        return image
    return getattr(ImageOps, operation.lower())(image)


def strength_of(operation, share, wide, size):
    """Of a place on the scale, from 0 to 1: torchvision's ranges."""
    if operation.startswith("Shear"):
        return share * (0.99 if wide else 0.3)
    if operation.startswith("Translate"):
        return share * (32 if wide else 150 / 331 * size[operation[-1] == "X"])
    if operation == "Rotate":
        return share * (135 if wide else 30)
    if operation in ("Brightness", "Color", "Contrast", "Sharpness"):
        return share * (0.99 if wide else 0.9)
    if operation == "Posterize":
        return 8 - round(share * (6 if wide else 4))
    return round(255 * (1 - share), 9)
