"""The life of a lot: every step is in the table, every lot can end, and the brake holds it.

Bidding Law 5, 16, 28, 34, 36, 37, 40, 42, 45; Bidding Regulation 22, 31, 44, 54, 55, 56, 62;
Electronic Bidding Measures 27; Government Procurement Law 36; Government Procurement Regulation 43;
Procurement Tender Measures 16, 29, 33, 39, 41, 43, 44, 61, 64, 68.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Refused
from kernel.statute import BIDDING_REGULATION, Provenance, Regime
from trading.rules.lot_lifecycle import (
    ENDS,
    LAWFUL_MOVES,
    MOVE_NAMES,
    PROCUREMENT_ARTICLES,
    STATE_NAMES,
    UNBRAKED,
    LotMove,
    LotState,
    Standstill,
    after,
    article_of,
    may_resume,
    may_suspend,
    mermaid,
    resumption_refusals,
    suspension_refusals,
    was_closed,
    was_opened,
)

PAIRS = list(itertools.product(LotState, LotMove))
DEADLINE = datetime(2026, 4, 20, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(("state", "move"), PAIRS)
def test_only_the_moves_in_the_table_are_lawful(state: LotState, move: LotMove) -> None:
    if (state, move) in LAWFUL_MOVES:
        assert after(state, move, suspended=False) is LAWFUL_MOVES[state, move][0]
    else:
        with pytest.raises(Refused) as refused:
            after(state, move, suspended=False)
        assert [one.code for one in refused.value.refusals] == ["no_such_move"]


@pytest.mark.parametrize(("state", "move"), PAIRS)
def test_a_suspended_lot_does_not_move(state: LotState, move: LotMove) -> None:
    with pytest.raises(Refused) as refused:
        after(state, move, suspended=True)
    assert "lot_suspended" in {one.code for one in refused.value.refusals}


def reached_from(state: LotState) -> set[LotState]:
    reached: set[LotState] = set()
    frontier = {state}
    while frontier:
        reached |= frontier
        frontier = {
            there for (here, _), (there, _) in LAWFUL_MOVES.items() if here in frontier
        } - reached
    return reached


@pytest.mark.parametrize("state", LotState)
def test_every_state_reaches_an_end(state: LotState) -> None:
    assert reached_from(state) & ENDS


@pytest.mark.parametrize("state", sorted(ENDS))
def test_nothing_leaves_an_end_but_an_award_that_falls_away(state: LotState) -> None:
    """Regulation 55; Government Procurement Regulation 49."""
    leaving = [move for (here, move) in LAWFUL_MOVES if here is state]
    assert leaving == ([LotMove.ANNUL_AWARD] if state is LotState.AWARDED else [])


def test_every_state_and_every_move_has_a_use() -> None:
    assert reached_from(LotState.DRAFT) == set(LotState)
    assert {move for _, move in LAWFUL_MOVES} == set(LotMove)


def test_a_lot_closes_before_it_opens_and_opens_before_it_is_judged() -> None:
    into = {
        state: {here for (here, _), (there, _) in LAWFUL_MOVES.items() if there is state}
        for state in LotState
    }
    assert into[LotState.CLOSING] == {LotState.OPEN}
    assert into[LotState.CLOSED] == {LotState.CLOSING}
    assert into[LotState.OPENING] == {LotState.CLOSED}
    assert into[LotState.OPENED] == {LotState.OPENING}
    assert into[LotState.AWARDED] == {LotState.CLEARED_FOR_AWARD}
    assert into[LotState.CLEARED_FOR_AWARD] == {LotState.CANDIDATES_PUBLISHED, LotState.AWARDED}


def test_every_state_and_move_is_named_in_chinese() -> None:
    assert set(STATE_NAMES) == set(LotState)
    assert set(MOVE_NAMES) == set(LotMove)


@pytest.mark.parametrize(("state", "move"), LAWFUL_MOVES)
def test_every_move_stands_on_an_article_of_each_regime(state: LotState, move: LotMove) -> None:
    tendering = article_of(state, move)
    procurement = article_of(state, move, regime=Regime.PROCUREMENT)
    assert tendering == LAWFUL_MOVES[state, move][1]
    assert procurement == PROCUREMENT_ARTICLES[move]
    assert procurement.instrument.regime is Regime.PROCUREMENT
    assert Provenance.MEMORY not in {tendering.provenance, procurement.provenance}


@pytest.mark.parametrize("state", LotState)
@pytest.mark.parametrize("suspended", [True, False])
def test_the_brake_is_pulled_once_and_released_once(state: LotState, suspended: bool) -> None:
    braked = state not in UNBRAKED
    assert may_suspend(state, suspended=suspended) is (braked and not suspended)
    assert may_resume(state, suspended=suspended) is (braked and suspended)
    assert bool(suspension_refusals(state, suspended=suspended)) is not may_suspend(
        state, suspended=suspended
    )


def test_an_end_a_draft_and_a_closing_have_no_brake() -> None:
    assert ENDS | {LotState.DRAFT, LotState.CLOSING} == UNBRAKED


@pytest.mark.parametrize("state", LotState)
def test_a_draft_has_a_brake_once_applications_were_called_for(state: LotState) -> None:
    braked = state not in UNBRAKED or state is LotState.DRAFT
    assert may_suspend(state, suspended=False, called=True) is braked
    assert may_resume(state, suspended=True, called=True) is braked
    assert bool(suspension_refusals(state, suspended=False, called=True)) is not braked
    found = resumption_refusals(Standstill(state, suspended=True, now=DEADLINE, called=True))
    assert [one.code for one in found] == ([] if braked else ["not_suspended"])


def test_a_prequalification_goes_on_after_its_deadline_only_once_that_was_moved() -> None:
    moment = timedelta(microseconds=1)
    held = Standstill(
        LotState.DRAFT,
        suspended=True,
        now=DEADLINE,
        called=True,
        applications_due_at=DEADLINE,
        suspended_at=DEADLINE - moment,
    )
    found = resumption_refusals(held)
    assert [(one.code, one.article) for one in found] == [
        ("deadline_passed_meanwhile", BIDDING_REGULATION[22])
    ]
    assert resumption_refusals(replace(held, now=DEADLINE - moment)) == []
    # What was stopped in its review is not asked to take applications again.
    assert resumption_refusals(replace(held, suspended_at=DEADLINE)) == []


def resumed(state: LotState, *, now: datetime, suspended: bool = True) -> list[str]:
    found = resumption_refusals(Standstill(state, suspended, now, DEADLINE))
    return [one.code for one in found]


@given(st.timedeltas(timedelta(0), timedelta(days=400)))
def test_an_open_lot_whose_deadline_passed_meanwhile_is_not_resumed(passed: timedelta) -> None:
    assert resumed(LotState.OPEN, now=DEADLINE + passed) == ["deadline_passed_meanwhile"]
    assert resumed(LotState.OPEN, now=DEADLINE - passed - timedelta(microseconds=1)) == []


def test_after_the_closing_the_deadline_does_not_hinder_resuming() -> None:
    later = DEADLINE + timedelta(days=30)
    for state in set(LotState) - UNBRAKED - {LotState.OPEN}:
        assert resumed(state, now=later) == []


def test_a_lot_that_is_not_suspended_is_not_resumed() -> None:
    assert resumed(LotState.OPEN, now=DEADLINE, suspended=False) == ["not_suspended"]


def test_the_diagram_shows_every_lawful_move() -> None:
    drawn = mermaid().splitlines()
    assert drawn[0] == "stateDiagram-v2"
    assert len(drawn) == 2 + len(LAWFUL_MOVES) + len(ENDS)
    for (here, move), (there, _) in LAWFUL_MOVES.items():
        assert any(f"{here.name} --> {there.name}: {move.name}" in line for line in drawn)


def paths_of(state: LotState) -> list[tuple[LotState, ...]]:
    """Every way from a draft to here on which no state is passed twice."""
    found: list[tuple[LotState, ...]] = []
    ways: list[tuple[LotState, ...]] = [(LotState.DRAFT,)]
    while ways:
        way = ways.pop()
        if way[-1] is state:
            found.append(way)
        ways += [
            (*way, there)
            for (here, _), (there, _) in LAWFUL_MOVES.items()
            if here is way[-1] and there not in way
        ]
    return found


@pytest.mark.parametrize("state", list(LotState))
def test_whether_a_lot_was_closed_is_told_by_its_way_and_not_by_where_it_is(
    state: LotState,
) -> None:
    known = {was_closed(way) for way in paths_of(state)}
    if state is LotState.CANCELLED:
        assert known == {True, False}
    else:
        before = {LotState.DRAFT, LotState.OPEN, LotState.CLOSING}
        assert known == {state not in before}
    assert all(was_closed(way) for way in paths_of(state) if was_opened(way))
