"""Contenders of augrng bench that need no TensorFlow.

`bench_peers.py ROW NAME FOLDER`; augrng bench runs it with the interpreter that --peers-python names.
Each imports its library when it runs, so that those that are not there can be left out.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import measuring
import numpy as np

Transform = Callable[[np.ndarray], np.ndarray]
# By row: whether the crop is resized, its side, and the largest angle.
WORKS = {
    "warp": (False, 224, 15),
    "small": (False, 32, 15),
    "jpeg_500x375": (True, 224, 30),
    "jpeg_2560x1600": (True, 224, 30),
    "jpeg_rand_augment": (True, 224, 0),
}
WORKS |= {f"{row}.smaller": WORKS[row] for row in measuring.JPEGS}
WORKERS = 2


def opencv(folder: Path) -> dict[str, Any]:
    """The warp alone, by one fixed matrix."""
    import cv2

    cv2.setNumThreads(1)
    photo, (cosine, sine) = np.load(folder / "photo.npy"), (np.cos(0.2), np.sin(0.2))
    matrix = np.array([[cosine, -sine, 40], [sine, cosine, -10]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

    def work() -> np.ndarray:
        return cv2.warpAffine(photo, matrix, (224, 224), flags=flags)

    return {"value": measuring.cpu_time(lambda: [work() for _ in range(32)], 32), "picture": work()}


def albumentations_of(row: str) -> Transform:
    import albumentations
    import cv2

    cv2.setNumThreads(1)
    resized, side, degrees = WORKS[row]
    crop = (
        albumentations.RandomResizedCrop((side, side)) if resized else albumentations.RandomCrop(side, side)
    )
    rotation = albumentations.Rotate(limit=degrees, border_mode=cv2.BORDER_CONSTANT, p=1)
    compose = albumentations.Compose([crop, albumentations.HorizontalFlip(), rotation])
    return lambda image: compose(image=image)["image"]


def torchvision_of(row: str) -> Transform:
    import torch
    from torchvision.transforms import InterpolationMode, v2

    torch.set_num_threads(1)
    resized, side, degrees = WORKS[row]
    crop = v2.RandomResizedCrop(side, antialias=True) if resized else v2.RandomCrop(side)
    if row == "jpeg_rand_augment":
        recipe = v2.Compose([crop, v2.RandomHorizontalFlip(), v2.RandAugment(2, 9)])
        return lambda image: recipe(torch.from_numpy(image).permute(2, 0, 1)).permute(1, 2, 0).numpy()
    rotation = v2.RandomRotation(degrees, interpolation=InterpolationMode.BILINEAR)
    compose = v2.Compose([crop, v2.RandomHorizontalFlip(), rotation])
    return lambda image: compose(torch.from_numpy(image).permute(2, 0, 1)).permute(1, 2, 0).numpy()


def kornia_of(row: str) -> Transform:
    import torch
    from kornia import augmentation

    torch.set_num_threads(1)
    resized, side, degrees = WORKS[row]
    crop = augmentation.RandomResizedCrop((side, side)) if resized else augmentation.RandomCrop((side, side))
    rotation = augmentation.RandomRotation(float(degrees), p=1.0)
    compose = torch.nn.Sequential(crop, augmentation.RandomHorizontalFlip(), rotation)

    def apply(image: np.ndarray) -> np.ndarray:
        floats = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        return (compose(floats)[0] * 255).round().byte().permute(1, 2, 0).numpy()

    return apply


def colors(row: str, name: str, folder: Path) -> dict[str, Any]:
    """The color rows: 32 calls on the middle of a photograph; torchvision's on a PIL image."""
    photo = np.ascontiguousarray(np.load(folder / "photo.npy")[:224, :224])
    if name == "albumentations":
        import albumentations
        import cv2

        cv2.setNumThreads(1)
        jitter = albumentations.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1), p=1)
        transform = lambda: jitter(image=photo)["image"]  # noqa: E731
    else:
        import torch
        from PIL import Image
        from torchvision.transforms import v2

        torch.set_num_threads(1)
        kinds = {
            "color_jitter": lambda: v2.ColorJitter(0.4, 0.4, 0.4, 0.1),
            "rand_augment": lambda: v2.RandAugment(2, 9),
            "trivial_augment": lambda: v2.TrivialAugmentWide(),
        }
        kind, picture = kinds[row](), Image.fromarray(photo)
        transform = lambda: np.asarray(kind(picture))  # noqa: E731
    return {"value": measuring.cpu_time(lambda: [transform() for _ in range(32)], 32), "picture": transform()}


TRANSFORMS = {"albumentations": albumentations_of, "torchvision": torchvision_of, "kornia": kornia_of}


def one_core(name: str, folder: Path) -> dict[str, Any]:
    """The warp row: 32 calls on a photograph."""
    transform, photo = TRANSFORMS[name]("warp"), np.load(folder / "photo.npy")
    work = lambda: [transform(photo) for _ in range(32)]  # noqa: E731
    return {"value": measuring.cpu_time(work, 32), "picture": transform(photo)}


def targets(name: str, folder: Path) -> dict[str, Any]:
    """An image with its mask and boxes: 8 calls."""
    example, (side, degrees) = measuring.labelled(folder), measuring.LABELLED
    transform = (albumentations_targets if name == "albumentations" else torchvision_targets)(side, degrees)
    work = lambda: [transform(**example) for _ in range(8)]  # noqa: E731
    return {"value": measuring.cpu_time(work, 8), "picture": transform(**example)}


def albumentations_targets(side: int, degrees: int) -> Callable[..., np.ndarray]:
    import albumentations
    import cv2

    cv2.setNumThreads(1)
    rotation = albumentations.Rotate(limit=degrees, border_mode=cv2.BORDER_CONSTANT, p=1)
    transforms = [albumentations.RandomCrop(side, side), albumentations.HorizontalFlip(), rotation]
    boxes = albumentations.BboxParams("pascal_voc", label_fields=["labels"], min_visibility=0.1)
    compose, labels = albumentations.Compose(transforms, bbox_params=boxes), list(range(8))

    def apply(image: np.ndarray, mask: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        return compose(image=image, mask=mask, bboxes=boxes, labels=labels)["image"]

    return apply


def torchvision_targets(side: int, degrees: int) -> Callable[..., np.ndarray]:
    import torch
    from torchvision import tv_tensors
    from torchvision.transforms import InterpolationMode, v2

    torch.set_num_threads(1)
    rotation = v2.RandomRotation(degrees, interpolation=InterpolationMode.BILINEAR)
    compose = v2.Compose(
        [v2.RandomCrop(side), v2.RandomHorizontalFlip(), rotation, v2.SanitizeBoundingBoxes()]
    )
    labels = torch.arange(8)

    def apply(image: np.ndarray, mask: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        given = {
            "image": tv_tensors.Image(torch.from_numpy(image).permute(2, 0, 1)),
            "mask": tv_tensors.Mask(torch.from_numpy(mask)),
            "boxes": tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=mask.shape),
            "labels": labels,
        }
        return compose(given)["image"].permute(1, 2, 0).numpy()

    return apply


class Examples:
    """Images read and transformed one by one, round and round: what a DataLoader or Grain asks for."""

    def __init__(self, row: str, name: str, folder: Path) -> None:
        self.row, self.name = row, name
        self.small = np.load(folder / "small.npy") if row == "small" else None
        files = "jpeg_500x375" if row == "jpeg_rand_augment" else row
        self.files = sorted(str(path) for path in (folder / files).glob("*.jpg"))
        self._transform: Transform | None = None

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, index: int) -> np.ndarray:
        if self._transform is None:  # in the worker
            self._transform = TRANSFORMS[self.name](self.row)
        return self._transform(self.read(index))

    def read(self, index: int) -> np.ndarray:
        if self.small is not None:
            return self.small[index % len(self.small)]
        path = self.files[index % len(self.files)]
        if self.name == "torchvision":
            from torchvision.io import ImageReadMode, decode_jpeg, read_file

            return decode_jpeg(read_file(path), mode=ImageReadMode.RGB).permute(1, 2, 0).numpy()
        import cv2

        return cv2.imread(path, cv2.IMREAD_COLOR_RGB)


def loader(row: str, name: str, folder: Path) -> dict[str, Any]:
    """A PyTorch DataLoader with two workers."""
    import torch

    torch.set_num_threads(1)
    examples, size = Examples(row, name, folder), batch_size(row)
    batches = torch.utils.data.DataLoader(
        examples, batch_size=size, num_workers=WORKERS, prefetch_factor=4, sampler=range(1 << 30)
    )
    return measuring.rate(iter(batches), size) | {"picture": examples[0]}


def grain(row: str, folder: Path) -> dict[str, Any]:
    """Grain's loader with two worker processes, the transform being albumentations'."""
    import grain.python as pygrain

    examples, size = Examples(row, "albumentations", folder), batch_size(row)
    dataset = pygrain.MapDataset.source(range(1 << 30)).seed(1).map(examples.__getitem__)
    options = pygrain.MultiprocessingOptions(num_workers=WORKERS)
    batches = dataset.to_iter_dataset().batch(size).mp_prefetch(options)
    return measuring.rate(iter(batches), size) | {"picture": examples[0]}


def dali(row: str, folder: Path) -> dict[str, Any]:
    """NVIDIA DALI without a GPU, two threads."""
    from nvidia.dali import fn, pipeline_def, types

    _, side, degrees = WORKS[row]
    size = batch_size(row)
    files = sorted(str(path) for path in (folder / row).glob("*.jpg"))

    @pipeline_def(batch_size=size, num_threads=WORKERS, device_id=None, seed=1)
    def pipeline() -> Any:
        contents, _ = fn.readers.file(files=files, random_shuffle=True)
        images = fn.decoders.image_random_crop(
            contents, random_area=[0.08, 1.0], random_aspect_ratio=[3 / 4, 4 / 3]
        )
        images = fn.resize(images, size=[side, side], interp_type=types.INTERP_LINEAR, antialias=True)
        images = fn.flip(images, horizontal=fn.random.coin_flip())
        angle = fn.random.uniform(range=[-float(degrees), float(degrees)])
        return fn.rotate(images, angle=angle, keep_size=True, fill_value=0)

    made = pipeline()
    made.build()

    def batches() -> Iterator[np.ndarray]:
        while True:
            yield made.run()[0].as_array()

    return measuring.rate(batches(), size) | {"picture": next(batches())[0]}


def batch_size(row: str) -> int:
    return 256 if row == "small" else 64


CONTENDERS = {
    "warp": {"OpenCV warpAffine": opencv, **{name: partial(one_core, name) for name in TRANSFORMS}},
    "small": {name: partial(loader, "small", name) for name in TRANSFORMS},
}
CONTENDERS["color_jitter"] = {name: partial(colors, "color_jitter", name) for name in list(TRANSFORMS)[:2]}
CONTENDERS["targets"] = {name: partial(targets, name) for name in list(TRANSFORMS)[:2]}
for policy in ("rand_augment", "trivial_augment"):
    CONTENDERS[policy] = {"torchvision": partial(colors, policy, "torchvision")}
CONTENDERS["jpeg_rand_augment"] = {"torchvision": partial(loader, "jpeg_rand_augment", "torchvision")}
for jpegs in measuring.JPEGS:
    CONTENDERS[jpegs] = {
        **{name: partial(loader, jpegs, name) for name in TRANSFORMS},
        "DALI": partial(dali, jpegs),
        "Grain": partial(grain, jpegs),
    }
    CONTENDERS[f"forms_{jpegs[5:]}"] = {
        "albumentations": partial(loader, jpegs, "albumentations"),
        "albumentations, smaller": partial(loader, f"{jpegs}.smaller", "albumentations"),
    }
PACKAGES = {
    "OpenCV warpAffine": "opencv-python-headless",
    **{name: name for name in TRANSFORMS},
    "DALI": "nvidia-dali-cuda120",
    "Grain": "grain",
}

if __name__ == "__main__":
    measuring.contend(CONTENDERS, PACKAGES)
