"""TFRecord files, read such that one that is corrupt is named.

TensorFlow's error of a corrupt record says at which byte of a file, but not of which. So its errors are
passed over, and where a file ends, what was read of it is held against its size.

Source of the format: https://www.tensorflow.org/tutorials/load_data/tfrecord (16 bytes around each record).
"""

from collections.abc import Sequence

import tensorflow as tf

_FRAME = 16  # bytes around a record: its length, and checksums of the length and of the record


def read_files(
    paths: Sequence[str], compression: str = "", parts: Sequence[tuple[int, int]] | None = None
) -> tf.data.Dataset:
    """The records of files in order, each with its place: strings "file[number]" and the record.

    Args:
      paths: of the files.
      compression: "", "GZIP" or "ZLIB". How much a compressed file holds is not known beforehand: it is read
        twice, the second time only to see whether it is whole.
      parts: of each file how many records to leave out and how many to read then, -1 for all.

    Raises:
      InvalidArgumentError: when it runs, if a file is corrupt or cut off; names the file and the first record
        that cannot be read.
    """
    sizes = [0 if compression else tf.io.gfile.stat(path).length for path in paths]

    def of_file(path: tf.Tensor, size: tf.Tensor, skip: tf.Tensor, take: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(path, compression_type=compression)
        whole = _is_whole(records) if compression else tf.data.Dataset.from_tensors(True)
        end = whole.map(lambda whole: ("", True, whole))
        readable = records.ignore_errors(log_warning=True).map(lambda record: (record, False, True))
        start = (tf.constant(0, tf.int64), tf.constant(0, tf.int64))

        def placed(
            state: tuple[tf.Tensor, tf.Tensor], element: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
        ) -> tuple[tuple[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
            (number, read), (record, is_end, whole) = state, element
            at = tf.strings.as_string(number)
            message = [path, " is corrupt or cut off: record ", at, " cannot be read"]
            good = ~is_end | (whole & (read >= size))
            with tf.control_dependencies([tf.debugging.Assert(good, [tf.strings.join(message)])]):
                read += _FRAME + tf.cast(tf.strings.length(record), tf.int64)
            return (number + 1, read), (tf.strings.join([path, "[", at, "]"]), record, is_end)

        marked = readable.concatenate(end).scan(start, placed).skip(skip).take(take)
        return marked.filter(lambda place, record, is_end: ~is_end)

    skips, takes = tf.unstack(tf.constant(parts or [(0, -1)] * len(paths), tf.int64), axis=1)
    files = tf.data.Dataset.from_tensor_slices((list(paths), tf.constant(sizes, tf.int64), skips, takes))
    return files.flat_map(of_file).map(lambda place, record, is_end: (place, record))


def _is_whole(records: tf.data.Dataset) -> tf.data.Dataset:
    """One element: whether all records can be read."""
    counted = tf.data.Dataset.from_tensors(0).concatenate(records.map(lambda record: 0))
    # A batch of all is lost if one of them fails.
    good = counted.batch(2**40).ignore_errors().map(lambda _: True)
    return good.concatenate(tf.data.Dataset.from_tensors(False)).take(1)
