"""Runs a program of augrng export in JAX, without TensorFlow: the same bits on any device that JAX has.

Needs jax and numpy only.
"""

import argparse
import json
import sys
from pathlib import Path

import jax
import numpy as np
from jax.extend import backend


class Runner:
    """A program compiled for JAX's first device.

    Args:
      path: of the .mlir file; its .json lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self.signature = json.loads(path.with_suffix(".json").read_text())
        client = backend.get_backend()
        self.device = client.local_devices()[0]
        self._program = client.compile_and_load(path.with_suffix(".mlir").read_text(), [self.device])

    def put(self, *arrays: np.ndarray) -> list[jax.Array]:
        """Arrays on the device, as arguments.

        Raises:
          ValueError: if they are not what the program takes.
        """
        for array, wanted in zip(arrays, self.signature["inputs"], strict=True):
            if (array.dtype.name, list(array.shape)) != (wanted["dtype"], wanted["shape"]):
                raise ValueError(
                    f"{wanted['name']}: must be {wanted['dtype']} of shape {wanted['shape']}, "
                    f"got {array.dtype.name} of shape {list(array.shape)}"
                )
        with jax.enable_x64(True):  # else ids lose their upper halves
            return [jax.device_put(array, self.device) for array in arrays]

    def __call__(self, arguments: list[jax.Array]) -> jax.Array:
        """Starts the program; what comes back may be on its way still."""
        results = self._program.execute_sharded(arguments)
        ((images,),) = results.disassemble_into_single_device_arrays()
        return images


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path, help="the .mlir file; its .json lies beside it")
    parser.add_argument("images", type=Path, help="a .npy file, of the shape and dtype of the program")
    parser.add_argument("ids", type=Path, help="a .npy file, int64[B]")
    parser.add_argument("epoch", type=int)
    parser.add_argument("out", type=Path, help="the .npy file to write; bfloat16 is written as float32")
    args = parser.parse_args(arguments)
    runner = Runner(args.program)
    ids = np.load(args.ids)
    try:
        taken = runner.put(np.load(args.images), ids, np.full_like(ids, args.epoch))
    except ValueError as error:
        print(f"run_in_jax: {args.program}: {error}", file=sys.stderr)
        return 2
    images = np.asarray(runner(taken))
    np.save(args.out, images.astype(np.float32) if images.dtype.name == "bfloat16" else images)
    print(f"{args.out}: {images.dtype.name}{list(images.shape)}, made on {runner.device}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
