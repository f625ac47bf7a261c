"""The same batches, made by TensorFlow's tf.data service."""
