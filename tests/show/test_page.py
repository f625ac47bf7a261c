"""The page of `augrng preview --html` in a browser without a network, and what replays its pictures."""

import base64
import io
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import augrng as ar
from pipelines.commands import preview, replay
from pipelines.show.examples import File, read_as_trained
from pipelines.show.page import command, filled
from pipelines.show.variants import read_sweep, reseeded, resized, swept
from pipelines.sources.digits import photo_paths
from tests.browser import WAIT, chromium, needs_chromium

STRANGE = '"><img src=x onerror=alert(1)>.jpg'
NAMES = {"ants": [STRANGE, "<!--<script>.png"], "bees": ["3.jpg", "4.jpg", "5.jpg"]}
RECIPE = "RandomCrop(20, 20), RandomFlip(), RandomRotation(30)"
EPOCHS, SEEDS, DEGREES = 3, [5, 6], ["10", "(-80, -40)"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of two classes, smooth ones, in a folder whose name a shell would take apart."""
    folder = tmp_path_factory.mktemp("page") / "my 'photos'; $HOME"
    rng = np.random.default_rng(1)
    for label, names in NAMES.items():
        (folder / label).mkdir(parents=True)
        for name in names:
            small = Image.fromarray(rng.integers(0, 256, (3, 4, 3), np.uint8))
            small.resize((40, 30), Image.Resampling.BICUBIC).save(folder / label / name)
    return folder


@pytest.fixture(scope="module")
def pages(folder):
    """Two pages: plain, and with a sweep and seeds; each as its path and what it was told."""
    given = [str(folder), "--epochs", str(EPOCHS), "--recipe", RECIPE, "--seed", "5", "--tile", "120"]
    more = ["--sweep", f"random_rotation.degrees={','.join(DEGREES)}", "--seeds", ",".join(map(str, SEEDS))]
    found = {}
    for name, options in (("plain", ["--limit", "4"]), ("swept", ["--limit", "2", "--resize", "24", *more])):
        path = folder.parent / "out" / f"{name}.html"
        assert preview.main([*given, *options, "--html", str(path)]) == 0
        text = path.read_text().split('id="data">')[1].split("</script>")[0]
        found[name] = path, json.loads(text)
    return found


@pytest.fixture(scope="module")
def context():
    """A browser that is offline, and refuses whatever is not a file."""
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1000, "height": 800})
        context.set_offline(True)
        context.set_default_timeout(WAIT)
        yield context


@pytest.fixture
def opened(context, pages):
    """Opens one of the pages; at the end nothing may have been asked for, said or thrown."""
    page, wrong = context.new_page(), []

    def refuse(route):
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            wrong.append(route.request.url)
            route.abort()

    page.route("**/*", refuse)
    for kind in ("console", "pageerror", "dialog"):
        page.on(kind, lambda event: wrong.append(str(getattr(event, "text", event))))

    def open_(name, width=1000, colors="light"):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=colors)
        page.goto(pages[name][0].as_uri())
        return page

    yield open_
    page.close()
    assert wrong == []


def decoded(source):
    kind, _, data = source.partition(";base64,")
    assert kind in ("data:image/png", "data:image/jpeg")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def captions(page):
    return page.locator(".tile b").all_inner_texts()


def test_pictures_have_the_pixels_of_their_recipe_seed_and_epoch(folder, pages):
    aug = ar.read_recipe(RECIPE, 5)
    _, told = pages["plain"]
    assert [one["label"] for one in told["examples"]] == ["ants", "ants", "bees", "bees"]
    for one in told["examples"]:
        image = read_as_trained(folder / one["title"])
        assert np.array_equal(decoded(one["original"]["src"]), image)
        for epoch, tile in enumerate(one["tiles"][0]):
            assert np.array_equal(decoded(tile["src"]), aug(image, int(one["id"]), epoch))
    _, told = pages["swept"]
    sweep = read_sweep("random_rotation.degrees=10,(-80,-40)", aug)
    recipes = [one for seed in SEEDS for one in swept(reseeded(resized(aug, 24), seed), sweep)]
    one = told["examples"][0]
    image = read_as_trained(folder / one["title"])
    for recipe, tiles in zip(recipes, one["tiles"], strict=True):
        expected = recipe.describe(recipe.sample(int(one["id"]), 1, image.shape[:2]))
        assert tiles[1]["draws"] == expected
    assert np.array_equal(decoded(tiles[1]["src"]), recipe(image, int(one["id"]), 1))


def test_the_command_of_a_picture_makes_its_pixels(folder, pages, tmp_path):
    one = next(one for one in pages["swept"][1]["examples"] if STRANGE in one["title"])
    tile = one["tiles"][-1][2]
    program, command, *words = shlex.split(tile["command"])
    assert (program, command) == ("augrng", "replay")
    assert replay.main([*words, "--out", str(tmp_path / "again.png")]) == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "again.png")), decoded(tile["src"]))


def test_targets_are_drawn_and_what_cannot_be_replayed_says_why(tmp_path):
    (tmp_path / "in" / "a").mkdir(parents=True)
    known = tmp_path / "known.json"
    known.write_text(json.dumps({"a/1.png": {"boxes": [[2, 3, 9, 17]]}}))
    for name in ("a/1.png", "2.png", "-3.tif"):
        Image.new("RGB", (24, 20)).save(tmp_path / "in" / name)
    out = tmp_path / "x.html"
    options = ["--targets", str(known), "--recipe", "RandomFlip(p=1)", "--epochs", "1", "--html", str(out)]
    assert preview.main([str(tmp_path / "in"), *options]) == 0
    told = json.loads(out.read_text().split('id="data">')[1].split("</script>")[0])
    said = {one["title"]: one["refusal"] for one in told["examples"]}
    assert "must lie in subfolders" in said["2.png"]
    assert "does not read .tif" in said["-3.tif"]
    assert all(tile["command"] is None for one in told["examples"] for tile in one["tiles"][0])
    one = next(one for one in told["examples"] if one["title"] == "a/1.png")
    for picture, columns in ((one["original"], (2, 9)), (one["tiles"][0][0], (24 - 9, 24 - 2))):
        drawn = decoded(picture["src"]).any(-1)  # on black
        assert drawn[10, [columns[0], columns[1]]].all()
        assert not drawn[10, columns[0] + 3 : columns[1] - 3].any()
        assert not drawn[:2].any()
    said = command(tmp_path / "r.json", File(tmp_path / "-x.jpg", "-x.jpg"), 1)
    args = replay.parse(shlex.split(said)[2:])
    assert (args.path, args.source, args.epoch) == ("-x.jpg", f"folder:{tmp_path}", 1)


def test_sixty_pictures_of_photographs_are_under_3_mb(tmp_path, photos, capsys):
    paths = [str(path) for path in photo_paths()]
    out = tmp_path / "photos.html"
    assert preview.main([*paths, "--epochs", "30", "--html", str(out), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 60
    assert found["bytes"] == out.stat().st_size < 3_000_000
    told = json.loads(out.read_text().split('id="data">')[1].split("</script>")[0])
    aug, one = ar.from_json(Path(found["recipes"][0]).read_text()), told["examples"][0]
    pixels = aug(photos[0], int(one["id"]), 7).numpy().astype(float)
    assert pixels.shape == (224, 224, 3)
    assert np.abs(decoded(one["tiles"][0][7]["src"]) - pixels).mean() < 4


def test_nothing_that_is_told_ends_its_element():
    page = filled({"examples": ["</script><!--<script>&amp;\u2028"]}, "</code>{{DATA}}<b>")
    assert page.count("</script>") == 2
    assert "<!--" not in page
    assert "&lt;/code&gt;{{DATA}}&lt;b&gt;" in page
    text = page.split('id="data">')[1].split("</script>")[0]
    assert json.loads(text) == {"examples": ["</script><!--<script>&amp;\u2028"]}


@needs_chromium
@pytest.mark.parametrize(("name", "width", "colors"), [("plain", 1000, "light"), ("swept", 360, "dark")])
def test_axe_finds_nothing(name, width, colors, opened):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(name, width, colors)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.locator(".tile").first.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("dialog").bounding_box()["width"] <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", dark))) < 384) == (colors == "dark")


@needs_chromium
def test_names_are_text_and_pictures_have_alt_texts(opened, pages):
    page = opened("plain")
    assert page.locator("h2").all_inner_texts()[:4] == [one["title"] for one in pages["plain"][1]["examples"]]
    assert page.locator("img[src='x']").count() == 0
    alts = page.locator(".tile img").evaluate_all("all => all.map((one) => one.alt)")
    told = [tile["alt"] for one in pages["plain"][1]["examples"] for tile in one["tiles"][0]]
    assert alts == told
    assert all("in epoch" in alt and "random_crop: crop" in alt for alt in alts)
    page.select_option("#theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"
    assert abs(page.locator(".tile img").first.bounding_box()["width"] - 120) < 1


@needs_chromium
def test_keys_move_open_and_close(opened):
    page = opened("plain")
    place = lambda: page.evaluate("[...document.querySelectorAll('.tile')].indexOf(document.activeElement)")  # noqa: E731
    for _ in range(20):
        page.keyboard.press("Tab")
        if place() >= 0:
            break
    assert place() == 0  # one stop for all of them
    assert page.locator(".tile[tabindex='0']").count() == 1
    for key, expected in (
        ("ArrowRight", 1), ("ArrowDown", 1 + EPOCHS), ("End", 2 * EPOCHS - 1), ("ArrowRight", 2 * EPOCHS),
        ("ArrowLeft", 2 * EPOCHS - 1), ("ArrowUp", EPOCHS - 1), ("Home", 0), ("ArrowUp", 0), ("ArrowDown", EPOCHS),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert place() == expected, key
    outline = page.evaluate("getComputedStyle(document.activeElement).outline")
    assert "solid 3px" in outline
    page.keyboard.press("Enter")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("ArrowRight")
    assert page.locator("#opened").inner_text().endswith("epoch 1")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    expect(page.locator(".tile").nth(EPOCHS + 1)).to_be_focused()  # back at what was seen last
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert place() == EPOCHS + 1


@needs_chromium
def test_filters_leave_what_they_say(opened, pages):
    page, examples = opened("plain"), pages["plain"][1]["examples"]
    flips = [["random_flip" in tile["acted"] for tile in one["tiles"][0]] for one in examples]
    page.get_by_label("random_flip").check()
    assert page.locator(".tile").count() == sum(map(sum, flips))
    assert 0 < sum(map(sum, flips)) < 4 * EPOCHS
    assert page.get_by_role("row").count() == sum(map(any, flips))
    assert page.locator("#count").inner_text() == f"{sum(map(sum, flips))} of {4 * EPOCHS} pictures."
    page.select_option("#label", "bees")
    assert page.locator(".tile").count() == sum(map(sum, flips[2:]))
    assert f"random_flip ({sum(map(sum, flips[2:]))})" in page.locator("#acted").inner_text()
    page.get_by_label("random_flip").uncheck()
    assert page.locator(".tile").count() == 2 * EPOCHS


@needs_chromium
def test_sweeps_and_sliders_show_what_was_made(opened, pages):
    page, one = opened("swept"), pages["swept"][1]["examples"][0]
    assert captions(page) == ["degrees 10", "degrees (-80, -40)"] * 2
    shown = lambda: page.locator(".tile img").first.get_attribute("src")  # noqa: E731
    assert shown() == one["tiles"][0][0]["src"]
    page.get_by_role("slider", name="epoch").press("ArrowRight")
    assert shown() == one["tiles"][0][1]["src"]
    page.get_by_role("slider", name="seed").press("End")
    assert shown() == one["tiles"][2][1]["src"]
    assert page.get_by_role("slider", name="seed").get_attribute("aria-valuetext") == "seed 6"
    page.select_option("#columns", label="seeds")
    assert captions(page) == ["seed 5", "seed 6"] * 2
    assert not page.get_by_role("slider", name="seed").is_visible()
    page.get_by_role("slider", name="degrees").press("ArrowRight")
    assert shown() == one["tiles"][1][1]["src"]
    page.select_option("#columns", label="one at a time")
    assert page.locator(".tile").count() == 2
    assert captions(page)[0] == "seed 6, degrees (-80, -40), epoch 1"


@needs_chromium
def test_an_opened_picture_shows_its_window_draws_and_command(opened, pages):
    page, one = opened("plain"), pages["plain"][1]["examples"][2]
    tile = one["tiles"][0][1]
    page.locator(".row").nth(2).locator(".tile").nth(1).click()
    assert page.locator("#command").inner_text() == tile["command"]
    assert page.locator("#result").get_attribute("src") == tile["src"]
    said = dict(zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True))
    assert {name: text.removesuffix(" (changed nothing)") for name, text in said.items()} == tile["draws"]
    line = page.locator("svg path.window").get_attribute("d")
    corners = np.array(re.findall(r"-?[\d.]+(?:e-\d+)?", line), float).reshape(4, 2)
    assert np.allclose(corners, np.array(tile["corners"]) * (40, 30), atol=0.01)
    angle = float(re.search(r"rotate ([+-][\d.]+)", tile["draws"]["random_rotation"])[1])
    assert f"turned {abs(angle)}°" in page.locator("#turned").inner_text()
    assert page.locator("svg[role='img']").get_attribute("aria-label").startswith(one["title"])
    page.get_by_role("button", name="Copy the command").click()
    page.locator("#copied").get_by_text("cop").wait_for()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("dialog")).to_be_hidden()


def test_the_commands_of_its_readme_are_commands():
    text = (Path(preview.__file__).parents[1] / "show" / "README.md").read_text()
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("augrng ")]
    assert {words[1] for words in lines} == {"preview", "replay"}
    for _, name, *words in lines:
        if name == "replay":
            assert replay.parse(words).decode == "full"
            continue
        args = preview.arguments_of().parse_args(words)
        aug = ar.read_recipe(args.recipe, 0) if args.recipe else preview.default_recipe(0)
        assert preview.gallery_of(args, aug).recipes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sweep", "random_rotatoin.degrees=5"], r"--sweep: .*got 'random_rotatoin'; did you mean random_rotation\?"),
        (["--sweep", "random_crop.heigth=5"], r"--sweep: random_crop takes .*got 'heigth'; did you mean height\?"),
        (["--sweep", "random_flip.mode=vertical"], "--sweep: values must be numbers, tuples or strings in quotes"),
        (["--sweep", "random_flip.seed=1"], "--sweep: must not change seed .* --seeds"),
        (["--sweep", "random_flip"], "--sweep: must be TRANSFORM.ARGUMENT=VALUE,VALUE"),
        (["--sweep", "random_crop.height="], "--sweep: must have at least one value"),
        (["--sweep", "random_crop.height=8,0"], "--sweep: random_crop.height=0: .*at least 1"),
        (["--seeds", "1,two"], "--seeds: must be integers with commas between, got '1,two'"),
    ],
)  # fmt: skip
def test_mistakes_are_named(options, message, tmp_path, refused):
    Image.new("RGB", (24, 20)).save(tmp_path / "1.png")
    given = (tmp_path / "1.png", "--recipe", RECIPE)
    assert re.search(message, refused(preview.main, *given, "--html", tmp_path / "a.html", *options))
    assert "needs --html" in refused(preview.main, *given, *options) or "--seeds: must" in message
    assert "--html: must end in .html" in refused(preview.main, *given, "--html", tmp_path / "a.png")
