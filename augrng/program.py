"""A recipe taken apart, for readers that decode only what will be read.

ids, epochs, sizes  --plan-->  maps, draws  --(the reader decodes what the map reads)-->  render  -->  pixels
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from augrng import arguments
from augrng.chain import Chain, Work
from augrng.geometry.sampling import Sampling
from augrng.maps import Geometry, Leg
from augrng.targets import Mask, Target
from augrng.targets.base import Tensors, found, has, put
from augrng.targets.declared import boxes_of, inferred, move, passed, rectangles
from augrng.targets.moving import read_together, rides
from augrng.transforms import Transform
from augrng.transforms.base import Rectangles
from augrng.transforms.parts import Params


class Program:
    """What a reader needs of a recipe; see `Compose.program`.

    Programs are equal if they differ in seeds at most, so that all of them can share what is compiled.

    Args:
      chain: of the recipe's transforms.
      pairs: the seed pair of each.
      targets: what moves with the pixels, by name; None if it is left to the examples.
    """

    def __init__(
        self, chain: Chain, pairs: Sequence[tuple[int, int]], targets: Mapping[str, Target] | None
    ) -> None:
        self._chain, self._pairs, self._targets = chain, pairs, targets

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.made_of == other.made_of

    def __hash__(self) -> int:
        return hash(self.made_of)

    def __repr__(self) -> str:
        return f"Program{self.made_of!r}"

    @property
    def made_of(self) -> tuple[Any, ...]:
        """What tells it from others."""
        return self._chain, None if self._targets is None else tuple(self._targets.items())

    @property
    def pairs(self) -> tf.Tensor:
        """The seed pair of each transform, those inside of others too, int64[T, 2]."""
        return tf.constant(self._pairs, tf.int64, [len(self._pairs), 2])

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
    def first_size(self) -> tuple[int, int] | None:
        """Height and width of what the first stage, the map, makes of every image; None as before."""
        return self._chain.renderer.fixed_size

    @property
    def chooses(self) -> bool:
        """Whether some of its stages pass over images that nothing was drawn for.

        A batch does what any of its images needs; one by one each does what it needs itself.
        """
        return self._chain.chooses

    @property
    def drawn_later(self) -> list[Transform]:
        """The transforms whose draws the stages after the first take, in the order of `Work.rest`."""
        return [self._chain.nodes[place].transform for place in self._chain.needed]

    def check_pixels(self, dtype: Any, channels: int) -> None:
        """Raises ValueError if images of this kind cannot be changed as the recipe asks."""
        self._chain.check_pixels(tf.as_dtype(dtype), channels)

    @property
    def rules(self) -> list[str]:
        """What the transforms ask of an image's size, in words; see `first_broken`."""
        return self._chain.rules

    def first_broken(self, sizes: tf.Tensor) -> tf.Tensor:
        """Which rule sizes int64[B, 2] break first: int64[B] places in `rules`, its length for none."""
        return self._chain.first_broken(sizes)

    @property
    def needs_boxes(self) -> bool:
        """Whether draws depend on boxes, which `plan` must be given."""
        return self._chain.needing_boxes is not None

    def seen(self, example: Any, *, single: bool) -> dict[str, Tensors]:
        """What draws depend on of an example, or a batch: its boxes, by name, or nothing.

        Raises:
          ValueError: if draws depend on boxes, and there are none.
        """
        needing = self._chain.needing_boxes
        if needing is None:
            return {}
        targets = self.targets_of(example) if isinstance(example, Mapping) else {}
        found = boxes_of(dict(example), targets, single=single) if targets else {}
        if not found:
            raise ValueError(
                f'{needing!r}: draws by the boxes of an example; pass one, {{"image": ..., "boxes": ...}}, '
                "with boxes among the targets, in place of images alone"
            )
        return found

    def rectangles(self, seen: Mapping[str, Tensors], sizes: tf.Tensor) -> Rectangles | None:
        """The boxes that `seen` gave, in images of sizes int64[B, 2]; None if no draw depends on them."""
        if not self.needs_boxes:
            return None
        return rectangles(seen or self.seen(None, single=False), self.targets_of(seen), sizes)

    def plan(
        self,
        ids: Any,
        epoch: Any,
        sizes: Any,
        seen: Mapping[str, Tensors] | None = None,
        pairs: tf.Tensor | None = None,
    ) -> Work:
        """What is to be done with each example: for readers that decode only what will be read.

        Args:
          ids: int64[B].
          epoch: int64[] or int64[B].
          sizes: int64[B, 2], height and width of the images; see `first_broken`.
          seen: what draws depend on of these examples; see `seen`.
          pairs: int64[T, 2], to be used in place of `pairs`.

        Returns:
          The map, int64[B, 2, 3], from output to source positions, with 24 fraction bits (see `affine`); and
          what was drawn for the stages after it.
        """
        ids, epoch = arguments.examples(ids, epoch)
        sizes = arguments.integers(sizes, "sizes")
        boxes = self.rectangles(seen or {}, sizes)
        return self._chain.plan(
            self.pairs if pairs is None else pairs, ids, tf.reshape(epoch, [-1]), sizes, boxes
        )

    def legs(self, work: Work, sizes: tf.Tensor) -> list[Leg]:
        """How the stages that move pixels move them, one after the other; `sizes` as for `plan`."""
        return self._chain.legs(work, sizes)

    def targets_of(self, names: Iterable[str]) -> Mapping[str, Target]:
        """The targets of examples with these names in them, by name."""
        return inferred(names) if self._targets is None else self._targets

    def move(
        self,
        example: Mapping[str, Any],
        targets: Mapping[str, Target],
        work: Work,
        sizes: tf.Tensor,
        ids: Any,
        *,
        single: bool,
    ) -> dict[str, Any]:
        """An example, or a batch, with targets moved; its image is not looked at.

        Args:
          example: see `Compose.__call__`.
          targets: by name, of those that `targets_of` gives.
          work: as `plan` makes it, [B].
          sizes: int64[B, 2], height and width of the images.
          ids: int64[B], for errors; None if nobody knows them.
          single: whether it is one example, with no dimension B of its own.
        """
        return move(dict(example), targets, self._chain.legs, work, sizes, ids, single=single)

    def passed(
        self, example: Mapping[str, Any], name: str, target: Target, work: Work, sizes: tf.Tensor
    ) -> tuple[tf.Tensor, list[str]]:
        """Which rules one example's boxes or keypoints keep, bool[rules, 1], and the rules in words."""
        return passed(dict(example), name, target, self._chain.legs, work, sizes)

    def applied(
        self, given: Any, images: tf.Tensor, work: Work, sizes: tf.Tensor, ids: tf.Tensor | None = None
    ) -> Any:
        """What a call gives for checked images, [B, H, W, C] or one, or for the examples that they are of."""
        single = images.shape.rank == 3
        rows = images[None] if single else images
        if not isinstance(given, Mapping):
            out = self._chain.render(rows, work, sizes)
            return out[0] if single else out
        example, targets = dict(given), dict(self.targets_of(given))
        riding = self._riding(example, targets, rows, single)
        if riding is None:
            out = self._chain.render(rows, work, sizes)
        else:
            name, masks, fill = riding
            del targets[name]
            read, masks = read_together(self._chain.renderer, rows, masks, work.map, sizes, fill)
            masks = masks[..., 0] if len(found(example, name).shape) < images.shape.rank else masks
            example = put(example, name, masks[0] if single else masks)
            out = self._chain.finish(read, work.rest)
        moved = self.move(example, targets, work, sizes, ids, single=single)
        return {**moved, "image": out[0] if single else out}

    def _riding(
        self, example: Mapping[str, Any], targets: Mapping[str, Target], images: tf.Tensor, single: bool
    ) -> tuple[str, tf.Tensor, Any] | None:
        """Of a mask that can be read together with images [B, H, W, C]: name, masks [B, H, W, 1], fill."""
        moves = [stage for stage in self._chain.later if isinstance(stage, Geometry)]
        if moves or all(member.optional for member in self._chain.first.members):
            return None
        for name, target in targets.items():
            if isinstance(target, Mask) and target.multiple == 1 and has(example, name):
                masks = arguments.pixels(found(example, name), name)
                masks = masks[None] if single else masks
                masks = masks[..., None] if masks.shape.rank == 3 else masks
                if rides(self._chain.renderer, images, masks):
                    return name, masks, target.fill_value
        return None

    def rendered(self, images: tf.Tensor, ids: tf.Tensor | None, work: Work) -> tf.Tensor:
        """Images [B, H, W, C] of one size as `plan` says, [B, height, width, C].

        Raises:
          ValueError: as a call of the recipe does.
        """
        images = arguments.images(images)
        self._chain.check_pixels(images.dtype, images.shape[-1])
        return self._chain.render(images, work, self._chain.check(arguments.image_sizes(images), ids))

    def render(
        self, image: tf.Tensor, map_: tf.Tensor, borders: tf.Tensor, rest: Sequence[Params] = ()
    ) -> tf.Tensor:
        """Reads one image of any size, or a part of one, through one map; nothing is reduced.

        A recipe whose first stage makes no fixed size takes whole images.

        Args:
          image: [H, W, C].
          map_: int64[2, 3], in positions of this image; see `plan`.
          borders: int64[2, 2], where the whole picture begins and ends along y and x; see `warp`.
          rest: what `plan` drew for the later stages, scalars.

        Returns:
          [height, width, C] of the same dtype.

        Raises:
          ValueError: if the recipe's output has no fixed size.
        """
        if self.output_size is None:
            raise ValueError("render: the recipe must end in a fixed size; add a crop or a resize")
        sizes = tf.shape(image, tf.int64)[None, :2]
        rest = tuple({name: drawn[None] for name, drawn in params.items()} for params in rest)
        if self.first_size is None:
            out = self._chain.render(image[None], Work(map_[None], rest), sizes)
            return tf.ensure_shape(out[0], [*self.output_size, image.shape[-1]])
        pixels = tf.reshape(image, [1, -1, image.shape[-1]])
        read = self._chain.renderer.render_rows(pixels, map_[None], sizes, borders[None], padded=True)
        return self._chain.finish(read, rest)[0]

    def render_rows(
        self,
        pixels: tf.Tensor,
        maps: tf.Tensor,
        sizes: tf.Tensor,
        borders: tf.Tensor,
        columns: tf.Tensor | None = None,
        rest: Sequence[Params] = (),
    ) -> tf.Tensor:
        """`render` for a batch of images of many sizes.

        Args:
          pixels: [B, N, C], the pixels of each image row by row; what follows them is not read.
          maps: int64[B, 2, 3].
          sizes: int64[B, 2], height and width of each image.
          borders: int64[B, 2, 2].
          columns: see `render.columns_of`; needed in code that is jit-compiled if `antialias` is "exact".
          rest: what `plan` drew for the later stages, [B].

        Returns:
          [B, height, width, C] of the same dtype.
        """
        read = self._chain.renderer.render_rows(pixels, maps, sizes, borders, columns, padded=False)
        return self._chain.finish(read, rest)
