"""Draws announced, what they leave out, and how they end without a result.

Bidding Law 37; Bidding Regulation 46, 71; Committee Provisions 8, 12; Opinions on Conduct 14.
"""

from __future__ import annotations

import ast
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from expert_pool import contributing, drawing, enrolling
from expert_pool.enrolling import Tie
from expert_pool.rules.calling_order import CallOutcome
from expert_pool.rules.recusal import TieKind
from expert_pool.rules.strata import Stratum
from kernel.access import Role
from kernel.errors import Refused
from kernel.settings import Settings
from kernel.store.tables import CapacityRow
from tests.decisions import barred
from tests.draw_cast import (
    CIVIL,
    COST,
    EAST,
    HOST,
    DrawHouse,
    a_close_entry,
    an_expert,
    bar_expert,
)
from tests.newcomers import codes

HOUSE = Path(__file__).parents[2]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses, so that a checkpoint alone makes an entry witnessed."""
    return settings.model_copy(update={"witness_quorum": 0})


@pytest.fixture
def house(draw_house: DrawHouse) -> DrawHouse:
    return draw_house


# ── announcing ────────────────────────────────────────────────────────────────────────────────


async def test_a_draw_before_the_closing_is_witnessed_is_refused(house: DrawHouse) -> None:
    unseen = await a_close_entry(house.store, house.lot_id)
    with pytest.raises(Refused) as refused:
        await house.announce(close_entry=unseen)
    assert codes(refused) == {"close_not_witnessed"}
    await house.tick()
    await house.announce(close_entry=unseen)


async def test_a_draw_after_a_bid_was_opened_says_so_in_its_announcement(house: DrawHouse) -> None:
    """Committee Provisions 8: members are normally fixed before the opening."""
    await house.announce(bid_opened=True)
    assert "announced_after_opening" in (await house.view()).told["cautions"]


async def test_a_draw_before_the_opening_is_announced_without_that_word(house: DrawHouse) -> None:
    await house.announce()
    assert "announced_after_opening" not in (await house.view()).told["cautions"]


async def test_every_ground_against_a_request_is_told_at_once(house: DrawHouse) -> None:
    tenderee = house.parties["tenderee"].party
    with pytest.raises(Refused) as refused:
        await house.announce(
            strata=(Stratum("临江施工", CIVIL, HOST, 4), Stratum("遥远", COST, "650000", 1)),
            parties=(("tenderee", tenderee), ("agency", tenderee)),
            representatives=0,
            window_until=house.request().window_from,
        )
    assert codes(refused) == {
        "party_twice",
        "no_supervisor",
        "window_unfit",
        "too_few_parties",
        "too_few_eligible",
    }


async def test_a_committee_must_have_two_thirds_experts(house: DrawHouse) -> None:
    with pytest.raises(Refused) as refused:
        await house.announce(representatives=3)
    assert codes(refused) == {"too_few_experts"}


async def test_only_a_supervisor_can_be_the_one_that_countersigns(house: DrawHouse) -> None:
    with pytest.raises(Refused) as refused:
        await house.announce(supervisor="agency")
    assert codes(refused) == {"no_supervisor"}


async def test_a_draw_that_goes_on_cannot_be_repeated(house: DrawHouse) -> None:
    await house.announce()
    with pytest.raises(Refused) as refused:
        await house.announce()
    assert codes(refused) == {"draw_under_way"}


async def test_a_completed_draw_can_neither_be_repeated_nor_voided(house: DrawHouse) -> None:
    await house.seated()
    for act in (house.announce(), house.do(house.pool, drawing.void, house.draw_id)):
        with pytest.raises(Refused) as refused:
            await act
        assert codes(refused) <= {"draw_under_way", "not_void"}


async def test_pool_and_exclusions_are_fixed_before_any_nonce(house: DrawHouse) -> None:
    await house.announce()
    told = (await house.view()).told
    assert told["pool"]["size"] == 12
    assert [one["members"] for one in told["strata"]] == [4, 4, 4]
    # An expert who enrols afterwards is not in the pool, and a tie declared afterwards changes
    # nothing: both would have been possible only with the announcement.
    await an_expert(house.store, house.pool, region_code=HOST)
    await house.commit()
    listed = await house.do(house.parties["supervisor"], contributing.exclusions, house.draw_id)
    assert len(listed) == 12


# ── whom a draw leaves out ────────────────────────────────────────────────────────────────────


async def excluded_for(house: DrawHouse) -> Counter[str]:
    listed = await house.do(house.parties["supervisor"], contributing.exclusions, house.draw_id)
    return Counter(ground for one in listed for ground in one["grounds"])


@pytest.mark.parametrize(
    ("kind", "ended_on", "ground"),
    [
        (TieKind.EMPLOYMENT, None, "employed"),
        (TieKind.EMPLOYMENT, date(2024, 6, 30), "was_employed"),
        (TieKind.EMPLOYMENT, date(2020, 6, 30), None),
        (TieKind.OFFICE, None, "held_office"),
        (TieKind.KINSHIP, None, "kin"),
        (TieKind.INTEREST, None, "interested"),
    ],
)
async def test_a_tie_to_a_bidder_excludes_with_its_reason(
    house: DrawHouse, kind: TieKind, ended_on: date | None, ground: str | None
) -> None:
    await an_expert(
        house.store, house.pool, region_code=EAST, ties=(Tie(house.bidder_uscc, kind, ended_on),)
    )
    await house.announce()
    assert await excluded_for(house) == ({} if ground is None else {ground: 1})
    stratum = (await house.view()).told["strata"][1]
    assert stratum["excluded"] == ({} if ground is None else {ground: 1})
    assert stratum["eligible"] == (5 if ground is None else 4)


async def test_a_bidders_own_engineer_and_the_supervisors_clerk_are_left_out(
    house: DrawHouse,
) -> None:
    await an_expert(house.store, house.pool, employer_uscc=house.bidder_uscc)
    supervisor = house.parties["supervisor"]
    async with house.store.sessions() as session:
        uscc = await session.scalar(
            text("SELECT uscc FROM kernel.organisation WHERE id = :id"), {"id": supervisor.party}
        )
    await an_expert(house.store, house.pool, employer_uscc=uscc)
    await house.announce()
    assert await excluded_for(house) == {"employed": 1, "authority": 1}


async def test_a_barred_expert_is_left_out(house: DrawHouse) -> None:
    await bar_expert(house, house.experts[0])
    await house.announce()
    assert await excluded_for(house) == {"barred": 1}


async def test_an_expert_barred_from_procurement_alone_may_be_drawn_for_a_tender(
    house: DrawHouse,
) -> None:
    """Procurement Regulation 75 reaches procurement's reviews, as at the door of the session."""
    await barred(
        house.store,
        house.parties["supervisor"],
        {"person": str(house.experts[0].player.person)},
        misconduct="procurement_expert",
        acts=["draw", "sign_in"],
    )
    await house.announce()
    assert await excluded_for(house) == {}


async def test_an_expert_with_another_duty_in_the_lot_is_left_out(house: DrawHouse) -> None:
    expert = house.experts[0].player
    async with house.store.sessions() as session, session.begin():
        now = await house.store.clock(session)
        session.add(
            CapacityRow(
                subject_id=house.lot_id,
                person_id=expert.person,
                role=Role.CUSTODIAN,
                party_id=expert.party,
                since=now,
            )
        )
    await house.announce()
    assert await excluded_for(house) == {"other_duty": 1}


async def test_the_unverified_and_those_who_left_are_in_no_pool(house: DrawHouse) -> None:
    await an_expert(house.store, house.pool, verified=False)
    await house.do(house.experts[0].player, enrolling.leave)
    await house.announce()
    assert (await house.view()).told["pool"]["size"] == 11


async def test_excluded_experts_are_passed_over_and_never_called(house: DrawHouse) -> None:
    tied = {
        (
            await an_expert(
                house.store,
                house.pool,
                region_code=EAST,
                ties=(Tie(house.bidder_uscc, TieKind.OFFICE),),
            )
        ).expert_id
        for _ in range(12)
    }
    await house.seated()
    passed = [call for call in await house.calls() if call.expert_id in tied]
    assert {call.outcome for call in passed} <= {CallOutcome.EXCLUDED}
    seated = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    assert not tied & {one.expert_id for one in seated}


def test_the_draw_alone_reads_what_ties_an_expert_to_whom() -> None:
    users = {
        path.relative_to(HOUSE).as_posix()
        for package in ("expert_pool", "evaluation", "trading", "blacklist", "kernel", "web")
        for path in (HOUSE / package).rglob("*.py")
        if "ExpertTieRow" in path.read_text() or "expert_tie" in path.read_text()
    }
    assert users == {
        "expert_pool/tables.py",
        "expert_pool/enrolling.py",
        "expert_pool/pool_facts.py",
    }
    tree = ast.parse((HOUSE / "expert_pool/enrolling.py").read_text())
    reads = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node).startswith("select(ExpertTieRow")
    ]
    assert reads == []
