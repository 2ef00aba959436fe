"""Whether a sealed bid is taken in, or a withdrawal, and which bid counts.

Bidding Law 26, 28, 34; Bidding Regulation 22, 35, 36; Electronic Bidding Measures 14, 23, 26, 27,
40; Electronic Signature Law 11; Government Procurement Law 22; Government Procurement Regulation
21; Procurement Tender Measures 33; and, warning only, Opinions on Conduct 3.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import (
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
)
from trading.rules.bid_admission import (
    BidArrival,
    CitedBar,
    Submitted,
    WithdrawalArrival,
    admission_cautions,
    admission_refusals,
    closed_too_early,
    standing_submission,
    withdrawal_refusals,
)
from trading.rules.lot_lifecycle import LotState

DEADLINE = datetime(2026, 9, 1, 1, 30, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
BAR = CitedBar(
    authority="某市住房和城乡建设局",
    document_number="建罚字〔2026〕12号",
    article="《中华人民共和国招标投标法》第53条",
    starts_on=date(2026, 1, 1),
    ends_on=date(2027, 6, 30),
)
IN_TIME = BidArrival(
    received_at=DEADLINE - INSTANT,
    lot_state=LotState.OPEN,
    suspended=False,
    bids_due_at=DEADLINE,
    sequence=1,
)
WITHDRAWN_IN_TIME = WithdrawalArrival(
    received_at=DEADLINE - INSTANT,
    lot_state=LotState.OPEN,
    bids_due_at=DEADLINE,
    sequence=2,
    last_sequence=1,
    has_standing_bid=True,
)


def codes(arrival: BidArrival, regime: Regime = Regime.TENDERING) -> list[str]:
    return [one.code for one in admission_refusals(arrival, regime=regime)]


@pytest.mark.accepts("BI-01", "BI-02", "BI-13")
def test_a_sealed_bid_an_instant_before_the_deadline_is_admitted() -> None:
    assert codes(IN_TIME) == []


@pytest.mark.refuses("BI-02", "BI-13")
def test_a_bid_arriving_at_the_very_deadline_is_late() -> None:
    found = admission_refusals(replace(IN_TIME, received_at=DEADLINE))
    assert [(one.code, one.article) for one in found] == [("late", BIDDING_REGULATION[36])]


def test_a_late_bid_is_told_both_times_exactly() -> None:
    late = replace(IN_TIME, received_at=DEADLINE + timedelta(seconds=1, microseconds=7))
    refusal = admission_refusals(late)[0]
    assert "2026-09-01 09:30:01.000007" in refusal.reason
    assert "2026-09-01 09:30:00.000000" in refusal.reason
    assert refusal.facts == {
        "received_at": "2026-09-01T01:30:01.000007+00:00",
        "bids_due_at": "2026-09-01T01:30:00+00:00",
    }


@given(st.timedeltas(timedelta(0), timedelta(days=400)), st.sampled_from(LotState))
def test_no_bid_is_ever_admitted_at_or_after_the_deadline(
    late_by: timedelta, state: LotState
) -> None:
    assert "late" in codes(replace(IN_TIME, received_at=DEADLINE + late_by, lot_state=state))


@given(st.timedeltas(INSTANT, timedelta(days=400)))
def test_a_bid_before_the_deadline_is_never_late(early_by: timedelta) -> None:
    assert codes(replace(IN_TIME, received_at=DEADLINE - early_by)) == []


@pytest.mark.parametrize("state", sorted(set(LotState) - {LotState.OPEN}))
def test_a_lot_that_is_not_open_takes_no_bid(state: LotState) -> None:
    assert codes(replace(IN_TIME, lot_state=state)) == ["lot_not_open"]


BEFORE_CLOSING = {LotState.DRAFT, LotState.OPEN, LotState.CANCELLED}


@pytest.mark.parametrize("state", sorted(set(LotState) - BEFORE_CLOSING))
def test_a_bid_in_time_that_finds_the_closing_begun_is_the_platforms_fault(state: LotState) -> None:
    found = replace(IN_TIME, lot_state=state)
    assert closed_too_early(found)
    assert not closed_too_early(replace(found, received_at=DEADLINE))


@pytest.mark.parametrize("state", sorted(BEFORE_CLOSING))
def test_a_bid_that_finds_no_closing_begun_is_not_the_platforms_fault(state: LotState) -> None:
    assert not closed_too_early(replace(IN_TIME, lot_state=state))


def test_a_bid_in_time_that_finds_a_lot_cancelled_after_its_close_is_the_platforms_fault() -> None:
    assert closed_too_early(replace(IN_TIME, lot_state=LotState.CANCELLED, lot_closed=True))


FLAWS: list[tuple[dict[str, Any], str]] = [
    ({"sealing_faults": ("未知的密钥",)}, "not_sealed"),
    ({"for_this_lot": False}, "wrong_lot"),
    ({"for_this_bidder": False}, "wrong_bidder"),
    ({"signature_valid": False}, "signature_invalid"),
    ({"missing_parts": ("bid 第3段",)}, "incomplete"),
    ({"bidder_verified": False}, "organisation_unverified"),
    ({"bidder_is_operator": True}, "operator_bids"),
    ({"bidder_bar": BAR}, "barred"),
    ({"bidder_prequalified": False}, "not_prequalified"),
    ({"sequence": 4, "last_sequence": 4}, "outdated_sequence"),
    ({"suspended": True}, "lot_suspended"),
]


@pytest.mark.parametrize(("flaw", "code"), FLAWS)
def test_each_flaw_is_refused_on_its_own_ground(flaw: dict[str, Any], code: str) -> None:
    assert codes(replace(IN_TIME, **flaw)) == [code]


def test_all_grounds_are_given_at_once() -> None:
    everything: dict[str, Any] = {}
    for flaw, _ in FLAWS:
        everything |= flaw
    found = codes(replace(IN_TIME, received_at=DEADLINE, **everything))
    assert set(found) == {"late", *(code for _, code in FLAWS)}


@pytest.mark.refuses("BI-01")
def test_every_fault_of_the_sealing_is_prompted() -> None:
    found = admission_refusals(replace(IN_TIME, sealing_faults=("没有报价信封", "密钥不符")))
    assert [one.article for one in found] == [E_BIDDING_MEASURES[26]] * 2
    assert "没有报价信封" in found[0].reason
    assert "密钥不符" in found[1].reason


def test_missing_parts_are_named() -> None:
    found = admission_refusals(replace(IN_TIME, missing_parts=("sheet 第1段", "bid 第3段")))
    assert found[0].article == E_BIDDING_MEASURES[27]
    assert "sheet 第1段、bid 第3段" in found[0].reason


def test_a_barred_bidder_is_refused_with_the_decision_cited() -> None:
    refusal = admission_refusals(replace(IN_TIME, bidder_bar=BAR))[0]
    assert "某市住房和城乡建设局建罚字〔2026〕12号" in refusal.reason
    assert "《中华人民共和国招标投标法》第53条" in refusal.reason
    assert "自2026-01-01起至2027-06-30" in refusal.reason
    assert refusal.facts["document_number"] == "建罚字〔2026〕12号"
    assert "长期有效" in str(replace(BAR, ends_on=None))
    assert replace(BAR, ends_on=None).as_facts()["ends_on"] == ""


def test_procurement_cites_its_own_law() -> None:
    late = admission_refusals(
        replace(IN_TIME, received_at=DEADLINE, bidder_bar=BAR), regime=Regime.PROCUREMENT
    )
    assert [one.article for one in late] == [PROCUREMENT_TENDER_MEASURES[33], PROCUREMENT_LAW[22]]


def test_who_never_took_the_documents_is_warned_and_not_refused() -> None:
    unaware = replace(IN_TIME, documents_obtained=False)
    assert codes(unaware) == []
    assert [one.code for one in admission_cautions(unaware)] == ["documents_not_obtained"]
    assert admission_cautions(IN_TIME) == []


# --- withdrawals


def withdrawn(arrival: WithdrawalArrival) -> list[str]:
    return [one.code for one in withdrawal_refusals(arrival)]


@pytest.mark.accepts("BI-04", "BI-05")
def test_a_bid_is_withdrawn_until_the_instant_before_the_deadline() -> None:
    assert withdrawn(WITHDRAWN_IN_TIME) == []
    assert withdrawn(replace(WITHDRAWN_IN_TIME, received_at=DEADLINE)) == ["late"]


@pytest.mark.refuses("BI-04", "BI-05")
@given(st.timedeltas(timedelta(0), timedelta(days=400)))
def test_after_the_deadline_nothing_is_withdrawn(late_by: timedelta) -> None:
    arrival = replace(WITHDRAWN_IN_TIME, received_at=DEADLINE + late_by, lot_state=LotState.CLOSED)
    refusal = withdrawal_refusals(arrival)[0]
    assert (refusal.code, refusal.article) == ("late", BIDDING_REGULATION[35])


@pytest.mark.parametrize(
    ("flaw", "code"),
    [
        ({"lot_state": LotState.CLOSING}, "lot_not_open"),
        ({"has_standing_bid": False}, "nothing_to_withdraw"),
        ({"signature_valid": False}, "signature_invalid"),
        ({"sequence": 1}, "outdated_sequence"),
    ],
)
def test_each_flaw_of_a_withdrawal_is_refused(flaw: dict[str, Any], code: str) -> None:
    assert withdrawn(replace(WITHDRAWN_IN_TIME, **flaw)) == [code]


# --- which one counts

submissions = st.lists(
    st.builds(Submitted, st.integers(1, 50), st.booleans()),
    unique_by=lambda one: one.sequence,
    max_size=12,
)


def test_the_last_one_counts() -> None:
    first, second = Submitted(1, False), Submitted(2, False)
    assert standing_submission([first, second]) == second
    assert standing_submission([second, first]) == second


def test_a_withdrawal_leaves_nothing_until_the_next_bid() -> None:
    bid, withdrawal, again = Submitted(1, False), Submitted(2, True), Submitted(3, False)
    assert standing_submission([]) is None
    assert standing_submission([bid, withdrawal]) is None
    assert standing_submission([bid, withdrawal, again]) == again


@given(submissions, st.randoms())
def test_what_counts_does_not_depend_on_the_order_of_telling(
    told: list[Submitted], dice: Any
) -> None:
    shuffled = list(told)
    dice.shuffle(shuffled)
    assert standing_submission(shuffled) == standing_submission(told)
