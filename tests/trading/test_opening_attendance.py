"""Who is at an opening, and that nothing is left out: Bidding Law 36; Procurement Tender Measures
39, 40, 41, 42.
"""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import Regime
from trading.rules.opening_attendance import (
    accepts_result,
    attendance_cautions,
    unopened_refusals,
)

bids = st.frozensets(st.integers(0, 12).map(lambda n: UUID(int=n)), max_size=8)


@pytest.mark.accepts("OP-07")
@given(bids)
def test_an_opening_with_an_outcome_for_every_bid_may_end(counted: frozenset[UUID]) -> None:
    assert unopened_refusals(counted, counted) == []


@pytest.mark.refuses("OP-07")
@given(bids, bids)
def test_none_is_left_out_and_none_comes_in(
    counted: frozenset[UUID], outcomes: frozenset[UUID]
) -> None:
    found = {one.code for one in unopened_refusals(counted, outcomes)}
    assert ("bids_unopened" in found) is bool(counted - outcomes)
    assert ("bids_uncounted" in found) is bool(outcomes - counted)


@pytest.mark.refuses("OP-06")
def test_evaluators_at_the_opening_and_no_recording_are_warned_of_in_procurement() -> None:
    found = attendance_cautions(evaluators=1, recorded=False, regime=Regime.PROCUREMENT)
    assert [one.code for one in found] == ["evaluators_present", "not_recorded"]


@pytest.mark.accepts("OP-06")
def test_a_recorded_opening_without_them_is_not() -> None:
    assert attendance_cautions(evaluators=0, recorded=True, regime=Regime.PROCUREMENT) == []
    assert attendance_cautions(evaluators=1, recorded=False, regime=Regime.TENDERING) == []


def test_who_is_absent_or_silent_accepts() -> None:
    assert accepts_result(present=False, objected=False)
    assert accepts_result(present=True, objected=False)
    assert not accepts_result(present=True, objected=True)
