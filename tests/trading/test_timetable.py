"""The statutory periods and the moments that come by themselves.

Bidding Law 23, 24, 34; Bidding Regulation 16, 21, 25, 54; Electronic Bidding Measures 22, 27, 30;
Government Procurement Law 35; Government Procurement Regulation 31, 38; Procurement Tender Measures
16, 23, 27. Known from memory, so that they only warn: Non-tender Procurement Measures 29, 45;
Competitive Consultation Measures 7, 10.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, CIVIL_CODE, PROCUREMENT_LAW
from kernel.working_days import BEIJING, STATE_CALENDAR, Calendar, YearNotice, beijing_day, last_day
from trading.rules.lot_lifecycle import LAWFUL_MOVES, LotMove, LotState
from trading.rules.procedures import Procedure, switches_of
from trading.rules.timetable import (
    Clarification,
    Due,
    Timetable,
    amendment_refusals,
    clarification_cautions,
    clarification_refusals,
    must_move_deadline,
    next_due,
    timetable_cautions,
    timetable_refusals,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


MANDATORY = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
VOLUNTARY = switches_of(Procedure.OPEN_TENDER_VOLUNTARY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
QUOTATIONS = switches_of(Procedure.REQUEST_FOR_QUOTATIONS, on=date(2026, 3, 2))
CONSULTATION = switches_of(Procedure.COMPETITIVE_CONSULTATION, on=date(2026, 3, 2))
SINGLE_SOURCE = switches_of(Procedure.SINGLE_SOURCE, on=date(2026, 3, 2))

SHORTEST = Timetable(
    published_at=at("2026-03-02T09:00:00"),
    documents_from=at("2026-03-02T09:00:00"),
    documents_until=at("2026-03-09T17:00:00"),
    bids_due_at=at("2026-03-23T09:30:00"),
    release_window=timedelta(minutes=30),
    publicity_days=3,
    validity_days=90,
)
SECOND = timedelta(seconds=1)


def codes(timetable: Timetable, switches: object = MANDATORY) -> list[str]:
    assert isinstance(switches, type(MANDATORY))
    return [one.code for one in timetable_refusals(timetable, switches, calendar=STATE_CALENDAR)]


@pytest.mark.accepts("NO-04", "NO-09", "NO-13", "AW-01")
def test_the_shortest_lawful_timetable_is_allowed() -> None:
    assert codes(SHORTEST) == []


@pytest.mark.refuses("NO-09")
def test_a_twentieth_day_that_is_a_sunday_is_not_enough() -> None:
    short = replace(SHORTEST, bids_due_at=at("2026-03-22T23:59:59"))
    found = timetable_refusals(short, MANDATORY, calendar=STATE_CALENDAR)
    assert [one.code for one in found] == ["bidding_too_short"]
    assert found[0].article == BIDDING_LAW[24]
    assert found[0].facts == {"start": "2026-03-02", "earliest": "2026-03-23"}


def test_midnight_belongs_to_the_day_it_ends() -> None:
    assert codes(replace(SHORTEST, bids_due_at=at("2026-03-23T00:00:00"))) == ["bidding_too_short"]
    assert codes(replace(SHORTEST, bids_due_at=at("2026-03-23T00:00:01"))) == []


def test_nineteen_days_are_refused_and_twenty_are_not() -> None:
    start = replace(
        SHORTEST,
        published_at=at("2026-03-03T16:00:00"),
        documents_from=at("2026-03-03T16:00:00"),
        documents_until=at("2026-03-10T17:00:00"),
    )
    assert codes(replace(start, bids_due_at=at("2026-03-22T16:00:00"))) == ["bidding_too_short"]
    assert codes(replace(start, bids_due_at=at("2026-03-23T09:00:00"))) == []


def test_the_period_runs_from_the_notice_where_documents_are_promised_earlier() -> None:
    late = replace(SHORTEST, published_at=at("2026-03-04T09:00:00"))
    assert codes(late) == ["bidding_too_short"]


@given(st.dates(date(2026, 1, 1), date(2026, 9, 1)), st.integers(0, 60), st.integers(1, 86399))
def test_a_deadline_is_lawful_exactly_from_the_last_of_the_twenty_days(
    day: date, days: int, second: int
) -> None:
    start = datetime.combine(day, at("2026-01-01T09:00:00").timetz())
    due = datetime.combine(day + timedelta(days=days), at("2026-01-01T00:00:00").timetz())
    due += timedelta(seconds=second)
    if due <= start:
        return
    timetable = replace(
        SHORTEST, published_at=start, documents_from=start, documents_until=due, bids_due_at=due
    )
    too_short = "bidding_too_short" in codes(timetable)
    assert too_short is (beijing_day(due) < last_day(day, 20))


@pytest.mark.refuses("NO-04")
def test_documents_on_offer_for_four_days_are_refused() -> None:
    short = replace(SHORTEST, documents_until=at("2026-03-06T17:00:00"))
    found = timetable_refusals(short, MANDATORY, calendar=STATE_CALENDAR)
    assert [one.code for one in found] == ["documents_too_short"]
    assert found[0].article == BIDDING_REGULATION[16]


def test_a_fifth_day_that_is_a_rest_day_runs_on_to_monday() -> None:
    saturday = replace(
        SHORTEST,
        published_at=at("2026-03-03T09:00:00"),
        documents_from=at("2026-03-03T09:00:00"),
        documents_until=at("2026-03-08T17:00:00"),
        bids_due_at=at("2026-03-24T09:00:00"),
    )
    assert codes(saturday) == ["documents_too_short"]
    assert codes(replace(saturday, documents_until=at("2026-03-09T09:00:00"))) == []


def test_a_voluntary_tender_has_no_least_bidding_period() -> None:
    brief = replace(SHORTEST, bids_due_at=at("2026-03-10T09:00:00"), publicity_days=0)
    assert codes(brief, VOLUNTARY) == []
    assert codes(brief, MANDATORY) == ["bidding_too_short", "publicity_too_short"]


@pytest.mark.accepts("NO-05")
@pytest.mark.refuses("NO-05")
def test_procurement_counts_working_days_for_notice_and_documents() -> None:
    over_the_holiday = Timetable(
        published_at=at("2026-09-28T09:00:00"),
        documents_from=at("2026-09-28T09:00:00"),
        documents_until=at("2026-10-09T17:00:00"),
        bids_due_at=at("2026-10-19T09:30:00"),
        release_window=timedelta(minutes=30),
        publicity_days=0,
        validity_days=90,
    )
    assert codes(over_the_holiday, PROCUREMENT) == ["documents_too_short"]
    enough = replace(over_the_holiday, documents_until=at("2026-10-10T17:00:00"))
    assert codes(enough, PROCUREMENT) == []
    short = replace(enough, bids_due_at=at("2026-10-16T09:30:00"))
    found = timetable_refusals(short, PROCUREMENT, calendar=STATE_CALENDAR)
    assert [(one.code, one.article) for one in found] == [
        ("bidding_too_short", PROCUREMENT_LAW[35])
    ]


def test_the_notice_of_a_procurement_stays_out_five_working_days() -> None:
    hasty = replace(
        SHORTEST,
        documents_until=at("2026-03-06T09:00:00"),
        bids_due_at=at("2026-03-06T09:30:00"),
        publicity_days=0,
    )
    assert codes(hasty, PROCUREMENT) == [
        "bidding_too_short",
        "notice_too_short",
        "documents_too_short",
    ]


@pytest.mark.refuses("NO-13", "AW-01")
def test_a_validity_a_window_and_the_publicity_must_be_stated() -> None:
    bare = replace(SHORTEST, validity_days=0, release_window=timedelta(0), publicity_days=2)
    assert codes(bare) == ["validity_missing", "no_release_window", "publicity_too_short"]
    assert codes(replace(SHORTEST, publicity_days=-1), VOLUNTARY) == ["publicity_too_short"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"documents_until": at("2026-03-02T09:00:00")},
        {"documents_until": at("2026-03-23T09:30:01")},
        {"documents_from": at("2026-03-24T09:30:00")},
    ],
)
def test_times_out_of_order_are_refused_before_anything_is_counted(
    wrong: dict[str, datetime],
) -> None:
    assert codes(replace(SHORTEST, **wrong)) == ["times_out_of_order"]  # type: ignore[arg-type]  # instants only


def test_a_deadline_before_the_notice_is_refused() -> None:
    assert "deadline_in_the_past" in codes(
        replace(SHORTEST, published_at=at("2026-03-23T09:30:00"))
    )


def test_a_year_without_a_calendar_is_refused_clearly_until_it_is_given() -> None:
    into_next_year = Timetable(
        published_at=at("2026-12-15T09:00:00"),
        documents_from=at("2026-12-15T09:00:00"),
        documents_until=at("2026-12-22T17:00:00"),
        bids_due_at=at("2027-01-05T09:30:00"),
        release_window=timedelta(minutes=30),
        publicity_days=3,
        validity_days=90,
    )
    found = timetable_refusals(into_next_year, MANDATORY, calendar=STATE_CALENDAR)
    assert [(one.code, one.article) for one in found] == [("calendar_missing", CIVIL_CODE[203])]
    assert "2027年" in found[0].reason
    known = Calendar({2027: YearNotice(2027, frozenset({date(2027, 1, 1)}), frozenset())})
    assert timetable_refusals(into_next_year, MANDATORY, calendar=known) == []


# --- clarifications

DUE = at("2026-04-20T09:30:00")


def clarified(
    published_at: datetime, new_bids_due_at: datetime = DUE, **more: bool
) -> Clarification:
    return Clarification(
        published_at=published_at,
        may_affect_bids=more.get("may_affect_bids", True),
        bids_due_at=DUE,
        new_bids_due_at=new_bids_due_at,
        changes_object=more.get("changes_object", False),
    )


def test_fourteen_days_before_the_deadline_moves_it_to_the_21st() -> None:
    clarified_at = at("2026-04-06T10:00:00")
    assert must_move_deadline(clarified_at, DUE, MANDATORY, calendar=STATE_CALENDAR) == date(
        2026, 4, 21
    )
    found = clarification_refusals(clarified(clarified_at), MANDATORY, calendar=STATE_CALENDAR)
    assert [(one.code, one.facts["earliest"]) for one in found] == [
        ("deadline_must_move", "2026-04-21")
    ]
    moved = clarified(clarified_at, at("2026-04-21T09:30:00"))
    assert clarification_refusals(moved, MANDATORY, calendar=STATE_CALENDAR) == []


def test_fifteen_days_before_the_deadline_moves_nothing() -> None:
    assert (
        must_move_deadline(at("2026-04-03T23:59:59"), DUE, MANDATORY, calendar=STATE_CALENDAR)
        is None
    )


@given(st.integers(-30 * 86400, 86400))
def test_a_deadline_stays_exactly_while_fifteen_days_are_left(seconds: int) -> None:
    clarified_at = DUE - timedelta(days=15) + timedelta(seconds=seconds)
    earliest = last_day(beijing_day(clarified_at), 15)
    stays = must_move_deadline(clarified_at, DUE, MANDATORY, calendar=STATE_CALENDAR) is None
    assert stays is (beijing_day(DUE) >= earliest)


def test_a_clarification_that_affects_no_bid_moves_nothing() -> None:
    late = clarified(at("2026-04-19T09:00:00"), may_affect_bids=False)
    assert clarification_refusals(late, MANDATORY, calendar=STATE_CALENDAR) == []


def test_after_the_deadline_nothing_is_clarified() -> None:
    late = clarified(DUE, may_affect_bids=False)
    assert [
        one.code for one in clarification_refusals(late, MANDATORY, calendar=STATE_CALENDAR)
    ] == ["deadline_reached"]
    in_time = clarified(DUE - SECOND, may_affect_bids=False)
    assert clarification_refusals(in_time, MANDATORY, calendar=STATE_CALENDAR) == []


def test_a_clarification_never_brings_the_deadline_forward() -> None:
    earlier = clarified(at("2026-03-20T09:00:00"), DUE - SECOND)
    assert [
        one.code for one in clarification_refusals(earlier, MANDATORY, calendar=STATE_CALENDAR)
    ] == ["deadline_brought_forward"]


def test_a_procurement_keeps_its_object_and_qualifications() -> None:
    changed = clarified(at("2026-03-20T09:00:00"), changes_object=True)
    assert clarification_refusals(changed, MANDATORY, calendar=STATE_CALENDAR) == []
    assert [
        one.code for one in clarification_refusals(changed, PROCUREMENT, calendar=STATE_CALENDAR)
    ] == ["object_changed"]


# --- amendments

LATER = replace(SHORTEST, bids_due_at=SHORTEST.bids_due_at + timedelta(days=3))


def amended(now: datetime, new: Timetable = LATER, **exceptions: bool) -> list[str]:
    return [one.code for one in amendment_refusals(now, SHORTEST, new, **exceptions)]


@pytest.mark.accepts("OP-01")
def test_a_timetable_is_amended_until_the_second_before_its_deadline() -> None:
    assert amended(SHORTEST.bids_due_at - SECOND) == []
    assert amended(SHORTEST.bids_due_at) == ["deadline_reached"]


@pytest.mark.refuses("OP-01")
@given(st.timedeltas(timedelta(0), timedelta(days=2)))
def test_once_the_deadline_is_reached_only_an_exception_moves_it(passed: timedelta) -> None:
    now = SHORTEST.bids_due_at + passed
    assert amended(now) == ["deadline_reached"]
    assert amended(now, outage_certified=True) == []
    assert amended(now, suspended=True) == []


@given(st.timedeltas(timedelta(microseconds=1), timedelta(days=5)))
def test_a_deadline_is_never_brought_forward(earlier: timedelta) -> None:
    new = replace(SHORTEST, bids_due_at=SHORTEST.bids_due_at - earlier)
    assert "deadline_brought_forward" in amended(SHORTEST.published_at, new)


def test_what_was_promised_is_not_shortened() -> None:
    worse = replace(
        SHORTEST,
        documents_from=SHORTEST.documents_from + SECOND,
        documents_until=SHORTEST.documents_until - SECOND,
        validity_days=89,
        release_window=timedelta(minutes=29),
        publicity_days=2,
    )
    assert amended(SHORTEST.published_at, worse) == [
        "documents_shortened",
        "validity_shortened",
        "window_shortened",
        "publicity_shortened",
    ]


def test_a_new_deadline_lies_ahead() -> None:
    now = LATER.bids_due_at
    assert "deadline_in_the_past" in amended(now, outage_certified=True)
    assert amended(now - SECOND, outage_certified=True) == []


def test_an_amended_offer_of_documents_ends_by_the_deadline() -> None:
    beyond = replace(SHORTEST, documents_until=SHORTEST.bids_due_at + SECOND)
    assert amended(SHORTEST.published_at, beyond) == ["times_out_of_order"]


# --- what comes by itself

CLOSER = SHORTEST.bids_due_at + timedelta(seconds=2)


def test_a_lot_wakes_for_its_closing_two_seconds_after_the_deadline() -> None:
    assert next_due(LotState.OPEN, SHORTEST) == Due(CLOSER, LotMove.BEGIN_CLOSING)
    assert next_due(LotState.CLOSING, SHORTEST) == Due(CLOSER, LotMove.CLOSE)
    assert next_due(LotState.CLOSED, SHORTEST) == Due(CLOSER, LotMove.BEGIN_OPENING)


def test_an_opening_is_due_when_its_window_ends() -> None:
    until = at("2026-03-23T10:05:00")
    begun = replace(SHORTEST, release_until=until)
    assert next_due(LotState.OPENING, begun) == Due(until, LotMove.FINISH_OPENING)
    assert next_due(LotState.OPENING, SHORTEST) == Due(
        CLOSER + SHORTEST.release_window, LotMove.FINISH_OPENING
    )


def test_published_candidates_wait_for_the_end_of_their_publicity() -> None:
    until = at("2026-05-12T00:00:00")
    published = replace(SHORTEST, candidates_until=until)
    assert next_due(LotState.CANDIDATES_PUBLISHED, published) == Due(until, LotMove.END_STANDSTILL)
    assert next_due(LotState.CANDIDATES_PUBLISHED, SHORTEST) is None


@pytest.mark.parametrize("state", LotState)
def test_what_is_due_is_lawful_and_never_while_suspended(state: LotState) -> None:
    full = replace(SHORTEST, candidates_until=at("2026-05-12T00:00:00"))
    due = next_due(state, full)
    assert due is None or (state, due.move) in LAWFUL_MOVES
    assert next_due(state, full, suspended=True) is None


# ── periods that only warn ────────────────────────────────────────────────────────────────────


@pytest.mark.refuses("NB-03")
def test_an_inquiry_shorter_than_three_working_days_is_warned_of_and_not_refused() -> None:
    short = replace(
        SHORTEST,
        documents_until=at("2026-03-04T17:00:00"),
        bids_due_at=at("2026-03-04T17:00:00"),
    )
    assert codes(short, QUOTATIONS) == []
    found = timetable_cautions(short, QUOTATIONS, calendar=STATE_CALENDAR)
    assert [one.code for one in found] == ["bidding_too_short", "documents_too_short"]


@pytest.mark.accepts("NB-03")
def test_an_inquiry_of_three_working_days_is_neither() -> None:
    enough = replace(
        SHORTEST,
        documents_until=at("2026-03-05T17:00:00"),
        bids_due_at=at("2026-03-05T17:00:00"),
    )
    assert codes(enough, QUOTATIONS) == []
    assert timetable_cautions(enough, QUOTATIONS, calendar=STATE_CALENDAR) == []


@pytest.mark.refuses("NB-08")
def test_a_consultation_that_gives_nine_days_is_warned_of() -> None:
    short = replace(SHORTEST, bids_due_at=at("2026-03-11T17:00:00"))
    found = timetable_cautions(short, CONSULTATION, calendar=STATE_CALENDAR)
    assert [one.code for one in found] == ["bidding_too_short"]


@pytest.mark.accepts("NB-08")
def test_a_consultation_that_gives_ten_days_is_not() -> None:
    enough = replace(SHORTEST, bids_due_at=at("2026-03-12T17:00:00"))
    assert timetable_cautions(enough, CONSULTATION, calendar=STATE_CALENDAR) == []


def test_what_has_been_read_refuses_and_does_not_warn_too() -> None:
    short = replace(SHORTEST, bids_due_at=at("2026-03-10T09:30:00"))
    assert codes(short) == ["bidding_too_short"]
    assert timetable_cautions(short, MANDATORY, calendar=STATE_CALENDAR) == []


@pytest.mark.refuses("NB-06")
def test_a_single_source_published_for_four_working_days_is_refused() -> None:
    short = replace(
        SHORTEST,
        documents_until=at("2026-03-06T17:00:00"),
        bids_due_at=at("2026-03-06T17:00:00"),
    )
    assert codes(short, SINGLE_SOURCE) == ["notice_too_short"]


@pytest.mark.accepts("NB-06")
def test_a_single_source_published_for_five_working_days_is_lawful() -> None:
    enough = replace(
        SHORTEST,
        documents_until=at("2026-03-09T17:00:00"),
        bids_due_at=at("2026-03-09T17:00:00"),
    )
    assert codes(enough, SINGLE_SOURCE) == []


def test_times_out_of_order_are_refused_by_the_principle_where_the_period_only_warns() -> None:
    odd = replace(SHORTEST, documents_until=SHORTEST.documents_from)
    found = timetable_refusals(odd, QUOTATIONS, calendar=STATE_CALENDAR)
    assert [(one.code, one.article) for one in found] == [
        ("times_out_of_order", QUOTATIONS.principle)
    ]


def test_a_late_change_to_an_inquiry_is_warned_of() -> None:
    change = Clarification(
        published_at=at("2026-03-04T09:00:00"),
        may_affect_bids=True,
        bids_due_at=at("2026-03-05T09:00:00"),
        new_bids_due_at=at("2026-03-05T09:00:00"),
    )
    assert clarification_refusals(change, QUOTATIONS, calendar=STATE_CALENDAR) == []
    found = clarification_cautions(change, QUOTATIONS, calendar=STATE_CALENDAR)
    assert [(one.code, one.facts) for one in found] == [
        ("deadline_must_move", {"earliest": "2026-03-09"})
    ]
    assert clarification_cautions(change, MANDATORY, calendar=STATE_CALENDAR) == []
