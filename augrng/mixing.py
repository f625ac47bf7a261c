"""What the mixing transform at the end of a recipe does to examples that went through the rest of it.

ids, epoch --> keys --> params --> partners, and what becomes of pictures, labels and targets
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from augrng import arguments
from augrng.chain import chain_of
from augrng.compiled import compiled
from augrng.converting import unconverted
from augrng.random.seeds import SeedPair
from augrng.recipe import Recipe
from augrng.targets import Target
from augrng.targets.base import found, has, names_in, put, require
from augrng.targets.declared import inferred
from augrng.targets.mixing import check, mixed
from augrng.transforms.mixing.base import WHOLE, Mixing
from augrng.transforms.parts import Params


class Mixer:
    """A recipe's mixing, to be had as `Compose.mixer`; an example and its partners come in as
    `Compose.unmixed` makes them, each of its own id in the same epoch.

    Args:
      transform: the mixing transform.
      name: of its params.
      pair: its seed pair.
      alg: the generator of the recipe.
      targets: of the recipe; None if they are left to the examples.

    Raises:
      ValueError: if a target cannot be mixed so.
    """

    def __init__(
        self, transform: Mixing, name: str, pair: SeedPair, alg: str, targets: Mapping[str, Target] | None
    ) -> None:
        check(targets or {}, transform.shows)
        self.transform, self.name, self._pair, self._targets = transform, name, pair, targets
        self._chain = chain_of([transform], alg)
        self._sample = self._chain.sample

    def sample(self, ids: tf.Tensor, epoch: Any, sizes: tf.Tensor) -> Params:
        """What is drawn for ids int64[B], of pictures of sizes int64[B, 2]; see the transform's params."""
        pairs = tf.constant([self._pair], tf.int64)
        return self._sample(pairs, ids, tf.reshape(tf.cast(epoch, tf.int64), [-1]), sizes)[0]

    @unconverted
    def partners(self, ids: Any, epoch: Any, size: int) -> tf.Tensor:
        """The positions of the partners in a dataset of so many examples.

        Args:
          ids: int64[B] or int64[]; any integers convert.
          epoch: int64[] or int64[B].
          size: how many examples there are.

        Returns:
          int64[B, k] or int64[k], of an example's k partners, in [0, size).
        """
        ids, epoch = arguments.examples(ids, epoch)
        flat = tf.reshape(ids, [-1])
        drawn = self.sample(flat, epoch, tf.ones(tf.stack([tf.size(flat), 2]), tf.int64))
        places = self.places(drawn, arguments.count(size, "size"))
        return places[0] if ids.shape.rank == 0 else places

    def places(self, drawn: Params, size: int) -> tf.Tensor:
        """int64[B, k], the positions of the partners in a dataset of so many examples."""
        return tf.stack(self.transform.drawn_partners(drawn), -1) % size

    def rows(self, drawn: Params) -> list[tf.Tensor]:
        """The rows of the partners in a batch of B, int64[B] each; its own only where it is alone."""
        count = tf.size(drawn[next(iter(drawn))], tf.int64)
        own = tf.range(count)
        return [
            (own + 1 + number % tf.maximum(count - 1, 1)) % tf.maximum(count, 1)
            for number in self.transform.drawn_partners(drawn)
        ]

    @unconverted
    def mix(self, examples: Any, partners: Sequence[Any], ids: Any, epoch: Any) -> Any:
        """Examples mixed with given partners: what `pipelines.make_dataset` does.

        Args:
          examples: of a batch, or one with a scalar id: images, or a dict with "image", the label, and
            targets.
          partners: as many as the transform has, in its order, each like `examples`.
          ids: int64[B] or int64[], of the examples.
          epoch: int64[] or int64[B].

        Returns:
          Images or examples like those given, labels float32[B, num_classes].

        Raises:
          ValueError: if there are more or fewer partners, pictures of several sizes, or something that the
            transform or a target refuses.
        """
        count = self.transform.num_partners
        if len(partners) != count:
            raise ValueError(f"partners: must be {count} for {self.transform!r}, got {len(partners)}")
        pictures = [arguments.images(arguments.image_of(one)) for one in (examples, *partners)]
        ids, epoch = arguments.examples_of(pictures[0], ids, epoch)
        single = pictures[0].shape.rank == 3
        if single:
            pictures = [image[None] for image in pictures]
            examples, *partners = (
                tf.nest.map_structure(lambda part: tf.convert_to_tensor(part)[None], one)
                for one in (examples, *partners)
            )
        drawn = self.sample(ids, epoch, arguments.image_sizes(pictures[0]))
        out = self.mixed(examples, partners, self.images(pictures, drawn), drawn, ids)
        return tf.nest.map_structure(lambda part: part[0], out) if single else out

    def call(self, unmixed: Any, images: Any, ids: Any, epoch: Any) -> Any:
        """A batch through the rest of a recipe, then mixed with itself; see `Compose.__call__`."""
        self._check_batch(images)
        out = unmixed(images, ids, epoch)
        made = arguments.image_of(out)
        ids, epoch = arguments.examples_of(made, ids, epoch)
        return self.in_batch(out, self.sample(ids, epoch, arguments.image_sizes(made)), ids)

    def apply(self, unmixed: Any, images: Any, params: Any) -> Any:
        """The same with params that were drawn; see `Compose.apply`."""
        self._check_batch(images)
        given = arguments.images(arguments.image_of(images))
        arguments.params(params, [*unmixed.transforms, self.name], given)
        out = unmixed.apply(images, {name: drawn for name, drawn in params.items() if name != self.name})
        drawn = {key: tf.convert_to_tensor(value) for key, value in params[self.name].items()}
        self._chain.check(arguments.image_sizes(arguments.image_of(out)), params=[drawn])
        return self.in_batch(out, drawn, None)

    def _check_batch(self, images: Any) -> None:
        """Refuses what a call has no partners for."""
        if self.transform.partners == "dataset":
            raise ValueError(
                f'{self.transform!r}: partners="dataset" takes partners from a source, which a call does not '
                'have; use pipelines.make_dataset, mix given ones by aug.mixer.mix, or say partners="batch"'
            )
        if arguments.images(arguments.image_of(images)).shape.rank == 3:
            raise ValueError(
                f'{self.transform!r}: partners="batch" needs a batch [B, H, W, C] to take partners from, got '
                "one image; call it after batching"
            )

    def in_batch(self, examples: Any, drawn: Params, ids: tf.Tensor | None) -> Any:
        """A batch of examples, or images, mixed with each other."""
        rows = self.rows(drawn)

        def of(value: Any) -> list[Any]:
            return [tf.nest.map_structure(lambda part, at=at: tf.gather(part, at), value) for at in rows]

        images = arguments.images(arguments.image_of(examples))
        mixed_images = self.images([images, *of(images)], drawn)
        return self.mixed(examples, of(examples), mixed_images, drawn, ids)

    def images(self, images: Sequence[tf.Tensor], drawn: Params) -> tf.Tensor:
        """The pictures [B, H, W, C] of examples and of their partners, mixed."""
        first = images[0]
        for image in images[1:]:
            if not (image.shape.is_compatible_with(first.shape) and image.dtype == first.dtype):
                raise ValueError(
                    f"partners: must have images {first.dtype.name}{first.shape} as the examples have, got "
                    f"{image.dtype.name}{image.shape}"
                )
        self.transform.check(first.dtype)
        known = first.shape[1:].is_fully_defined()
        run = _compiled_images(self.transform, tuple(first.shape[1:])) if known else self.transform.images
        out = run(tuple(images), dict(drawn))
        out.set_shape(first.shape)
        return out

    def mixed(
        self, examples: Any, partners: Sequence[Any], images: tf.Tensor, drawn: Params, ids: Any
    ) -> Any:
        """A batch of examples with what became of their pictures, labels and targets of all of them."""
        label = self.transform.label
        if not isinstance(examples, Mapping):
            if label is not None:
                raise ValueError(_no_label(self.transform, "images alone"))
            return images
        size = arguments.image_sizes(images)
        all_ = [dict(one) for one in (examples, *partners)]
        targets = inferred(examples) if self._targets is None else self._targets
        panes = self.transform.panes(drawn, size)
        out = mixed(all_, targets, panes, size, ids, shows=self.transform.shows)
        if label is not None:
            shares = self.transform.shares(drawn, size)
            soft = [self._soft(one, label, ids if one is all_[0] else None) for one in all_]
            # Products of 24 bits each are exact in float64, so that no compiler's order of them shows.
            terms = [
                tf.cast(share, tf.float64)[:, None] * (1 / WHOLE) * part
                for share, part in zip(shares, soft, strict=True)
            ]
            out = put(out, label, tf.cast(sum(terms[1:], terms[0]), tf.float32))
        return {**out, "image": images}

    def _soft(self, example: Mapping[str, Any], name: str, ids: Any) -> tf.Tensor:
        """A batch's labels as float64[B, classes]."""
        classes, who = self.transform.num_classes, repr(self.transform)
        if not has(example, name):
            raise ValueError(_no_label(self.transform, f"{names_in(example)}"))
        label = tf.convert_to_tensor(found(example, name))
        if label.dtype.is_floating:
            if label.shape.rank != 2 or classes not in (None, label.shape[1]):
                asked = "num_classes" if classes is None else classes
                raise ValueError(
                    f"{name}: soft labels must have shape [{asked}], got {label.shape[1:]}; {who}"
                )
            return tf.cast(label, tf.float64)
        if not label.dtype.is_integer or label.shape.rank != 1:
            raise ValueError(
                f"{name}: must be one integer for each example, or float [num_classes], to be mixed, got "
                f"{label.dtype.name}{label.shape[1:]}; label=None mixes the pictures alone"
            )
        if classes is None:
            raise ValueError(f"num_classes: must be given to {who}, for {name!r} holds integers")
        label = tf.cast(label, tf.int64)
        rule = f"{name}: labels must lie in [0, num_classes = {classes}) to be mixed"
        label = require(((label >= 0) & (label < classes))[None], [rule], label, ids)
        return tf.one_hot(label, classes, dtype=tf.float64)


def mixer_of(recipe: Recipe) -> Mixer | None:
    """What mixes examples at the end of a recipe, if something does."""
    last = recipe.transforms[-1] if recipe.transforms else None
    if not isinstance(last, Mixing):
        return None
    return Mixer(last, recipe.names[-1], recipe.pairs[-1], recipe.alg, recipe.targets)


def _no_label(transform: Mixing, got: str) -> str:
    return (
        f"label: mixing needs the feature {transform.label!r} of each example, got {got}; pass "
        f'{{"image": ..., {transform.label!r}: ...}}, name it by label=, or mix pictures alone by label=None'
    )


@functools.lru_cache(maxsize=64)
def _compiled_images(transform: Mixing, shape: tuple[int, ...]) -> Any:
    """What mixes pictures [B, *shape], one for each shape."""
    return compiled(transform.images)
