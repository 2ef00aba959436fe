"""Bidding Regulation 16: tender documents are on offer for the time the notice promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.document_offer import DocumentRequest, offer_refusals
from trading.rules.lot_lifecycle import LotState

FROM = datetime(2026, 3, 2, 1, tzinfo=UTC)
UNTIL = FROM + timedelta(days=7)
IN_TIME = DocumentRequest(
    asked_at=FROM + timedelta(days=1),
    taken_before=False,
    lot_state=LotState.OPEN,
    offered_from=FROM,
    offered_until=UNTIL,
)


def codes(request: DocumentRequest) -> list[str]:
    return [refusal.code for refusal in offer_refusals(request)]


@given(st.timedeltas(min_value=timedelta(0), max_value=UNTIL - FROM))
def test_documents_are_given_out_from_the_first_to_the_last_moment(after: timedelta) -> None:
    assert codes(replace(IN_TIME, asked_at=FROM + after)) == []


@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=99)))
def test_before_and_after_they_are_not(by: timedelta) -> None:
    assert codes(replace(IN_TIME, asked_at=FROM - by)) == ["documents_not_yet"]
    assert codes(replace(IN_TIME, asked_at=UNTIL + by)) == ["documents_no_longer"]


@pytest.mark.parametrize("state", [state for state in LotState if state is not LotState.OPEN])
def test_a_lot_that_takes_no_bids_gives_none_to_newcomers(state: LotState) -> None:
    assert codes(replace(IN_TIME, lot_state=state)) == ["documents_no_longer"]


@pytest.mark.parametrize("state", list(LotState))
def test_whoever_took_them_before_may_take_them_again(state: LotState) -> None:
    late = replace(IN_TIME, asked_at=UNTIL + timedelta(days=1), lot_state=state)
    assert codes(replace(late, taken_before=True)) == []
