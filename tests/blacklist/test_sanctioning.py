"""Bidding Law 53, 61; Bidding Regulation 67, 78; Opinions on Conduct 12."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from blacklist import sanctioning
from blacklist.tables import BarRow, DecisionRow, LiftRow
from kernel.access import Role
from kernel.crypto.digests import Malformed, b64u, sha256
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Outrun, Refused
from kernel.events import Audience
from kernel.randomness import random_id
from kernel.store.journal import read_view
from kernel.store.transaction import Store, transaction
from kernel.store.views import PUBLIC_FEED, SUPERVISORS_FEED, room
from tests.decisions import a_bar, barred, lifted
from tests.tenders import NOW, Player, a_player, signed

Tick = Callable[[], Awaitable[None]]


@pytest.fixture
async def supervisor(store: Store) -> Player:
    return await a_player(store, Role.SUPERVISOR)


@pytest.fixture
async def bidder(store: Store) -> Player:
    return await a_player(store, Role.BIDDER)


async def refused_codes(store: Store, supervisor: Player, payload: dict[str, Any]) -> set[str]:
    async with transaction(store, actor=supervisor.actor, now=NOW) as tx:
        with pytest.raises(Refused) as refused:
            await sanctioning.bar(tx, signed(supervisor, "bar", payload))
    return {refusal.code for refusal in refused.value.refusals}


async def kinds(store: Store, view: str) -> list[str]:
    async with store.sessions() as session:
        return [entry.kind for entry in await read_view(session, view, after=0)]


async def test_a_decision_is_kept_with_its_signed_bytes_and_made_public(
    store: Store, supervisor: Player, bidder: Player, tick: Tick
) -> None:
    raw = signed(supervisor, "bar", a_bar({"organisation": str(bidder.party)}))
    async with transaction(store, actor=supervisor.actor, now=NOW) as tx:
        decision_id = await sanctioning.bar(tx, raw)
    await tick()

    async with store.sessions() as session:
        row = await session.get_one(DecisionRow, decision_id)
        acts = await session.scalars(
            select(col(BarRow.act)).where(col(BarRow.decision_id) == decision_id)
        )
        entries = await read_view(session, room(bidder.party, Audience.PUBLIC), after=0)
    assert (row.statement, row.recorded_by) == (raw, supervisor.person)
    assert set(acts) == {"award", "registration", "submission"}
    assert [entry.kind for entry in entries] == ["PartyBarred"]
    assert entries[0].facts["document_number"] == "江发改罚〔2026〕7号"
    assert entries[0].facts["statement_digest"] == b64u(sha256(raw))


async def test_a_decision_about_a_person_goes_to_supervisors_alone(
    store: Store, supervisor: Player, tick: Tick
) -> None:
    expert = await a_player(store, Role.EXPERT)
    decision_id = await barred(
        store,
        supervisor,
        {"person": str(expert.person)},
        misconduct="expert_misconduct",
        acts=["draw"],
    )
    await lifted(store, supervisor, decision_id)
    await tick()

    public = await kinds(store, PUBLIC_FEED)
    assert not {"PersonBarred", "PersonBarLifted"} & set(public)
    assert {"PersonBarred", "PersonBarLifted"} <= set(await kinds(store, SUPERVISORS_FEED))


async def test_a_lift_is_recorded_beside_the_bar_and_only_once(
    store: Store, supervisor: Player, bidder: Player, tick: Tick
) -> None:
    decision_id = await barred(store, supervisor, {"organisation": str(bidder.party)})
    await lifted(store, supervisor, decision_id)
    await tick()

    async with store.sessions() as session:
        assert (await session.get_one(LiftRow, decision_id)).lifted_at == NOW
        assert await session.get(DecisionRow, decision_id) is not None
    assert (await kinds(store, room(bidder.party, Audience.PUBLIC)))[-1] == "BarLifted"
    with pytest.raises(Refused, match="已经解除"):
        await lifted(store, supervisor, decision_id)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"document_number": " "}, "decision_lacks"),
        ({"authority": ""}, "decision_lacks"),
        ({"article": ""}, "decision_lacks"),
        ({"acts": []}, "no_act_barred"),
        ({"acts": ["draw"]}, "act_not_reached"),
        ({"ends_on": None}, "no_end"),
        ({"ends_on": "2026-12-31"}, "term_too_short"),
        ({"ends_on": "2030-01-01"}, "term_too_long"),
        ({"misconduct": "expert_corruption"}, "wrong_subject"),
        ({"decided_on": "2026-03-03", "starts_on": "2026-03-03"}, "decided_in_the_future"),
    ],
)
async def test_what_no_authority_could_decide_is_not_recorded(
    store: Store, supervisor: Player, bidder: Player, changes: dict[str, Any], code: str
) -> None:
    payload = a_bar({"organisation": str(bidder.party)}, **changes)

    assert code in await refused_codes(store, supervisor, payload)
    async with store.sessions() as session:
        assert (await session.scalars(select(DecisionRow))).first() is None


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": {}},
        {"subject": {"organisation": "x"}},
        {"acts": ["fly"]},
        {"misconduct": "rudeness"},
        {"starts_on": "20260302"},
        {"ends_on": "2026-02-30"},
        {"extra": 1},
        {"reason": "x" * 2001},
        {"authority": "a\x01b"},
    ],
)
async def test_a_statement_that_is_no_bar_is_turned_away(
    store: Store, supervisor: Player, bidder: Player, changes: dict[str, Any]
) -> None:
    payload = a_bar({"organisation": str(bidder.party)}, **changes)
    async with transaction(store, actor=supervisor.actor, now=NOW) as tx:
        with pytest.raises(Malformed):
            await sanctioning.bar(tx, signed(supervisor, "bar", payload))


async def test_a_decision_is_recorded_once(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    await barred(store, supervisor, {"organisation": str(bidder.party)})
    with pytest.raises(Outrun):
        await barred(store, supervisor, {"organisation": str(bidder.party)})


async def test_nobody_is_barred_whom_the_platform_does_not_know(
    store: Store, supervisor: Player
) -> None:
    with pytest.raises(NotFound):
        await barred(store, supervisor, {"organisation": str(random_id())})
    with pytest.raises(NotFound):
        await lifted(store, supervisor, random_id())


async def test_only_a_supervisor_bars_and_only_with_a_signature_of_their_own(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    payload = a_bar({"organisation": str(bidder.party)})
    async with transaction(store, actor=bidder.actor, now=NOW) as tx:
        with pytest.raises(NotPermitted):
            await sanctioning.bar(tx, signed(bidder, "bar", payload))
    async with transaction(store, actor=supervisor.actor, now=NOW) as tx:
        with pytest.raises(BrokenSeal):
            await sanctioning.bar(tx, signed(bidder, "bar", payload))


async def test_the_register_cannot_be_rewritten(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    decision_id: UUID = await barred(store, supervisor, {"organisation": str(bidder.party)})
    await lifted(store, supervisor, decision_id)
    for statement in (
        "UPDATE blacklist.bar SET ends_on = '2026-03-03'",
        "DELETE FROM blacklist.decision",
        "UPDATE blacklist.lift SET reason = ''",
    ):
        async with store.sessions() as session:
            with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
                await session.execute(text(statement))
