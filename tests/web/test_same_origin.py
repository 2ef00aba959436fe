"""Acts and sockets that other sites try to make. RFC 6454; W3C Fetch Metadata; RFC 6455, 10.2."""

import itertools
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from starlette.requests import HTTPConnection

from kernel.settings import Settings
from web import problems, same_origin
from web.request_scope import COOKIE
from web.same_origin import is_foreign, socket_may_connect

OURS = "http://localhost"
FOREIGN = (
    "null",
    "https://localhost",
    "http://localhost:81",
    "http://evil.example",
    "http://localhost.evil.example",
    "http://sub.localhost",
    "HTTP://LOCALHOST/",
    "",
)
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
async def http(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.settings = settings

    @app.api_route("/act", methods=["GET", *UNSAFE])
    async def act() -> dict[str, bool]:
        return {"done": True}

    problems.answer_with_problems(app)
    same_origin.guard(app, settings)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=OURS) as client:
        yield client


COOKIES = {"Cookie": f"{COOKIE}={'A' * 43}"}


@pytest.mark.parametrize(("method", "origin"), list(itertools.product(UNSAFE, FOREIGN)))
@pytest.mark.parametrize("more", [{}, COOKIES, {"Authorization": "Bearer x"}])
async def test_an_act_of_another_origin_is_refused(
    http: httpx.AsyncClient, method: str, origin: str, more: dict[str, str]
) -> None:
    answer = await http.request(method, "/act", headers={"Origin": origin, **more})
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense", ""])
async def test_an_act_that_the_browser_calls_foreign_is_refused(
    http: httpx.AsyncClient, method: str, site: str
) -> None:
    for more in ({}, {"Origin": OURS}, COOKIES):
        answer = await http.request(method, "/act", headers={"Sec-Fetch-Site": site, **more})
        assert answer.status_code == 403


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
async def test_a_cookie_without_a_word_about_its_page_is_refused(
    http: httpx.AsyncClient, method: str, kind: str
) -> None:
    for more in ({}, {"Sec-Fetch-Site": "none"}):
        headers = {**COOKIES, "Content-Type": kind, **more}
        assert (await http.request(method, "/act", headers=headers)).status_code == 403


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(
    "headers",
    [
        {**COOKIES, "Sec-Fetch-Site": "same-origin"},
        {**COOKIES, "Origin": OURS},
        {**COOKIES, "Origin": OURS, "Sec-Fetch-Site": "same-origin"},
        {"Authorization": "Bearer x"},
        {**COOKIES, "Authorization": "Bearer x"},
        {},
    ],
)
async def test_our_own_pages_and_programs_may_act(
    http: httpx.AsyncClient, method: str, headers: dict[str, str]
) -> None:
    assert (await http.request(method, "/act", headers=headers)).status_code == 200


async def test_anybody_may_look(http: httpx.AsyncClient) -> None:
    headers = {**COOKIES, "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await http.get("/act", headers=headers)).status_code == 200


def a_connection(**headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "websocket", "headers": raw})


def a_socket(settings: Settings, **headers: str) -> WebSocket:
    app = FastAPI()
    app.state.settings = settings
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def nothing(*_: object) -> dict[str, object]:
        return {}

    scope = {"type": "websocket", "headers": raw, "app": app}
    return WebSocket(scope, nothing, nothing)  # type: ignore[arg-type]  # never sent on


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("cookie", ["", f"{COOKIE}=x"])
def test_a_socket_from_another_origin_is_refused(
    settings: Settings, origin: str, cookie: str
) -> None:
    assert not socket_may_connect(a_socket(settings, origin=origin, cookie=cookie))


def test_a_socket_with_a_cookie_says_where_it_comes_from(settings: Settings) -> None:
    assert not socket_may_connect(a_socket(settings, cookie=f"{COOKIE}=x"))
    assert not socket_may_connect(
        a_socket(settings, cookie=f"{COOKIE}=x", sec_fetch_site="same-site")
    )
    assert socket_may_connect(a_socket(settings, cookie=f"{COOKIE}=x", origin=OURS))


def test_a_program_opens_a_socket_by_its_token(settings: Settings) -> None:
    assert socket_may_connect(a_socket(settings, authorization="Bearer x"))
    assert socket_may_connect(a_socket(settings))


def test_a_garbled_cookie_is_a_cookie_still() -> None:
    for cookie in (f"a=b; {COOKIE}=x", f'{COOKIE}="x', f"{COOKIE}"):
        assert is_foreign(a_connection(cookie=cookie), origin=OURS)
