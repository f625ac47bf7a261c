#!/usr/bin/env python3
"""A contender of scripts/bench.py in a process of its own: albumentations under a PyTorch DataLoader.

Prints the images per second of `--batches` batches of 64 after a warm-up. Imports no TensorFlow, so it
runs in any environment that has torch, albumentations and OpenCV.
"""

import argparse
import time
from pathlib import Path

import albumentations
import cv2
import numpy as np
import torch


class Files(torch.utils.data.Dataset):
    """JPEG files, decoded and augmented; goes round and round."""

    def __init__(self, folder: Path, count: int) -> None:
        self.files = sorted(str(path) for path in folder.rglob("*.jpg"))
        self.count = count
        self.transform = albumentations.Compose(
            [
                albumentations.RandomResizedCrop(size=(224, 224)),
                albumentations.HorizontalFlip(),
                albumentations.Rotate(limit=30, border_mode=cv2.BORDER_CONSTANT, p=1),
            ]
        )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        image = cv2.imread(self.files[index % len(self.files)], cv2.IMREAD_COLOR_RGB)
        return self.transform(image=image)["image"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batches", type=int, default=20)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    warm_up = 6
    dataset = Files(args.folder, (args.batches + warm_up) * 64)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=64, num_workers=2, shuffle=True, prefetch_factor=4
    )
    for number, _batch in enumerate(loader, start=1):
        if number == warm_up:
            start = time.perf_counter()
    print(args.batches * 64 / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
