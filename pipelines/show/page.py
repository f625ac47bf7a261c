"""A page of augmented examples in one HTML file, for any browser: no network, no server.

`page.html`, `page.css` and `page.js` are the page; what it shows is put into it as JSON. Its policy allows no
other script and nothing from elsewhere.
"""

import base64
import dataclasses
import functools
import hashlib
import json
import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import augrng as ar
from augrng.transforms import Transform
from pipelines.show.examples import File
from pipelines.show.tiles import Picture, Row, Tile, original, tiles_of
from pipelines.sources.folder import from_folder
from pipelines.sources.source import IMAGE_SUFFIXES

_DECIMALS = 4  # of corners, as shares of the source


@dataclasses.dataclass(frozen=True)
class Axis:
    """One of the ways in which the pictures of an example differ.

    Attributes:
      name: "epoch", "seed", or a transform's argument.
      title: of all of it.
      values: in words.
    """

    name: str
    title: str
    values: list[str]


@dataclasses.dataclass(frozen=True)
class Gallery:
    """What a page shows: examples by seeds, by values of an argument, by epochs.

    Attributes:
      aug: the recipe, before anything is varied.
      recipes: seeds * values of them, the values of the first seed first.
      saved: the file of each.
      seeds, values: the axes of `recipes`; of one entry if there is nothing to choose.
      epochs: the third axis.
      tile: the side of a picture on the page, in pixels.
    """

    aug: ar.Compose
    recipes: list[ar.Compose]
    saved: list[Path]
    seeds: Axis
    values: Axis
    epochs: list[int]
    tile: int

    @property
    def side(self) -> int:
        """The longer side of embedded pictures, at most."""
        return max(320, 2 * self.tile)

    def example(self, file: File, row: Row) -> dict[str, Any]:
        """What the page is told of an example.

        Raises:
          ValueError: if a recipe refuses it.
        """
        refusal = self.not_replayed(file)
        tiles = []
        for recipe, saved in zip(self.recipes, self.saved, strict=True):
            mine = dataclasses.replace(row, aug=recipe.with_targets(row.aug.targets))
            told = [_told(tile) for tile in tiles_of(mine, self.epochs, self.side)]
            for tile, epoch in zip(told, self.epochs, strict=True):
                tile["command"] = None if refusal else command(saved, file, epoch)
            tiles.append(told)
        return {
            "title": row.title,
            "id": str(row.id),  # JavaScript's numbers hold 53 bits
            "label": file.label.name or str(file.label),
            "original": _picture(original(row, self.side), f"{row.title} as it is"),
            "tiles": tiles,
            "refusal": refusal,
        }

    def not_replayed(self, file: File) -> str | None:
        """Why `augrng replay` does not give an example's pixels; None if it does."""
        if file.path.suffix.lower() not in IMAGE_SUFFIXES:
            return f"none: training does not read {file.path.suffix} files"
        if any(recipe.program.needs_boxes for recipe in self.recipes):
            return "none: the recipe draws by boxes, which a folder's images do not have"
        return _no_source(file.root)

    def written(self, examples: Sequence[dict[str, Any]]) -> str:
        """The page of what `example` gave."""
        epochs = Axis("epoch", "epochs", [str(epoch) for epoch in self.epochs])
        axes = [dataclasses.asdict(axis) for axis in (self.seeds, self.values, epochs)]
        transforms = self.aug.transforms
        told = {
            "tile": self.tile,
            "names": list(transforms),
            "drawing": [name for name, one in transforms.items() if _draws(one)],
            "axes": axes,
            "examples": list(examples),
        }
        return filled(told, ", ".join(repr(one) for name, one in transforms.items() if "/" not in name))


def command(recipe: Path, file: File, epoch: int) -> str:
    """What makes a picture of the page again, from the folder in which the page was made.

    Pictures are decoded as a whole, as the page's are: training reduces large JPEGs while it decodes them.
    """
    words = ["augrng", "replay", "--recipe", str(recipe), "--source", f"folder:{file.root}"]
    path = ["--path", file.name] if not file.name.startswith("-") else [f"--path={file.name}"]
    return shlex.join([*words, *path, "--epoch", str(epoch), "--decode", "full"])


@functools.lru_cache
def _no_source(folder: Path) -> str | None:
    """Why a folder is no source, or None."""
    try:
        from_folder(folder)
    except (OSError, ValueError) as error:
        return f"none: {error}"
    return None


def _draws(transform: Transform) -> bool:
    """Whether anything about a transform is random."""
    return bool(transform.num_words) or type(transform).draw is not Transform.draw  # `Custom` has its key


def filled(told: dict[str, Any], recipe: str) -> str:
    """The template with its data; nothing that is told can end the element that it is in."""
    page, style, script = (_beside(f"page.{kind}") for kind in ("html", "css", "js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    data = json.dumps(told, separators=(",", ":"))
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    parts = {"SCRIPT": script, "DATA": data, "RECIPE": escape(recipe), "STYLE": style, "DIGEST": digest}
    for name, text in parts.items():  # from the end, so that nothing that was put in is taken for a place
        page = page.replace(f"{{{{{name}}}}}", text, 1)
    return page


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _told(tile: Tile) -> dict[str, Any]:
    corners = [[round(float(along), _DECIMALS) for along in corner] for corner in tile.corners]
    return {
        **_picture(tile.picture, tile.alt),
        "draws": tile.draws,
        "acted": list(tile.acted),
        "corners": corners,
    }


def _picture(picture: Picture, alt: str) -> dict[str, Any]:
    height, width = picture.pixels.shape[:2]
    data = base64.b64encode(picture.data).decode()
    return {
        "src": f"data:{picture.media_type};base64,{data}",
        "shown": [width, height],
        "size": [picture.size[1], picture.size[0]],
        "alt": alt,
    }
