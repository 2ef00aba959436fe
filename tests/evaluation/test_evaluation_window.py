"""When an evaluation may take longer, and by whose word. Bidding Regulation 48."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.evaluation_window import (
    EXTENSION_MAX,
    EXTENSION_MIN,
    ExtensionGround,
    WindowFacts,
    extended,
    extension_refusals,
    keepers_ground,
    tenderees_ground,
)
from evaluation.rules.session_protocol import Phase, overlap_refusals
from kernel.statute import BIDDING_REGULATION, E_BIDDING_MEASURES

FROM = datetime(2026, 5, 6, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
AT_WORK = WindowFacts(
    at=FROM + HOUR,
    window_from=FROM,
    window_until=FROM + 8 * HOUR,
    phase=Phase.WORKING,
    members=5,
    asked=0,
)


@given(members=st.integers(5, 99), asked=st.integers(0, 99))
def test_more_than_a_third_and_not_a_third_itself(members: int, asked: int) -> None:
    facts = replace(AT_WORK, members=members, asked=asked)
    expected = ExtensionGround.MEMBERS_ASKED if 3 * asked > members else None
    assert tenderees_ground(facts) == expected


def test_without_a_ground_it_is_refused_by_its_article() -> None:
    asked = replace(AT_WORK, asked=1)
    (refusal,) = extension_refusals(asked, ground=tenderees_ground(asked), more=HOUR)
    assert (refusal.code, refusal.article) == ("too_few_asked", BIDDING_REGULATION[48])
    assert refusal.facts == {"asked": "1", "members": "5"}


def test_before_the_work_has_begun_whoever_tenders_decides() -> None:
    waiting = replace(AT_WORK, phase=Phase.CONVENING)
    assert tenderees_ground(waiting) is ExtensionGround.NOT_BEGUN
    assert tenderees_ground(replace(waiting, at=FROM)) is ExtensionGround.NOT_BEGUN
    early = replace(waiting, at=FROM - timedelta(microseconds=1))
    assert tenderees_ground(early) is None


@pytest.mark.parametrize("phase", list(Phase))
def test_the_keeper_gives_time_while_work_is_broken_off_alone(phase: Phase) -> None:
    found = keepers_ground(replace(AT_WORK, phase=phase, asked=5))
    assert found == (ExtensionGround.INTERRUPTED if phase is Phase.PAUSED else None)


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        (EXTENSION_MIN, True),
        (EXTENSION_MAX, True),
        (EXTENSION_MIN - timedelta(minutes=1), False),
        (EXTENSION_MAX + timedelta(minutes=1), False),
    ],
)
def test_so_much_is_added_at_a_time(more: timedelta, *, fits: bool) -> None:
    found = extension_refusals(AT_WORK, ground=ExtensionGround.INTERRUPTED, more=more)
    assert [one.code for one in found] == ([] if fits else ["extension_unfit"])


def test_a_window_that_is_over_is_prolonged_from_now() -> None:
    assert extended(AT_WORK, HOUR) == AT_WORK.window_until + HOUR
    late = replace(AT_WORK, at=AT_WORK.window_until + HOUR)
    assert extended(late, HOUR) == late.at + HOUR


def test_seats_that_another_committee_needs_are_named() -> None:
    """Electronic Bidding Measures 33: a member works at the seat it was given."""
    assert overlap_refusals([]) == []
    (refusal,) = overlap_refusals([2, 5])
    assert (refusal.code, refusal.article) == ("seats_taken", E_BIDDING_MEASURES[33])
    assert "2、5" in refusal.reason
