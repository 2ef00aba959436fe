"""The course of a complaint: filed, taken up or refused, decided or withdrawn, and what follows.

The supervisor who took a complaint up decides it and nobody else. What a verdict does to the lot
follows from where the lot is: a correction sends an evaluated lot back to its committee, a void
tender ends, and of a lot that is awarded already the award is void.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

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
from trading.rules.complaint_window import Verdict
from trading.rules.lot_lifecycle import LotMove, LotState


class ComplaintStage(StrEnum):
    """Where a complaint is in its course."""

    FILED = "filed"
    REFUSED = "refused"
    TAKEN_UP = "taken_up"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


class ComplaintAct(StrEnum):
    """What can be done about a complaint that was filed."""

    ANSWER = "answer"
    """Take it up, or refuse to."""

    BRAKE = "brake"
    """Suspend the lot over it, or let the lot go on."""

    DECIDE = "decide"
    WITHDRAW = "withdraw"


class Consequence(StrEnum):
    """What a decision does to the lot."""

    NOTHING = "nothing"
    RETURNED = "returned"
    """The lot goes back to its committee, which reports anew."""

    CANCELLED = "cancelled"
    """The tender is void; it is to be tendered again."""

    AWARD_VOID = "award_void"
    """The award is void; another winner is named, or the lot is tendered again (法 64)."""


STAGE_NAMES: Final[Mapping[ComplaintStage, str]] = MappingProxyType(
    {
        ComplaintStage.FILED: "待受理",
        ComplaintStage.REFUSED: "不予受理",
        ComplaintStage.TAKEN_UP: "已受理",
        ComplaintStage.DECIDED: "已作出处理决定",
        ComplaintStage.WITHDRAWN: "已撤回",
    }
)

ACT_NAMES: Final[Mapping[ComplaintAct, str]] = MappingProxyType(
    {
        ComplaintAct.ANSWER: "决定是否受理",
        ComplaintAct.BRAKE: "责令暂停或者恢复",
        ComplaintAct.DECIDE: "作出处理决定",
        ComplaintAct.WITHDRAW: "撤回",
    }
)

_MAY: Final[Mapping[ComplaintAct, frozenset[ComplaintStage]]] = MappingProxyType(
    {
        ComplaintAct.ANSWER: frozenset({ComplaintStage.FILED}),
        ComplaintAct.BRAKE: frozenset({ComplaintStage.TAKEN_UP}),
        ComplaintAct.DECIDE: frozenset({ComplaintStage.TAKEN_UP}),
        ComplaintAct.WITHDRAW: frozenset({ComplaintStage.FILED, ComplaintStage.TAKEN_UP}),
    }
)

JUDGED: Final = frozenset(
    {LotState.EVALUATED, LotState.CANDIDATES_PUBLISHED, LotState.CLEARED_FOR_AWARD}
)
"""Where a committee's report stands and nobody has won yet."""

ENDED: Final = frozenset({LotState.FAILED, LotState.CANCELLED})


@dataclass(frozen=True, slots=True)
class ComplaintCourse:
    """A complaint on its way: how far it is, and which supervisory body took it up."""

    stage: ComplaintStage
    handler: UUID | None = None
    acceptance_due_at: datetime | None = None
    decision_due_at: datetime | None = None


@under(
    BIDDING_REGULATION[61],
    BIDDING_REGULATION[62],
    PROCUREMENT_LAW[56],
    rule=("CO-02", "CO-07"),
)
def course_refusals(
    course: ComplaintCourse, act: ComplaintAct, *, acting: UUID, regime: Regime
) -> list[Refusal]:
    """Why this cannot be done now: the complaint is elsewhere in its course, or in other hands.

    The body that received a complaint first handles it (由最先收到投诉的行政监督部门负责处理).
    """
    article = answering_article(regime)
    refusals = []
    if course.stage not in _MAY[act]:
        reason = f"投诉{STAGE_NAMES[course.stage]}，不能{ACT_NAMES[act]}"
        facts = {"stage": str(course.stage), "act": str(act)}
        refusals.append(Refusal("complaint_elsewhere", article, reason, facts))
    handled = act is not ComplaintAct.WITHDRAW and course.handler is not None
    if handled and course.handler != acting:
        reason = "该投诉由最先受理的行政监督部门负责处理"
        refusals.append(Refusal("other_handler", article, reason))
    return refusals


@under(BIDDING_REGULATION[61], PROCUREMENT_LAW[56], rule=("CO-02", "CO-07"))
def reason_refusals(reason: str, *, needed: bool, regime: Regime) -> list[Refusal]:
    """Whoever is turned away, and a lot that is stopped, is told why."""
    if not needed or reason.strip():
        return []
    return [Refusal("no_reason", answering_article(regime), "应当书面说明理由")]


@under(
    BIDDING_REGULATION[61],
    PROCUREMENT_LAW[56],
    rule=("CO-02", "CO-07"),
    severity=Severity.WARN,
)
def lateness_cautions(
    course: ComplaintCourse, act: ComplaintAct, *, at: datetime, regime: Regime
) -> list[Caution]:
    """What comes late is warned of and taken all the same, since silence would harm more."""
    article = answering_article(regime)
    due_at = course.acceptance_due_at if act is ComplaintAct.ANSWER else course.decision_due_at
    if act not in (ComplaintAct.ANSWER, ComplaintAct.DECIDE) or due_at is None or at < due_at:
        return []
    words = "受理期限" if act is ComplaintAct.ANSWER else "处理期限"
    return [Caution("supervisor_late", article, f"已超过{words}")]


def answering_article(regime: Regime) -> Article:
    """The article on how a complaint is answered."""
    return PROCUREMENT_LAW[56] if regime is Regime.PROCUREMENT else BIDDING_REGULATION[61]


@under(BIDDING_REGULATION[61], PROCUREMENT_LAW[56], rule=("CO-02", "CO-07"))
def consequence_refusals(
    verdict: Verdict, state: LotState, *, order: str, regime: Regime
) -> list[Refusal]:
    """Why a verdict cannot be carried out: nothing is ordered, or there is nothing to correct."""
    article = answering_article(regime)
    refusals = []
    if verdict is Verdict.WITHDRAWN:
        reason = "撤回由投诉人提出，不能以处理决定代替"
        refusals.append(Refusal("not_withdrawn", article, reason))
    if verdict is Verdict.UPHELD_CORRECT and not order.strip():
        refusals.append(Refusal("no_order", article, "责令改正的，应当写明改正的内容"))
    if verdict is Verdict.UPHELD_CORRECT and state in ENDED:
        reason = "该标段已经结束，没有可以改正的招标投标活动"
        refusals.append(Refusal("nothing_to_correct", article, reason))
    if state is LotState.CLOSING:
        reason = "标段正在截标，截标完成后再作出处理决定"
        refusals.append(Refusal("closing", article, reason))
    return refusals


def consequence(verdict: Verdict, state: LotState) -> Consequence:
    """What the verdict does to a lot that is there."""
    if verdict is Verdict.UPHELD_CORRECT and state in JUDGED:
        return Consequence.RETURNED
    if verdict is not Verdict.UPHELD_VOID or state in ENDED:
        return Consequence.NOTHING
    return Consequence.AWARD_VOID if state is LotState.AWARDED else Consequence.CANCELLED


MOVES: Final[Mapping[Consequence, LotMove]] = MappingProxyType(
    {
        Consequence.RETURNED: LotMove.RETURN_TO_EVALUATION,
        Consequence.CANCELLED: LotMove.CANCEL,
    }
)
"""The step that a lot takes by a decision."""


@under(BIDDING_REGULATION[44], BIDDING_REGULATION[55])
def retender_refusals(
    state: LotState, *, published: bool, award_void: bool, again: bool
) -> list[Refusal]:
    """Why a lot cannot be tendered again: it has not come to nothing, or it is already."""
    article = BIDDING_REGULATION[55]
    refusals = []
    if not published or (state not in ENDED and not award_void):
        reason = "标段尚未终止、流标或者被认定无效，不能重新招标"
        refusals.append(Refusal("not_ended", article, reason, {"state": str(state)}))
    if again:
        refusals.append(Refusal("tendered_again", article, "该标段已经重新招标"))
    return refusals


@under(BIDDING_LAW[46], PROCUREMENT_LAW[46])
def void_award_refusals(*, void: bool) -> list[Refusal]:
    """Why no contract is made over an award that was declared void: there is no winner."""
    if not void:
        return []
    reason = "中标已被认定无效，不得据此签订合同"
    return [Refusal("award_void", BIDDING_LAW[46], reason)]
