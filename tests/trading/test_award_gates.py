"""What stands between report and award notice.

Bidding Law 26, 45, 46, 47; Bidding Regulation 53, 54, 55, 57, 62; Notice Measures 6; Electronic
Bidding Measures 36; Government Procurement Law 22; Government Procurement Regulation 43;
Procurement Tender Measures 68; and, warning only, Committee Provisions 40.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.identifiers import PartyId
from kernel.statute import BIDDING_LAW, PROCUREMENT_LAW
from kernel.working_days import BEIJING, STATE_CALENDAR
from trading.rules.award_gates import (
    AwardGate,
    Publicity,
    award_cautions,
    award_deadlines,
    award_refusals,
    candidates_until,
    publicity_cautions,
    publicity_refusals,
    security_return_on,
    validity_until,
)
from trading.rules.bid_admission import CitedBar
from trading.rules.procedures import Procedure, Switches, switches_of
from trading.rules.winner_choice import Candidate

MANDATORY = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
VOLUNTARY = switches_of(Procedure.OPEN_TENDER_VOLUNTARY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
INSTANT = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def candidates(*ranks: int) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(PartyId(UUID(int=place)), f"第{rank}名", rank)
        for place, rank in enumerate(ranks, 1)
    )


PUBLICITY = Publicity(
    candidates=candidates(1, 2, 3),
    report_received_at=at("2026-05-06T16:00:00"),
    published_at=at("2026-05-08T10:00:00"),
    days=3,
)
UNTIL = at("2026-05-12T00:00:00")
GATE = AwardGate(
    now=UNTIL,
    candidates_until=UNTIL,
    open_objections=0,
    winner_bar=None,
    bids_due_at=at("2026-04-20T09:30:00"),
    validity_days=90,
)
BAR = CitedBar("某市财政局", "财罚〔2026〕3号", "第53条", date(2026, 5, 1), date(2027, 5, 1))


def published(publicity: Publicity, switches: Switches = MANDATORY) -> list[str]:
    return [one.code for one in publicity_refusals(publicity, switches)]


def gated(gate: AwardGate, switches: Switches = MANDATORY) -> list[str]:
    return [one.code for one in award_refusals(gate, switches)]


@pytest.mark.accepts("AW-01", "AW-02")
def test_three_ranked_candidates_are_published_for_three_days() -> None:
    assert published(PUBLICITY) == []
    assert (
        candidates_until(PUBLICITY.published_at, PUBLICITY.days, calendar=STATE_CALENDAR) == UNTIL
    )


@pytest.mark.parametrize(
    ("ranks", "code"),
    [
        ((), "no_candidates"),
        ((1, 2, 3, 4), "too_many_candidates"),
        ((2,), "ranks_broken"),
        ((1, 1, 2), "ranks_broken"),
        ((1, 3), "ranks_broken"),
    ],
)
def test_candidates_are_one_to_three_and_ranked_without_gaps(
    ranks: tuple[int, ...], code: str
) -> None:
    assert published(replace(PUBLICITY, candidates=candidates(*ranks))) == [code]


@pytest.mark.refuses("AW-01")
def test_two_days_are_too_short_where_three_are_due() -> None:
    brief = replace(PUBLICITY, days=2)
    assert published(brief) == ["publicity_too_short"]
    assert published(brief, VOLUNTARY) == []


@pytest.mark.refuses("AW-02")
def test_what_the_publicity_lacks_is_named_where_the_law_asks_for_it() -> None:
    bare = replace(PUBLICITY, lacks=("质量", "工期"), states_objection_channel=False)
    assert published(bare) == ["publicity_lacks", "publicity_lacks", "no_objection_channel"]
    assert published(bare, PROCUREMENT) == []


def test_candidates_published_after_three_days_are_warned_of() -> None:
    due = at("2026-05-10T00:00:00")
    for moment, warned in ((due - INSTANT, []), (due, ["published_late"])):
        found = publicity_cautions(
            replace(PUBLICITY, published_at=moment), MANDATORY, calendar=STATE_CALENDAR
        )
        assert [one.code for one in found] == warned
    assert (
        publicity_cautions(replace(PUBLICITY, published_at=due), VOLUNTARY, calendar=STATE_CALENDAR)
        == []
    )


@pytest.mark.accepts("AW-08")
def test_an_award_is_due_from_the_instant_the_publicity_ends() -> None:
    assert gated(GATE) == []
    assert gated(replace(GATE, now=UNTIL - INSTANT)) == ["publicity_running"]


@pytest.mark.refuses("AW-08")
@given(st.timedeltas(timedelta(days=-10), timedelta(days=10)))
def test_no_award_leaves_before_the_publicity_ends(off: timedelta) -> None:
    assert ("publicity_running" in gated(replace(GATE, now=UNTIL + off))) is (off < timedelta(0))


def test_candidates_that_were_never_published_are_not_awarded() -> None:
    assert gated(replace(GATE, candidates_until=None)) == ["not_published"]


def test_an_open_objection_holds_the_award_up_under_the_tendering_law() -> None:
    assert gated(replace(GATE, open_objections=1)) == ["objection_open"]
    assert gated(replace(GATE, open_objections=1), PROCUREMENT) == []


def test_a_complaint_that_suspends_holds_the_award_up() -> None:
    assert gated(replace(GATE, deciding_complaints=1)) == ["complaint_open"]


@pytest.mark.parametrize(
    ("switches", "article"), [(MANDATORY, BIDDING_LAW[26]), (PROCUREMENT, PROCUREMENT_LAW[22])]
)
def test_a_barred_winner_waits_and_nobody_steps_up(switches: Switches, article: object) -> None:
    found = award_refusals(replace(GATE, winner_bar=BAR), switches)
    assert [(one.code, one.article) for one in found] == [("winner_barred", article)]
    assert "财罚〔2026〕3号" in found[0].reason
    assert "不因此递补" in found[0].reason
    assert gated(replace(GATE, winner_bar=None), switches) == []


def test_an_award_after_the_validity_only_warns() -> None:
    until = validity_until(GATE.bids_due_at, GATE.validity_days)
    assert until == at("2026-07-20T00:00:00")
    assert award_cautions(replace(GATE, now=until - INSTANT)) == []
    late = replace(GATE, now=until)
    assert [one.code for one in award_cautions(late)] == ["validity_expired"]
    assert gated(late) == []


def test_what_follows_an_award_has_its_last_days() -> None:
    assert award_deadlines(date(2026, 6, 1), MANDATORY, calendar=STATE_CALENDAR) == {
        "contract": date(2026, 7, 1),
        "report": date(2026, 6, 16),
    }
    assert award_deadlines(date(2026, 6, 1), VOLUNTARY, calendar=STATE_CALENDAR) == {
        "contract": date(2026, 7, 1)
    }
    assert award_deadlines(date(2026, 9, 28), PROCUREMENT, calendar=STATE_CALENDAR) == {
        "contract": date(2026, 10, 28),
        "losers_security": date(2026, 10, 10),
    }


def test_securities_go_back_five_days_after_the_contract() -> None:
    assert security_return_on(date(2026, 6, 29), MANDATORY, calendar=STATE_CALENDAR) == date(
        2026, 7, 6
    )
    assert security_return_on(date(2026, 9, 28), PROCUREMENT, calendar=STATE_CALENDAR) == date(
        2026, 10, 10
    )
