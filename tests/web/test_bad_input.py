"""What no column can hold is told to be invalid, to whoever sends it: no defect, no traceback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import RouteContext

from kernel.access import Role
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.store.parties import payload_type
from kernel.store.transaction import Store
from tests.newcomers import a_registration
from tests.web.every_route import Cast, a_cast, path_names, path_of, query_names, routes_of
from tests.web.route_matrix import NOBODY_KNOWN, ROUTES, Line

JSON = "application/json"
DSSE = {"Content-Type": "application/vnd.dsse+json"}
LOT = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/lots/{LOT}/timetable?version=9999999999",
        f"/api/v1/lots/{LOT}/timetable?version=0",
        f"/api/v1/lots/{LOT}/opening-policy?version=2147483648",
        f"/api/v1/lots/{LOT}/notices/99999999999",
        f"/api/v1/lots/{LOT}/notices/-1",
    ],
)
async def test_a_number_beyond_its_column_is_no_defect(
    http: httpx.AsyncClient, store: Store, path: str
) -> None:
    told = 400 if "?" in path else 404
    assert (await http.get(path)).status_code == told


@pytest.mark.parametrize("member", ["uscc", "name", "person", "identity_document"])
async def test_a_registration_with_a_zero_character_is_malformed(
    http: httpx.AsyncClient, store: Store, member: str
) -> None:
    key = PrivateKey.generate()
    said = json.loads(Envelope.from_bytes(a_registration(key)).payload)
    said[member] += "\0"
    raw = key.sign(payload_type("registration"), json.dumps(said).encode()).to_bytes()
    answer = await http.post("/api/v1/registrations", content=raw, headers=DSSE)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "malformed"


# ── at every door ─────────────────────────────────────────────────────────────────────────────

ABSURD_WORDS = ("a\0b", "9" * 40, "-1", "1e400", "\u202e", "字" * 5000)
ABSURD_VALUES: tuple[Any, ...] = (
    "a\0b",
    "\ud800",
    "字" * 5000,
    10**40,
    -1,
    1e308,
    None,
    [],
    {"a\0b": 1},
)
"""What no column, clock or counter can hold, and what is of another kind than was asked for."""


@pytest.fixture
async def visitor(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def spoilt(value: Any) -> Iterator[Any]:
    """The value with each of its parts replaced, one at a time, by each absurd one."""
    yield from ABSURD_VALUES
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from ({**value, name: other} for other in spoilt(inner))
        yield {**value, "a\0b": "a\0b"}
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from ([*value[:place], other, *value[place + 1 :]] for other in spoilt(inner))


def absurd_requests(context: RouteContext, line: Line) -> Iterator[tuple[str, dict[str, Any]]]:
    """Paths and contents for one route, each with one thing in it that makes no sense."""
    sent = {} if line.body is None else {"content": json.dumps(line.body)}
    for words in ABSURD_WORDS:
        told = quote(words, safe="")
        for name in path_names(context):
            yield path_of(context, **{name: told}), sent
        for name in query_names(context):
            yield f"{path_of(context)}?{name}={told}", sent
    if line.body is not None:
        for body in spoilt(dict(line.body)):
            yield path_of(context), {"content": json.dumps(body)}
    for name in line.form or ():
        for words in ABSURD_WORDS:
            yield path_of(context), {"data": {**(line.form or {}), name: words}}
    if line.statement:
        for words in ABSURD_WORDS:
            yield path_of(context), {"content": words.encode()}


def _naming(body: Mapping[str, object] | None, own: str) -> Mapping[str, object] | None:
    named: Mapping[str, object] | None = json.loads(
        json.dumps(body).replace(str(NOBODY_KNOWN), own)
    )
    return named


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_nothing_absurd_at_any_route_is_a_defect(
    app: FastAPI, visitor: httpx.AsyncClient, store: Store, method: str
) -> None:
    """RFC 9110, 15.5: what was sent is wrong, and whoever sent it is told so."""
    cast: Cast = await a_cast(store)
    wrong, count = [], 0
    for name, context in routes_of(app).items():
        line = ROUTES[name]
        if not name.startswith(f"{method} "):
            continue
        role = min(line.roles - {Role.PUBLIC}, default=Role.PUBLIC)
        # The example names nobody; that it names the sender lets it in further.
        own = replace(line, body=_naming(line.body, str(cast.everything.organisation_id)))
        for path, sent in absurd_requests(context, own):
            headers = dict(await cast.headers(role))
            if "content" in sent:
                headers["Content-Type"] = DSSE["Content-Type"] if line.statement else JSON
            answer = await visitor.request(method, path, headers=headers, **sent)
            count += 1
            if answer.status_code >= 500 or (answer.status_code == 401 and not line.ticket):
                wrong.append(f"{name}: {answer.status_code} to {path[-80:]} {str(sent)[:200]}")
    assert not wrong, "\n".join(wrong[:40])
    assert count > 30
