"""The model that `augrng train` trains, and its dropout, which follows from ids as augmentation does."""

import keras
import tensorflow as tf

import augrng as ar
from augrng.random.keys import named_pair

DROPOUT = 0.25


class SmallCNN(keras.Model):
    """Three convolutions, dropout, and a softmax over classes, for images [B, *shape] in [0, 1].

    What dropout leaves out of an example is a function of (seed, epoch, id), so that it does not depend on
    how many hosts share a batch; see `kept`.

    Args:
      shape: height, width and channels of the images.
      classes: how many.
      precision: Keras' dtype policy.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, precision: str = "float32") -> None:
        super().__init__(name="small_cnn")
        layers: list[keras.layers.Layer] = [keras.Input(shape)]
        for number, filters in enumerate((16, 32, 64), start=1):
            layers += [
                keras.layers.Conv2D(
                    filters, 3, padding="same", activation="relu", dtype=precision, name=f"conv_{number}"
                ),
                keras.layers.MaxPooling2D(padding="same", dtype=precision, name=f"pool_{number}"),
            ]
        layers.append(keras.layers.Flatten(dtype=precision, name="flat"))
        self.features = keras.Sequential(layers, name="features")
        self.classes = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="classes")
        self.classes.build(self.features.output_shape)
        self.built = True

    def call(self, images: tf.Tensor, keep: tf.Tensor | None = None) -> tf.Tensor:
        """The probabilities of the classes; `keep` bool[B, F], which features are kept, None for all."""
        features = self.features(images)
        if keep is not None:
            features *= tf.cast(keep, features.dtype) / (1 - DROPOUT)
        return self.classes(features)


def kept(seed: int, ids: tf.Tensor, epochs: tf.Tensor, count: int) -> tf.Tensor:
    """Which of an example's features dropout keeps: bool[B, count].

    The seed pair is that of an op called "dropout" with this seed; the key is that of (epoch, id), as a
    transform's is. Feature i is kept if byte i of the words, the lowest of a word first, is at least 256
    times the rate.

    Args:
      seed: op-level, resolved as `augrng.get_seed` does.
      ids: int64[B].
      epochs: int64[B].
      count: of the features.
    """
    pair = tf.constant(named_pair(ar.get_seed(seed), "dropout", alg="philox"), tf.int64)
    words = ar.bits(ar.fold_in(ar.fold_in(pair, epochs), ids), -(-count // 4))
    parts = tf.bitwise.right_shift(words[..., None], tf.constant([0, 8, 16, 24], tf.uint32))
    bytes_ = tf.reshape(tf.cast(tf.bitwise.bitwise_and(parts, 255), tf.int32), [tf.shape(ids)[0], -1])
    return bytes_[:, :count] >= int(256 * DROPOUT)
