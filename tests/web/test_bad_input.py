"""What no column can hold is told to be invalid, to whoever sends it: no defect, no traceback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import RouteContext

from kernel.access import Role
from kernel.crypto.digests import Malformed, b64u, canonical
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.crypto.statement_kinds import FORMS, payload_type, said_in
from kernel.store.transaction import Store, transaction
from tests.complaints import a_complaint, a_decision
from tests.decisions import a_bar
from tests.deposits import PAPER, guarantee_statement
from tests.newcomers import GOOD_USCC, a_membership, a_registration
from tests.opened_lots import Hall
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import NOW, a_player
from tests.validity import extension_statement
from tests.web.careless_senders import (
    AFTER_THE_AWARD,
    BEFORE_THE_BIDS,
    BESIDE_A_TENDER,
    FOR_AN_ARCHIVE,
    IN_A_REVIEW,
    SEALED_IN_BIDS,
    SIGNED_AFTER_THE_CLOSE,
    SIGNED_FOR_A_LISTING,
    SIGNED_FOR_ONE_SUPPLIER,
    SIGNED_IN_TALKS,
    SIGNED_ON_THE_WAY,
    WHEN_A_CANDIDATE_IS_DOUBTED,
    WHEN_A_WINNER_FAILS,
    CarelessSenders,
)
from tests.web.every_route import Cast, a_cast, path_names, path_of, query_names, routes_of
from tests.web.route_matrix import NOBODY_KNOWN, ROUTES, Line
from tests.web.tender_house import client_of
from trading import depositing, opening
from web import opening_work

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


# ── in what is signed ─────────────────────────────────────────────────────────────────────────


def test_every_kind_of_statement_is_read_to_the_letter() -> None:
    """No member is missing, none unknown, and an instant is one; nested ones are their readers'."""
    for kind, form in FORMS.items():
        said = {name: "x" for name in form.required | form.optional}
        said |= {"v": f"ebid-{kind}/1"}
        dated = "signed_at" in said
        said |= {"signed_at": "2026-03-02T01:00:00Z"} if dated else {}
        assert said_in(kind, said) == said
        assert said_in(kind, {name: said[name] for name in form.required})
        spoilt = [{**said, "unknown": 1}, {**said, "v": "ebid-other/1"}, [said]]
        spoilt += [{k: v for k, v in said.items() if k != name} for name in form.required]
        spoilt += [{**said, "signed_at": at} for at in (True, "yesterday", None) if dated]
        for one in spoilt:
            with pytest.raises(Malformed):
                said_in(kind, one)


ABOUT_COLLUSION = {
    "authority": "江城市发展和改革委员会",
    "document_number": "江发改罚〔2026〕9号",
    "reason": "情节轻微",
}


def a_credential(old: PrivateKey, new: PrivateKey) -> bytes:
    """A further key, let in by one that is known."""
    said = {
        "v": "ebid-credential/1",
        "public_key": b64u(new.public_bytes),
        "signed_at": "2026-03-02T01:00:00Z",
    }
    kind, payload = payload_type("credential"), canonical(said)
    return old.sign(kind, payload).also_signed(new.signature(kind, payload)).to_bytes()


async def test_what_is_signed_and_spoilt_is_refused_and_leaves_nothing(
    app: FastAPI, store: Store, tender: Tender
) -> None:
    """Every kind that neither a voluntary tender nor a listing needs on its way."""
    careless = CarelessSenders(app, store)
    house: Any = careless
    lot, path = str(tender.lot_id), f"/api/v1/lots/{tender.lot_id}"
    cast, bidder = tender.cast, await a_bidder(store)
    newcomer, second, third = (PrivateKey.generate() for _ in range(3))
    careless.known(newcomer, second, third, bidder, cast.agency, cast.supervisor)

    own = await client_of(house)
    own.key = newcomer
    came = await own.register(
        uscc=GOOD_USCC[2],
        name="江城市政工程有限公司",
        region="420100",
        responsible_person="王伟",
        roles=["bidder"],
        person="李娜",
        identity_document="420103199001010055",
    )
    await own.sign_in("bidder", came["organisation_id"])
    await own.join(a_membership(second, UUID(came["organisation_id"])))
    await own.post_signed("/api/v1/credentials", a_credential(newcomer, third))

    supervisor = await client_of(house, cast.supervisor)
    barred = a_bar({"organisation": came["organisation_id"]})
    decision = (await supervisor.post_statement("/api/v1/decisions", "bar", barred))["id"]
    lifted = {"decision": decision, **ABOUT_COLLUSION}
    await supervisor.post_statement(f"/api/v1/decisions/{decision}/lift", "lift", lifted)

    objection = {
        "lot": lot,
        "about": "documents",
        "request": "请修改业绩加分条件。",
        "grounds": "业绩加分与项目规模不相称。",
        "evidence": [{"title": "招标文件第三章", "text": ""}],
    }
    objector, agency = await client_of(house, bidder), await client_of(house, cast.agency)
    raised = await objector.post_statement(f"{path}/objections", "objection", objection)
    answer = {
        "lot": lot,
        "objection": raised["id"],
        "outcome": "partly",
        "remedy": "nothing",
        "words": "已修改。",
    }
    await agency.post_statement(f"{path}/objections/{raised['id']}/answer", "answer", answer)

    question = {"lot": lot, "words": "业绩年限从何时起算？"}
    await objector.post_statement(f"{path}/questions", "question", question)

    async with transaction(store, actor=bidder.actor) as tx:
        await depositing.keep_guarantee_file(tx, tender.lot.lot_id, PAPER)
    guarantee = json.loads(
        Envelope.from_bytes(guarantee_statement(bidder, tender.lot_id, now=NOW)).payload
    )
    await objector.post_statement(f"{path}/security/guarantees", "guarantee", guarantee)

    clarification = {
        "project": str(tender.lot.project_id),
        "lot": lot,
        "number": 2,
        "title": "第1号澄清",
        "text": "工程量清单第12项数量更正。",
        "may_affect_bids": False,
    }
    signed = json.loads(agency.statement("clarification", clarification))
    await agency.post(f"{path}/clarifications", {"clarification": signed})

    again = {**objection, "request": "请延长投标截止时间。"}
    raised = await objector.post_statement(f"{path}/objections", "objection", again)
    await objector.post_statement(
        f"{path}/objections/{raised['id']}/withdrawal",
        "objection-withdrawal",
        {"lot": lot, "objection": raised["id"], "reason": ""},
    )
    for number in (1, 2):
        complaint = a_complaint(lot, "conduct", now=NOW, grounds=f"指定品牌，第{number}处。")
        filed = await objector.post_statement(f"{path}/complaints", "complaint", complaint)
        case = f"{path}/complaints/{filed['id']}"
        about = {"lot": lot, "complaint": filed["id"]}
        if number == 1:
            taken_back = {**about, "reason": ""}
            await objector.post_statement(f"{case}/withdrawal", "complaint-withdrawal", taken_back)
    for act, kind, said in (
        ("answer", "complaint-answer", {"taken_up": True, "reason": ""}),
        ("brake", "complaint-brake", {"suspended": True, "reason": "需要核查"}),
        ("decision", "complaint-decision", a_decision("dismissed")),
    ):
        await supervisor.post_statement(f"{case}/{act}", kind, {**about, **said})

    order = {"authority": "发改委", "document": "〔2026〕7号", "words": "暂停核查"}
    await supervisor.post_statement(
        f"{path}/halts/order", "lot-order", {"lot": lot, "suspended": True, **order}
    )
    staff = await a_player(store, Role.CENTRE_STAFF)
    careless.known(staff)
    centre = await client_of(house, staff)
    fault = {"lot": lot, "cured": False, "fallback": False, "words": "解密服务中断"}
    await centre.post_statement(f"{path}/halts/fault", "lot-fault", fault)

    elsewhere = SIGNED_ON_THE_WAY | SIGNED_FOR_A_LISTING | AFTER_THE_AWARD
    elsewhere |= BESIDE_A_TENDER | FOR_AN_ARCHIVE | SIGNED_AFTER_THE_CLOSE
    elsewhere |= BEFORE_THE_BIDS | SEALED_IN_BIDS | SIGNED_IN_TALKS
    elsewhere |= SIGNED_FOR_ONE_SUPPLIER | WHEN_A_WINNER_FAILS | IN_A_REVIEW
    elsewhere |= WHEN_A_CANDIDATE_IS_DOUBTED
    assert set(careless.spoilt) | elsewhere == set(FORMS)
    assert min(careless.spoilt.values()) > 8


async def test_an_agreement_that_is_spoilt_opens_and_extends_nothing(
    app: FastAPI, store: Store, hall: Hall, clock_to: Callable[[datetime], Awaitable[None]]
) -> None:
    careless = CarelessSenders(app, store)
    house: Any = careless
    agency = hall.tender.cast.agency
    careless.known(agency)
    await clock_to(await hall.window_ends_at() + timedelta(seconds=1))
    await opening.proceed(store, hall.lot_id)
    await opening_work.agree_fallback(await client_of(house, agency), str(hall.lot_id))

    lot_id = hall.lot_id
    bidder = hall.entries[0].player
    careless.known(bidder)
    path = f"/api/v1/lots/{lot_id}/validity-extensions"
    asked = json.loads(Envelope.from_bytes(extension_statement(agency, lot_id)).payload)
    await (await client_of(house, agency)).post_statement(path, "validity-extension", asked)
    answer = {"lot": str(lot_id), "number": 1, "agreed": True}
    own = await client_of(house, bidder)
    await own.post_statement(f"{path}/1/answer", "validity-answer", answer)
    assert set(careless.spoilt) == SIGNED_AFTER_THE_CLOSE


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


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_nothing_absurd_at_any_route_is_a_defect(
    app: FastAPI, visitor: httpx.AsyncClient, store: Store, method: str, step: int
) -> None:
    """RFC 9110, 15.5: what was sent is wrong, and whoever sent it is told so.

    Each route is sent a part of the absurdities, each of them to some; the soak sends all to all.
    """
    cast: Cast = await a_cast(store)
    wrong, count = [], 0
    for place, (name, context) in enumerate(routes_of(app).items()):
        line = ROUTES[name]
        if not name.startswith(f"{method} "):
            continue
        role = min(line.roles - {Role.PUBLIC}, default=Role.PUBLIC)
        # The example names nobody; that it names the sender lets it in further.
        own = replace(line, body=_naming(line.body, str(cast.everything.organisation_id)))
        for path, sent in islice(absurd_requests(context, own), place % step, None, step):
            headers = dict(await cast.headers(role))
            if "content" in sent:
                headers["Content-Type"] = DSSE["Content-Type"] if line.statement else JSON
            answer = await visitor.request(method, path, headers=headers, **sent)
            count += 1
            if answer.status_code >= 500 or (answer.status_code == 401 and not line.ticket):
                wrong.append(f"{name}: {answer.status_code} to {path[-80:]} {str(sent)[:200]}")
    assert not wrong, "\n".join(wrong[:40])
    assert count > 30 // step
