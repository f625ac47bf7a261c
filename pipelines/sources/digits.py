"""Real images that need no download, as TFDS builders: what scikit-learn carries in its package.

  Digits  1,797 handwritten digits (UCI optical recognition), 8x8 with 17 grey levels, enlarged to 32x32
  Photos  two photographs of 427x640 pixels, "china" and "flower"

Both write TFRecords below `data_dir` and are read like any TFDS dataset; with
`tfds.ReadConfig(add_tfds_id=True)` every example carries its `tfds_id`.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

Examples = list[dict[str, Any]]
_TRAIN_EXAMPLES = 1_437  # the first four fifths; the writers of the last fifth differ


class Digits(tfds.core.GeneratorBasedBuilder):
    """Handwritten digits: "image" uint8[32, 32, 1], "label" 0 to 9, "index" in scikit-learn's order."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(32, 32, 1)),
            "label": tfds.features.ClassLabel(num_classes=10),
            "index": np.int64,
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        grey = np.round(digits.images * (255 / 16)).astype(np.uint8)
        examples = [
            {"image": _enlarge(image), "label": int(label), "index": index}
            for index, (image, label) in enumerate(zip(grey, digits.target, strict=True))
        ]
        return {
            "train": self._generate_examples(examples[:_TRAIN_EXAMPLES]),
            "test": self._generate_examples(examples[_TRAIN_EXAMPLES:]),
        }

    def _generate_examples(self, examples: Examples) -> Iterator[tuple[int, dict[str, Any]]]:
        return ((example["index"], example) for example in examples)


class Photos(tfds.core.GeneratorBasedBuilder):
    """Two photographs: "image" uint8[427, 640, 3] as their JPEG files, "name" the file's name."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(427, 640, 3), encoding_format="jpeg"),
            "name": tfds.features.Text(),
            "index": np.int64,
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        examples = [
            {"image": str(path), "name": path.name, "index": index}
            for index, path in enumerate(photo_paths())
        ]
        return {"train": self._generate_examples(examples)}

    def _generate_examples(self, examples: Examples) -> Iterator[tuple[int, dict[str, Any]]]:
        return ((example["index"], example) for example in examples)


def photo_paths() -> list[Path]:
    """The photographs' files inside scikit-learn, sorted by name."""
    import sklearn.datasets

    return sorted((Path(sklearn.datasets.__file__).parent / "images").glob("*.jpg"))


def prepared(
    builder: type[tfds.core.GeneratorBasedBuilder], data_dir: str | Path
) -> tfds.core.DatasetBuilder:
    """The builder over `data_dir`, its TFRecords written if they are not there yet."""
    made = builder(data_dir=str(data_dir))
    with contextlib.redirect_stdout(sys.stderr):  # what it says of its progress is no result
        made.download_and_prepare()
    return made


def _enlarge(image: np.ndarray) -> np.ndarray:
    large = Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)
    return np.asarray(large)[..., None]
