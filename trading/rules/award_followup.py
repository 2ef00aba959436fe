"""What follows report and award: a candidate checked again, reports, and procurement's own days.

A candidate whose condition changed is checked by the original committee before the notice goes
out. The supervisor is told of a tender within fifteen days. Procurement hands its report over,
decides and publishes within days of its own, and silence decides for the first in rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CHONGQING_REGULATION,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
    Severity,
    under,
)
from kernel.working_days import Calendar, beijing_day, end_of_day, last_working_day
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import Switches

HANDOVER_WORKING_DAYS = 2
NOTICE_WORKING_DAYS = 2
NOTICE_PERIOD_WORKING_DAYS = 1


RECHECKABLE: Final = frozenset({LotState.CANDIDATES_PUBLISHED, LotState.CLEARED_FOR_AWARD})
"""Where a lot stands while its candidates are known and no notice is out."""


class RecheckGround(StrEnum):
    """Why a candidate may be unable to perform (条例 56)."""

    BUSINESS_CHANGED = "business_changed"
    FINANCES_CHANGED = "finances_changed"
    ILLEGAL_ACT = "illegal_act"


RECHECK_NAMES: Final[Mapping[RecheckGround, str]] = MappingProxyType(
    {
        RecheckGround.BUSINESS_CHANGED: "经营状况发生较大变化",
        RecheckGround.FINANCES_CHANGED: "财务状况发生较大变化",
        RecheckGround.ILLEGAL_ACT: "存在违法行为",
    }
)


@dataclass(frozen=True, slots=True)
class RecheckRequest:
    """A candidate whom the committee is to examine again, and what the record shows of it.

    `document` names the evidence; `out` says that it may not win any more in any case, and `open`
    that it is being examined already.
    """

    state: LotState
    words: str
    document: str
    recommended: bool
    out: bool = False
    open: bool = False


@under(BIDDING_REGULATION[56], rule="AW-05")
def recheck_request_refusals(request: RecheckRequest, switches: Switches) -> list[Refusal]:
    """Every ground on which the committee is not to examine this candidate again."""
    article = BIDDING_REGULATION[56]
    if switches.regime is not Regime.TENDERING:
        reason = "本项目适用政府采购法律制度，不适用中标候选人履约能力的审查确认"
        return [Refusal("not_a_tender", article, reason)]
    refusals = []
    if request.state not in RECHECKABLE:
        reason = "审查确认应当在公示中标候选人以后、发出中标通知书以前进行"
        refusals.append(Refusal("not_before_notice", article, reason))
    if not request.recommended:
        reason = "只能对评标委员会推荐的中标候选人进行审查确认"
        refusals.append(Refusal("not_a_candidate", article, reason))
    if request.out:
        reason = "该中标候选人已不能被确定为中标人，无须审查确认"
        refusals.append(Refusal("out_already", article, reason))
    if request.open:
        reason = "该中标候选人正由原评标委员会审查确认"
        refusals.append(Refusal("recheck_open", article, reason))
    if not request.words.strip():
        reason = "应当写明认为可能影响履约能力的事实和理由"
        refusals.append(Refusal("no_reason", article, reason))
    if not request.document.strip():
        reason = "应当提交证明中标候选人情况变化或者违法行为的材料"
        refusals.append(Refusal("no_document", article, reason))
    return refusals


@dataclass(frozen=True, slots=True)
class Recheck:
    """A candidate whose condition is doubted: by what, and what the original committee found."""

    ground: str
    by_original_committee: bool
    confirmed: bool | None


@under(BIDDING_REGULATION[56], rule="AW-05")
def recheck_refusals(recheck: Recheck | None) -> list[Refusal]:
    """Why the notice may not go out yet, or not to this candidate."""
    if recheck is None:
        return []
    article = BIDDING_REGULATION[56]
    if recheck.confirmed is None or not recheck.by_original_committee:
        reason = f"因“{recheck.ground}”，应当由原评标委员会在发出中标通知书前审查确认"
        return [Refusal("recheck_open", article, reason)]
    if not recheck.confirmed:
        reason = f"经原评标委员会审查，因“{recheck.ground}”不符合中标条件"
        return [Refusal("recheck_failed", article, reason)]
    return []


@under(BIDDING_LAW[47], rule="AW-09")
def report_due_at(
    awarded_at: datetime, switches: Switches, *, calendar: Calendar
) -> datetime | None:
    """By when the supervisor has the written report; None where none is due."""
    if switches.award_report_period is None:
        return None
    return end_of_day(
        switches.award_report_period.ends_on(beijing_day(awarded_at), calendar=calendar)
    )


@under(BIDDING_LAW[47], rule="AW-09")
def report_refusals(*, reported_before: bool, switches: Switches) -> list[Refusal]:
    """Why no written report is taken in: none is due, or there is one."""
    if switches.award_report_period is None:
        reason = "依法必须进行招标的项目才应当提交书面报告，本项目无须提交"
        return [Refusal("no_report_due", BIDDING_LAW[47], reason)]
    if reported_before:
        return [Refusal("reported_already", BIDDING_LAW[47], "书面报告已经提交")]
    return []


@under(BIDDING_LAW[47], rule="AW-09", severity=Severity.WARN)
def report_cautions(
    *, awarded_at: datetime, reported_at: datetime, switches: Switches, calendar: Calendar
) -> list[Caution]:
    """A report that comes late is taken in all the same, and says that it is late."""
    due_at = report_due_at(awarded_at, switches, calendar=calendar)
    if due_at is None or reported_at < due_at:
        return []
    reason = f"应当自确定中标人之日起{switches.award_report_period}内提交书面报告，已逾期"
    return [Caution("report_late", BIDDING_LAW[47], reason, {"until": due_at.isoformat()})]


@dataclass(frozen=True, slots=True)
class ProcurementDays:
    """The days of an award in procurement: hand over, decide, publish; each an end of day."""

    handover: datetime
    decision: datetime
    notice: datetime
    notice_ends: datetime


@under(
    PROCUREMENT_REGULATION[43],
    PROCUREMENT_TENDER_MEASURES[68],
    PROCUREMENT_TENDER_MEASURES[69],
    rule=("AW-10", "NB-07"),
)
def procurement_days(
    *,
    evaluated_at: datetime,
    received_at: datetime,
    decided_at: datetime | None,
    switches: Switches,
    calendar: Calendar,
) -> ProcurementDays | None:
    """By when report, decision and notice are due; None outside procurement.

    Each runs from what happened before it: the end of the evaluation, the report's arrival, the
    decision, or where none was made the last day for it; the notice stands for one working day
    after it is out.
    """
    if switches.decision_period is None:
        return None

    def after(begun_at: datetime, days: int) -> datetime:
        return end_of_day(last_working_day(beijing_day(begun_at), days, calendar=calendar))

    decision = end_of_day(
        switches.decision_period.ends_on(beijing_day(received_at), calendar=calendar)
    )
    decided = decision - timedelta(microseconds=1) if decided_at is None else decided_at
    notice = after(decided, NOTICE_WORKING_DAYS)
    published_on = notice - timedelta(microseconds=1)
    return ProcurementDays(
        after(evaluated_at, HANDOVER_WORKING_DAYS),
        decision,
        notice,
        after(published_on, NOTICE_PERIOD_WORKING_DAYS),
    )


@under(CHONGQING_REGULATION[44], rule="CO-10", severity=Severity.WARN)
def benchmark_after_recheck(published: Decimal, recalculated: Decimal) -> Decimal:
    """The benchmark by which the original committee checks objective marks again: the old one.

    Whatever the check changes, no bid's price points move because another's did.
    """
    del recalculated
    return published


@under(CHONGQING_REGULATION[44], rule="CO-10", severity=Severity.WARN)
def benchmark_cautions(
    published: Decimal | None, recalculated: Decimal | None, switches: Switches
) -> list[Caution]:
    """A result that went back to its committee and came again with another benchmark.

    None is a report whose scheme knows no benchmark, or that there was none before.
    """
    if switches.regime is not Regime.TENDERING or published is None or recalculated is None:
        return []
    kept = benchmark_after_recheck(published, recalculated)
    if recalculated == kept:
        return []
    reason = f"复核后评标基准价由{kept}变为{recalculated}；客观分复核的，评标基准价应当不变"
    facts = {"published": str(kept), "recalculated": str(recalculated)}
    return [Caution("benchmark_moved", CHONGQING_REGULATION[44], reason, facts)]


@under(PROCUREMENT_TENDER_MEASURES[68], rule="AW-10")
def silence_decides(*, now: datetime, decision_due_at: datetime, decided: bool) -> bool:
    """Whether the purchaser's silence has made the first in rank the winner."""
    return not decided and now >= decision_due_at


@under(
    PROCUREMENT_REGULATION[43],
    PROCUREMENT_TENDER_MEASURES[68],
    rule=("AW-10", "NB-07"),
    severity=Severity.WARN,
)
def decision_cautions(
    *, received_at: datetime, decided_at: datetime, switches: Switches, calendar: Calendar
) -> list[Caution]:
    """A decision after its days is taken in, and says that the law had decided before it."""
    days = procurement_days(
        evaluated_at=received_at,
        received_at=received_at,
        decided_at=decided_at,
        switches=switches,
        calendar=calendar,
    )
    if days is None or not silence_decides(
        now=decided_at, decision_due_at=days.decision, decided=False
    ):
        return []
    reason = (
        f"应当自收到评审报告之日起{switches.decision_period}内确定，已逾期；"
        "不能说明合法理由的，视同确定排名第一的候选人"
    )
    article = PROCUREMENT_TENDER_MEASURES[68]
    return [Caution("decided_late", article, reason, {"until": days.decision.isoformat()})]
