"""Every way of tampering with a JSON value: each field changed, each entry and member moved."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

Path = tuple[Any, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place of a JSON value, containers and leaves."""
    if path:
        yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from places(inner, (*path, key))


def at(value: Any, path: Path) -> Any:
    """What stands at a place."""
    for key in path:
        value = value[key]
    return value


def flipped(value: Any) -> Any:
    """The same kind of value, one bit or one step off."""
    match value:
        case bool():
            return not value
        case int():
            return value ^ 1
        case str() if value:
            middle = len(value) // 2
            return value[:middle] + chr(ord(value[middle]) ^ 1) + value[middle + 1 :]
        case str():
            return "x"
        case None:
            return "x"
    raise AssertionError(value)


def tampered(value: Any) -> Iterator[tuple[str, Path, Any]]:
    """Every value that is one change away: what was done, where, and the changed value."""
    for path in places(value):
        inner = at(value, path)
        if not isinstance(inner, dict | list):
            changed = copy.deepcopy(value)
            at(changed, path[:-1])[path[-1]] = flipped(inner)
            yield "flipped", path, changed
    for path in [(), *places(value)]:
        inner = at(value, path)
        if isinstance(inner, list):
            yield from _lists(value, path, len(inner))
        elif isinstance(inner, dict):
            yield from _objects(value, path, list(inner))


def _lists(value: Any, path: Path, size: int) -> Iterator[tuple[str, Path, Any]]:
    for place in range(size):
        dropped, doubled = copy.deepcopy(value), copy.deepcopy(value)
        del at(dropped, path)[place]
        yield "dropped", (*path, place), dropped
        at(doubled, path).insert(place, copy.deepcopy(at(doubled, path)[place]))
        yield "doubled", (*path, place), doubled
    for place in range(size - 1):
        swapped = copy.deepcopy(value)
        one = at(swapped, path)
        if one[place] != one[place + 1]:
            one[place], one[place + 1] = one[place + 1], one[place]
            yield "swapped", (*path, place), swapped


def _objects(value: Any, path: Path, names: list[str]) -> Iterator[tuple[str, Path, Any]]:
    for name in names:
        dropped = copy.deepcopy(value)
        del at(dropped, path)[name]
        yield "dropped", (*path, name), dropped
    added = copy.deepcopy(value)
    at(added, path)["more"] = 1
    yield "added", path, added
    for one, other in pairwise(names):
        exchanged = copy.deepcopy(value)
        inner = at(exchanged, path)
        if inner[one] != inner[other]:
            inner[one], inner[other] = inner[other], inner[one]
            yield "exchanged", (*path, one), exchanged
