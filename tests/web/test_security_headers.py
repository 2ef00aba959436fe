"""What every answer tells the browser. W3C CSP 3, Fetch (CORP), HTML (COOP), RFC 9111, RFC 8246."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Response

from kernel.settings import Settings
from tests.web.gallery_house import gallery_house, visiting
from web.pages import static_url
from web.request_scope import COOKIE
from web.security_headers import ALWAYS, FOR_EVER, content_policy

ANSWERS = (
    "/_ui",
    "/en/_ui",
    "/_ui?display=large",
    "/nowhere",
    "/refused",
    "/defect",
    "/static/app.css",
    "/static/no.css",
    "/api/v1/clock",
)
more = APIRouter()


@more.get("/tile")
async def tile() -> Response:
    return Response(
        "t", headers={"Cache-Control": "public, max-age=60", "X-Frame-Options": "ALLOW"}
    )


async def answer_at(
    path: str, headers: dict[str, str] | None = None, *, settings: Settings | None = None
) -> httpx.Response:
    async with visiting(gallery_house(settings=settings, more=more)) as reader:
        return await reader.get(path, headers=headers)


@pytest.mark.parametrize("path", ANSWERS)
async def test_every_answer_carries_every_header(path: str) -> None:
    answer = await answer_at(path)
    assert answer.headers["content-security-policy"] == content_policy("http://localhost:8000")
    assert {name: answer.headers[name] for name in ALWAYS} == ALWAYS
    assert answer.headers["cache-control"]


def test_nothing_inline_and_nothing_from_elsewhere_is_allowed() -> None:
    policy = dict(one.split(" ", 1) for one in content_policy("https://bid.example").split("; "))
    assert policy == {
        "default-src": "'self'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self' wss://bid.example",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "object-src": "'none'",
    }


async def test_a_secure_origin_stays_secure() -> None:
    secure = Settings(testing=True, data=Path(), origin="https://bid.example")
    answer = await answer_at("/_ui", settings=secure)
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert "strict-transport-security" not in (await answer_at("/_ui")).headers


async def test_a_static_file_named_by_its_content_is_kept_for_ever() -> None:
    assert (await answer_at(static_url("app.css"))).headers["cache-control"] == FOR_EVER


@pytest.mark.parametrize("query", ["", "?v=", "?v=AAAAAAAAAAAA"])
async def test_a_static_file_by_another_name_is_asked_for_again(query: str) -> None:
    assert (await answer_at(f"/static/app.css{query}")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/static//etc/passwd?v=x", "/static/..%2fpages.py?v=x"])
async def test_nothing_outside_is_served_or_named(path: str) -> None:
    answer = await answer_at(path)
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers", [{"Cookie": f"{COOKIE}=x"}, {"Authorization": "Bearer x"}], ids=str
)
async def test_what_is_answered_to_somebody_is_kept_nowhere(headers: dict[str, str]) -> None:
    assert (await answer_at("/api/v1/clock", headers)).headers["cache-control"] == "no-store"


async def test_a_choice_of_colours_makes_nobody_of_anyone() -> None:
    answer = await answer_at("/api/v1/clock", {"Cookie": "sunbid-theme=dark"})
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/nowhere", "/refused", "/defect"])
async def test_no_error_is_kept(path: str) -> None:
    assert (await answer_at(path)).headers["cache-control"] == "no-store"


async def test_a_route_that_knows_better_is_left_alone() -> None:
    answer = await answer_at("/tile")
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["x-frame-options"] == "ALLOW"


async def test_a_defect_tells_nothing_but_its_reference() -> None:
    answer = await answer_at("/defect")
    assert answer.status_code == 500
    assert "a defect" not in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.headers["x-trace-id"] in answer.text
