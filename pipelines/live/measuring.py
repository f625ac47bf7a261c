"""What a change of one number costs on the live page, and what many recipes leave behind.

    python -m pipelines.live.measuring [RECIPES]

Prints the time of a request for 12 tiles of 256 x 256 pixels, each under a recipe that was not seen before,
and the process's memory along RECIPES (1,000) new recipes, one tile each.
"""

import json
import os
import sys
import time

import numpy as np

from pipelines.live.album import Album, Entry
from pipelines.live.drawing import Place, tiles
from pipelines.live.recipes import composed

_SIDE, _TILES, _TIMES = 256, 12, 5
_RECIPES: dict[str, list[dict[str, object]]] = {
    "RandomResizedCrop, RandomFlip": [
        {"type": "RandomResizedCrop", "height": 224, "width": 224, "scale": ["*", 1]},
        {"type": "RandomFlip"},
    ],
    "RandomCrop, RandomFlip, RandomRotation": [
        {"type": "RandomCrop", "height": 224, "width": 224},
        {"type": "RandomFlip"},
        {"type": "RandomRotation", "degrees": "*"},
    ],
    "RandomGamma": [{"type": "RandomGamma", "lower": "*", "upper": 2}],
    "RandomErasing": [{"type": "RandomErasing", "p": "*"}],
    "GaussianBlur": [{"type": "GaussianBlur", "kernel_size": 15, "sigma": ["*", 2]}],
    "RandomPerspective": [{"type": "RandomPerspective", "distortion_scale": "*"}],
    "ColorJitter of all four": [
        {"type": "ColorJitter", "brightness": "*", "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
    ],
    "RandAugment": [{"type": "RandAugment", "name": "* of them"}],
}


class Noise(Album):
    """Images of noise."""

    def __init__(self) -> None:
        super().__init__([Entry("", str(number), number, "") for number in range(_TILES)], _SIDE)
        self._pixels = np.random.default_rng(0).integers(0, 256, [_TILES, _SIDE, _SIDE, 3], np.uint8)

    def pixels(self, number: int) -> np.ndarray:
        return self._pixels[number]


def seconds(album: Album, steps: list[dict[str, object]], number: float, count: int = _TILES) -> float:
    """Of a request for tiles under a recipe with this number in it."""
    text = json.dumps({"transforms": steps}).replace('"*"', f"{number:.6f}").replace("*", f"{number:.6f}")
    begun = time.perf_counter()
    tiles(album, composed(text), [Place(image, 0) for image in range(count)], lambda: False)
    return time.perf_counter() - begun


def megabytes() -> float:
    """What the process has in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(recipes: int) -> None:
    album = Noise()
    for name, steps in _RECIPES.items():
        times = [seconds(album, steps, 0.3 + 0.01 * time_) for time_ in range(_TIMES)]
        print(f"{name:40}{np.median(times):6.2f} s", flush=True)
    for number in range(recipes + 1):
        if number % max(1, recipes // 5) == 0:
            print(f"{number} recipes: {megabytes():.0f} MB", flush=True)
        for steps in list(_RECIPES.values())[number % len(_RECIPES) :][:1]:
            seconds(album, steps, 0.4 + number / 10_000, 1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
