"""The statutory periods, and the moment at which time alone moves a lot.

Minimum periods are counted in days of the calendar, so a deadline at nine in the morning of the
twenty-first day has its twenty days. A deadline itself is an instant: whatever comes at that very
instant is late.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from kernel.errors import NoCalendar
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CIVIL_CODE,
    CONSULTATION_MEASURES,
    E_BIDDING_MEASURES,
    NON_TENDER_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
    Severity,
    under,
)
from kernel.working_days import BEIJING, Calendar, beijing_day
from trading.rules.lot_lifecycle import LotMove, LotState
from trading.rules.procedures import Period, Switches

CLOSER_DELAY: Final = timedelta(seconds=2)
"""How long after the deadline the closing starts, so that a bid in flight settles first."""

_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Timetable:
    """The times of one lot.

    `published_at` is when the notice was published, or would be now. `release_until` and
    `candidates_until` are known once the opening and the publicity have begun.
    """

    published_at: datetime
    documents_from: datetime
    documents_until: datetime
    bids_due_at: datetime
    release_window: timedelta
    publicity_days: int
    validity_days: int
    closer_delay: timedelta = CLOSER_DELAY
    release_until: datetime | None = None
    candidates_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What happens to a lot by itself, and when."""

    at: datetime
    move: LotMove


@dataclass(frozen=True, slots=True)
class Clarification:
    """A clarification or modification of the tender documents, as it is about to be published.

    `new_bids_due_at` is the deadline it comes with, the old one where it moves nothing.
    `changes_object` says that it changes what is bought or who qualifies.
    """

    published_at: datetime
    may_affect_bids: bool
    bids_due_at: datetime
    new_bids_due_at: datetime
    changes_object: bool = False


@under(
    BIDDING_LAW[24],
    BIDDING_REGULATION[16],
    BIDDING_REGULATION[25],
    BIDDING_REGULATION[54],
    E_BIDDING_MEASURES[30],
    PROCUREMENT_LAW[35],
    PROCUREMENT_REGULATION[31],
    PROCUREMENT_REGULATION[38],
    PROCUREMENT_TENDER_MEASURES[16],
    PROCUREMENT_TENDER_MEASURES[23],
    rule=("NO-04", "NO-05", "NO-09", "NO-13", "AW-01", "NB-06"),
)
def timetable_refusals(
    timetable: Timetable, switches: Switches, *, calendar: Calendar
) -> list[Refusal]:
    """Every statutory minimum that the timetable falls short of.

    Periods start when documents are on offer and the notice is out, whichever is later.
    """
    if not timetable.documents_from < timetable.documents_until <= timetable.bids_due_at:
        offered = switches.documents_period
        return [
            Refusal(
                "times_out_of_order",
                offered.article if offered.binds else switches.principle,
                "招标文件提供开始时间、截止时间与投标截止时间应当依次在后",
            )
        ]
    refusals = []
    try:
        refusals += [
            Refusal(one.code, one.period.article, one.reason, one.facts)
            for one in _shortfalls(timetable, switches, calendar)
            if one.period.binds
        ]
    except NoCalendar as missing:
        refusals.append(calendar_missing(missing))
    return refusals + _other_refusals(timetable, switches)


@under(
    NON_TENDER_MEASURES[29],
    NON_TENDER_MEASURES[45],
    CONSULTATION_MEASURES[7],
    CONSULTATION_MEASURES[10],
    rule=("NB-03", "NB-08"),
    severity=Severity.WARN,
)
def timetable_cautions(
    timetable: Timetable, switches: Switches, *, calendar: Calendar
) -> list[Caution]:
    """Every minimum, known from memory alone, that the timetable falls short of."""
    try:
        return [
            Caution(one.code, one.period.article, one.reason, one.facts)
            for one in _shortfalls(timetable, switches, calendar)
            if not one.period.binds
        ]
    except NoCalendar:
        return []


def must_move_deadline(
    clarified_at: datetime,
    bids_due_at: datetime,
    switches: Switches,
    *,
    calendar: Calendar,
) -> date | None:
    """The first lawful day for the deadline after a clarification; None where it may stay.

    For clarifications that may affect how bids are made (条例 21; 财政部令第87号 27). `NoCalendar`
    where the days cannot be counted.
    """
    earliest = switches.clarification_period.ends_on(beijing_day(clarified_at), calendar=calendar)
    return None if _last_day_of(bids_due_at) >= earliest else earliest


@under(
    BIDDING_LAW[23],
    BIDDING_REGULATION[21],
    PROCUREMENT_TENDER_MEASURES[27],
    E_BIDDING_MEASURES[22],
    rule="NO-10",
)
def clarification_refusals(
    clarification: Clarification, switches: Switches, *, calendar: Calendar
) -> list[Refusal]:
    """Every ground on which a clarification may not go out as it is."""
    period = switches.clarification_period
    article = period.article if period.binds else switches.principle
    refusals = []
    if clarification.published_at >= clarification.bids_due_at:
        reason = f"投标截止时间（{_clock(clarification.bids_due_at)}）已到，不得再澄清或者修改"
        refusals.append(Refusal("deadline_reached", article, reason))
    if clarification.changes_object and switches.regime is Regime.PROCUREMENT:
        reason = "更正内容不得改变采购标的和资格条件"
        refusals.append(Refusal("object_changed", PROCUREMENT_TENDER_MEASURES[27], reason))
    if clarification.new_bids_due_at < clarification.bids_due_at:
        refusals.append(_brought_forward(clarification.bids_due_at))
    if clarification.may_affect_bids and period.binds:
        try:
            moved = _must_move(clarification, switches, calendar)
        except NoCalendar as missing:
            return [*refusals, calendar_missing(missing)]
        refusals += [Refusal(code, article, reason, facts) for code, reason, facts in moved]
    return refusals


@under(
    NON_TENDER_MEASURES[29],
    NON_TENDER_MEASURES[45],
    CONSULTATION_MEASURES[10],
    rule=("NB-03", "NB-08"),
    severity=Severity.WARN,
)
def clarification_cautions(
    clarification: Clarification, switches: Switches, *, calendar: Calendar
) -> list[Caution]:
    """That a change comes later than a period asks which is known from memory alone."""
    period = switches.clarification_period
    if period.binds or not clarification.may_affect_bids:
        return []
    try:
        moved = _must_move(clarification, switches, calendar)
    except NoCalendar:
        return []
    return [Caution(code, period.article, reason, facts) for code, reason, facts in moved]


def _must_move(
    clarification: Clarification, switches: Switches, calendar: Calendar
) -> list[tuple[str, str, dict[str, str]]]:
    earliest = must_move_deadline(
        clarification.published_at, clarification.new_bids_due_at, switches, calendar=calendar
    )
    if earliest is None:
        return []
    reason = (
        f"澄清或者修改发布距投标截止时间不足{switches.clarification_period}，"
        f"应当顺延投标截止时间至{earliest:%Y-%m-%d}或者以后"
    )
    return [("deadline_must_move", reason, {"earliest": earliest.isoformat()})]


@under(
    BIDDING_LAW[24],
    BIDDING_LAW[34],
    BIDDING_REGULATION[16],
    BIDDING_REGULATION[25],
    E_BIDDING_MEASURES[27],
    rule=("NO-04", "NO-10", "OP-01"),
)
def amendment_refusals(
    now: datetime,
    old: Timetable,
    new: Timetable,
    *,
    outage_certified: bool = False,
    suspended: bool = False,
) -> list[Refusal]:
    """Every ground on which a timetable may not be replaced by another.

    Times may only move later, and only while the old deadline lies ahead. A certified outage of
    the platform excepts, and so does a suspension: nobody could bid, and nothing was closed.
    """
    refusals = []
    if now >= old.bids_due_at and not (outage_certified or suspended):
        reason = f"投标截止时间（{_clock(old.bids_due_at)}）已到，不得再变更"
        refusals.append(Refusal("deadline_reached", BIDDING_LAW[34], reason))
    if new.bids_due_at <= now:
        reason = "变更后的投标截止时间应当晚于当前时间"
        refusals.append(Refusal("deadline_in_the_past", BIDDING_LAW[24], reason))
    if new.bids_due_at < old.bids_due_at:
        refusals.append(_brought_forward(old.bids_due_at))
    if new.documents_until < old.documents_until or new.documents_from > old.documents_from:
        reason = "招标文件提供期限只能延长，不得缩短"
        refusals.append(Refusal("documents_shortened", BIDDING_REGULATION[16], reason))
    if not new.documents_from < new.documents_until <= new.bids_due_at:
        reason = "招标文件提供开始时间、截止时间与投标截止时间应当依次在后"
        refusals.append(Refusal("times_out_of_order", BIDDING_REGULATION[16], reason))
    if new.validity_days < old.validity_days:
        reason = "投标有效期不得缩短"
        refusals.append(Refusal("validity_shortened", BIDDING_REGULATION[25], reason))
    if new.release_window < old.release_window:
        reason = "解密时间不得缩短"
        refusals.append(Refusal("window_shortened", E_BIDDING_MEASURES[30], reason))
    if new.publicity_days < old.publicity_days:
        reason = "中标候选人公示期不得缩短"
        refusals.append(Refusal("publicity_shortened", BIDDING_REGULATION[54], reason))
    return refusals


def next_due(state: LotState, timetable: Timetable, *, suspended: bool = False) -> Due | None:
    """The next move that time alone brings about, or None while a person must act.

    A closing that was interrupted is due at once, and so is the opening of a closed lot; whether
    it opens or fails is for the quorum to say. A suspended lot waits.
    """
    if suspended:
        return None
    closing_at = timetable.bids_due_at + timetable.closer_delay
    match state:
        case LotState.OPEN:
            return Due(closing_at, LotMove.BEGIN_CLOSING)
        case LotState.CLOSING:
            return Due(closing_at, LotMove.CLOSE)
        case LotState.CLOSED:
            return Due(closing_at, LotMove.BEGIN_OPENING)
        case LotState.OPENING:
            ends_at = timetable.release_until or closing_at + timetable.release_window
            return Due(ends_at, LotMove.FINISH_OPENING)
        case LotState.CANDIDATES_PUBLISHED if timetable.candidates_until is not None:
            return Due(timetable.candidates_until, LotMove.END_STANDSTILL)
        case _:
            return None


def calendar_missing(missing: NoCalendar) -> Refusal:
    """The refusal of whoever needs days counted in a year whose calendar is not known yet."""
    return Refusal("calendar_missing", CIVIL_CODE[203], str(missing), {"year": str(missing.year)})


def _other_refusals(timetable: Timetable, switches: Switches) -> list[Refusal]:
    refusals = []
    if timetable.bids_due_at <= timetable.published_at:
        refusals.append(
            Refusal("deadline_in_the_past", BIDDING_LAW[24], "投标截止时间应当晚于公告发布时间")
        )
    if timetable.validity_days <= 0:
        reason = "应当载明投标有效期，投标有效期从投标截止之日起算"
        refusals.append(Refusal("validity_missing", switches.validity_article, reason))
    if timetable.release_window <= timedelta(0):
        reason = "应当给予投标人解密所需的时间"
        refusals.append(Refusal("no_release_window", E_BIDDING_MEASURES[30], reason))
    if timetable.publicity_days < 0 or (
        switches.publicity is not None and timetable.publicity_days < switches.publicity.days
    ):
        due = switches.publicity
        article = BIDDING_REGULATION[54] if due is None else due.article
        reason = f"中标候选人公示期不得少于{switches.publicity_days()}日"
        refusals.append(Refusal("publicity_too_short", article, reason))
    return refusals


@dataclass(frozen=True, slots=True)
class _Shortfall:
    """A period that is shorter than the law wants it."""

    code: str
    period: Period
    reason: str
    facts: Mapping[str, str]


def _shortfalls(
    timetable: Timetable, switches: Switches, calendar: Calendar
) -> Iterator[_Shortfall]:
    start_on = beijing_day(max(timetable.documents_from, timetable.published_at))
    notice_on = beijing_day(timetable.published_at)
    due_at = timetable.bids_due_at
    for code, what, period, from_day, end_at in (
        ("bidding_too_short", "投标准备时间", switches.bidding_period, start_on, due_at),
        ("notice_too_short", "公告期限", switches.notice_period, notice_on, due_at),
        (
            *("documents_too_short", "招标文件提供期限", switches.documents_period),
            *(start_on, timetable.documents_until),
        ),
    ):
        if period is None:
            continue
        earliest = period.ends_on(from_day, calendar=calendar)
        if _last_day_of(end_at) < earliest:
            reason = (
                f"{what}自{from_day:%Y-%m-%d}起不得少于{period}，"
                f"截止日不得早于{earliest:%Y-%m-%d}（现为{_clock(end_at)}）"
            )
            facts = {"start": from_day.isoformat(), "earliest": earliest.isoformat()}
            yield _Shortfall(code, period, reason, facts)


def _brought_forward(old: datetime) -> Refusal:
    reason = f"投标截止时间只能顺延，不得早于原定的{_clock(old)}"
    return Refusal("deadline_brought_forward", BIDDING_LAW[24], reason)


def _last_day_of(end_at: datetime) -> date:
    """The day that holds the last instant before the end: midnight ends the day it closes."""
    return beijing_day(end_at - _INSTANT)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
