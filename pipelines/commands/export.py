"""Writes a recipe as a program that other frameworks run: OUT.mlir (StableHLO) and OUT.json beside it.

The JSON says what the program takes and gives, in order, and holds the recipe. scripts/run_in_jax.py runs it.
"""

from pathlib import Path

import tensorflow as tf

import augrng as ar
from augrng.export import stablehlo
from augrng.output import OUTPUTS, Output
from pipelines.commands.starting import Parser, failed, json_option, report

EXAMPLES = """
    augrng export recipe.json out/augment --shape 64,256,256,3 --output unit --output-dtype bfloat16"""


def main(arguments: list[str] | None = None) -> int:
    parser = Parser("export", __doc__, EXAMPLES)
    parser.add_argument("recipe", help="a file of JSON, JSON, or calls such as RandomFlip()")
    parser.add_argument(
        "--seed", type=int, default=0, help="op-level seed of a recipe that has none (default 0)"
    )
    parser.add_argument("out", type=Path, help="what to write, without .mlir and .json")
    parser.add_argument("--shape", type=sides, required=True, metavar="B,H,W,C", help="of the images")
    parser.add_argument("--dtype", default="uint8", help="of the images (default uint8)")
    parser.add_argument("--output", choices=OUTPUTS, default="same", help="range of what comes out")
    parser.add_argument("--mean", type=numbers, default=0.0, help='with "unit": one number, or r,g,b')
    parser.add_argument("--std", type=numbers, default=1.0, help='with "unit": one number, or r,g,b')
    parser.add_argument("--output-dtype", default="float32", help='with "unit" (default float32)')
    json_option(parser)
    args = parser.parse_args(arguments)
    try:
        aug = ar.read_recipe(args.recipe, args.seed)
        output, dtypes = Output(args.output, args.mean, args.std), (args.dtype, args.output_dtype)
        taken, given = (tf.as_dtype(name) for name in dtypes)
        program = stablehlo(aug, args.shape, dtype=taken, output=output, output_dtype=given)
    except (OSError, ValueError, TypeError) as error:
        return failed("export", error, args)
    program.save(args.out)
    arrays = {"takes": program.inputs, "gives": program.outputs}
    lines = [f"{verb} {one.name}: {one.dtype}{list(one.shape)}" for verb in arrays for one in arrays[verb]]
    report(args, lines, {verb: [vars(one) for one in of] for verb, of in arrays.items()})
    return 0


def sides(text: str) -> list[int]:
    return [int(side) for side in text.split(",")]


def numbers(text: str) -> float | tuple[float, ...]:
    values = tuple(float(value) for value in text.split(","))
    return values if len(values) > 1 else values[0]
