"""Experts enrol: Bidding Law 37; Bidding Regulation 45; Expert Pool Measures 13 (a caution)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import text

from expert_pool import enrolling
from expert_pool.enrolling import Tie
from expert_pool.rules.eligibility import Title
from expert_pool.rules.recusal import TieKind
from expert_pool.tables import ExpertRow
from kernel.access import Role
from kernel.consents import Purpose, text_digest
from kernel.errors import NotFound, NotPermitted, Outrun, Refused
from kernel.store import consenting
from kernel.store.database import READ, connect
from kernel.store.transaction import Store, transaction
from tests.conftest import Database
from tests.draw_cast import an_application, an_expert
from tests.newcomers import codes
from tests.tenders import Player, a_player, a_uscc
from web.reactions import forget_health, react_once

HEALTH = Purpose.EXPERT_HEALTH


@pytest.fixture
async def pool(store: Store) -> Player:
    return await a_player(store, Role.CENTRE_STAFF)


async def kinds(store: Store) -> list[str]:
    async with store.sessions() as session:
        rows = await session.execute(
            text("SELECT kind FROM kernel.journal WHERE kind LIKE 'Expert%' ORDER BY recorded_at")
        )
        return [row[0] for row in rows]


async def test_an_expert_applies_and_the_keeper_verifies(store: Store, pool: Player) -> None:
    expert = await an_expert(store, pool)

    async with store.sessions() as session:
        row = await session.get_one(ExpertRow, expert.expert_id)
    assert row.verified_at is not None
    assert row.verified_by == pool.person
    assert await kinds(store) == ["ExpertEnrolled", "ExpertVerified"]


async def test_seven_years_and_an_intermediate_title_are_both_told(
    store: Store, pool: Player
) -> None:
    player = await a_player(store, Role.EXPERT, party=pool.party)
    weak = an_application(pool, years=7, title=Title.INTERMEDIATE, specialisms=("Z9",))

    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=player.actor) as tx:
            await enrolling.enrol(tx, weak)

    assert codes(refused) == {"too_few_years", "title_too_low", "unknown_specialism"}
    assert await kinds(store) == []


async def test_what_nobody_has_read_warns_and_does_not_block(store: Store, pool: Player) -> None:
    player = await a_player(store, Role.EXPERT, party=pool.party)
    async with transaction(store, actor=player.actor) as tx:
        await consenting.give_consent(tx, HEALTH, text_digest(HEALTH))
        told = await enrolling.enrol(tx, an_application(pool, healthy=False))
    assert [one.code for one in told.cautions] == ["not_fit"]


async def test_nobody_is_in_a_pool_twice(store: Store, pool: Player) -> None:
    expert = await an_expert(store, pool)
    with pytest.raises(Outrun):
        async with transaction(store, actor=expert.player.actor) as tx:
            await enrolling.enrol(tx, an_application(pool))


async def test_a_firm_keeps_no_pool(store: Store, pool: Player) -> None:
    firm = await a_player(store, Role.BIDDER)
    player = await a_player(store, Role.EXPERT, party=pool.party)
    with pytest.raises(NotFound):
        async with transaction(store, actor=player.actor) as tx:
            await enrolling.enrol(tx, replace(an_application(pool), pool_id=firm.party))


async def test_another_keeper_cannot_verify(store: Store, pool: Player) -> None:
    expert = await an_expert(store, pool, verified=False)
    other = await a_player(store, Role.CENTRE_STAFF)
    with pytest.raises(NotFound):
        async with transaction(store, actor=other.actor) as tx:
            await enrolling.verify_expert(tx, expert.expert_id)
    with pytest.raises(NotPermitted):
        async with transaction(store, actor=expert.player.actor) as tx:
            await enrolling.verify_expert(tx, expert.expert_id)


async def test_verifying_again_changes_nothing(store: Store, pool: Player) -> None:
    expert = await an_expert(store, pool)
    async with transaction(store, actor=pool.actor) as tx:
        await enrolling.verify_expert(tx, expert.expert_id)
    assert await kinds(store) == ["ExpertEnrolled", "ExpertVerified"]


async def test_whoever_left_may_not_declare_any_more(store: Store, pool: Player) -> None:
    expert = await an_expert(store, pool)
    async with transaction(store, actor=expert.player.actor) as tx:
        await enrolling.leave(tx)
    with pytest.raises(NotFound):
        async with transaction(store, actor=expert.player.actor) as tx:
            await enrolling.declare_ties(tx, [Tie(a_uscc(), TieKind.OFFICE)])
    assert (await kinds(store))[-1] == "ExpertLeft"


async def test_ties_stand_in_no_event_and_no_reading_role_sees_them(
    store: Store, pool: Player, database: Database
) -> None:
    uscc = a_uscc()
    expert = await an_expert(store, pool, ties=(Tie(uscc, TieKind.EMPLOYMENT, date(2025, 1, 31)),))
    async with transaction(store, actor=expert.player.actor) as tx:
        await enrolling.declare_ties(tx, [Tie(uscc, TieKind.OFFICE)])

    async with store.sessions() as session:
        records = await session.execute(text("SELECT record FROM kernel.journal"))
        assert not any(uscc.encode() in row[0] for row in records)
    reader = connect(database.url(READ), pool_size=1)
    try:
        for table in ("expert_tie", "draw_label", "call", "draw_statement"):
            async with reader.connect() as line:
                with pytest.raises(Exception, match="permission denied"):
                    await line.execute(text(f"SELECT 1 FROM expert_pool.{table}"))
    finally:
        await reader.dispose()


async def test_without_a_consent_of_its_own_no_health_is_declared(
    store: Store, pool: Player
) -> None:
    player = await a_player(store, Role.EXPERT, party=pool.party)
    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=player.actor) as tx:
            await enrolling.enrol(tx, an_application(pool))
    assert codes(refused) == {"no_separate_consent"}


async def test_who_withdraws_it_leaves_and_his_declaration_is_erased(
    store: Store, pool: Player, tick: Callable[[], Awaitable[None]]
) -> None:
    """Personal Information Law 47."""
    expert = await an_expert(store, pool)
    async with transaction(store, actor=expert.player.actor) as tx:
        await consenting.withdraw_consent(tx, HEALTH)
    await tick()
    while await react_once(store, forget_health, {"ConsentWithdrawn"}):
        pass
    async with store.sessions() as session:
        row = await session.get_one(ExpertRow, expert.expert_id)
    assert row.healthy is None
    assert row.left_at is not None
    assert await kinds(store) == ["ExpertEnrolled", "ExpertVerified", "ExpertLeft"]
