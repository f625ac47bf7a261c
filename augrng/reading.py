"""What makes errors of recipes easy to find: the lines of JSON objects, and the name that was meant."""

import difflib
import json
from collections.abc import Iterable
from typing import Any


class Object(dict[str, Any]):
    """A JSON object, and the line of the text that it begins in; 0 if the text has but one line."""

    line = 0


def loads(text: str) -> Any:
    """`json.loads` whose objects are `Object`s."""
    several = "\n" in text.strip()
    decoder: Any = json.JSONDecoder()

    def parse(start: tuple[str, int], *rest: Any) -> tuple[Object, int]:
        found, end = json.decoder.JSONObject(start, *rest)  # type: ignore[attr-defined]
        made = Object(found)
        made.line = several * (text.count("\n", 0, start[1]) + 1)
        return made, end

    decoder.parse_object = parse
    decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
    return decoder.decode(text)


def at(where: str, line: Any) -> str:
    """A place in a recipe, with the line of an `Object`, or a number, if there is one."""
    number = line if isinstance(line, int) else getattr(line, "line", 0)
    return f"{where} (line {number})" if number else where


def meant(given: Iterable[Any], known: Iterable[str]) -> str:
    """ "; did you mean ...?" for the first name that is like one that is known, else nothing."""
    by_lower = {name.lower(): name for name in known}
    for name in given:
        near = difflib.get_close_matches(str(name).lower(), by_lower, 1)
        if near and by_lower[near[0]] != name:
            return f"; did you mean {by_lower[near[0]]}?"
    return ""
