"""What transforms draw of their words, in plain Python; and what Pillow and `tf.image` make of that."""

import itertools

import numpy as np
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

import augrng as ar
from augrng.transforms.policies import operations
from augrng.transforms.policies import published as policies
from tests.transforms.oracles import blurred, done, grey, hue_of_pillow, strength_of

ONE = 1 << 24
COLORED = ("colors_of_tensorflow", "colors_of_pillow", "covering", "choosing", "policies")
ORDERS = {4: list(itertools.permutations(range(4))), 3: list(itertools.permutations(range(3)))}


def between(word, low, high, one=ONE):
    low, high = round(low * one), round(high * one)
    return low + ((int(word) & 0x7FFFFF) * (high - low) >> 23)


def happens(word, p):
    return int((int(word) & 0x7FFFFF) < round(p * 2**23))


def integer(word, limit):
    return int(word) % 2147483647 % int(limit)


def noise_key(words):
    low, high = (int(words[0]) | int(words[1]) << 32, int(words[2]) | int(words[3]) << 32)
    return dict(
        zip(("noise_0", "noise_1"), np.array([low, high], np.uint64).view(np.int64).tolist(), strict=True)
    )


def ends(value, middle=0):
    return value if isinstance(value, tuple) else (middle - value, middle + value)


def drawn_from(transform, w, size):
    """The params of one example, from its words int64[n] and the size of the image that it gets."""
    kind = type(transform).__name__
    if kind in ("Pad", "ToGrayscale", "Sequential"):
        return {}
    if kind == "RandomAffine":
        move = [
            int(np.floor((np.floor((2 * (int(w[1 + n]) & 0x7FFFFF) - 2**23) * int(size[1 - n]) * round(share * ONE) / 2**23 + 0.5)) / ONE + 0.5))
            for n, share in enumerate(transform.translate)
        ]  # fmt: skip
        turns = [
            between(w[place], *(end / 360 for end in ends(value)), 2**32)
            for place, value in ((0, transform.degrees), (4, transform.shear))
        ]
        return {
            "angle": turns[0],
            "x": move[0],
            "y": move[1],
            "scale": between(w[3], *transform.scale),
            "shear_x": turns[1],
            "shear_y": 0,
        }
    if kind == "RandomZoom":
        return {
            name: between(w[n], *(1 + end for end in ends(getattr(transform, f"{name}_factor"))))
            for n, name in enumerate(("height", "width"))
        }
    if kind in ("RandomTranslation", "RandomShear"):
        names = ("height", "width") if kind == "RandomTranslation" else ("x", "y")
        return {
            name: between(w[n], *ends(getattr(transform, f"{name}_factor"))) for n, name in enumerate(names)
        }
    if kind in ("RandomBrightness", "RandomHue"):
        return {"delta": between(w[0], -transform.max_delta, transform.max_delta)}
    if kind in ("RandomContrast", "RandomSaturation"):
        return {"factor": between(w[0], transform.lower, transform.upper)}
    if kind == "RandomPerspective":
        most = [int(size[place]) // 2 * round(transform.distortion_scale * ONE) >> 24 for place in (1, 0)]
        corners = ("top_left", "top_right", "bottom_right", "bottom_left")
        return {"applied": happens(w[0], transform.p)} | {
            f"{corner}_{axis}": integer(w[1 + 2 * n + k], most[k] + 1)
            for n, corner in enumerate(corners)
            for k, axis in enumerate("xy")
        }
    if kind == "RandomGamma":
        return {"gamma": between(w[0], transform.lower, transform.upper)}
    if kind == "ColorJitter":
        ranges = {
            name: ends(getattr(transform, name), 0 if name == "hue" else 1)
            for name in ("brightness", "contrast", "saturation", "hue")
        }
        return {
            "order": integer(w[0], 24),
            **{name: between(w[n], *pair) for n, (name, pair) in enumerate(ranges.items(), 1)},
        }
    if kind == "RandomChannelShuffle":
        return {"order": integer(w[0], 6)}
    if kind == "GaussianBlur":
        return {"sigma": between(w[0], *transform.sigma)}
    if kind == "GaussianNoise":
        return {"sigma": between(w[0], transform.sigma, transform.sigma), **noise_key(w[1:5])}
    if kind == "RandomErasing":
        return {**erased(transform, w, size), **noise_key(w[23:27])}
    if kind == "Cutout":
        return {"y_0": integer(w[0], size[0]), "x_0": integer(w[1], size[1]), **noise_key(w[2:6])}
    if kind == "GridMask":
        low, high = transform.period
        period = low + integer(w[1], high - low + 1)
        return {
            "period": period * happens(w[0], transform.p),
            "top": integer(w[2], period),
            "left": integer(w[3], period),
            **noise_key(w[4:8]),
        }
    if kind == "OneOf":
        shares = np.cumsum(transform.weights) / sum(transform.weights)
        return {"choice": int(np.searchsorted(shares, (int(w[0]) & 0x7FFFFF) / 2**23, "right"))}
    if kind == "SomeOf":
        smallest = sorted(range(len(transform.transforms)), key=lambda n: (w[n], n))[: transform.n]
        return {"chosen": sum(1 << n for n in smallest)}
    if isinstance(transform, operations.Policy):
        return policy_of(transform, w)
    return {"applied": happens(w[0], transform.p)}


def erased(transform, w, size):
    u = (w & 0x7FFFFF) / 2**23
    (s0, s1), (r0, r1) = transform.scale, np.log(transform.ratio)
    for k in range(10):
        area, ratio = (
            size[0] * size[1] * (s0 + u[1 + 2 * k] * (s1 - s0)),
            np.exp(r1 - u[2 + 2 * k] * (r1 - r0)),
        )
        window = np.rint([np.sqrt(area * ratio), np.sqrt(area / ratio)]).astype(int)
        if (window < size).all():
            break
    top, left = (integer(w[21 + n], size[n] - window[n] + 1) for n in (0, 1))
    found = {"top": top, "left": left, "height": int(window[0]), "width": int(window[1])}
    return {name: value * happens(w[0], transform.p) for name, value in found.items()}


def policy_of(transform, w):
    found = {}
    for slot in range(transform.slots):
        if isinstance(transform, ar.RandAugment):
            operation, place, sign = integer(w[2 * slot], 14), transform.magnitude, w[2 * slot + 1]
        elif isinstance(transform, ar.TrivialAugmentWide):
            operation, place, sign = integer(w[0], 14), integer(w[1], 31), w[2]
        else:
            name, p, place = policies.table_of(transform.policy)[integer(w[0], 25)][slot]
            operation = operations.OPERATIONS.index(name) * happens(w[1 + slot], p)
            sign = w[3 + slot]
        found[f"operation_{slot}"], found[f"bin_{slot}"] = operation, place
        found[f"negative_{slot}"] = int(1 <= operation <= 9) * happens(sign, 0.5)
    return found


def chosen(name, transforms, recorded, row):
    """Whether all choosers above a transform chose it in this row."""
    *above, last = name.split("/")
    for depth in range(len(above), 0, -1):
        outer = "/".join(above[:depth])
        chooser, params = transforms[outer], {key: values[row] for key, values in recorded[outer].items()}
        children = [
            child for child in transforms if child.startswith(f"{outer}/") and child.count("/") == depth
        ]
        branch = children.index("/".join([*above, last][: depth + 1]))
        if isinstance(chooser, ar.OneOf) and params["choice"] != branch:
            return False
        if isinstance(chooser, ar.SomeOf) and not params["chosen"] >> branch & 1:
            return False
        if isinstance(chooser, ar.Maybe) and not params["applied"]:
            return False
    return True


def applied(transform, drawn, picture):
    """What others make of a picture, uint8[H, W, 3]."""
    kind, image = type(transform).__name__, Image.fromarray(picture)
    adjust = {
        "RandomBrightness": "delta",
        "RandomContrast": "factor",
        "RandomSaturation": "factor",
        "RandomHue": "delta",
        "RandomGamma": "gamma",
    }
    if kind in adjust:
        name = kind.removeprefix("Random").lower()
        return getattr(tf.image, f"adjust_{name}")(picture, np.float32(drawn[adjust[kind]] / ONE)).numpy()
    if kind == "ColorJitter":
        steps = [("Brightness", "brightness"), ("Contrast", "contrast"), ("Color", "saturation"), None]
        for step in [steps[n] for n in ORDERS[4][drawn["order"]]]:
            image = (
                getattr(ImageEnhance, step[0])(image).enhance(drawn[step[1]] / ONE)
                if step
                else hue_of_pillow(np.asarray(image), drawn)
            )
        return np.asarray(image)
    if kind == "RandomCrop":
        return picture[
            drawn["top"] : drawn["top"] + transform.height, drawn["left"] : drawn["left"] + transform.width
        ]
    if kind == "RandomFlip":
        picture = picture[:, ::-1] if drawn["horizontal"] else picture
        return picture[::-1] if drawn["vertical"] else picture
    if kind == "RandomRotation":
        return np.asarray(image.rotate(drawn["angle"] * 360 / 2**32, Image.BILINEAR))
    if kind == "RandomChannelShuffle":
        return picture[..., list(ORDERS[3][drawn["order"]])]
    if kind == "GaussianBlur":
        return blurred(picture, drawn, 3).astype(np.uint8)
    if kind == "GaussianNoise":
        return noised(picture, drawn)
    if kind in ("RandomErasing", "Cutout", "GridMask"):
        return covered(transform, drawn, picture)
    if isinstance(transform, operations.Policy):
        for slot in range(transform.slots):
            operation = operations.OPERATIONS[drawn[f"operation_{slot}"]]
            share, sign = drawn[f"bin_{slot}"] / (transform.bins - 1), 1 - 2 * drawn[f"negative_{slot}"]
            strength = strength_of(
                operation, share, isinstance(transform, ar.TrivialAugmentWide), picture.shape
            )
            image = done(image, operation, sign * strength, Image.BILINEAR)
        return np.asarray(image)
    if kind == "ToGrayscale":
        return grey(picture, drawn)
    if not drawn.get("applied"):
        return picture
    return {
        "RandomGrayscale": lambda: grey(picture, drawn),
        "RandomPosterize": lambda: np.asarray(ImageOps.posterize(image, transform.bits)),
        "RandomSolarize": lambda: np.asarray(ImageOps.solarize(image, transform.threshold)),
        "RandomAutocontrast": lambda: np.asarray(ImageOps.autocontrast(image)),
        "RandomEqualize": lambda: np.asarray(ImageOps.equalize(image)),
        "RandomInvert": lambda: np.asarray(ImageOps.invert(image)),
        "RandomAdjustSharpness": lambda: np.asarray(
            ImageEnhance.Sharpness(image).enhance(transform.sharpness_factor)
        ),
        "Maybe": lambda: picture,
    }[kind]()


def noise_words(drawn, shape):
    key = [drawn["noise_0"], drawn["noise_1"]]
    return (
        tf.random.stateless_uniform(shape, key, None, None, tf.uint32, alg="philox").numpy().astype(np.int64)
    )


def noised(picture, drawn):
    from scipy.stats import norm

    words = noise_words(drawn, picture.shape)
    numbers = norm.isf(((words & (2**31 - 1)) + 0.5) / 2**32) * np.where(words >> 31, -1, 1)
    return np.clip(np.floor(picture + 255 * drawn["sigma"] / ONE * numbers + 0.5), 0, 255).astype(np.uint8)


def covered(transform, drawn, picture):
    height, width = picture.shape[:2]
    y, x = np.arange(height)[:, None], np.arange(width)
    if isinstance(transform, ar.GridMask):
        period = max(drawn["period"], 1)
        stays = int(np.floor(period * transform.ratio + 0.5))
        inside = (
            ((y + drawn["top"]) % period >= stays)
            & ((x + drawn["left"]) % period >= stays)
            & (drawn["period"] > 0)
        )
    elif isinstance(transform, ar.Cutout):
        half = transform.length // 2
        inside = (abs(y - drawn["y_0"]) <= half) & (abs(x - drawn["x_0"]) <= half)
    else:
        inside = (
            (y >= drawn["top"])
            & (y < drawn["top"] + drawn["height"])
            & (x >= drawn["left"])
            & (x < drawn["left"] + drawn["width"])
        )
    value = noise_words(drawn, picture.shape) >> 24 if transform.value == "random" else transform.value
    return np.where(inside[..., None], value, picture).astype(np.uint8)
