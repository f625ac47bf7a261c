"""Pictures with a rectangle and discs drawn on them, and what is known of these."""

import numpy as np

import augrng as ar

HEIGHT, WIDTH = 96, 120
BOX = (44, 36, 79, 58)  # x1, y1, x2, y2
DISCS = ((52.5, 42.5), (71.0, 52.0))  # centres, x and y
RADIUS = 3.6


def picture():
    """An example: noise, a mask (1 the rectangle, 2 and 3 the discs on it), its box, the discs' centres."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    x1, y1, x2, y2 = BOX
    mask = ((x > x1) & (x < x2) & (y > y1) & (y < y2)).astype(np.uint8)
    for number, (cx, cy) in enumerate(DISCS):
        mask[(x - cx) ** 2 + (y - cy) ** 2 <= RADIUS**2] = 2 + number
    image = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return {
        "image": image,
        "mask": mask[..., None],
        "boxes": np.array([BOX], np.float32),
        "keypoints": np.array(DISCS, np.float32),
        "labels": np.array([7]),
    }


def tight(mask):
    """The tight box of what is not 0, x1, y1, x2, y2; None if nothing is."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def centroid(mask):
    """The mean (x, y) of the centres of pixels that are set."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def stacked(example, count):
    """A batch of the same example."""
    return {name: np.stack([value] * count) for name, value in example.items()}


GEOMETRY = {  # every transform that moves pixels, so mildly that the rectangle stays inside of most
    "crop": lambda: ar.RandomCrop(80, 100),
    "center_crop": lambda: ar.CenterCrop(84, 104),
    "padded_crop": lambda: ar.RandomCrop(96, 120, padding=8, fill_mode="constant"),
    "resized_crop": lambda: ar.RandomResizedCrop(90, 110, scale=(0.7, 1)),
    "resize": lambda: ar.Resize(120, 140),
    "flip": lambda: ar.RandomFlip("horizontal_and_vertical"),
    "rotation": lambda: ar.RandomRotation(40),
    "zoom": lambda: ar.RandomZoom(0.2, (-0.1, 0.2)),
    "translation": lambda: ar.RandomTranslation(0.1, 0.1),
    "shear": lambda: ar.RandomShear(0.2, 0.1),
    "affine": lambda: ar.RandomAffine(25, (0.1, 0.1), (0.8, 1.2), 10),
    "pad": lambda: ar.Pad((3, 5, 7, 2)),
    "perspective": lambda: ar.RandomPerspective(0.3, p=0.8),
    "maybe": lambda: ar.Maybe(ar.RandomRotation(30, name="inner"), p=0.5),
    "one_of": lambda: ar.OneOf([ar.RandomFlip(), ar.RandomAffine(20), ar.RandomInvert(p=1)]),
    "some_of": lambda: ar.SomeOf([ar.RandomFlip("vertical"), ar.RandomShear(0.1), ar.RandomZoom(0.1)], 2),
    "policy": lambda: ar.TrivialAugmentWide(),
}
