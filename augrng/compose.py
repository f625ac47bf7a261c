"""Compose: transforms with names and seeds, applied to images that have ids.

What is equal to what, bit for bit, for integer images (float images: params equal, pixels to rounding):

    the batch's size, order and neighbours     no influence
    parallel calls, shards, workers, restarts  no influence
    eager, graph, jit-compiled; CPU, GPU       the same
    apply(images, sample(ids, epoch, sizes))   the same as calling
    another epoch, id, seed or name            independent draws
    a transform inserted or removed            leaves the draws of the others alone
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from augrng import arguments
from augrng.chain import Chain, chain_of
from augrng.converting import unconverted
from augrng.html import recipe_table
from augrng.members import described
from augrng.mixing import mixer_of
from augrng.program import Program
from augrng.random.seeds import SeedPair
from augrng.recipe import Recipe, evaluated, listed, resolve
from augrng.targets import Target
from augrng.targets.declared import checked
from augrng.transforms import Transform

Params = dict[str, dict[str, tf.Tensor]]


class Compose:
    """Applies transforms one after the other, as one map that samples the source once.

    The key of an example is explained in public TensorFlow, for a transform called `name`:

        pair   = tf.compat.v1.random.get_seed(seed)
        pair   = tf.random.fold_in(pair, h)       # h: 8 bytes of SHA-256 of the name; not if it has a seed
        stream = tf.random.fold_in(pair, epoch)   # pair: the transform's get_seed(s) if it has a seed s
        key    = tf.random.fold_in(stream, id)    # int64 throughout

    Names are the transforms' own or their types' in snake case. Where a type occurs twice, at most one may go
    without a name of its own, so that inserting one never renames another and changes what it draws.

    Args:
      transforms: one or more augrng transforms.
      seed: op-level seed, resolved now by TensorFlow's rules; see `augrng.get_seed`.
      alg: "philox" or "threefry", the generator of all keys and words; see `augrng.random.bits`.
      shared_seed: whether two transforms may have one explicit name or seed, and so draw alike.
      targets: what moves with the pixels of an example, by its name there: {"mask": Mask(), "objects/bbox":
        Boxes("rel_yxyx", labels="objects/label")}; slashes lead into dicts inside. None: of each example what
        it has of "mask" (`Mask()`), "boxes" (`Boxes("xyxy")`, to which "labels" belong, if they are there)
        and "keypoints" (`Keypoints("xy")`).

    Attributes:
      mixer: what mixes examples at the end of the recipe (`MixUp` and the like), None if nothing does.

    Raises:
      TypeError: if `seed`, a transform or a target is not one.
      ValueError: if there is no transform, `alg` is unknown, two transforms share a name or a seed, two say
        different things about how to sample, or one that mixes examples is not the last.
    """

    def __init__(
        self,
        transforms: Sequence[Transform],
        seed: int | None = None,
        *,
        alg: Any = "philox",
        shared_seed: bool = False,
        targets: Mapping[str, Target] | None = None,
    ) -> None:
        transforms, alg = listed(transforms), arguments.algorithm(alg)
        chain = chain_of(transforms, alg)
        declared = checked(targets, chain.needing_boxes)
        self._set(resolve(transforms, seed, alg, shared_seed, declared), chain)

    @classmethod
    def from_json(cls, recipe: str) -> "Compose":
        """Rebuilds the `Compose` that wrote this recipe, names and seed pairs too, whatever the global seed.

        Its stream version stays that of the recipe.

        Args:
          recipe: what `to_json` returned.

        Raises:
          TypeError: if it is not a string.
          ValueError: if it is not JSON, or has a stream version, a transform or keys that are not known here.
        """
        read = Recipe.from_json(recipe)
        return cls._of(read, chain_of(read.transforms, read.alg))

    @staticmethod
    def _of(recipe: Recipe, chain: Chain) -> "Compose":
        return Compose.__new__(Compose)._set(recipe, chain)

    def _set(self, recipe: Recipe, chain: Chain) -> "Compose":
        self._recipe, self._chain, self.mixer = recipe, chain, mixer_of(recipe)
        return self

    def to_json(self) -> str:
        """The recipe as JSON text: all that pixels depend on beside image, id and epoch."""
        return self._recipe.to_json()

    @property
    def transforms(self) -> dict[str, Transform]:
        """The transforms by name, in order, those inside of others too ("one_of/random_rotation")."""
        return dict(zip(self._recipe.names, self._recipe.flattened, strict=True))

    @property
    def targets(self) -> dict[str, Target] | None:
        """What moves with the pixels, by name; None if it is left to the examples."""
        return None if self._recipe.targets is None else dict(self._recipe.targets)

    def with_targets(self, targets: Mapping[str, Target] | None) -> "Compose":
        """The same recipe, to the same pixels, with other targets."""
        declared = checked(targets, self._chain.needing_boxes)
        return Compose._of(dataclasses.replace(self._recipe, targets=declared), self._chain)

    @property
    def unmixed(self) -> "Compose":
        """The recipe up to what mixes examples, the same draws: what each of them is mixed as."""
        return self if self.mixer is None else _rebuilt(self._recipe.unmixed)

    @property
    def seeds(self) -> dict[str, SeedPair]:
        """The resolved seed pair of each transform, by name."""
        return dict(zip(self._recipe.names, self._recipe.pairs, strict=True))

    @unconverted
    def keys(self, ids: Any, epoch: Any) -> dict[str, tf.Tensor]:
        """The key of each transform for each example.

        Args:
          ids: int64[B] or int64[]; any integers convert.
          epoch: int64[] or int64[B].

        Returns:
          Transform name -> int64[B, 2], or int64[2] for a scalar id.
        """
        ids, epoch = arguments.examples(ids, epoch)
        keys = tf.unstack(self._chain.keys(self._pairs(), ids, epoch), axis=-2)
        return dict(zip(self._recipe.names, keys, strict=True))

    @unconverted
    def sample(self, ids: Any, epoch: Any, sizes: Any, example: Mapping[str, Any] | None = None) -> Params:
        """Draws all params, without pixels.

        Args:
          ids: int64[B] or int64[]; any integers convert.
          epoch: int64[] or int64[B].
          sizes: int64[B, 2] or int64[2], height and width.
          example: with the boxes, as for a call; for recipes with a `BoxSafeCrop`.

        Returns:
          Transform name -> param name -> tensor [B], or a scalar for a scalar id.

        Raises:
          TypeError: if an argument does not hold integers.
          ValueError: if a shape is wrong, or a size is one that a transform refuses.
        """
        ids, epoch = arguments.examples(ids, epoch)
        single, sizes = ids.shape.rank == 0, arguments.sizes(sizes, ids)
        ids = tf.reshape(ids, [-1])
        sizes = self._chain.check(sizes, ids)
        boxes = self.program.rectangles(self.program.seen(example, single=single), sizes)
        params = self._chain.sample(self._pairs(), ids, tf.reshape(epoch, [-1]), sizes, boxes)
        params = tf.nest.map_structure(lambda tensor: tensor[0], params) if single else params
        return dict(zip(self._recipe.names, params, strict=True))

    def describe(self, params: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """What was drawn for one example, a few words a transform; those that were not chosen are left out.

        Args:
          params: of `sample` for a scalar id.
        """
        return described(self._recipe.names, self._chain.nodes, params)

    @unconverted
    def apply(self, images: Any, params: Mapping[str, Mapping[str, tf.Tensor]]) -> Any:
        """Applies params that `sample` drew.

        Args:
          images: [B, H, W, C] or [H, W, C], or examples, as for a call.
          params: as `sample` returns them, for as many examples.

        Returns:
          [B, height, width, C] or [height, width, C] of the same dtype; of examples, examples.

        Raises:
          TypeError: if the dtype is not supported.
          ValueError: if a shape is wrong, or the params are not those of these transforms and sizes.
        """
        if self.mixer is not None:
            return self.mixer.apply(self.unmixed, images, params)
        given, images = images, arguments.images(arguments.image_of(images))
        drawn = arguments.params(params, self._recipe.names, images)
        self._chain.check_pixels(images.dtype, images.shape[-1])
        sizes = self._chain.check(arguments.image_sizes(images), params=drawn)
        return self.program.applied(given, images, self._chain.work(drawn, sizes), sizes)

    @unconverted
    def __call__(self, images: Any, ids: Any, epoch: Any) -> Any:
        """Augments images: `apply(images, sample(ids, epoch, their sizes))`.

        Args:
          images: [B, H, W, C], or [H, W, C] with a scalar id; integers, bool or floats, any number of
            channels. Or examples: a dict with these as "image", and targets, of one or a batch of them.
          ids: int64[B] or int64[], names each example for ever; any integers convert.
          epoch: int64[] or int64[B], how often the example has been seen before.

        Returns:
          [B, height, width, C] or [height, width, C] of the same dtype. Of examples a dict with the same
          keys: the same pixels, targets moved along with them, everything else as it was.

        Raises:
          TypeError: if an id is not an integer or the dtype is not supported.
          ValueError: if a shape is wrong, a transform refuses a size, or a target breaks a rule of its own;
            from a graph that does not know it, tf.errors.InvalidArgumentError. Both name the id.
        """
        if self.mixer is not None:
            return self.mixer.call(self.unmixed, images, ids, epoch)
        given, images = images, arguments.images(arguments.image_of(images))
        ids, epoch = arguments.examples_of(images, ids, epoch)
        self._chain.check_pixels(images.dtype, images.shape[-1])
        sizes = self._chain.check(arguments.image_sizes(images), ids)
        work = self.program.plan(ids, epoch, sizes, self.program.seen(given, single=images.shape.rank == 3))
        return self.program.applied(given, images, work, sizes, ids)

    @property
    def output_size(self) -> tuple[int, int] | None:
        """Height and width of what comes out; None if they depend on the image's."""
        return self._chain.fixed_size

    def size_after(self, height: int, width: int) -> tuple[int, int]:
        """The same for an image of this size."""
        return self._chain.size_after(height, width)

    def evaluation(self, antialias: bool | str = "exact") -> "Compose | None":
        """The recipe for evaluating a model: crops from the centre, nothing drawn; None if nothing is left.

        `RandomCrop` becomes `CenterCrop`; `RandomResizedCrop(h, w)` becomes `Resize` of the shorter side to
        8/7 of the longer one of h and w, then `CenterCrop(h, w)`; flips and rotations drop out.

        Args:
          antialias: of what is left that antialiases; "exact" gives the pixels that models were trained and
            tested on elsewhere.
        """
        left = evaluated(self._recipe.transforms, antialias)
        return Compose(left, seed=0, alg=self._recipe.alg, targets=self.targets) if left else None

    @property
    def program(self) -> Program:
        """The recipe taken apart, for readers that decode only what will be read."""
        return Program(self._chain, self._recipe.pairs, self._recipe.targets)

    def _pairs(self) -> tf.Tensor:
        return tf.constant(self._recipe.pairs, tf.int64, [len(self._recipe.pairs), 2])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compose) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        declared = "" if self.targets is None else f", targets={self.targets!r}"
        return f"Compose({list(self._recipe.transforms)!r}, seeds={self.seeds!r}{declared})"

    def _repr_html_(self) -> str:
        return recipe_table(self.transforms, self.seeds, self.targets)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.to_json(),)


def as_compose(value: Any, name: str = "aug") -> Compose:
    """`value`, if it is a `Compose`; otherwise a TypeError that says what to write."""
    if isinstance(value, Compose):
        return value
    what = "augrng.from_json reads JSON" if isinstance(value, str) else "write augrng.Compose([...])"
    raise TypeError(f"{name}: must be an augrng.Compose, got {value!r}; {what}")


def _rebuilt(recipe: Recipe | str) -> Compose:
    """Of a recipe, or its JSON, which may be empty; see `Compose.unmixed`."""
    recipe = Recipe.from_json(recipe) if isinstance(recipe, str) else recipe
    return Compose._of(recipe, chain_of(recipe.transforms, recipe.alg, empty=True))


from_json = Compose.from_json
