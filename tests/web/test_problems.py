"""Errors as RFC 9457 problems: one status each, all grounds told, nothing internal told."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Query, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kernel.access import Actor, Role
from kernel.crypto.digests import Malformed
from kernel.errors import (
    BrokenSeal,
    NoCalendar,
    NotFound,
    NotPermitted,
    NotSignedIn,
    Outrun,
    PlatformError,
    Refused,
    TooMuch,
)
from kernel.refusals import Refusal
from kernel.settings import Settings
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION
from kernel.store.founding import NotFounded
from kernel.store.transaction import NotDurable
from web import problems
from web.problems import prefers_page, trace_id_of
from web.words import CATALOGUE

SECRET = "postgresql:// sunbid hunter2 @db"  # what must never be told
TROUBLE: dict[str, BaseException] = {}


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    parts: list[int] = []


class Lost(Exception):
    """What a driver raises."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(SECRET)
        self.sqlstate = sqlstate


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Defects are provoked here on purpose; their traces need not be drawn."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def http(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.settings = settings

    @app.get("/trouble/{name}")
    async def trouble(name: str, signed_in: bool = False) -> None:
        raise TROUBLE[name]

    @app.get("/lots/{lot_id}")
    async def lot(lot_id: int, page: int = Query(1, ge=1)) -> dict[str, int]:
        if lot_id == 1:
            raise NotFound("lot 1 is sealed")
        raise NotFound("no such lot")

    @app.post("/shapes")
    async def shapes(shape: Shape) -> dict[str, str]:
        return {"name": shape.name}

    problems.answer_with_problems(app)

    @app.middleware("http")
    async def somebody(request: Any, call_next: Any) -> Any:
        if "signed_in" in request.query_params:
            request.state.actor = Actor(Role.BIDDER)
        return await call_next(request)

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


GROUNDS = [
    Refusal("late", BIDDING_REGULATION[36], "投标文件逾期送达", {"received_at": "09:30:00"}),
    Refusal("barred", BIDDING_LAW[26], "投标人处于禁止投标期内"),
]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("x"), 404, "not_found"),
        (NotSignedIn("x"), 401, "not_signed_in"),
        (NotPermitted("x"), 403, "not_permitted"),
        (Refused(GROUNDS), 409, "refused"),
        (Refused(GROUNDS[:1]), 409, "late"),
        (Outrun("x"), 409, "outrun"),
        (BrokenSeal("x"), 400, "broken_seal"),
        (Malformed("x"), 422, "malformed"),
        (Malformed("x", code="name"), 422, "name"),
        (NotDurable(SECRET), 503, "not_durable"),
        (NotFounded(SECRET), 503, "unavailable"),
        (TooMuch("x"), 429, "too_many_requests"),
        (NoCalendar(2030), 503, "unavailable"),
        (problems.KeyReused("x"), 422, "key_reused"),
        (problems.StillRunning("x"), 409, "still_running"),
        (problems.TooLarge("x"), 413, "too_large"),
        (problems.WrongMediaType("x"), 415, "wrong_media_type"),
        (problems.BadRequest("x", code="key"), 400, "key"),
        (DBAPIError("SELECT 1", {}, Lost("23505")), 409, "outrun"),
        (DBAPIError("SELECT 1", {}, Lost("40P01")), 409, "outrun"),
        (DBAPIError("SELECT 1", {}, Lost("57P01")), 503, "unavailable"),
        (DBAPIError("SELECT 1", {}, Lost("08006")), 503, "unavailable"),
        (DBAPIError("SELECT 1", {}, Lost("22021")), 422, "invalid"),
        (DBAPIError("SELECT 1", {}, Lost("22003")), 422, "invalid"),
        (DBAPIError("SELECT 1", {}, Lost("42P01")), 500, "defect"),
        (PoolTimeout(SECRET), 503, "unavailable"),
        (ConnectionRefusedError(SECRET), 503, "unavailable"),
        (RuntimeError(SECRET), 500, "defect"),
        (PlatformError(SECRET), 500, "defect"),
    ],
)
async def test_every_error_has_its_status_and_tells_nothing_internal(
    http: httpx.AsyncClient, error: BaseException, status: int, code: str
) -> None:
    TROUBLE["x"] = error
    answer = await http.get("/trouble/x?signed_in=1")
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert {"type", "title", "detail", "instance", "trace_id"} <= set(body)
    assert body["instance"] == "/trouble/x"
    assert SECRET not in answer.text
    assert "SELECT" not in answer.text


async def test_a_refusal_carries_every_ground_with_its_article(http: httpx.AsyncClient) -> None:
    TROUBLE["x"] = Refused(GROUNDS)
    body = (await http.get("/trouble/x")).json()
    assert body["refusals"] == [ground.as_json() for ground in GROUNDS]
    assert body["refusals"][0]["article"] == "《中华人民共和国招标投标法实施条例》第36条"
    assert body["refusals"][0]["facts"] == {"received_at": "09:30:00"}


async def test_the_foreign_and_the_absent_get_the_same_answer(http: httpx.AsyncClient) -> None:
    answers = []
    for path in ("/lots/1", "/lots/2", "/lots/nonsense"):
        body = (await http.get(path)).json()
        assert body.pop("instance") == path
        assert len(body.pop("trace_id")) == 32
        answers.append(json.dumps(body))
    assert len(set(answers)) == 1
    assert "sealed" not in answers[0]


async def test_not_permitted_asks_the_public_to_sign_in(http: httpx.AsyncClient) -> None:
    TROUBLE["x"] = NotPermitted("not for the public")
    answer = await http.get("/trouble/x")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_whoever_asks_too_often_learns_when_to_come_back(http: httpx.AsyncClient) -> None:
    TROUBLE["x"] = TooMuch("x", retry_after=timedelta(seconds=6.2))
    assert (await http.get("/trouble/x")).headers["retry-after"] == "7"


async def test_a_wrong_shape_is_told_by_pointers_and_not_repeated(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post("/shapes", json={"parts": [1, SECRET], "role": SECRET})
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {
        "#/name",
        "#/parts/1",
        "#/role",
    }
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "content", [b"{", b"", b"\xff\xfe", b'{"name": NaN', b"[" * 100_000, b"null", b'"text"']
)
async def test_json_that_cannot_be_read_is_a_bad_request(
    http: httpx.AsyncClient, content: bytes
) -> None:
    answer = await http.post(
        "/shapes", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_parameter_is_a_bad_request(http: httpx.AsyncClient) -> None:
    for query in ("page=0", "page=x", "page="):
        answer = await http.get(f"/lots/2?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), query


async def test_what_the_framework_refuses_is_a_problem_too(http: httpx.AsyncClient) -> None:
    missing = await http.get("/nowhere")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await http.put("/shapes")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


async def test_a_defect_is_found_again_by_its_trace(http: httpx.AsyncClient) -> None:
    TROUBLE["x"] = RuntimeError("the reason")
    with structlog.testing.capture_logs() as lines:
        answer = await http.get("/trouble/x")
    (line,) = lines
    assert line["trace_id"] == answer.json()["trace_id"] == answer.headers["x-trace-id"]
    assert line["route"] == "/trouble/{name}"


async def test_titles_speak_the_readers_language(http: httpx.AsyncClient) -> None:
    titles = {
        header: (await http.get("/nowhere", headers={"Accept-Language": header})).json()["title"]
        for header in ("zh-CN,zh;q=0.9", "en-GB,en;q=0.9,zh;q=0.5", "fr", "")
    }
    assert list(titles.values()) == ["没有找到", "Not found", "没有找到", "没有找到"]


async def test_people_get_a_page_and_programs_json(http: httpx.AsyncClient) -> None:
    TROUBLE["x"] = Refused(GROUNDS)
    page = await http.get("/trouble/x", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 409
    assert page.headers["content-type"].startswith("text/html")
    assert "投标文件逾期送达" in page.text
    assert "第36条" in page.text
    assert page.headers["x-trace-id"] in page.text
    asking = await http.get("/trouble/x", headers={"Accept": "application/json"})
    assert asking.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html;q=0.5,application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", False),
        ("TEXT/HTML; Q=1", True),
    ],
)
def test_a_page_is_sent_to_whoever_prefers_one(accept: str, page: bool) -> None:
    assert prefers_page(asking(accept)) is page


def asking(accept: str) -> Request:
    scope = {"type": "http", "headers": [(b"accept", accept.encode("latin-1", "replace"))]}
    return Request(scope)


@given(st.text(max_size=200))
def test_no_accept_header_breaks_the_answer(accept: str) -> None:
    request = asking(accept)
    assert prefers_page(request) in (True, False)
    assert trace_id_of(request) == trace_id_of(request)


async def test_the_type_of_a_problem_leads_to_what_it_means(http: httpx.AsyncClient) -> None:
    TROUBLE["x"] = Refused(GROUNDS)
    address = (await http.get("/trouble/x")).json()["type"]
    told = (await http.get(address)).json()
    assert (told["code"], told["status"]) == ("refused", 409)
    page = await http.get(address, headers={"Accept": "text/html", "Accept-Language": "en"})
    assert page.status_code == 200
    assert told["text"] in page.text
    assert (await http.get("/problems/unheard-of")).status_code == 404


def test_every_kind_of_problem_has_words() -> None:
    for kind in problems._ALL_KINDS:
        assert f"problem.{kind.code}" in CATALOGUE
        assert f"problem.{kind.code}.text" in CATALOGUE
