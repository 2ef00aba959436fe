"""What becomes of an objection that is answered: whether it stands, and what is then put right.

Whoever answers says whether the objection is right and what follows. Documents are changed by an
addendum, or the tender is ended and held again; a result goes back to the original committee, which
corrects it or examines a candidate again; an award that was made falls away. Until that is done the
lot waits, as it did for the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
    under,
)
from trading.rules.lot_lifecycle import LotMove, LotState, article_of
from trading.rules.objection_window import (
    KIND_NAMES,
    ObjectionKind,
    objection_article,
)
from trading.rules.procedures import Switches


class ObjectionOutcome(StrEnum):
    """Whether an objection stands, as its answer says."""

    UPHELD = "upheld"
    PARTLY = "partly"
    REJECTED = "rejected"


class Remedy(StrEnum):
    """What follows from an objection that stands."""

    NOTHING = "nothing"
    CHANGE = "change"
    """The documents are changed by an addendum, and the deadline moves where it must."""

    TERMINATE = "terminate"
    """The tender is ended, to be held again."""

    RETURN = "return"
    """The result goes back to the original committee, which reports anew."""

    EXAMINE = "examine"
    """The original committee examines a candidate again; found unfit, the next in order may win."""

    ANNUL = "annul"
    """The award that was made falls away; another is named, or the tender is held again."""


OUTCOME_NAMES: Final[Mapping[ObjectionOutcome, str]] = MappingProxyType(
    {
        ObjectionOutcome.UPHELD: "成立",
        ObjectionOutcome.PARTLY: "部分成立",
        ObjectionOutcome.REJECTED: "不成立",
    }
)

REMEDY_NAMES: Final[Mapping[Remedy, str]] = MappingProxyType(
    {
        Remedy.NOTHING: "无须改正",
        Remedy.CHANGE: "修改文件",
        Remedy.TERMINATE: "终止后重新招标",
        Remedy.RETURN: "退回原评标委员会纠正",
        Remedy.EXAMINE: "由原评标委员会审查确认中标候选人",
        Remedy.ANNUL: "取消中标结果",
    }
)

_JUDGED: Final = frozenset(
    {LotState.EVALUATED, LotState.CANDIDATES_PUBLISHED, LotState.CLEARED_FOR_AWARD}
)
_ENDED: Final = frozenset({LotState.FAILED, LotState.CANCELLED})
_CHANGEABLE: Final[Mapping[ObjectionKind, LotState]] = MappingProxyType(
    {
        ObjectionKind.PREQUALIFICATION: LotState.DRAFT,
        ObjectionKind.DOCUMENTS: LotState.OPEN,
    }
)
"""Where a lot stands while the documents that are objected to can still be changed."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it is about to be given, and the lot that it is about.

    `candidate_named` says that it names whom the committee is to examine, `recommended` that this
    one is a candidate of the report in force.
    """

    about: ObjectionKind
    outcome: ObjectionOutcome
    remedy: Remedy
    state: LotState
    candidate_named: bool = False
    recommended: bool = False


def remedies_for(about: ObjectionKind, state: LotState, switches: Switches) -> tuple[Remedy, ...]:
    """What can still be put right in a lot that is there; nothing once it has come to nothing."""
    if state in _ENDED or about is ObjectionKind.OPENING:
        return ()
    if state is LotState.AWARDED:
        return (Remedy.ANNUL,)
    found = [Remedy.CHANGE] if _CHANGEABLE.get(about) is state else []
    if about is ObjectionKind.RESULT and state in _JUDGED:
        found.append(Remedy.RETURN)
        if switches.regime is Regime.TENDERING and state is not LotState.EVALUATED:
            found.append(Remedy.EXAMINE)
    return (*found, Remedy.TERMINATE)


def remedy_article(remedy: Remedy, about: ObjectionKind, switches: Switches) -> Article:
    """The article by which this follows from an objection that stands."""
    procurement = switches.regime is Regime.PROCUREMENT
    match remedy:
        case Remedy.CHANGE:
            return PROCUREMENT_TENDER_MEASURES[27] if procurement else BIDDING_REGULATION[23]
        case Remedy.TERMINATE if procurement:
            return PROCUREMENT_TENDER_MEASURES[29]
        case Remedy.TERMINATE:
            return BIDDING_REGULATION[55 if about is ObjectionKind.RESULT else 23]
        case Remedy.RETURN:
            return article_of(
                LotState.CANDIDATES_PUBLISHED,
                LotMove.RETURN_TO_EVALUATION,
                regime=switches.regime,
            )
        case Remedy.EXAMINE:
            return BIDDING_REGULATION[56]
        case Remedy.ANNUL:
            return PROCUREMENT_REGULATION[71] if procurement else BIDDING_REGULATION[55]
        case Remedy.NOTHING:
            return objection_article(about, switches)


@under(
    BIDDING_REGULATION[22],
    BIDDING_REGULATION[23],
    BIDDING_REGULATION[54],
    PROCUREMENT_LAW[53],
    rule=("NO-11", "NO-12", "AW-03", "CO-07"),
)
def outcome_refusals(reply: Reply, switches: Switches) -> list[Refusal]:
    """Every ground on which an answer does not say what becomes of the objection."""
    article = objection_article(reply.about, switches)
    possible = remedies_for(reply.about, reply.state, switches)
    what = f"对{KIND_NAMES[reply.about]}的异议{OUTCOME_NAMES[reply.outcome]}"
    facts = {"outcome": str(reply.outcome), "remedy": str(reply.remedy)}
    refusals = []
    if reply.remedy is Remedy.NOTHING:
        if reply.outcome is ObjectionOutcome.UPHELD and possible:
            reason = f"{what}，应当写明如何改正"
            refusals.append(Refusal("remedy_missing", article, reason, facts))
    elif reply.outcome is ObjectionOutcome.REJECTED:
        reason = f"{what}，没有需要改正的内容"
        refusals.append(Refusal("nothing_to_remedy", article, reason, facts))
    elif reply.remedy not in possible:
        reason = f"标段所处阶段不能以“{REMEDY_NAMES[reply.remedy]}”改正"
        cited = remedy_article(reply.remedy, reply.about, switches)
        refusals.append(Refusal("remedy_impossible", cited, reason, facts))
    if reply.state is LotState.CLOSING:
        reason = "标段正在截标，截标完成后再作出答复"
        refusals.append(Refusal("closing", article, reason))
    if reply.remedy is Remedy.EXAMINE and not reply.recommended:
        reason = "应当写明由原评标委员会审查确认哪一名中标候选人"
        refusals.append(Refusal("not_a_candidate", BIDDING_REGULATION[56], reason))
    if reply.remedy is not Remedy.EXAMINE and reply.candidate_named:
        reason = "只有审查确认中标候选人的，才写明中标候选人"
        refusals.append(Refusal("candidate_idle", BIDDING_REGULATION[56], reason))
    return refusals


@under(
    BIDDING_REGULATION[23],
    BIDDING_REGULATION[54],
    PROCUREMENT_REGULATION[71],
    rule=("NO-12", "AW-03", "CO-07"),
)
def remedy_refusals(awaited: Mapping[ObjectionKind, Remedy], switches: Switches) -> list[Refusal]:
    """Why nothing is concluded yet: an objection stands, and what follows was not carried out."""
    return [
        Refusal(
            "remedy_awaited",
            remedy_article(remedy, about, switches),
            f"对{KIND_NAMES[about]}的异议已答复成立，应当先{REMEDY_NAMES[remedy]}",
            {"about": str(about), "remedy": str(remedy)},
        )
        for about, remedy in awaited.items()
    ]


@under(BIDDING_REGULATION[54], PROCUREMENT_LAW[53], rule=("AW-03", "CO-07"))
def return_refusals(remedy: Remedy, *, carried_out: bool, words: str) -> list[Refusal]:
    """Why the result does not go back over this objection: nobody said so, or it went back."""
    article = BIDDING_REGULATION[54]
    refusals = []
    if remedy is not Remedy.RETURN:
        reason = "对该异议的答复没有写明退回原评标委员会纠正"
        refusals.append(Refusal("no_return_due", article, reason, {"remedy": str(remedy)}))
    elif carried_out:
        refusals.append(Refusal("carried_out", article, "已经退回原评标委员会"))
    if not words.strip():
        refusals.append(Refusal("no_order", article, "应当写明需要纠正的内容"))
    return refusals


def wait_reason(about: ObjectionKind, outcome: ObjectionOutcome, remedy: Remedy) -> str:
    """Why a lot stands still after the answer, as everybody reads it."""
    return f"对{KIND_NAMES[about]}的异议{OUTCOME_NAMES[outcome]}，{REMEDY_NAMES[remedy]}前暂停"
