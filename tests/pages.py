"""The pages of the repository (README.md files and their like), taken apart for the tests."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "augrng/**/*.md", "pipelines/**/*.md", "scripts/**/*.md", "tests/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"\n\n {4}\S")  # Markdown's other way to write a block, which says no language
_LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block: where it begins, its language and text, and of a program what the page says it prints."""

    page: Path
    line: int
    language: str
    text: str
    printed: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def text_of(page: Path) -> str:
    return (ROOT / page).read_text()


def blocks(page: Path) -> list[Block]:
    """All blocks of a page in order; a "text" that follows a program directly is what that prints."""
    text, found = text_of(page), []
    for match in _FENCED.finditer(text):
        language, body = match.groups()
        before = found[-1] if found else None
        if language == "text" and before and before.language == "python" and before.printed is None:
            between = text[: match.start()].rsplit("```", 1)[1]
            if between.count("\n\n") <= 2 and "#" not in between:
                found[-1] = before._replace(printed=body)
                continue
        found.append(Block(page, text[: match.start()].count("\n") + 1, language, body, None))
    return found


def indented(page: Path) -> list[int]:
    """The lines at which a block begins that is no fenced one."""
    prose = _FENCED.sub(lambda match: "\n" * match[0].count("\n"), text_of(page))
    return [prose[: match.start()].count("\n") + 3 for match in _INDENTED.finditer(prose)]


def links(page: Path) -> list[str]:
    """What a page's links and pictures name."""
    prose = re.sub(r"`[^`\n]+`", "", _FENCED.sub("", text_of(page)))
    return _LINK.findall(prose)


def anchors(page: Path) -> list[str]:
    """What a link to a heading of a page is called on code hosts."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text_of(page)), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def commands(block: Block) -> list[list[str]]:
    """The commands of a block as words, without comments and the variables set for one."""
    lines = block.text.replace("\\\n", " ").splitlines()
    split = [shlex.split(line, comments=True) for line in lines]
    return [
        words[sum(re.match(r"[A-Z_]+=", word) is not None for word in words[:1]) :]
        for words in split
        if words
    ]
