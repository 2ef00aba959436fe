"""That nothing is left out of an opening: Bidding Law 36."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.opening_attendance import unopened_refusals

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
