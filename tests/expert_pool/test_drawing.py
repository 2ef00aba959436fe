"""Draws from the announcement to the last seat.

Bidding Law 37; Bidding Regulation 46, 71; Committee Provisions 8, 12; Conduct Opinions 14.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from expert_pool import calling, contributing, draw_history, drawing, enrolling
from expert_pool.drawing import threshold_of
from expert_pool.draws import EXHAUSTED
from expert_pool.enrolling import Tie
from expert_pool.rules.calling_order import CallOutcome
from expert_pool.rules.draw_protocol import DrawState
from expert_pool.rules.recusal import TieKind
from expert_pool.rules.strata import Stratum
from kernel.access import Role
from kernel.crypto import fair_draw
from kernel.crypto.digests import b64u
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Outrun, Refused
from kernel.identifiers import DrawId
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store.tables import CapacityRow
from kernel.store.transaction import Store
from tests.decisions import barred
from tests.draw_cast import (
    CIVIL,
    COST,
    EAST,
    HOST,
    SOUTH,
    STRATA,
    DrawHouse,
    Expert,
    Tick,
    a_close_entry,
    a_draw_house,
    an_expert,
)
from tests.newcomers import codes
from tests.tenders import a_player, signed

HOUSE = Path(__file__).parents[2]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses, so that a checkpoint alone makes an entry witnessed."""
    return settings.model_copy(update={"witness_quorum": 0})


@pytest.fixture
async def house(store: Store, tick: Tick) -> DrawHouse:
    return await a_draw_house(store, tick)


async def kinds(house: DrawHouse) -> list[str]:
    """What is on record of the lot, in its order."""
    await house.tick()
    async with house.store.sessions() as session:
        rows = await session.execute(
            text(
                "SELECT j.kind FROM kernel.journal j JOIN kernel.sequence s ON s.entry_id = j.id"
                " WHERE j.subject_id = :lot ORDER BY s.position"
            ),
            {"lot": house.lot_id},
        )
        return [row[0] for row in rows]


async def bar(house: DrawHouse, expert: Expert) -> None:
    """A decision that forbids that this expert is drawn."""
    await barred(
        house.store,
        house.parties["supervisor"],
        {"person": str(expert.player.person)},
        misconduct="expert_misconduct",
        article="《中华人民共和国招标投标法实施条例》第七十一条",
        acts=["draw", "sign_in"],
    )


# ── announcing ────────────────────────────────────────────────────────────────────────────────


async def test_a_draw_before_the_closing_is_witnessed_is_refused(house: DrawHouse) -> None:
    unseen = await a_close_entry(house.store, house.lot_id)
    with pytest.raises(Refused) as refused:
        await house.announce(close_entry=unseen)
    assert codes(refused) == {"close_not_witnessed"}
    await house.tick()
    await house.announce(close_entry=unseen)


async def test_a_first_draw_after_a_bid_was_opened_is_refused(house: DrawHouse) -> None:
    with pytest.raises(Refused) as refused:
        await house.announce(bid_opened=True)
    assert codes(refused) == {"bids_opened"}


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
    await bar(house, house.experts[0])
    await house.announce()
    assert await excluded_for(house) == {"barred": 1}


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


# ── the order of the steps ────────────────────────────────────────────────────────────────────


async def test_a_whole_draw_goes_through_its_steps_in_order(house: DrawHouse) -> None:
    await house.seated()

    assert (await house.view()).state is DrawState.SEATED
    steps = [kind for kind in await kinds(house) if kind != "CapacityTaken"]
    groups = [kind for place, kind in enumerate(steps) if kind != steps[place - 1]]
    assert groups[:9] == [
        "LotClosed",
        "DrawAnnounced",
        "DrawCommitted",
        "NonceSharesDealt",
        "NonceShareConfirmed",
        "EligibilityCountersigned",
        "NonceRevealed",
        "DrawRanked",
        "ExpertCalled",
    ]
    assert steps[-1] == "DrawCompleted"
    assert steps.count("NonceRevealed") == 3
    seated = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    assert Counter(one.region_code for one in seated) == {HOST: 2, EAST: 1, SOUTH: 1}


async def test_no_commitment_before_the_announcement_is_witnessed(
    house: DrawHouse, tick: Tick
) -> None:
    house.tick = _never
    await house.announce()
    raw = signed(house.parties["agency"], "draw-commit", _commitment(house, "agency"))
    with pytest.raises(Refused) as refused:
        await house.do(house.parties["agency"], contributing.commit, house.draw_id, raw)
    assert codes(refused) == {"not_now"}
    await tick()
    await house.do(house.parties["agency"], contributing.commit, house.draw_id, raw)


async def test_no_share_and_no_reveal_before_every_commitment_is_witnessed(
    house: DrawHouse, tick: Tick
) -> None:
    await house.announce()
    await house.commit("tenderee", "agency")
    house.tick = _never
    await house.commit("supervisor")
    agency, program = house.parties["agency"], house.programs["agency"]
    nonce = {**_about(house, "agency"), "v": "ebid-draw-reveal/1", "nonce": b64u(program.nonce)}
    shares = {**_about(house, "agency"), "v": "ebid-draw-shares/1", "shares": []}
    for act, raw in (
        (contributing.reveal, signed(agency, "draw-reveal", nonce)),
        (contributing.deal, signed(agency, "draw-shares", shares)),
    ):
        with pytest.raises((Refused, BrokenSeal)):
            await house.do(agency, act, house.draw_id, raw)
    await tick()
    with pytest.raises(Refused):
        await house.do(
            agency, contributing.reveal, house.draw_id, signed(agency, "draw-reveal", nonce)
        )


async def test_no_reveal_before_the_exclusions_are_countersigned(house: DrawHouse) -> None:
    await house.announce()
    await house.commit()
    await house.deal()
    await house.confirm()
    with pytest.raises(Refused) as refused:
        await house.reveal("agency")
    assert codes(refused) == {"not_now"}
    await house.countersign()
    await house.reveal("agency")


async def test_a_party_commits_once_and_keeps_to_it(house: DrawHouse) -> None:
    await house.announce()
    await house.commit("agency")
    with pytest.raises(Refused) as refused:
        await house.commit("agency")
    assert codes(refused) == {"committed_already"}


async def test_another_nonce_than_the_one_committed_to_is_refused_by_name(
    house: DrawHouse,
) -> None:
    await house.ready()
    house.programs["agency"].nonce = bytes(32)
    with pytest.raises(BrokenSeal, match="agency"):
        await house.reveal("agency")


async def test_a_stranger_has_no_part_in_a_draw(house: DrawHouse) -> None:
    await house.announce()
    stranger = await a_player(house.store, Role.BIDDER)
    raw = signed(stranger, "draw-commit", _commitment(house, "agency"))
    with pytest.raises(NotFound):
        await house.do(stranger, contributing.commit, house.draw_id, raw)
    with pytest.raises(NotPermitted):
        await house.do(house.experts[0].player, contributing.commit, house.draw_id, raw)


async def test_nobody_signs_in_anothers_name(house: DrawHouse) -> None:
    await house.announce()
    agency = house.parties["agency"]
    others = signed(agency, "draw-commit", _commitment(house, "tenderee"))
    with pytest.raises(BrokenSeal):
        await house.do(agency, contributing.commit, house.draw_id, others)
    forged = signed(house.parties["tenderee"], "draw-commit", _commitment(house, "agency"))
    with pytest.raises(BrokenSeal):
        await house.do(agency, contributing.commit, house.draw_id, forged)
    elsewhere = _commitment(house, "agency") | {"draw": str(random_id())}
    with pytest.raises(BrokenSeal):
        await house.do(
            agency, contributing.commit, house.draw_id, signed(agency, "draw-commit", elsewhere)
        )


async def test_only_the_supervisor_sees_and_countersigns_the_exclusions(house: DrawHouse) -> None:
    await house.announce()
    await house.commit()
    with pytest.raises(NotPermitted):
        await house.do(house.parties["agency"], contributing.exclusions, house.draw_id)
    other = await a_player(house.store, Role.SUPERVISOR)
    with pytest.raises(NotFound):
        await house.do(other, contributing.exclusions, house.draw_id)
    supervisor = house.parties["supervisor"]
    wrong = {
        **_about(house, "supervisor"),
        "v": "ebid-draw-eligibility/1",
        "members_root": b64u(bytes(32)),
    }
    with pytest.raises(BrokenSeal):
        await house.do(
            supervisor,
            contributing.countersign,
            house.draw_id,
            signed(supervisor, "draw-eligibility", wrong),
        )


# ── parties that fail ─────────────────────────────────────────────────────────────────────────


def test_a_threshold_is_never_one_and_lets_one_of_many_stay_silent() -> None:
    assert [threshold_of(count) for count in (3, 4, 5, 9)] == [2, 2, 3, 7]


async def test_a_party_that_vanishes_after_dealing_is_rebuilt_from_shares(
    house: DrawHouse,
) -> None:
    await house.ready()
    await house.reveal("agency", "supervisor")
    shares = await house.shares()
    agency, supervisor = house.parties["agency"], house.parties["supervisor"]
    mine = house.programs["agency"].open_share(shares, "tenderee")

    with pytest.raises(Refused) as refused:
        await house.do(agency, contributing.give_share, house.draw_id, "tenderee", mine)
    assert codes(refused) == {"too_early"}

    house.late = timedelta(minutes=61)
    with pytest.raises(BrokenSeal):
        await house.do(agency, contributing.give_share, house.draw_id, "tenderee", bytes(33))
    await house.do(agency, contributing.give_share, house.draw_id, "tenderee", mine)
    assert (await house.view()).state is DrawState.REVEALING
    theirs = house.programs["supervisor"].open_share(shares, "tenderee")
    await house.do(supervisor, contributing.give_share, house.draw_id, "tenderee", theirs)

    view = await house.view()
    assert view.state is DrawState.CALLING
    assert [one.name for one in view.parties if one.recovered] == ["tenderee"]
    await house.seat_everybody()
    assert (await house.view()).state is DrawState.SEATED


async def test_with_four_parties_a_withheld_confirmation_stops_nothing(
    store: Store, tick: Tick
) -> None:
    house = await a_draw_house(store, tick, more_parties=["bidder-1"])
    await house.announce()
    await house.commit()
    await house.deal()
    await house.countersign()
    await house.confirm("tenderee", "agency", "supervisor")
    assert (await house.view()).state is DrawState.REVEALING
    await house.reveal()
    await house.seat_everybody()
    assert (await house.view()).state is DrawState.SEATED


async def test_with_three_parties_the_silent_one_sits_out_the_redraw(house: DrawHouse) -> None:
    await house.announce()
    await house.commit()
    await house.deal()
    await house.countersign()
    await house.confirm("agency", "supervisor")
    with pytest.raises(Refused) as refused:
        await house.do(house.pool, drawing.void, house.draw_id)
    assert codes(refused) == {"not_void"}

    house.late = timedelta(minutes=41)
    assert (await house.view()).state is DrawState.VOID
    await house.do(house.pool, drawing.void, house.draw_id)
    first = house.draw_id
    view = await house.view()
    assert (view.void_reason, view.at_fault) == ("too_few_confirmations", ("tenderee",))
    with pytest.raises(Refused) as refused:
        await house.announce()
    assert codes(refused) == {"sits_out"}

    house.parties["bidder-1"] = await a_player(house.store, Role.BIDDER)
    tenderee = house.parties.pop("tenderee")
    await house.announce(bid_opened=True)
    house.parties["tenderee"] = tenderee
    lines = await house.do(house.pool, draw_history.draws_of_lot, house.lot_id)
    assert [(one.round, one.state) for one in lines] == [
        (1, DrawState.VOID),
        (2, DrawState.ANNOUNCED),
    ]
    assert lines[0].id == first
    assert (await kinds(house)).count("DrawVoided") == 1


async def test_who_dealt_badly_is_shown_to_have_and_sits_out(house: DrawHouse) -> None:
    await house.announce()
    await house.commit()
    cheat = house.programs["tenderee"]
    payload = cheat.deal(await house.proofs())
    for one in payload["shares"]:
        one["commitment"] = b64u(bytes(32))
    raw = signed(house.parties["tenderee"], "draw-shares", payload)
    await house.do(house.parties["tenderee"], contributing.deal, house.draw_id, raw)
    await house.deal("agency", "supervisor")
    await house.confirm("tenderee")
    shares = await house.shares()
    for holder, other in (("agency", "supervisor"), ("supervisor", "agency")):
        program, player = house.programs[holder], house.parties[holder]
        await house.do(player, contributing.confirm, house.draw_id, other)
        with pytest.raises(BrokenSeal, match="tenderee"):
            program.open_share(shares, "tenderee")
        with pytest.raises(BrokenSeal, match="opens as committed"):
            await house.do(
                player, contributing.show_misdealt, house.draw_id, other, program.share_key
            )
        with pytest.raises(BrokenSeal, match="not the key"):
            await house.do(
                player, contributing.show_misdealt, house.draw_id, "tenderee", cheat.share_key
            )
        await house.do(
            player, contributing.show_misdealt, house.draw_id, "tenderee", program.share_key
        )
    house.late = timedelta(minutes=41)
    assert await _overdue(house) == 1
    assert (await house.view()).at_fault == ("tenderee",)


async def test_whoever_never_committed_is_at_fault_and_nobody_else(house: DrawHouse) -> None:
    await house.announce()
    await house.commit("agency", "supervisor")
    house.late = timedelta(minutes=21)
    await house.do(house.parties["agency"], drawing.void, house.draw_id)
    view = await house.view()
    assert (view.void_reason, view.at_fault) == ("not_committed", ("tenderee",))


async def test_announcing_again_puts_an_overdue_round_on_record_first(house: DrawHouse) -> None:
    await house.announce()
    house.late = timedelta(minutes=21)
    house.parties["bidder-1"] = await a_player(house.store, Role.BIDDER)
    with pytest.raises(Refused) as refused:
        await house.announce()
    assert codes(refused) == {"sits_out"}
    assert "DrawVoided" not in await kinds(house)
    names = ("bidder-2", "bidder-3")
    for name in names:
        house.parties[name] = await a_player(house.store, Role.BIDDER)
    regulator = await a_player(house.store, Role.SUPERVISOR)
    await house.announce(
        parties=(
            *((name, house.parties[name].party) for name in names),
            ("supervisor", regulator.party),
        )
    )
    assert (await kinds(house)).count("DrawVoided") == 1


# ── calling ───────────────────────────────────────────────────────────────────────────────────


async def test_when_two_decline_the_next_in_the_list_are_called(house: DrawHouse) -> None:
    await house.ranked()
    waiting = await house.waiting()
    assert len(waiting) == 4
    first, second = (one for one in waiting if one[0].stratum == STRATA[0].name)

    assert await house.answer(*first, "declined", "已有安排") is CallOutcome.DECLINED
    assert await house.answer(*second, "declined", "身体不适") is CallOutcome.DECLINED

    mine = [call for call in await house.calls() if call.stratum == STRATA[0].name]
    assert [(call.place, call.outcome) for call in mine] == [
        (1, CallOutcome.DECLINED),
        (2, CallOutcome.DECLINED),
        (3, CallOutcome.CALLED),
        (4, CallOutcome.CALLED),
    ]
    await house.seat_everybody()
    assert (await house.view()).state is DrawState.SEATED


async def test_an_expert_who_declines_says_why_and_signs_it(house: DrawHouse) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    with pytest.raises(BrokenSeal, match="says why"):
        await house.answer(call, expert, "declined")
    with pytest.raises(BrokenSeal):
        await house.answer(call, expert, "perhaps")
    forged = signed(
        house.parties["agency"],
        "draw-answer",
        {"v": "ebid-draw-answer/1", "call": str(call.id), "answer": "declined", "reason": "忙"},
    )
    with pytest.raises(BrokenSeal):
        await house.do(expert.player, calling.answer, call.id, forged)
    await house.answer(call, expert)
    with pytest.raises(Outrun):
        await house.answer(call, expert, "declined", "改变主意")


async def test_nobody_answers_anothers_call(house: DrawHouse) -> None:
    await house.ranked()
    (call, _), (_, other), *_ = await house.waiting()
    with pytest.raises(NotFound):
        await house.answer(call, other)


async def test_silence_needs_a_delivery_and_patience(house: DrawHouse) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    with pytest.raises(Refused) as refused:
        await house.do(house.pool, calling.note_no_answer, call.id)
    assert codes(refused) == {"not_delivered"}

    (own,) = await house.do(expert.player, calling.own_calls)
    assert own.answer_by - own.called_at >= calling.ANSWER_WITHIN
    with pytest.raises(Refused) as refused:
        await house.do(house.pool, calling.note_no_answer, call.id)
    assert codes(refused) == {"too_early"}

    house.late = calling.ANSWER_WITHIN + timedelta(minutes=1)
    await house.do(house.pool, calling.note_no_answer, call.id)
    assert {one.outcome for one in await house.calls() if one.id == call.id} == {
        CallOutcome.NO_ANSWER
    }
    assert len(await house.waiting()) == 4
    with pytest.raises(Outrun):
        await house.answer(call, expert)
    (own,) = await house.do(expert.player, calling.own_calls)
    assert own.outcome == CallOutcome.NO_ANSWER


async def test_a_bar_recorded_since_the_announcement_is_marked_late(house: DrawHouse) -> None:
    await house.ready()
    for expert in house.experts[:3]:
        await bar(house, expert)
    await house.reveal()
    called = {expert.expert_id for _, expert in await house.waiting()}
    barred = {expert.expert_id for expert in house.experts[:3]}
    assert not called & barred
    for call in await house.calls():
        if call.expert_id in barred:
            assert call.outcome == CallOutcome.BARRED_LATE
            assert call.evidence.startswith("decision:")


async def test_a_bar_recorded_since_the_call_voids_the_acceptance(house: DrawHouse) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    await bar(house, expert)
    assert await house.answer(call, expert) is CallOutcome.BARRED_LATE
    assert len(await house.waiting()) == 4


async def test_an_expert_of_two_strata_is_called_once(store: Store, tick: Tick) -> None:
    house = await a_draw_house(store, tick, each=0)
    for _ in range(6):
        house.experts.append(
            await an_expert(store, house.pool, specialisms=(CIVIL, COST), region_code=HOST)
        )
    strata = (Stratum("施工", CIVIL, "", 2), Stratum("造价", COST, "", 2))
    await house.ranked(strata=strata)
    people = [expert.expert_id for _, expert in await house.waiting()]
    assert len(people) == len(set(people)) == 4
    await house.seat_everybody()
    assert (await house.view()).state is DrawState.SEATED
    assert CallOutcome.SEATED_ELSEWHERE in {
        CallOutcome(call.outcome) for call in await house.calls()
    } or [call.place for call in await house.calls()] == [1, 2, 1, 2]


async def test_a_list_that_runs_out_makes_the_draw_void_and_a_wider_one_follows(
    store: Store, tick: Tick
) -> None:
    house = await a_draw_house(store, tick, each=2)
    await house.ranked()
    for call, expert in await house.waiting():
        if call.stratum == STRATA[0].name:
            await house.answer(call, expert, "declined", "出差")
        else:
            await house.answer(call, expert)
    view = await house.view()
    assert (view.exhausted, view.accepted, view.state) == (True, 2, DrawState.CALLING)
    await house.do(house.pool, drawing.void, house.draw_id)
    view = await house.view()
    assert (view.void_reason, view.at_fault) == (EXHAUSTED, ())
    accepted = [expert for expert in house.experts if expert.region != HOST]
    outcomes = [
        own.outcome
        for expert in accepted
        for own in await house.do(expert.player, calling.own_calls)
    ]
    assert set(outcomes) == {"void"}
    with pytest.raises(NotFound):
        await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    wider = (replace(STRATA[0], name="施工", region_code="", seats=3), STRATA[2])
    await house.seated(strata=wider, bid_opened=True)
    assert len(await house.do(house.pool, drawing.drawn_experts, house.lot_id)) == 4


async def test_whoever_steps_aside_at_sign_in_is_followed_by_the_next(house: DrawHouse) -> None:
    await house.seated()
    before = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    gone = next(one for one in before if one.stratum == STRATA[1].name)

    await house.do(
        house.pool,
        drawing.replace,
        house.lot_id,
        gone.expert_id,
        outcome=CallOutcome.RECUSED,
        reason="与投标人有利害关系",
    )

    with pytest.raises(NotFound):
        await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    ((call, expert),) = await house.waiting()
    assert (call.stratum, call.place) == (STRATA[1].name, 2)
    await house.answer(call, expert)
    after = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    assert {one.expert_id for one in before} - {one.expert_id for one in after} == {gone.expert_id}
    assert (await kinds(house)).count("DrawCompleted") == 2


# ── who learns what ───────────────────────────────────────────────────────────────────────────


async def test_a_called_expert_learns_when_and_where_but_not_for_whom(house: DrawHouse) -> None:
    await house.ranked()
    (_, expert), *_ = await house.waiting()
    (own,) = await house.do(expert.player, calling.own_calls)
    told = repr(own)
    assert own.window_from < own.window_until
    assert own.region_code == expert.region
    for secret in (house.lot_id, house.draw_id, *(one.party for one in house.parties.values())):
        assert str(secret) not in told


async def test_whoever_was_not_called_sees_no_call(house: DrawHouse) -> None:
    await house.ranked()
    called = {expert.expert_id for _, expert in await house.waiting()}
    for expert in house.experts:
        own = await house.do(expert.player, calling.own_calls)
        assert bool(own) == (expert.expert_id in called)


async def test_no_record_names_an_expert_of_the_draw(house: DrawHouse) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    await house.answer(call, expert, "declined", "已有安排")
    await house.seat_everybody()

    async with house.store.sessions() as session:
        rows = await session.execute(
            text("SELECT record, audience FROM kernel.journal WHERE subject_id = :lot"),
            {"lot": house.lot_id},
        )
        records = b"\n".join(bytes(row[0]) for row in rows)
    for one in house.experts:
        for secret in (one.player.name, str(one.expert_id), str(one.player.person)):
            assert secret.encode() not in records
        assert one.player.key.keyid.encode() not in records


async def test_the_committee_is_not_told_to_those_who_need_not_know(house: DrawHouse) -> None:
    await house.seated()
    for who in (house.parties["supervisor"], house.experts[0].player):
        with pytest.raises(NotPermitted):
            await house.do(who, drawing.drawn_experts, house.lot_id)
    with pytest.raises(NotPermitted):
        await house.do(house.parties["agency"], calling.pending_calls, house.draw_id)


async def test_an_unknown_draw_is_not_found(house: DrawHouse) -> None:
    for activity in (draw_history.draw_view, draw_history.transcript, drawing.void):
        with pytest.raises(NotFound):
            await house.do(house.pool, activity, DrawId(random_id()))
    with pytest.raises(NotFound):
        await house.do(house.pool, calling.note_no_answer, random_id())


# ── what the tests above are made of ──────────────────────────────────────────────────────────


async def _never() -> None:
    """Time in which the log does nothing."""


async def _overdue(house: DrawHouse) -> int:
    """The background's look at every draw, after the time the house lets pass."""
    assert house.late is not None
    late = house.late
    clock = house.store.clock

    async def later(line: object) -> object:
        return await clock(line) + late  # type: ignore[arg-type]  # any line the store gives

    return await drawing.void_overdue(replace(house.store, clock=later))  # type: ignore[arg-type]  # the same clock, later


def _about(house: DrawHouse, name: str) -> dict[str, object]:
    return {"draw": str(house.draw_id), "party": name}


def _commitment(house: DrawHouse, name: str) -> dict[str, object]:
    program = house.programs[name]
    return {
        **_about(house, name),
        "v": "ebid-draw-commit/1",
        "commitment": b64u(fair_draw.commitment(program.digest, name, program.nonce)),
        "share_key": b64u(program.share_key.public_bytes),
    }
