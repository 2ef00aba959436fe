"""A potential bidder asks, and nobody learns who: Bidding Law 22, 23; Bidding Regulation 22."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from kernel.access import PUBLIC, Role
from kernel.crypto.digests import Malformed, b64u, instant_text, sha256
from kernel.errors import NotFound, Refused
from kernel.events import Audience
from kernel.identifiers import LotId
from kernel.store.journal import Entry, read_view
from kernel.store.transaction import Store, transaction
from kernel.store.views import PUBLIC_FEED, SUPERVISORS_FEED, own_acts, room
from tests.questions import WORDS, a_question, asked
from tests.sealed_bids import Tender, a_bidder, at
from tests.tenders import NOW, Player, a_player, cancelled, signed
from trading import due_lots, questioning, tendering
from trading.questioning import Board
from trading.tables import QuestionRow

Tick = Callable[[], Awaitable[None]]
DAY = NOW + timedelta(days=1)


async def board(store: Store, who: Player | None, tender: Tender) -> Board:
    actor = PUBLIC if who is None else who.actor
    async with transaction(store, actor=actor, now=DAY) as tx:
        return await questioning.board(tx, LotId(tender.lot_id))


async def seen(store: Store, view: str) -> list[Entry]:
    async with store.sessions() as session:
        return await read_view(session, view, after=0)


def a_clarification(tender: Tender, answers: list[dict[str, str]], *, number: int = 2) -> bytes:
    said = {
        "v": "ebid-clarification/1",
        "project": str(tender.lot.project_id),
        "lot": str(tender.lot_id),
        "number": number,
        "title": f"第{number - 1}号澄清",
        "text": "对提问统一答复如下。",
        "may_affect_bids": False,
        "answers": answers,
        "signed_at": instant_text(DAY),
    }
    return signed(tender.cast.agency, "clarification", said)


async def test_a_question_reaches_the_desk_without_whoever_asked(
    store: Store, tender: Tender
) -> None:
    bidder, other = await a_bidder(store), await a_bidder(store)
    question = await asked(store, bidder, tender.lot_id, now=DAY)

    for owner in (tender.cast.tenderee, tender.cast.agency):
        desk = (await board(store, owner, tender)).desk
        assert desk is not None
        assert [(one.id, one.words, one.notice, one.asker) for one in desk] == [
            (question, WORDS, None, None)
        ]
    own = (await board(store, bidder, tender)).own
    assert [(one.id, one.notice) for one in own] == [(question, None)]
    rival = await a_player(store, Role.TENDEREE)
    for stranger in (other, rival, tender.cast.supervisor, tender.cast.staff, None):
        found = await board(store, stranger, tender)
        assert (found.own, found.desk) == ((), None)


async def test_that_somebody_asked_is_in_the_views_of_whoever_asked_alone(
    store: Store, tender: Tender, tick: Tick
) -> None:
    bidder = await a_bidder(store)
    await asked(store, bidder, tender.lot_id, now=DAY)
    await tick()
    others = [
        PUBLIC_FEED,
        SUPERVISORS_FEED,
        *(room(tender.lot_id, one) for one in Audience),
        *(own_acts(who.party) for who in (tender.cast.tenderee, tender.cast.agency)),
    ]

    async def told() -> set[str]:
        return {entry.kind for view in others for entry in await seen(store, view)}

    assert "QuestionAsked" in [one.kind for one in await seen(store, own_acts(bidder.party))]
    assert "QuestionAsked" not in await told()
    await cancelled(store, tender.cast, tender.lot, now=DAY)
    await tick()
    assert "LotCancelled" in await told()
    assert "QuestionAsked" not in await told()


async def test_after_the_close_the_tenderee_alone_reads_who_asked(
    store: Store, tender: Tender
) -> None:
    bidder = await a_bidder(store)
    await asked(store, bidder, tender.lot_id, now=DAY)
    later = at(store, tender.due_at + timedelta(seconds=3))
    while await due_lots.wake(later):
        pass

    askers = {}
    for who in (tender.cast.tenderee, tender.cast.agency):
        desk = (await board(store, who, tender)).desk
        assert desk is not None
        askers[who.actor.role] = desk[0].asker
    assert askers == {Role.TENDEREE: bidder.organisation, Role.AGENCY: None}
    assert (await board(store, tender.cast.supervisor, tender)).desk is None


async def test_where_the_tender_ended_before_its_close_who_asked_stays_secret(
    store: Store, tender: Tender
) -> None:
    await asked(store, await a_bidder(store), tender.lot_id, now=DAY)
    await cancelled(store, tender.cast, tender.lot, now=DAY)
    desk = (await board(store, tender.cast.tenderee, tender)).desk
    assert desk is not None
    assert [one.asker for one in desk] == [None]


async def test_the_same_statement_is_the_same_question(store: Store, tender: Tender) -> None:
    bidder = await a_bidder(store)
    raw = a_question(bidder, tender.lot_id, now=DAY)
    first = await asked(store, bidder, tender.lot_id, now=DAY, raw=raw)
    assert await asked(store, bidder, tender.lot_id, now=DAY, raw=raw) == first
    async with store.sessions() as session:
        rows = (await session.scalars(select(col(QuestionRow.id)))).all()
    assert rows == [first]


@pytest.mark.parametrize(
    ("now", "words", "code"),
    [
        (NOW + timedelta(days=11, minutes=31), WORDS, "question_late"),
        (DAY, "{organisation}：业绩年限从何时起算？", "names_asker"),
    ],
)
async def test_a_question_that_is_late_or_tells_on_itself_is_refused_and_leaves_nothing(
    store: Store, tender: Tender, now: datetime, words: str, code: str
) -> None:
    bidder = await a_bidder(store)
    words = words.format(organisation=bidder.organisation)
    with pytest.raises(Refused) as refused:
        await asked(store, bidder, tender.lot_id, now=now, words=words)
    assert [one.code for one in refused.value.refusals] == [code]
    desk = (await board(store, tender.cast.agency, tender)).desk
    assert desk == ()


async def test_an_unverified_bidder_and_the_agency_itself_do_not_ask(
    store: Store, tender: Tender
) -> None:
    unverified = await a_player(store, Role.BIDDER, verified=False)
    agency = await a_player(store, Role.BIDDER, party=tender.cast.agency.party)
    for who, code in ((unverified, "organisation_unverified"), (agency, "conflicting_capacity")):
        with pytest.raises(Refused) as refused:
            await asked(store, who, tender.lot_id, now=DAY)
        assert {one.code for one in refused.value.refusals} == {code}


async def test_answers_are_grouped_published_at_once_and_do_not_say_how_many_asked(
    store: Store, tender: Tender, tick: Tick
) -> None:
    bidders = [await a_bidder(store) for _ in range(3)]
    ids = [await asked(store, one, tender.lot_id, now=DAY) for one in bidders]
    answers = [
        {"question": "业绩年限从何时起算？", "answer": "自2023年3月1日起。"},
        {"question": "是否组织踏勘？", "answer": "不组织。"},
    ]
    raw = a_clarification(tender, answers)
    async with transaction(store, actor=tender.cast.agency.actor, now=DAY) as tx:
        await tendering.clarify(tx, tender.lot_id, raw, questions=[ids[:2], []])
    await tick()

    for one in ids:
        assert str(one) not in raw.decode()
        assert b64u(one.bytes) not in raw.decode()
    for bidder, notice in zip(bidders, (2, 2, None), strict=True):
        assert [one.notice for one in (await board(store, bidder, tender)).own] == [notice]
    desk = (await board(store, tender.cast.agency, tender)).desk
    assert desk is not None
    assert [one.id for one in desk if one.notice is None] == [ids[2]]
    entry = (await seen(store, room(tender.lot_id, Audience.PUBLIC)))[-1]
    assert (entry.kind, entry.facts["version"]) == ("ClarificationPublished", 2)
    assert entry.facts["statement_digest"] == b64u(sha256(raw))


async def test_a_question_is_answered_once_and_stands_in_one_group(
    store: Store, tender: Tender
) -> None:
    question = await asked(store, await a_bidder(store), tender.lot_id, now=DAY)
    answer = {"question": "是否踏勘？", "answer": "不组织。"}

    async def answered(*groups: list[object], answers: int = 1, number: int = 2) -> None:
        raw = a_clarification(tender, [answer] * answers, number=number)
        async with transaction(store, actor=tender.cast.agency.actor, now=DAY) as tx:
            await tendering.clarify(tx, tender.lot_id, raw, questions=groups)  # type: ignore[arg-type]  # wrong ones too

    with pytest.raises(NotFound):
        await answered([uuid4()])
    with pytest.raises(Malformed):
        await answered([question], [])
    with pytest.raises(Malformed):
        await answered([question], [question], answers=2)
    await answered([question])
    with pytest.raises(Refused) as refused:
        await answered([question], number=3)
    assert [one.code for one in refused.value.refusals] == ["answered"]


async def test_nobody_rewrites_a_question(store: Store, tender: Tender) -> None:
    await asked(store, await a_bidder(store), tender.lot_id, now=DAY)
    async with store.sessions() as session:
        with pytest.raises(Exception, match=r"permission denied|append-only"):
            await session.execute(text("UPDATE trading.question SET words = 'x'"))
