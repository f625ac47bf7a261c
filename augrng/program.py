"""A recipe taken apart, for readers that decode only what will be read.

ids, epochs, sizes  --plan-->  maps  --(the reader decodes a part of each image)-->  render  -->  pixels
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from augrng import arguments
from augrng.chain import Chain
from augrng.geometry.sampling import Sampling


class Program:
    """What a reader needs of a recipe; see `Compose.program`.

    Args:
      chain: of the recipe's transforms.
      pairs: the seed pair of each.
    """

    def __init__(self, chain: Chain, pairs: Sequence[tuple[int, int]]) -> None:
        self._chain, self._pairs = chain, pairs

    @property
    def sampling(self) -> Sampling:
        """How the source is read between its pixels and outside of them."""
        return self._chain.sampling

    @property
    def antialias(self) -> bool | str:
        """How what the map would skip is read: not at all, True by `reduce`, "exact" by `exact`."""
        return self._chain.antialias

    @property
    def output_size(self) -> tuple[int, int] | None:
        """Height and width of what comes out, or None if they depend on the image's."""
        return self._chain.fixed_size

    @property
    def rules(self) -> list[str]:
        """What the transforms ask of an image's size, in words; see `first_broken`."""
        return self._chain.rules

    def first_broken(self, sizes: tf.Tensor) -> tf.Tensor:
        """Which rule sizes int64[B, 2] break first: int64[B] places in `rules`, its length for none."""
        return self._chain.first_broken(sizes)

    def plan(self, ids: Any, epoch: Any, sizes: Any) -> tf.Tensor:
        """The composed map of each example: for readers that decode only what will be read.

        Args:
          ids: int64[B].
          epoch: int64[] or int64[B].
          sizes: int64[B, 2], height and width of the images; see `first_broken`.

        Returns:
          int64[B, 2, 3], from output to source positions, with 24 fraction bits; see `affine`.
        """
        ids, epoch = arguments.examples(ids, epoch)
        sizes = arguments.integers(sizes, "sizes")
        return self._chain.plan(tf.constant(self._pairs, tf.int64), ids, tf.reshape(epoch, [-1]), sizes)

    def render(self, image: tf.Tensor, map_: tf.Tensor, borders: tf.Tensor) -> tf.Tensor:
        """Reads one image of any size, or a part of one, through one map; nothing is reduced.

        Args:
          image: [H, W, C].
          map_: int64[2, 3], in positions of this image; see `plan`.
          borders: int64[2, 2], where the whole picture begins and ends along y and x; see `warp`.

        Returns:
          [height, width, C] of the same dtype.

        Raises:
          ValueError: if the recipe's output has no fixed size.
        """
        if self.output_size is None:
            raise ValueError("render: the recipe must end in a fixed size; add a crop or a resize")
        pixels = tf.reshape(image, [1, -1, image.shape[-1]])
        sizes = tf.shape(image, tf.int64)[None, :2]
        return self._chain.render_rows(pixels, map_[None], sizes, borders[None], padded=True)[0]

    def render_rows(
        self,
        pixels: tf.Tensor,
        maps: tf.Tensor,
        sizes: tf.Tensor,
        borders: tf.Tensor,
        columns: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """`render` for a batch of images of many sizes.

        Args:
          pixels: [B, N, C], the pixels of each image row by row; what follows them is not read.
          maps: int64[B, 2, 3].
          sizes: int64[B, 2], height and width of each image.
          borders: int64[B, 2, 2].
          columns: see `render.columns_of`; needed in code that is jit-compiled if `antialias` is "exact".

        Returns:
          [B, height, width, C] of the same dtype.
        """
        return self._chain.render_rows(pixels, maps, sizes, borders, columns, padded=False)
