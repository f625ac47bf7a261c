"""Float64 matrices of what moves pictures, in the words of the docstrings."""

import math

import numpy as np

import augrng as ar

KINDS = (ar.Pad, ar.RandomAffine, ar.RandomZoom, ar.RandomTranslation, ar.RandomShear)
ONE = 2.0**24


def float_matrix(transform, drawn, size):
    """From output to input positions (x, y, 1) in pixels, float64[3, 3], for an image of this size."""
    height, width = size
    whole = np.eye(3)
    center = np.array([width / 2, height / 2])
    if isinstance(transform, ar.Pad):
        padding = transform.padding if isinstance(transform.padding, tuple) else (transform.padding,)
        whole[:2, 2] = [-padding[0], -padding[min(1, len(padding) - 1)]]
        return whole
    if isinstance(transform, ar.RandomTranslation):
        whole[:2, 2] = [-width * drawn["width"] / ONE, -height * drawn["height"] / ONE]
        return whole
    if isinstance(transform, ar.RandomAffine):
        return torchvisions_inverse(drawn, center)
    if isinstance(transform, ar.RandomZoom):
        linear = np.diag([drawn["width"], drawn["height"]]) / ONE
    else:
        linear = np.array([[1, drawn["x"] / ONE], [drawn["y"] / ONE, 1]])
    whole[:2, :2], whole[:2, 2] = linear, center - linear @ center
    return whole


def torchvisions_inverse(drawn, center):
    """`_get_inverse_affine_matrix` about the centre, in the words of its docstring: the inverse of
    T * C * RotateScaleShear * C^-1 with RSS = rotation, shear along y, shear along x, scale.

    torchvision turns clockwise.
    """
    turn, sx, sy = (drawn[name] / 2**32 * 2 * math.pi for name in ("angle", "shear_x", "shear_y"))
    rotation = -turn
    rss = drawn["scale"] / ONE * np.array([
        [math.cos(rotation - sy) / math.cos(sy), -math.cos(rotation - sy) * math.tan(sx) / math.cos(sy) - math.sin(rotation)],
        [math.sin(rotation - sy) / math.cos(sy), -math.sin(rotation - sy) * math.tan(sx) / math.cos(sy) + math.cos(rotation)],
    ])  # fmt: skip
    whole = np.eye(3)
    whole[:2, :2], whole[:2, 2] = rss, center - rss @ center + np.array([drawn["x"], drawn["y"]])
    return np.linalg.inv(whole)
