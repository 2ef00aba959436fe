"""What may be done with a contract at which point of its course, and by when it is made public.

An award comes first; the tenderee signs, then the winner; only a contract that both have signed is
filed, changed, reported on and settled, and a settlement ends its course.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    Article,
    Regime,
    Severity,
    under,
)
from trading.rules.contract_terms import PublicationDates
from trading.rules.procedures import Switches


class Step(StrEnum):
    """A step in the course of a contract."""

    OFFER = "offer"
    CONCLUDE = "conclude"
    FILE = "file"
    CHANGE = "change"
    REPORT = "report"
    SETTLE = "settle"


@dataclass(frozen=True, slots=True)
class Course:
    """How far a lot's contract has come."""

    awarded: bool
    offered: bool = False
    concluded: bool = False
    filed: bool = False
    settled: bool = False


@under(
    BIDDING_LAW[46],
    BIDDING_REGULATION[57],
    PROCUREMENT_LAW[46],
    PROCUREMENT_LAW[47],
    rule=("AW-11", "AW-15"),
)
def step_refusals(step: Step, course: Course, switches: Switches) -> list[Refusal]:
    """Why this step may not be taken now."""
    procurement = switches.regime is Regime.PROCUREMENT
    article = PROCUREMENT_LAW[46] if procurement else BIDDING_LAW[46]
    if not course.awarded:
        return [Refusal("not_awarded", article, "尚未发出中标通知书，不能签订合同")]
    if step in (Step.OFFER, Step.CONCLUDE):
        return _signing_refusals(step, course, article)
    if not course.concluded:
        return [Refusal("not_concluded", article, "合同尚未经双方签名，不能办理此项业务")]
    if step is Step.FILE and course.filed:
        filing = PROCUREMENT_LAW[47] if procurement else article
        return [Refusal("filed_already", filing, "合同已经备案")]
    if course.settled and step is not Step.FILE:
        own = article if procurement else BIDDING_REGULATION[57]
        return [Refusal("settled_already", own, "审计结算价已经公布，合同履行完毕")]
    return []


def _signing_refusals(step: Step, course: Course, article: Article) -> list[Refusal]:
    if course.concluded:
        return [Refusal("concluded_already", article, "合同已经双方签名，不得再行订立其他协议")]
    if step is Step.CONCLUDE and not course.offered:
        return [Refusal("not_offered", article, "招标人尚未签署合同文本")]
    return []


@under(PROCUREMENT_LAW[47], rule="AW-15", severity=Severity.WARN)
def filing_cautions(filed_at: datetime, dates: PublicationDates | None) -> list[Caution]:
    """A copy filed later than procurement asks."""
    if dates is None or filed_at < dates.filed:
        return []
    reason = "政府采购合同应当自签订之日起7个工作日内备案，已逾期"
    return [Caution("filed_late", PROCUREMENT_LAW[47], reason, {"until": dates.filed.isoformat()})]
