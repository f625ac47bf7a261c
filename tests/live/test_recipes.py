"""What comes from a page as a recipe, and what is drawn of it."""

import base64
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import augrng as ar
from augrng import transforms as library
from augrng.python import as_python
from augrng.written import read_text
from pipelines.live.album import Album, index
from pipelines.live.app import application
from pipelines.live.controls import catalogue, shown
from pipelines.live.drawing import GoneError, Place, detail, tiles
from pipelines.live.recipes import MistakenError, composed, loaded, said_of
from pipelines.show.pictures import UnreadableImageError
from tests.live.serving import album_of


def mistakes_of(*steps, **said):
    with pytest.raises(MistakenError) as caught:
        composed(json.dumps({"transforms": steps, **said}))
    return caught.value.mistakes


def step(type_, **arguments):
    return {"type": type_, **arguments}


def test_all_that_can_be_shown_is_offered_and_begins_as_a_recipe():
    offered = [kind for group in catalogue() for kind in group["transforms"]]
    assert {kind["type"] for kind in offered} == {
        name for name, kind in library.BY_NAME.items() if shown(kind)
    }
    for kind in offered:
        aug = composed(json.dumps({"transforms": [kind["start"]]}))
        assert read_text(as_python(aug)).transforms == [
            step for name, step in aug.transforms.items() if "/" not in name
        ]
        for argument in kind["arguments"]:
            assert argument["remark"], (kind["type"], argument["name"])
            assert argument["control"] not in ("number", "range", "either") or argument["scale"]


@pytest.mark.parametrize(
    ("given", "path", "argument", "message"),
    [
        (step("RandomCrop", height=24), (0,), "width", "missing 1 required positional argument: 'width'"),
        (step("RandomFlip", p=2), (0,), "p", "p must be a number in [0, 1], got 2"),
        (step("RandomFlip", mode="up"), (0,), "mode", "mode must be one of"),
        (step("RandomRotation", degrees=[30, -30]), (0,), "degrees", "(low, high), got (30, -30)"),
        (step("RandomContrast", lower=2, upper=1), (0,), "lower", "must be in order"),
        (step("Maybe", transform=step("RandomHue", max_delta=3)), (0, "transform"), "max_delta", "got 3"),
        (step("OneOf", transforms=[step("RandomFlip"), step("RandomFlip", p=-1)]), (0, "transforms", 1), "p", "got -1"),
        (step("RandomFlip", seed="x"), (0,), "seed", "must be a whole number"),
        (step("RandomFlip", seed=str(2**63)), (0,), "seed", "must fit in 64 bits"),
        (step("RandomFlap"), (0,), None, "did you mean RandomFlip?"),
        (step("RandomFlip", q=1), (0,), None, "takes ['name', 'seed', 'mode', 'p'], got ['q']"),
        (7, (0,), None, "must be an object"),
        (step("Resize", height=10**6), (0,), "height", "1,024 at most"),
        (step("Pad", padding=10**6), (0,), "padding", "1,024 at most"),
        (step("Pad", padding=1000), (0,), None, "1024 pixels a side"),
        (step("RandomCrop", height=10**5, width=10**5), (0,), "height", "1,024 at most"),
        (step("TrivialAugmentWide", bins=10**9), (0,), "bins", "1,000 at most"),
        (step("RandomRotation", degrees=float("nan")), (0,), "degrees", "at most"),
        (step("RandomRotation", degrees=3, fill_value=[0] * 99), (0,), "fill_value", "64 values"),
        (step("RandomFlip", name="x" * 999), (0,), "name", "100 characters"),
        (step("Custom", function="os:system"), (0,), "function", "calls a function"),
        (step("MixUp"), (0,), None, "mixes examples"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(given, path, argument, message):
    (mistake,) = mistakes_of(given)
    assert (mistake.path, mistake.argument) == (path, argument)
    assert message in mistake.message


def test_all_mistakes_are_named():
    assert (
        len(mistakes_of(step("RandomFlip", p=2), step("RandomInvert"), step("RandomHue", max_delta=2))) == 2
    )
    (mistake,) = mistakes_of(step("RandomFlip"), step("RandomFlip"))
    assert "give one a name" in mistake.message
    assert "32 transforms" in mistakes_of(*[step("RandomFlip", name=str(n)) for n in range(33)])[0].message
    deep = step("RandomFlip")
    for _ in range(6):
        deep = step("Sequential", transforms=[deep])
    assert "nested 4 deep" in mistakes_of(deep)[0].message


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd", "~/recipe.json", "", "null", "[1]", "3", "{" * 5_000, "[" * 90_000, "(" * 5_000, "-" * 50_000 + "1()",
        "import os", "__import__('os').system('true')", "RandomFlip(p=__import__('os'))", "RandomFlip(p=10**9**9)", "\0(",
        "RandomFlip(*[1])", "Compose([RandomFlip()], **{'seed': 3})", "Compose([RandomFlip()], seed='x')",
        "Compose([RandomFlip()], targets=3)", "import os\nos.system('true')", "x = Compose([RandomFlip()])\ny = 3",
        '{"transforms": 3}', '{"transforms": [{"type": ["RandomFlip"]}]}', "RandAugment(bins=1000000000)", "Custom('os:system')",
        '{"stream_version": 1, "alg": 1, "seed": [1, 2], "transforms": []}', "RandomFlip()" + " " * 100_000,
    ],
    ids=lambda text: ascii(text)[:30],
)  # fmt: skip
def test_no_text_is_run_or_opened(text, monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_: pytest.fail("a file was read"))
    with pytest.raises(MistakenError):
        loaded(text)


def test_recipes_come_back_as_they_were():
    aug = ar.Compose([ar.RandomFlip(seed=2**60), ar.OneOf([ar.RandomHue(0.2), ar.RandomInvert()])], seed=7)
    tf.random.set_seed(3)
    under_a_global_seed = ar.Compose(list(aug.transforms.values())[:2], seed=7)
    shared = ar.Compose([ar.RandomFlip(name="a"), ar.RandomInvert(name="a")], seed=1, shared_seed=True)
    tf.random.set_seed(None)
    for one in (aug, under_a_global_seed):
        said = said_of(one)
        assert composed(json.dumps(said)) == one
        assert json.loads(json.dumps(said)) == said
    with pytest.raises(MistakenError, match="share the name"):
        said_of(shared)


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    entries, left_out = index([album_of(tmp_path_factory.mktemp("album"))])
    assert [path.rpartition("photos/")[2] for path in left_out][:2] == ["a/out.png", "b/secret.png"]
    return Album(entries, 256)


def test_no_image_is_a_program_that_is_run(tmp_path):
    path = tmp_path / "1.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(UnreadableImageError, match="PostScript"):
        Album(index([path])[0], 256).pixels(0)


def test_tiles_have_the_pixels_of_the_recipe(album):
    """Op by op, as a page asks for them, and compiled."""
    aug = ar.Compose(
        [ar.RandomCrop(24, 24), ar.RandomRotation(15), ar.RandomGamma(0.5, 2), ar.RandomHue(0.2)], seed=5
    )
    places = [Place(image, epoch) for epoch in (0, 2**40) for image in (0, 2, 3)]
    made = tiles(album, aug, places, lambda: False)
    for place, tile in zip(places, made, strict=True):
        if place.image == 3:
            assert "cannot identify image file" in tile["error"]
            continue
        expected = aug(album.pixels(place.image), album.entries[place.image].id, place.epoch)
        png = base64.b64decode(tile["picture"].partition(",")[2])
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), expected)
        assert list(tile["draws"]) == list(aug.transforms)


def test_nothing_is_traced_for_a_page(album, monkeypatch):
    monkeypatch.setattr("augrng.compiled._Names.begin", lambda *_: pytest.fail("a program is traced"))
    aug = ar.Compose([ar.RandomRotation(12.345), ar.RandomGamma(0.5, 1.2345)], seed=5)
    (tile,) = tiles(album, aug, [Place(1, 3)], lambda: False)
    shown = detail(album, aug, Place(1, 3))
    assert {name: shown[name] for name in ("picture", "size", "draws")} == {
        name: tile[name] for name in ("picture", "size", "draws")
    }
    with pytest.raises(pytest.fail.Exception, match="a program is traced"):
        aug.sample([1], 0, [[8, 8]])


def test_images_that_become_large_are_drawn_one_by_one(album, monkeypatch):
    counts = []
    apply = ar.Compose.apply
    monkeypatch.setattr(
        ar.Compose,
        "apply",
        lambda aug, images, params: (counts.append(len(images)), apply(aug, images, params))[1],
    )
    small, large = ([ar.Resize(side, side), ar.CenterCrop(16, 16)] for side in (64, 1024))
    for transforms, expected in ((small, [2]), (large, [1, 1])):
        counts.clear()
        tiles(album, ar.Compose(transforms, seed=5), [Place(0, 0), Place(2, 0)], lambda: False)
        assert counts == expected


def test_who_is_gone_gets_nothing(album):
    with pytest.raises(GoneError):
        tiles(album, ar.Compose([ar.RandomFlip()], seed=1), [Place(0, 0)], lambda: True)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/tiles", {"recipe": None, "tiles": [[0, 0]]}, 200),
        ("/tiles", {"recipe": {"transforms": []}, "tiles": [[0, 0]]}, 200),
        ("/tiles", {"recipe": {"transforms": [step("RandomFlip")]}, "tiles": [[99, 0]]}, 404),
        ("/tiles", {"recipe": {"transforms": [step("RandomFlip")]}, "tiles": [[0, 0]] * 17}, 400),
        ("/tiles", {"recipe": {"transforms": [step("RandomFlip")]}, "tiles": []}, 400),
        ("/tiles", {"recipe": {"transforms": [step("RandomFlip")]}, "tiles": [["0", 0]]}, 400),
        ("/tiles", {"recipe": {"transforms": [step("RandomFlip")]}, "tiles": [[True, 0]]}, 400),
        ("/tiles", {"recipe": {"transforms": [step("RandomFlip")]}, "tiles": [[0, -1]]}, 400),
        ("/tiles", {"recipe": {"transforms": [step("RandomFlip")]}, "tiles": [[0, 10**30]]}, 400),
        ("/tile", {"recipe": {"transforms": [step("RandomFlip")]}}, 400),
        ("/tile", {"recipe": {"transforms": [step("RandomCrop", height=99, width=99)]}, "tile": [0, 0]}, 200),
        ("/tile", {"recipe": {"transforms": [step("RandomFlip")]}, "tile": [3, 0]}, 200),
        ("/load", {"text": 3}, 400),
        ("/load", [], 400),
        ("/load", "[" * 100_000, 400),
        ("/load", '{"text": ', 400),
        ("/load", b"\xff\xfe", 400),
        ("/nothing", {}, 404),
        ("/start", {}, 405),
    ],
)
def test_wrong_requests_are_answered_with_reasons(client, path, body, status):
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    answer = client.post(path, data=data, content_type="application/json", headers={"Host": "127.0.0.1:1"})
    assert answer.status_code == status, answer.text
    assert answer.json.get("error") or answer.json["mistakes"]


@pytest.fixture(scope="module")
def client(album):
    return application(album, said_of(ar.Compose([ar.RandomFlip()], seed=1)), 1).test_client()
