"""The page in a browser: what a user clicks, types, sees and hears of."""

import base64
import io
import json

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

import augrng as ar
from augrng.compiled import op_by_op
from tests.browser import WAIT, chromium, needs_chromium
from tests.live.serving import album_of, serving

SIDE = 32
START = f"RandomCrop({SIDE - 8}, {SIDE - 8}), RandomFlip()"
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return album_of(tmp_path_factory.mktemp("album"), count=2, side=SIDE)


@pytest.fixture(scope="module")
def url(photos):
    with serving(photos / "a", "--recipe", START) as ask:
        yield f"http://127.0.0.1:{ask.port}/"


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser, url):
    """Opens the page, as often as it is called; no page may have logged an error."""
    contexts, said = [], []

    def open_(**options):
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "accept_downloads": True, **options}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on(
            "console",
            lambda message: said.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(url)
        drawn(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert said == []


def drawn(page):
    """Waits until the tiles are those of the page's recipe."""
    expect(page.locator("#status")).to_contain_text("pictures in")
    expect(page.locator("#tiles:not(.waiting)")).to_be_attached()


def changed(page, does):
    """Does something that changes tiles, and waits for them."""
    page.evaluate("document.getElementById('status').textContent = ''")
    does()
    drawn(page)


def recipe_of(page, kind="JSON"):
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {kind}").click()
    return download.value.path().read_text()


def pixels_of(page, number):
    url = page.locator("#tiles img").nth(number).get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def titles(page):
    return page.locator("#transforms > div > ol > .card > .head h3").all_inner_texts()


def test_tiles_are_what_the_recipe_gives(opened, photos):
    page = opened()
    changed(page, lambda: page.get_by_role("button", name="Epoch after").click())
    changed(page, lambda: page.get_by_label("Seed", exact=True).fill("12345"))
    aug = ar.from_json(recipe_of(page))
    assert aug == ar.read_recipe(START, 12345)
    for number in range(2):
        image = np.asarray(Image.open(photos / "a" / f"{number}.png"))
        with op_by_op():
            expected = aug(image, ar.string_ids(f"{number}.png"), 1)
        np.testing.assert_array_equal(pixels_of(page, number), expected)
        alt = page.locator("#tiles img").nth(number).get_attribute("alt")
        assert alt.startswith(f"{number}.png in epoch 1: crop ")
    expect(page.locator("#tiles figure").nth(2)).to_contain_text("cannot identify image file")


def test_transforms_are_added_changed_moved_and_removed(opened):
    page = opened()
    page.get_by_label("A transform to add").select_option("RandomRotation")
    changed(page, lambda: page.get_by_role("button", name="Add", exact=True).click())
    assert titles(page) == ["RandomCrop", "RandomFlip", "RandomRotation"]
    card = page.locator('[data-path="2"]')
    expect(card).to_be_focused()
    before = page.locator("#tiles img").first.get_attribute("src")
    card.get_by_label("degrees: how it is said").select_option("low and high")
    card.get_by_label("low", exact=True).fill("40")
    changed(page, lambda: card.get_by_label("high", exact=True).fill("41"))
    assert page.locator("#tiles img").first.get_attribute("src") != before
    changed(page, lambda: card.get_by_role("button", name="Move RandomRotation up").click())
    assert titles(page) == ["RandomCrop", "RandomRotation", "RandomFlip"]
    expect(
        page.locator('[data-path="1"]').get_by_role("button", name="Move RandomRotation up")
    ).to_be_focused()
    changed(page, lambda: page.keyboard.press("Enter"))
    assert titles(page) == ["RandomRotation", "RandomCrop", "RandomFlip"]
    changed(page, lambda: page.get_by_role("button", name="Remove RandomCrop").click())
    wanted = ar.Compose([ar.RandomRotation((40, 41)), ar.RandomFlip()], seed=0)
    assert ar.from_json(recipe_of(page)) == wanted
    assert ar.read_recipe(recipe_of(page, "Python")) == wanted


def test_by_keyboard_alone(opened):
    page = opened()
    slider = page.locator('[data-path="1"] [data-argument="p"] input[type="range"]')
    slider.focus()
    changed(page, lambda: page.keyboard.press("End"))
    choice = page.get_by_label("A transform to add")
    choice.focus()
    while choice.input_value() not in (
        "RandomInvert",
        "Sequential",
    ):  # by arrows: letters must come within a second
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    changed(page, lambda: page.keyboard.press("Enter"))
    page.keyboard.press("Tab")  # from the new card to its first button
    expect(page.get_by_role("button", name="Move RandomInvert up")).to_be_focused()
    assert ar.from_json(recipe_of(page)) == ar.read_recipe(f"{START[:-1]}p=1), RandomInvert()", 0)


def test_choices_hold_transforms(opened):
    page = opened()
    page.get_by_label("A transform to add").select_option("OneOf")
    changed(page, lambda: page.get_by_role("button", name="Add", exact=True).click())
    page.get_by_label("A transform to add in 2 transforms").select_option("RandomHue")
    changed(page, lambda: page.get_by_role("button", name="Add in 2 transforms").click())
    changed(
        page,
        lambda: (
            page.locator('[data-path="2/transforms/1"]').get_by_label("max_delta", exact=True).fill("0.3")
        ),
    )
    changed(
        page,
        lambda: page.locator('[data-path="2/transforms/0"]').get_by_role("button", name="Remove").click(),
    )
    inner = [ar.RandomHue(0.3), ar.RandomHue(0.2, name="random_hue_2")]
    wanted = ar.Compose([*ar.read_recipe(START, 0).transforms.values(), ar.OneOf(inner)], seed=0)
    assert ar.from_json(recipe_of(page)) == wanted


def test_recipes_are_loaded(opened, tmp_path):
    page = opened()
    aug = ar.Compose(
        [ar.Maybe(ar.RandomHue(0.2), p=0.9), ar.RandomGamma(0.5, 2)], seed=2**40, targets={"mask": ar.Mask()}
    )
    page.get_by_label("A recipe as JSON or Python").fill(aug.to_json())
    changed(page, lambda: page.get_by_role("button", name="Load", exact=True).click())
    assert titles(page) == ["Maybe", "RandomGamma"]
    assert ar.from_json(recipe_of(page)) == aug
    python = tmp_path / "recipe.py"
    python.write_text("import augrng as ar\n\naug = ar.Compose([ar.RandomInvert(p=0.7)], seed=3)\n")
    changed(page, lambda: page.get_by_label("or from a file").set_input_files(python))
    assert recipe_of(page, "Python").endswith("[\n        ar.RandomInvert(p=0.7),\n    ],\n    seed=3,\n)\n")
    page.get_by_label("A recipe as JSON or Python").fill("RandomFlap()")
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page.locator("#load-mistake")).to_contain_text("did you mean RandomFlip?")
    assert titles(page) == ["RandomInvert"]


def test_a_mistake_is_shown_at_its_argument(opened):
    page = opened()
    field = page.locator('[data-path="1"] [data-argument="p"]')
    field.get_by_label("p", exact=True).fill("3")
    expect(field.locator(".mistake")).to_have_text("RandomFlip: p must be a number in [0, 1], got 3")
    expect(field.get_by_label("p", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#status")).to_have_text(
        "1 mistake in the recipe; the pictures are of the one before"
    )
    expect(page.locator("#tiles.waiting")).to_be_attached()
    changed(page, lambda: field.get_by_label("p", exact=True).fill("1"))
    expect(page.locator(".mistake:visible")).to_have_count(0)
    page.locator('[data-path="0"]').get_by_label("height", exact=True).fill("900")
    expect(page.locator("#tiles figure").first).to_contain_text("must be at least as large as the window")
    page.get_by_role("button", name="Remove RandomCrop").click()
    page.get_by_role("button", name="Remove RandomFlip").click()
    expect(page.locator("#mistake")).to_contain_text("has no transform")


def test_pictures_are_waiting_until_they_are_of_the_last_change(opened):
    """Also in between two requests: the first is answered, the second is not sent."""
    page = opened()
    page.evaluate("""() => {
        const tiles = document.getElementById("tiles"), seed = document.getElementById("seed"), send = window.fetch;
        const type = (text) => { seed.value = text; seed.dispatchEvent(new Event("input")); };
        let asked = null;
        window.fetch = (path, options) => {
            asked = JSON.parse(options.body).recipe.seed;
            if (seed.value === "1") type("2");
            return send(path, options);
        };
        const look = () => { if (!tiles.classList.contains("waiting")) tiles.dataset.shown ??= asked; };
        new MutationObserver(look).observe(tiles, { attributeFilter: ["class"] });
        type("1");
    }""")
    expect(page.locator("#tiles")).to_have_attribute("data-shown", "2")


def test_a_server_that_gives_no_answer_is_spoken_of(opened):
    page = opened()
    page.route("**/recipe", lambda route: route.fulfill(body="no JSON"))
    page.get_by_role("button", name="Copy JSON").click()
    expect(page.locator("#status")).to_contain_text("no answer from the server")


def test_two_pages_keep_out_of_each_others_way(opened):
    one, other = opened(), opened()
    one.get_by_label("Seed", exact=True).fill("1")
    other.get_by_label("Seed", exact=True).fill("2")
    changed(one, lambda: one.get_by_role("button", name="Remove RandomFlip").click())
    assert json.loads(recipe_of(one))["seed"][1] == 1
    assert json.loads(recipe_of(other))["seed"][1] == 2
    assert titles(other) == ["RandomCrop", "RandomFlip"]


def test_a_picture_in_full(opened):
    page = opened()
    page.locator("#tiles figure button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("0.png, epoch 0")
    expect(dialog).to_contain_text("random_crop")
    expect(dialog.locator("svg polygon")).to_have_count(1)
    assert Axe().run(page).violations_count == 0
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_barriers(opened, scheme):
    page = opened(color_scheme=scheme)
    page.get_by_label("p", exact=True).first.fill("3")
    expect(page.locator(".field .mistake")).to_have_count(1)
    page.locator("summary").first.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_on_a_phone(opened):
    page = opened(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    changed(page, lambda: page.get_by_role("button", name="Epoch after").tap())
    page.get_by_role("button", name="Remove RandomFlip").scroll_into_view_if_needed()
    expect(page.locator("#tiles img").first).to_be_in_viewport()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
