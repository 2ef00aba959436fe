"""What a request carries: sessions, commits before answers, idempotency keys, signed bodies.

RFC 9110 (Content-Length, 413, 415); the Idempotency-Key draft of the IETF's HTTPAPI group.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select, text
from sqlmodel import col

from kernel.access import Role
from kernel.crypto.digests import sha256
from kernel.crypto.signing import PrivateKey
from kernel.errors import NotPermitted
from kernel.failpoints import arm
from kernel.settings import Settings
from kernel.store.database import OWNER, connect
from kernel.store.parties import take_part
from kernel.store.tables import CapacityRow, JournalRow, RequestRow
from kernel.store.transaction import Store
from tests.newcomers import registered
from tests.sign_ins import token_for
from web import problems, request_scope, same_origin
from web.request_scope import (
    COOKIE,
    Act,
    ActorDep,
    ActRoute,
    Signed,
    Visit,
    address_of,
    known_parameters,
    neighbourhood_of,
)

router = APIRouter(route_class=ActRoute)
plain = APIRouter()
entered = asyncio.Event()
go_on = asyncio.Event()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Defects are provoked here on purpose; their traces need not be drawn."""
    with structlog.testing.capture_logs():
        yield


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    word: str


@router.post("/parts/{lot_id}", status_code=201)
async def take(lot_id: UUID, tx: Act) -> dict[str, str]:
    await take_part(tx, lot_id)
    return {"lot": str(lot_id), "nonce": str(uuid4())}


@router.post("/refused/{lot_id}")
async def refuse(lot_id: UUID, tx: Act) -> None:
    await take_part(tx, lot_id)
    raise NotPermitted("after all")


@router.post("/slow/{lot_id}", status_code=201)
async def slow(lot_id: UUID, tx: Act) -> dict[str, str]:
    await take_part(tx, lot_id)
    entered.set()
    await go_on.wait()
    return {"nonce": str(uuid4())}


@router.post("/words")
async def words(body: Body, tx: Act) -> dict[str, str]:
    return {"word": body.word, "nonce": str(uuid4())}


@router.post("/signed")
async def signed_route(raw: Signed, tx: Act) -> dict[str, int]:
    return {"size": len(raw)}


@router.post("/forms")
async def form(request: Request, tx: Act) -> dict[str, str]:
    return {"word": str((await request.form()).get("word")), "nonce": str(uuid4())}


@router.post("/visits")
async def visit(tx: Visit) -> dict[str, str]:
    return {"role": str(tx.actor.role)}


@router.get("/me")
async def me(actor: ActorDep, page: int = 1) -> dict[str, str | None]:
    person = None if actor.person_id is None else str(actor.person_id)
    return {"role": str(actor.role), "person": person, "address": actor.address}


@router.post("/shaped", response_model=Body)
async def shaped(tx: Act) -> Any:
    await take_part(tx, uuid4())
    return {"not": "the shape that was promised"}


@plain.post("/plain")
async def plain_route(tx: Act) -> JSONResponse:
    await take_part(tx, uuid4())
    return JSONResponse({"done": True})


@pytest.fixture
async def bench(store: Store, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A small app with every kind of route."""
    app = FastAPI(dependencies=[Depends(known_parameters)])
    app.state.store, app.state.settings = store, settings
    app.include_router(router)
    app.include_router(plain)
    problems.answer_with_problems(app)
    request_scope.limit_bodies(app)
    same_origin.guard(app, settings)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def bearer(store: Store) -> dict[str, str]:
    """The header of a signed-in bidder."""
    who = await registered(store, PrivateKey.generate())
    return {"Authorization": f"Bearer {await token_for(store, who, Role.BIDDER)}"}


def in_bytes(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def stored(store: Store, kind: type[Any]) -> list[Any]:
    async with store.sessions() as session:
        return list(await session.scalars(select(kind)))


async def owner_says(database: Any, *statements: str) -> None:
    owner = connect(database.url(OWNER), pool_size=1)
    async with owner.begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await owner.dispose()


def at_commit(what: str) -> tuple[str, str]:
    """Make the database say something while it commits a capacity."""
    return (
        "CREATE FUNCTION kernel.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN RAISE {what}; RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON kernel.capacity"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION kernel.at_commit()",
    )


# ── commits and answers ───────────────────────────────────────────────────────────────────────


async def test_an_act_is_committed_when_its_answer_arrives(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store
) -> None:
    answer = await bench.post(f"/parts/{uuid4()}", headers=bearer)
    assert answer.status_code == 201
    assert len(await stored(store, CapacityRow)) == 1


async def test_an_act_that_raises_leaves_nothing(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store
) -> None:
    answer = await bench.post(f"/refused/{uuid4()}", headers=bearer)
    assert answer.status_code == 403
    assert await stored(store, CapacityRow) == []


@pytest.mark.parametrize("path", [f"/parts/{uuid4()}", "/plain"], ids=["parts", "plain"])
async def test_a_commit_that_fails_is_the_answer(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store, path: str
) -> None:
    arm("db.before_commit=raise")
    try:
        answer = await bench.post(path, headers=bearer)
    finally:
        arm("")
    assert answer.status_code == 500
    assert answer.json()["code"] == "defect"
    assert await stored(store, CapacityRow) == []


async def test_a_commit_the_database_refuses_is_the_answer(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store, database: Any
) -> None:
    await owner_says(database, *at_commit("unique_violation"))
    answer = await bench.post(f"/parts/{uuid4()}", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (409, "outrun")
    assert await stored(store, CapacityRow) == []


async def test_a_warning_at_the_commit_promises_nothing(
    bench: httpx.AsyncClient, bearer: dict[str, str], database: Any
) -> None:
    await owner_says(database, *at_commit("WARNING 'no standby'"))
    answer = await bench.post(f"/parts/{uuid4()}", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_durable")
    assert answer.headers["retry-after"] == "5"


async def test_an_answer_that_cannot_be_written_undoes_the_act(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store
) -> None:
    answer = await bench.post("/shaped", headers=bearer)
    assert answer.status_code == 500
    assert await stored(store, CapacityRow) == []


# ── who acts ──────────────────────────────────────────────────────────────────────────────────


async def test_bearer_and_cookie_lead_to_the_same_session(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    cookie = {"Cookie": f"{COOKIE}={bearer['Authorization'].removeprefix('Bearer ')}"}
    by_bearer = (await bench.get("/me", headers=bearer)).json()
    by_cookie = (await bench.get("/me", headers=cookie)).json()
    assert by_bearer == by_cookie
    assert by_bearer["role"] == "bidder"
    assert (await bench.get("/me")).json()["role"] == "public"


@pytest.mark.parametrize("header", ["Bearer x", "Bearer", "Basic eDp5", "Bearer  a b", "bearer Ä"])
async def test_a_token_that_does_not_hold_is_not_signed_in(
    bench: httpx.AsyncClient, header: str
) -> None:
    answer = await bench.get("/me", headers=[(b"Authorization", header.encode())])
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_dead_cookie_looks_as_the_public_and_goes(bench: httpx.AsyncClient) -> None:
    dead = {"Cookie": f"{COOKIE}={'A' * 43}"}
    looked = await bench.get("/me", headers=dead)
    assert looked.json()["role"] == "public"
    assert "Max-Age=0" in looked.headers["set-cookie"]
    acted = await bench.post(f"/parts/{uuid4()}", headers={**dead, "Sec-Fetch-Site": "same-origin"})
    assert acted.status_code == 401


async def test_two_cookies_of_our_name_are_none(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    token = bearer["Authorization"].removeprefix("Bearer ")
    header = {"Cookie": f"{COOKIE}={token}; {COOKIE}={'A' * 43}"}
    assert (await bench.get("/me", headers=header)).json()["role"] == "public"


async def test_whoever_is_signed_in_comes_in_as_the_public(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    assert (await bench.post("/visits", headers=bearer)).json() == {"role": "public"}


async def test_the_address_is_the_connections_whatever_headers_claim(
    bench: httpx.AsyncClient,
) -> None:
    claims = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Real-IP": "::1"}
    assert (await bench.get("/me", headers=claims)).json()["address"] == "127.0.0.1"


async def test_the_public_is_asked_to_sign_in_and_others_are_told_no(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    lot = uuid4()
    assert (await bench.post(f"/refused/{lot}")).status_code == 401
    assert (await bench.post(f"/refused/{lot}", headers=bearer)).status_code == 403


@pytest.mark.parametrize(
    ("address", "neighbourhood"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("", ""),
        ("a unix socket", "a unix socket"),
    ],
)
def test_a_whole_network_of_ipv6_counts_as_one(address: str, neighbourhood: str) -> None:
    assert neighbourhood_of(address) == neighbourhood
    assert address_of is request_scope.address_of


# ── idempotency keys ──────────────────────────────────────────────────────────────────────────


async def test_the_same_request_again_gets_the_same_answer_byte_for_byte(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store
) -> None:
    headers = {**bearer, "Idempotency-Key": "k-1"}
    path = f"/parts/{uuid4()}"
    first = await bench.post(path, headers=headers)
    again = await bench.post(path, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    (row,) = await stored(store, RequestRow)
    assert (row.status, row.answer) == (201, first.content)
    async with store.sessions() as session:
        taken = await session.scalars(
            select(JournalRow).where(col(JournalRow.kind) == "CapacityTaken")
        )
        assert len(taken.all()) == 1


async def test_a_key_with_another_request_is_refused(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    headers = {**bearer, "Idempotency-Key": "k-1"}
    assert (await bench.post("/words", json={"word": "a"}, headers=headers)).status_code == 200
    others: list[Callable[[], Awaitable[httpx.Response]]] = [
        lambda: bench.post("/words", json={"word": "b"}, headers=headers),
        lambda: bench.post(f"/parts/{uuid4()}", headers=headers),
        lambda: bench.post("/words", content=b'{"word": "a" }', headers=headers),
    ]
    for other in others:
        answer = await other()
        assert (answer.status_code, answer.json()["code"]) in {
            (422, "key_reused"),
            (422, "invalid"),
        }


async def test_a_key_is_one_persons_own(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store
) -> None:
    other = await registered(
        store,
        PrivateKey.generate(),
        uscc="91330106673959654P",
        identity_document="AAAAAA9",
    )
    theirs = {"Authorization": f"Bearer {await token_for(store, other, Role.BIDDER)}"}
    key = {"Idempotency-Key": "k-1"}
    one = await bench.post("/words", json={"word": "a"}, headers={**bearer, **key})
    two = await bench.post("/words", json={"word": "a"}, headers={**theirs, **key})
    assert one.content != two.content


async def test_an_answer_is_not_given_again_in_another_capacity(
    bench: httpx.AsyncClient, store: Store
) -> None:
    key = PrivateKey.generate()
    headers = []
    for uscc in ("91330106673959654P", "91110000802100433B"):
        who = await registered(store, key, uscc=uscc, identity_document="AAAAAA9")
        token = await token_for(store, who, Role.BIDDER)
        headers.append({"Authorization": f"Bearer {token}", "Idempotency-Key": "k-1"})
    first = await bench.post("/words", json={"word": "a"}, headers=headers[0])
    other = await bench.post("/words", json={"word": "a"}, headers=headers[1])
    assert first.status_code == 200
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


async def test_a_request_still_running_is_not_run_twice(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store
) -> None:
    entered.clear()
    go_on.clear()
    headers = {**bearer, "Idempotency-Key": "k-1"}
    path = f"/slow/{uuid4()}"
    first = asyncio.create_task(bench.post(path, headers=headers))
    await entered.wait()
    second = await bench.post(path, headers=headers)
    assert (second.status_code, second.json()["code"]) == (409, "still_running")
    go_on.set()
    assert (await first).status_code == 201
    third = await bench.post(path, headers=headers)
    assert third.content == (await first).content
    assert len(await stored(store, CapacityRow)) == 1


async def test_a_failed_act_keeps_no_answer_and_can_be_tried_again(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store
) -> None:
    headers = {**bearer, "Idempotency-Key": "k-1"}
    path = f"/parts/{uuid4()}"
    arm("db.before_commit=raise")
    try:
        assert (await bench.post(path, headers=headers)).status_code == 500
    finally:
        arm("")
    assert await stored(store, RequestRow) == []
    assert (await bench.post(path, headers=headers)).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "x" * 129, "a b", "é"])
async def test_a_key_of_another_form_is_a_bad_request(
    bench: httpx.AsyncClient, bearer: dict[str, str], key: str
) -> None:
    answer = await bench.post(
        "/words",
        json={"word": "a"},
        headers=[*in_bytes(bearer), (b"Idempotency-Key", key.encode())],
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "key")


async def test_a_route_that_cannot_keep_answers_says_so(
    bench: httpx.AsyncClient, bearer: dict[str, str], store: Store
) -> None:
    answer = await bench.post("/plain", headers={**bearer, "Idempotency-Key": "k-1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "key")
    assert await stored(store, CapacityRow) == []


async def test_a_form_can_be_repeated_under_a_key_too(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    headers = {**bearer, "Idempotency-Key": "k-1"}
    first = await bench.post("/forms", data={"word": "a"}, headers=headers)
    again = await bench.post("/forms", data={"word": "a"}, headers=headers)
    assert first.json()["word"] == "a"
    assert again.content == first.content


# ── bodies and parameters ─────────────────────────────────────────────────────────────────────

DSSE = {"Content-Type": "application/vnd.dsse+json"}


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_signed_body_arrives_as_it_was_sent(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    answer = await bench.post(
        "/signed", content=pieces(b"ab", b"", b"c"), headers={**bearer, **DSSE}
    )
    assert answer.json() == {"size": 3}


async def test_a_signed_body_of_another_type_is_refused(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    for kind in ("application/json", "text/plain", ""):
        answer = await bench.post(
            "/signed", content=b"{}", headers={**bearer, "Content-Type": kind}
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "wrong_media_type")


async def test_a_body_beyond_the_bound_is_refused_before_it_is_read(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64 << 20:
            sent += 1 << 20
            yield bytes(1 << 20)

    for headers in ({**bearer, **DSSE}, {**bearer, "Content-Type": "application/json"}):
        sent = 0
        path = "/signed" if DSSE.items() <= headers.items() else "/words"
        answer = await bench.post(path, content=endless(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_an_announced_length_beyond_the_bound_is_refused_at_once(
    bench: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    for length in (str(10 << 30), "9" * 16, "-1", "1e3", "0x10", "１"):
        answer = await bench.post(
            "/signed",
            content=b"{}",
            headers=[*in_bytes({**bearer, **DSSE}), (b"Content-Length", length.encode())],
        )
        assert answer.status_code in (413, 422), length


@pytest.mark.parametrize("length", ["1", "3"])
async def test_a_lying_content_length_is_noticed(
    bench: httpx.AsyncClient, bearer: dict[str, str], length: str
) -> None:
    answer = await bench.post(
        "/signed", content=b"{}", headers={**bearer, **DSSE, "Content-Length": length}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "length")


async def test_an_unknown_parameter_is_never_ignored(bench: httpx.AsyncClient) -> None:
    assert (await bench.get("/me?page=2")).status_code == 200
    for query in ("pag=2", "page=2&x=1", "PAGE=2"):
        answer = await bench.get(f"/me?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")
    assert (await bench.get("/me?page=second")).status_code == 400


async def test_answers_are_kept_under_the_digest_of_the_whole_request_and_its_capacity(
    bench: httpx.AsyncClient, store: Store
) -> None:
    who = await registered(store, PrivateKey.generate())
    bearer = {"Authorization": f"Bearer {await token_for(store, who, Role.BIDDER)}"}
    await bench.post("/words", json={"word": "a"}, headers={**bearer, "Idempotency-Key": "k"})
    (row,) = await stored(store, RequestRow)
    capacity = f"bidder {who.organisation_id}\n".encode()
    assert row.body_digest == sha256(b"POST /words?\n", capacity, b'{"word":"a"}')
    async with store.sessions() as session:
        found = await session.execute(text("SELECT count(*) FROM kernel.request"))
        assert found.scalar_one() == 1
