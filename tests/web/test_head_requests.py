"""RFC 9110, 9.3.2: HEAD is GET without the body."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from tests.web.every_route import path_of, routes_of

TOLD_EACH_TIME = {"date", "x-trace-id"}


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/", "/notices", "/en/notices", "/bars", "/api/v1/clock", "/static/app.css"],
)
async def test_head_tells_what_get_would_tell_but_the_body(
    http: httpx.AsyncClient, path: str
) -> None:
    headers = {"Accept": "text/html,*/*"}
    asked, told = await http.head(path, headers=headers), await http.get(path, headers=headers)
    assert asked.status_code == told.status_code == 200
    assert asked.content == b""
    assert asked.headers.keys() - TOLD_EACH_TIME == told.headers.keys() - TOLD_EACH_TIME
    assert asked.headers["content-type"] == told.headers["content-type"]


async def test_head_is_allowed_at_every_route_that_answers_get(
    app: FastAPI, http: httpx.AsyncClient
) -> None:
    for name, context in routes_of(app).items():
        method = name.split()[0]
        if method in ("GET", "POST"):
            answer = await http.head(path_of(context))
            assert answer.content == b""
            assert method == "POST" or answer.status_code != 405, name
