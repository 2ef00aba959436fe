"""The whole platform under an address of its own, and what stands in a page's forms."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.web.browser import served
from tests.web.markup import Element, tree_of
from web.app import create_app


@asynccontextmanager
async def open_whole_house(store: Store, settings: Settings) -> AsyncIterator[str]:
    """Every place, on a port of its own, whose address it knows; that address."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    own = settings.model_copy(update={"origin": origin})
    app = create_app(replace(store, settings=own), own)
    async with served(app, lifespan="on", listener=listener) as address:
        yield address


def forms_of(html: str) -> dict[str, Element]:
    """The page's forms by where they lead."""
    return {one.get("action"): one for one in tree_of(html).all("form")}


def fixed(form: Element) -> dict[str, Any]:
    """What a form that acts by JSON sends besides its fields."""
    told: dict[str, Any] = json.loads(form.get("data-json"))
    return told


def names_in(form: Element) -> set[str]:
    """The names of the form's fields."""
    return {one.get("name") for one in form.all("input", "select", "textarea")} - {""}


def chosen(form: Element, name: str) -> str:
    """What is chosen beforehand in one of the form's selects."""
    (select,) = (one for one in form.all("select") if one.get("name") == name)
    options = list(select.all("option"))
    marked = [one for one in options if "selected" in one.attributes]
    return (marked or options)[0].get("value")


def button_of(form: Element) -> Element:
    """The form's only button."""
    (button,) = form.all("button")
    return button
