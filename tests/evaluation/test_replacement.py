"""Who may be replaced though he did not step aside. Bidding Law 37; Bidding Regulation 48, 62;
Electronic Bidding Measures 32."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.replacement import (
    ABSENCE_GRACE,
    Absence,
    ReplacementFacts,
    ReplacementGround,
    absent_from,
    replacement_refusals,
)
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION

EXPECTED = datetime(2026, 5, 6, 1, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
AWAY = Absence(at=EXPECTED + ABSENCE_GRACE, expected_since=EXPECTED, present=False)
BAR = Refusal("barred", BIDDING_REGULATION[71], "处于禁止参加评标期内")
ABSENT = ReplacementFacts(
    ReplacementGround.ABSENT, AWAY, bars=(), in_evaluation=True, suspended=False
)
BARRED = replace(ABSENT, ground=ReplacementGround.BARRED, bars=(BAR,))


def codes(facts: ReplacementFacts) -> set[str]:
    return {one.code for one in replacement_refusals(facts)}


def test_who_does_not_come_is_replaced_once_the_whole_grace_has_passed() -> None:
    assert codes(ABSENT) == set()
    early = replace(ABSENT, absence=replace(AWAY, at=AWAY.at - INSTANT))
    assert codes(early) == {"too_early"}
    (refusal,) = replacement_refusals(early)
    assert refusal.article == BIDDING_REGULATION[48]
    assert refusal.facts["not_before"] == "2026-05-06T01:30:00Z"


def test_whoever_sits_at_the_seat_is_not_absent() -> None:
    there = replace(ABSENT, absence=replace(AWAY, present=True))
    assert codes(there) == {"at_seat"}


@given(missing=st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=9)))
def test_a_lost_line_counts_from_the_end_of_the_last_lease(missing: timedelta) -> None:
    later = replace(AWAY, at=EXPECTED + timedelta(hours=9), missing=missing)
    refused = codes(replace(ABSENT, absence=later))
    assert refused == (set() if missing >= ABSENCE_GRACE else {"too_early"})


def test_what_came_before_the_member_was_expected_does_not_count() -> None:
    """The lot was suspended, or handed over late: nobody could have sat."""
    later = replace(AWAY, expected_since=AWAY.at, missing=timedelta(hours=3))
    assert absent_from(later) == AWAY.at + ABSENCE_GRACE
    assert codes(replace(ABSENT, absence=later)) == {"too_early"}


def test_a_bar_counts_at_once_and_needs_to_be_one() -> None:
    there = replace(AWAY, at=EXPECTED, present=True)
    assert codes(replace(BARRED, absence=there)) == set()
    assert codes(replace(BARRED, bars=())) == {"not_barred"}
    assert codes(replace(BARRED, suspended=True)) == set()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(ABSENT, in_evaluation=False), "not_in_evaluation"),
        (replace(ABSENT, suspended=True), "suspended"),
    ],
)
def test_where_nobody_can_work_nobody_is_absent(facts: ReplacementFacts, code: str) -> None:
    assert codes(facts) == {code}


def test_a_province_may_set_another_grace() -> None:
    assert (
        replacement_refusals(
            replace(ABSENT, absence=replace(AWAY, at=EXPECTED + timedelta(minutes=10))),
            grace=timedelta(minutes=10),
        )
        == []
    )
