"""Bidding Regulation 36: what the rehearsal takes for a bid refused a second too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel.crypto.digests import instant_text
from web.client import Problem
from web.rehearsal.act_submission import refused_in_time

DUE = datetime(2026, 3, 26, 1, 30, tzinfo=UTC)
SETTLE = timedelta(seconds=3)
CLOSING = DUE + SETTLE + timedelta(milliseconds=200)


def late(received_at: datetime, *, due_at: datetime = DUE, more: int = 0) -> Problem:
    ground: dict[str, Any] = {
        "code": "late",
        "facts": {"received_at": instant_text(received_at), "bids_due_at": instant_text(due_at)},
    }
    return Problem(409, "refused", [ground, *[{"code": "other"}] * more], {})


def judged(problem: Problem | None, *, closing_at: datetime = CLOSING) -> bool:
    return refused_in_time(problem, due_at=DUE, settle=SETTLE, closing_at=closing_at)


@pytest.mark.parametrize("after_s", [1.0, 1.05, 2.999])
def test_a_bid_one_second_late_and_before_the_closing_counts(after_s: float) -> None:
    assert judged(late(DUE + timedelta(seconds=after_s)))


@pytest.mark.parametrize("after_s", [-1.0, 0.0, 0.999, 3.0, 3.257])
def test_one_that_was_early_or_came_when_the_lot_was_closed_anyway_does_not(
    after_s: float,
) -> None:
    assert not judged(late(DUE + timedelta(seconds=after_s)))


def test_a_platform_that_takes_it_in_or_refuses_it_for_something_else_fails() -> None:
    second = DUE + timedelta(seconds=1)
    assert not judged(None), "it was accepted"
    assert not judged(late(second, more=1)), "its time was not the only ground"
    assert not judged(late(second, due_at=DUE + timedelta(days=3))), "by another deadline"
    assert not judged(late(second), closing_at=second), "the closing had begun"
    assert not judged(Problem(409, "refused", [{"code": "late"}], {})), "without the times"
