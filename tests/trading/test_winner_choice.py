"""Who must win: Bidding Law 40, 57; Bidding Regulation 55; Civil Code 478; Government Procurement
Regulation 43; Procurement Tender Measures 68.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.identifiers import PartyId
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, PROCUREMENT_REGULATION
from trading.rules.procedures import Procedure, Switches, switches_of
from trading.rules.winner_choice import (
    GROUND_NAMES,
    Candidate,
    SetAside,
    SetAsideGround,
    WinnerChoice,
    set_aside_refusals,
    winner_refusals,
)

MANDATORY = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
VOLUNTARY = switches_of(Procedure.OPEN_TENDER_VOLUNTARY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))

A, B, C, STRANGER = (PartyId(UUID(int=number)) for number in range(1, 5))
CANDIDATES = (Candidate(A, "甲公司", 1), Candidate(B, "乙公司", 2), Candidate(C, "丙公司", 3))
FIRST = WinnerChoice(chosen=A, candidates=CANDIDATES, set_aside={}, state_funded=True)
GAVE_UP = SetAside(SetAsideGround.GAVE_UP, "放弃中标声明2026-05-13")
FOUND = SetAside(SetAsideGround.ILLEGAL_ACT_FOUND, "建罚字〔2026〕30号", "某市住房和城乡建设局")


def codes(choice: WinnerChoice, switches: Switches = MANDATORY) -> list[str]:
    return [one.code for one in winner_refusals(choice, switches)]


@pytest.mark.accepts("AW-04", "AW-06")
@pytest.mark.parametrize("switches", [MANDATORY, VOLUNTARY, PROCUREMENT])
def test_the_first_may_always_win(switches: Switches) -> None:
    assert codes(FIRST, switches) == []


@pytest.mark.refuses("AW-04")
def test_the_second_may_not_win_before_the_first() -> None:
    found = winner_refusals(replace(FIRST, chosen=B), MANDATORY)
    assert [(one.code, one.article) for one in found] == [("not_first", BIDDING_REGULATION[55])]
    assert found[0].facts == {"rank": "2", "passed_over": "1"}
    assert "甲公司" in found[0].reason


def test_the_third_is_told_of_both_before_it() -> None:
    assert codes(replace(FIRST, chosen=C)) == ["not_first", "not_first"]
    assert codes(replace(FIRST, chosen=C, set_aside={A: GAVE_UP})) == ["not_first"]


@pytest.mark.parametrize("set_aside", [GAVE_UP, FOUND])
def test_the_second_wins_once_the_first_is_set_aside(set_aside: SetAside) -> None:
    assert codes(replace(FIRST, chosen=B, set_aside={A: set_aside})) == []


def test_who_is_set_aside_does_not_win() -> None:
    assert codes(replace(FIRST, set_aside={A: GAVE_UP})) == ["set_aside"]


def test_without_state_money_any_candidate_of_a_mandatory_tender_may_win() -> None:
    assert codes(replace(FIRST, chosen=B, state_funded=False)) == []


def test_a_voluntary_tenderee_chooses_and_a_purchaser_does_not() -> None:
    second = replace(FIRST, chosen=B, state_funded=False)
    assert codes(second, VOLUNTARY) == []
    found = winner_refusals(second, PROCUREMENT)
    assert [(one.code, one.article) for one in found] == [("not_first", PROCUREMENT_REGULATION[43])]


@pytest.mark.refuses("AW-06")
@pytest.mark.parametrize("switches", [MANDATORY, VOLUNTARY, PROCUREMENT])
def test_nobody_outside_the_candidates_wins(switches: Switches) -> None:
    found = winner_refusals(replace(FIRST, chosen=STRANGER), switches)
    assert [(one.code, one.article) for one in found] == [("not_a_candidate", BIDDING_LAW[57])]


@pytest.mark.parametrize("switches", [MANDATORY, VOLUNTARY, PROCUREMENT])
def test_after_all_were_rejected_nobody_wins(switches: Switches) -> None:
    assert codes(replace(FIRST, all_rejected=True), switches) == ["all_rejected"]
    assert codes(replace(FIRST, candidates=()), switches) == ["all_rejected"]


def test_setting_aside_needs_a_document_and_an_illegal_act_its_authority() -> None:
    assert set_aside_refusals(GAVE_UP) == []
    assert set_aside_refusals(FOUND) == []
    assert [one.code for one in set_aside_refusals(replace(GAVE_UP, document=" "))] == [
        "no_document"
    ]
    assert [one.code for one in set_aside_refusals(replace(FOUND, found_by=""))] == [
        "not_found_by_authority"
    ]
    unshown = replace(FIRST, chosen=B, set_aside={A: replace(FOUND, document="", found_by="")})
    assert codes(unshown) == ["no_document", "not_found_by_authority"]


def test_a_bar_is_no_ground_for_the_next_to_step_up() -> None:
    assert {ground.value for ground in SetAsideGround} == {
        "gave_up",
        "force_majeure",
        "no_performance_security",
        "illegal_act_found",
    }
    assert set(GROUND_NAMES) == set(SetAsideGround)


@given(st.sampled_from([A, B, C]), st.sets(st.sampled_from([A, B, C])))
def test_the_winner_is_the_first_in_rank_who_is_not_set_aside(
    chosen: PartyId, aside: set[PartyId]
) -> None:
    left = [one.party_id for one in CANDIDATES if one.party_id not in aside]
    choice = replace(FIRST, chosen=chosen, set_aside=dict.fromkeys(aside, GAVE_UP))
    assert (codes(choice) == []) is (bool(left) and chosen == left[0])


@pytest.mark.accepts("AW-23")
@pytest.mark.refuses("AW-23")
def test_whose_award_fell_away_is_out_and_the_next_in_order_steps_up() -> None:
    """Regulation 55; Government Procurement Regulation 49."""
    again = replace(FIRST, annulled=frozenset({A}))
    for switches in (MANDATORY, VOLUNTARY, PROCUREMENT):
        assert codes(again, switches) == ["award_annulled"]
        assert codes(replace(again, chosen=B), switches) == []
    for switches, article in (
        (MANDATORY, BIDDING_REGULATION[55]),
        (PROCUREMENT, PROCUREMENT_REGULATION[43]),
    ):
        found = winner_refusals(replace(again, chosen=C), switches)
        assert [(one.code, one.article) for one in found] == [("not_first", article)]
        assert found[0].facts["passed_over"] == "2"
    assert codes(replace(again, chosen=C, annulled=frozenset({A, B}))) == []
    assert codes(replace(again, chosen=C, lapsed=frozenset({B}))) == []


def test_whom_the_committee_found_unfit_is_passed_over_without_a_document() -> None:
    """Bidding Regulation 56; that it may not win itself says the examination's own rule."""
    unfit = replace(FIRST, chosen=B, unfit=frozenset({A}))
    assert codes(unfit) == []
    assert codes(replace(unfit, chosen=C)) == ["not_first"]
    assert codes(replace(unfit, unfit=frozenset())) == ["not_first"]


def test_a_bid_that_binds_nobody_any_more_cannot_win_and_is_passed_over_without_a_ground() -> None:
    gone = replace(FIRST, lapsed=frozenset({A}))
    assert codes(gone) == ["bid_lapsed"]
    assert codes(replace(gone, chosen=B)) == []
    assert codes(replace(gone, chosen=C)) == ["not_first"]
    assert codes(replace(gone, chosen=B), PROCUREMENT) == []
