"""A place is asked for a path exactly where one of its routes leads there."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from starlette.routing import Match

from kernel.randomness import random_id
from web.app import PLACES
from web.places import Place


def paths() -> list[str]:
    """A path for every route there is, and paths beside them."""
    found = {"/", "//", "/nowhere", "/api", "/api/v1", "/static/page.css"}
    for place in PLACES:
        for route in place.routes:
            filled = re.sub(r"\{\w+:int\}", "7", route.path)  # type: ignore[attr-defined]  # a place has such routes only
            path = re.sub(
                r"\{\w+:path\}", "a/b", re.sub(r"\{\w+(:uuid)?\}", str(random_id()), filled)
            )
            found |= {path, path + "x"}
    return sorted(found)


def test_every_place_tells_at_a_glance_what_its_routes_tell() -> None:
    house = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for place in PLACES:
        assert isinstance(place, Place)
        house.include_router(place)
    doors: list[Any] = house.router.routes
    for path in paths():
        scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
        for door, place in zip(doors, PLACES, strict=True):
            everything: list[Any] = place.routes
            routes = [one for one in everything if one.path_regex.match(path)]
            http = [route for route in routes if getattr(route, "methods", None)]
            full = any("GET" in route.methods for route in http)
            expected = Match.FULL if full else Match.PARTIAL if http else Match.NONE
            assert door.matches(scope)[0] is expected, (path, place)


def test_a_route_that_is_added_later_is_found() -> None:
    house, place = FastAPI(openapi_url=None, docs_url=None, redoc_url=None), Place()
    house.include_router(place)
    door: Any = house.router.routes[0]
    scope = {"type": "http", "method": "GET", "path": "/late", "root_path": "", "headers": []}
    assert door.matches(scope)[0] is Match.NONE

    @place.get("/late")
    def late() -> None: ...

    assert door.matches(scope)[0] is Match.FULL
