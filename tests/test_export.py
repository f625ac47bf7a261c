"""Exported programs: their text and signature; that another framework gets the same bits of them."""

import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import augrng as ar
from augrng.export import Array, stablehlo
from augrng.output import Output
from pipelines.commands import export
from tests import cases
from tests.conftest import ROOT, status_of

NEEDS_JAX = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason='JAX is not installed (extra "jax")'
)
OUTPUT = Output("unit", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


def run_script(name, *args):
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def saved(folder, images, aug, **options):
    """The files that `run_in_jax.py` takes, for images with ids and epoch 3."""
    ids = cases.example_ids(len(images))
    stablehlo(aug, images.shape, dtype=images.dtype, **options).save(folder / "program")
    np.save(folder / "images.npy", images)
    np.save(folder / "ids.npy", ids)
    return [folder / name for name in ("program.mlir", "images.npy", "ids.npy")], ids


def test_the_signature_says_what_main_takes_and_gives():
    program = stablehlo(
        cases.compose("crop_flip_rotation"), [8, 24, 20, 3], output=OUTPUT, output_dtype=tf.bfloat16
    )
    assert program.inputs == (
        Array("images", "uint8", (8, 24, 20, 3)),
        Array("ids", "int64", (8,)),
        Array("epoch", "int64", (8,)),
    )
    assert program.outputs == (Array("pixels", "bfloat16", (8, 16, 14, 3)),)
    (main,) = re.findall(r"func.func @main\((.*)\) -> (.*) \{", program.text)
    assert re.findall(r"tensor<[^>]*>", main[0]) == [
        "tensor<8x24x20x3xui8>",
        "tensor<8xi64>",
        "tensor<8xi64>",
    ]
    assert main[1] == "tensor<8x16x14x3xbf16>"
    assert ar.from_json(program.recipe) == cases.compose("crop_flip_rotation")


@pytest.mark.parametrize("case", cases.CASES)
def test_the_text_is_small_and_says_nothing_of_this_machine(case):
    count = 128
    text = stablehlo(cases.compose(case), [count, *cases.SIZE, 3]).text
    assert "loc(" not in text
    assert "mhlo" not in text
    assert "/" not in text.replace("//", "")
    for constant in re.findall(r'"0x[^"]*"> : tensor<([^>]*)>', text):
        *sides, dtype = constant.split("x")
        assert np.prod([int(side) for side in sides]) <= 12 * count, "a constant for each pixel"
        assert dtype != "i1", "versions of MLIR write packed booleans in two ways"


def test_seeds_are_in_the_program():
    one, other = (stablehlo(cases.compose("random_crop", seed=seed), [2, 24, 20, 3]).text for seed in (7, 8))
    assert len(set(re.findall(r"dense<-?\d{9,}>", one)) ^ set(re.findall(r"dense<-?\d{9,}>", other))) >= 2


@pytest.mark.parametrize("shape", [[24, 20, 3], [0, 24, 20, 3], [None, 24, 20, 3], [2, 24.0, 20, 3]])
def test_shapes_must_be_known(shape):
    with pytest.raises(ValueError, match=r"shape: must be \[B, H, W, C\], four whole numbers.*got \["):
        stablehlo(cases.compose("random_crop"), shape)


def test_what_compose_refuses_is_refused():
    with pytest.raises(ValueError, match=r"RandomCrop.*\(8, 8\)"):
        stablehlo(cases.compose("random_crop"), [2, 8, 8, 3])
    with pytest.raises(TypeError, match="images: dtype must be one of"):
        stablehlo(cases.compose("random_crop"), [2, 24, 20, 3], dtype=tf.complex64)


def test_the_script_writes_program_signature_and_recipe(tmp_path, capsys):
    aug = cases.compose("random_crop")
    recipe = tmp_path / "recipe.json"
    recipe.write_text(aug.to_json())
    out = tmp_path / "deep" / "crop"
    options = ("--shape", "4,24,20,3", "--output", "unit", "--mean", "0.5,0.4,0.3")
    assert not status_of(export.main, recipe, out, *options)
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == ["takes epoch: int64[4]", "gives pixels: float32[4, 16, 12, 3]"]
    written = json.loads((tmp_path / "deep" / "crop.json").read_text())
    assert written["inputs"][0] == {"name": "images", "dtype": "uint8", "shape": [4, 24, 20, 3]}
    assert ar.from_json(json.dumps(written["recipe"])) == aug
    assert "func.func @main" in (tmp_path / "deep" / "crop.mlir").read_text()


def test_the_script_refuses(tmp_path, refused):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(cases.compose("random_crop").to_json())
    said = refused(export.main, recipe, tmp_path / "crop", "--shape", "4,8,8,3")
    assert re.search(r"export: RandomCrop.*\(8, 8\)", said)
    assert not (tmp_path / "crop.mlir").exists()


@NEEDS_JAX
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_jax_normalises_to_the_same_bits(tmp_path, dtype):
    aug, images = cases.compose("crop_flip_rotation"), cases.pictures(count=8)
    files, ids = saved(tmp_path, images, aug, output=OUTPUT, output_dtype=dtype)
    done = run_script("run_in_jax.py", *files, 3, tmp_path / "out.npy")
    assert done.returncode == 0, done.stderr
    assert f"{dtype}[8, 16, 14, 3]" in done.stdout
    expected = tf.cast(OUTPUT(aug(images, ids, 3), dtype), tf.float32)
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected)


@NEEDS_JAX
def test_jax_takes_what_was_exported_only(tmp_path):
    files, _ = saved(tmp_path, cases.pictures(count=8), cases.compose("random_crop"))
    np.save(files[1], cases.pictures(count=4))
    done = run_script("run_in_jax.py", *files, 3, tmp_path / "out.npy")
    assert done.returncode == 2
    assert "images: must be uint8 of shape [8, 24, 20, 3], got uint8 of shape [4, 24, 20, 3]" in done.stderr
