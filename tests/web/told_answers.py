"""What an answer says that programs are not told of its operation."""

from __future__ import annotations

import json
import re
from functools import cache

import httpx
from fastapi import FastAPI

from web.api_description import describe, example_answers, operations, problems_of
from web.app import PLACES

PASSING = frozenset({405, 406, 429})
"""What is stated of no operation: that it was asked wrongly, or too often."""


@cache
def described_house() -> FastAPI:
    """Every place of the house with its description, over no store."""
    house = FastAPI()
    for place in PLACES:
        house.include_router(place)
    describe(house)
    return house


@cache
def _stated() -> list[tuple[re.Pattern[str], str, frozenset[int]]]:
    """The paths of each operation behind its method, its name, and the problems it states."""
    return [
        (re.compile(f"{name.partition(' ')[0]} {route.path_regex.pattern[1:]}"), name, problems)
        for name, route in operations(described_house()).items()
        for problems in (problems_of(name, route),)
    ]


def untold(method: str, path: str, answer: httpx.Response) -> str:
    """What of an answer its description does not tell; nothing where all is told."""
    asked, status = f"{method} {path}", answer.status_code
    found = next((one for one in _stated() if one[0].match(asked)), None)
    if found is None:
        return ""
    _, name, problems = found
    if 400 <= status < 500:
        stated = status in problems or status in PASSING
        return "" if stated else f"{status} is not stated in web/api_description.py"
    kept = example_answers().get(name)
    if status not in (200, 201) or kept is None or "examples" not in kept:
        return ""
    given = json.loads(answer.content) if kept["media_type"] == "application/json" else None
    if not isinstance(given, dict):
        return ""
    new = sorted(given.keys() - {name for shown in kept["examples"] for name in shown})
    return f"{new} is not in web/example_answers.json" if new else ""
