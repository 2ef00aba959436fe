"""Who may bid where bidders are qualified beforehand (资格预审), by when they apply, who passes.

Applications are sealed and opened as bids are. They are judged by the published conditions and by
nothing else; fewer than three who pass, and the lot is tendered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from kernel.errors import NoCalendar
from kernel.identifiers import PartyId
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, PROCUREMENT_REGULATION, Article, Regime, under
from kernel.working_days import (
    BEIJING,
    Calendar,
    beijing_day,
    days_before,
    earliest_deadline,
)
from trading.rules.procedures import Switches
from trading.rules.timetable import calendar_missing

OBJECTION_DAYS: Final = 2
CLARIFICATION_DAYS: Final = 3
QUALIFIED_MIN: Final = 3


@dataclass(frozen=True, slots=True)
class ApplicationTimes:
    """The times of a prequalification: its notice, the offer of its documents, the deadline."""

    published_at: datetime
    documents_until: datetime
    applications_due_at: datetime


@under(BIDDING_REGULATION[17], PROCUREMENT_REGULATION[21], rule=("NO-06", "NO-07"))
def application_refusals(
    times: ApplicationTimes, switches: Switches, *, calendar: Calendar
) -> list[Refusal]:
    """Applications that would be due too early: five days after the offer of documents ended, in
    procurement five working days after the notice.
    """
    period = switches.prequalification_period
    if period is None:
        return []
    procurement = switches.regime is Regime.PROCUREMENT
    start_on = beijing_day(times.published_at if procurement else times.documents_until)
    try:
        earliest = period.ends_on(start_on, calendar=calendar)
    except NoCalendar as missing:
        return [calendar_missing(missing)]
    if _last_day(times.applications_due_at) >= earliest:
        return []
    since = "公告发布" if procurement else "资格预审文件停止发售"
    reason = (
        f"提交资格预审申请文件的时间自{since}之日（{start_on:%Y-%m-%d}）起不得少于{period}，"
        f"截止日不得早于{earliest:%Y-%m-%d}"
    )
    facts = {"start": start_on.isoformat(), "earliest": earliest.isoformat()}
    return [Refusal("applications_too_short", period.article, reason, facts)]


@under(BIDDING_REGULATION[21], rule="NO-10")
def clarification_refusals(
    *, published_at: datetime, applications_due_at: datetime, calendar: Calendar
) -> list[Refusal]:
    """A change of the prequalification documents later than three days before the deadline."""
    article = BIDDING_REGULATION[21]
    try:
        earliest = earliest_deadline(
            beijing_day(published_at), CLARIFICATION_DAYS, calendar=calendar
        )
    except NoCalendar as missing:
        return [calendar_missing(missing)]
    if _last_day(applications_due_at) >= earliest:
        return []
    reason = (
        f"澄清或者修改应当在提交资格预审申请文件截止时间至少{CLARIFICATION_DAYS}日前发布，"
        f"不足的应当顺延至{earliest:%Y-%m-%d}或者以后"
    )
    return [Refusal("deadline_must_move", article, reason, {"earliest": earliest.isoformat()})]


@under(BIDDING_REGULATION[22], rule="NO-11")
def objection_refusals(*, raised_at: datetime, applications_due_at: datetime) -> list[Refusal]:
    """An objection to the prequalification documents later than two days before the deadline."""
    until = days_before(applications_due_at, OBJECTION_DAYS)
    if raised_at <= until:
        return []
    reason = (
        f"对资格预审文件的异议应当在提交申请文件截止时间{OBJECTION_DAYS}日前提出，"
        f"即不晚于{until.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
    )
    return [Refusal("objection_late", BIDDING_REGULATION[22], reason, {"until": until.isoformat()})]


@dataclass(frozen=True, slots=True)
class Condition:
    """One published condition: what it is called, and the article or paragraph of the file."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What the reviewers found of one applicant under one condition."""

    condition: str
    met: bool
    reason: str = ""


def passed(
    applicants: Mapping[PartyId, Iterable[Finding]], conditions: Iterable[Condition]
) -> frozenset[PartyId]:
    """Who met every condition; a condition nobody found anything about is not met."""
    due = {one.id for one in conditions}
    return frozenset(
        party
        for party, findings in applicants.items()
        if due <= {one.condition for one in findings if one.met}
    )


@under(BIDDING_REGULATION[18], rule="NO-08")
def review_refusals(findings: Iterable[Finding], conditions: Iterable[Condition]) -> list[Refusal]:
    """Why a review may not stand: it judges by what was not published, or gives no reason."""
    known = {one.id for one in conditions}
    refusals = []
    for one in findings:
        if one.condition not in known:
            reason = "资格预审应当按照资格预审文件载明的标准和方法进行"
            facts = {"condition": one.condition}
            refusals.append(Refusal("unknown_condition", BIDDING_REGULATION[18], reason, facts))
        elif not one.met and not one.reason.strip():
            reason = "未通过的条件应当写明理由"
            facts = {"condition": one.condition}
            refusals.append(Refusal("no_reason", BIDDING_REGULATION[18], reason, facts))
    return refusals


@under(BIDDING_REGULATION[19], rule="NO-08")
def outcome_refusals(qualified: int) -> list[Refusal]:
    """Fewer than three passed: the lot must be tendered again."""
    if qualified >= QUALIFIED_MIN:
        return []
    reason = f"通过资格预审的申请人少于{QUALIFIED_MIN}个，应当重新招标"
    facts = {"qualified": str(qualified)}
    return [Refusal("too_few_qualified", BIDDING_REGULATION[19], reason, facts)]


def unqualified_article(regime: Regime) -> Article:
    """The article by which who did not pass may not bid."""
    return PROCUREMENT_REGULATION[21] if regime is Regime.PROCUREMENT else BIDDING_REGULATION[19]


def _last_day(end_at: datetime) -> date:
    return beijing_day(end_at - timedelta(microseconds=1))
