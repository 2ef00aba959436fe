"""What an agency may do for a tenderee: as much as the tenderee's letter says, and no longer.

An agency acts within what the tenderee entrusted to it (招标投标法 15), and a letter of
authorisation names who acts, for what, how far and until when (民法典 165).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, CIVIL_CODE, Article, Provenance, under

LETTER: Final[Article] = CIVIL_CODE.read_as(165, Provenance.SECONDARY)
"""What a letter of authorisation says; its first half was compared with a copy of the code."""


class AgencyAct(StrEnum):
    """The parts of a tender that a tenderee may entrust."""

    DRAFT = "draft"
    PUBLISH = "publish"
    OPEN = "open"
    RESULT = "result"
    ANSWER = "answer"


ACT_NAMES: Final[Mapping[AgencyAct, tuple[str, str]]] = MappingProxyType(
    {
        AgencyAct.DRAFT: ("编制招标文件、拟定标段", "draft lots and documents"),
        AgencyAct.PUBLISH: ("发布公告、澄清修改、变更和终止", "publish, clarify, amend and end"),
        AgencyAct.OPEN: ("组织开标、移交评标", "hold the opening and hand over"),
        AgencyAct.RESULT: ("公示候选人、报告招标情况", "publish candidates and report"),
        AgencyAct.ANSWER: ("答复异议", "answer objections"),
    }
)


@dataclass(frozen=True, slots=True)
class AgencyScope:
    """How far a letter reaches: which lots (none named: all), which acts, and its last day."""

    lots: frozenset[UUID] = frozenset()
    acts: frozenset[AgencyAct] = frozenset(AgencyAct)
    until: date | None = None
    ended: bool = False


@under(BIDDING_LAW[15], LETTER, rule="PL-07")
def agency_refusals(
    scope: AgencyScope | None, act: AgencyAct, lot_id: UUID | None, *, on: date
) -> list[Refusal]:
    """Every ground on which an agency may not do this for this lot on this day.

    Without any authorisation it may prepare a draft, which binds nobody. A letter is good to the
    end of its last day. `lot_id` is None for a lot that is only about to be drafted.
    """
    article = BIDDING_LAW[15]
    if scope is None:
        if act is AgencyAct.DRAFT:
            return []
        reason = "招标代理机构应当在招标人委托的范围内办理招标事宜，招标人尚未签署委托"
        return [Refusal("agency_not_authorised", article, reason)]
    if scope.ended:
        return [Refusal("authorisation_ended", article, "招标人已经终止对代理机构的委托")]
    refusals = []
    if scope.until is not None and on > scope.until:
        reason = f"授权委托书已于{scope.until:%Y-%m-%d}到期"
        facts = {"until": scope.until.isoformat()}
        refusals.append(Refusal("authorisation_expired", article, reason, facts))
    if scope.lots and lot_id not in scope.lots:
        reason = "该标段不在授权委托书载明的标段之内"
        refusals.append(Refusal("authorisation_other_lot", article, reason))
    if act not in scope.acts:
        reason = f"授权委托书没有授权代理机构{ACT_NAMES[act][0]}"
        refusals.append(Refusal("authorisation_other_act", article, reason, {"act": str(act)}))
    return refusals


@under(LETTER, rule="PL-07")
def letter_refusals(scope: AgencyScope, *, today: date, own_lots: frozenset[UUID]) -> list[Refusal]:
    """Why a letter says nothing that could be relied on: no act, a past day, lots of others."""
    refusals = []
    if not scope.acts:
        reason = "授权委托书应当载明代理事项"
        refusals.append(Refusal("letter_without_acts", LETTER, reason, {"pointer": "#/acts"}))
    if scope.until is not None and scope.until < today:
        reason = "授权委托书载明的期限已过"
        refusals.append(Refusal("letter_outdated", LETTER, reason, {"pointer": "#/until"}))
    if not scope.lots <= own_lots:
        reason = "授权委托书载明的标段不属于该项目"
        refusals.append(Refusal("letter_other_lots", LETTER, reason, {"pointer": "#/lots"}))
    return refusals
