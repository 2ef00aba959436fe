"""When an award falls away after its notice, on which ground, and who answers for it.

The tenderee may award to the next candidate in order, or tender again. Whoever gives the award up
says so under its own key; whoever is said to refuse, or to owe a security, had its days first. A
winner whom no blame meets keeps its bid security, and one that would not sign loses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    Article,
    Regime,
    under,
)
from kernel.working_days import end_of_day
from trading.rules.procedures import Switches
from trading.rules.winner_choice import GROUND_NAMES, SetAsideGround, proof_refusals


class AnnulmentGround(StrEnum):
    """Why an award falls away (条例 55, 74; 采购条例 49, 71)."""

    GAVE_UP = "gave_up"
    REFUSED_CONTRACT = "refused_contract"
    ADDED_TERMS = "added_terms"
    NO_PERFORMANCE_SECURITY = "no_performance_security"
    FORCE_MAJEURE = "force_majeure"
    ILLEGAL_ACT_FOUND = "illegal_act_found"


ANNULMENT_NAMES: Final[Mapping[AnnulmentGround, str]] = MappingProxyType(
    {
        **{AnnulmentGround(one): GROUND_NAMES[one] for one in SetAsideGround},
        AnnulmentGround.REFUSED_CONTRACT: "无正当理由不订立合同",
        AnnulmentGround.ADDED_TERMS: "在签订合同时提出附加条件",
    }
)

FORFEITING: Final = frozenset(
    {
        AnnulmentGround.GAVE_UP,
        AnnulmentGround.REFUSED_CONTRACT,
        AnnulmentGround.ADDED_TERMS,
        AnnulmentGround.NO_PERFORMANCE_SECURITY,
    }
)
"""Who would not sign, or not as the documents ask, loses its bid security (条例 74)."""

_PROCUREMENT: Final[Mapping[AnnulmentGround, Article]] = MappingProxyType(
    {
        AnnulmentGround.GAVE_UP: PROCUREMENT_REGULATION[49],
        AnnulmentGround.REFUSED_CONTRACT: PROCUREMENT_REGULATION[49],
        AnnulmentGround.ILLEGAL_ACT_FOUND: PROCUREMENT_REGULATION[71],
    }
)
"""What procurement names: a supplier that will not sign, and a result that breaks the law."""

_UNWILLING: Final = FORFEITING - {AnnulmentGround.GAVE_UP}


@dataclass(frozen=True, slots=True)
class Annulment:
    """An award that the tenderee is about to annul, and what the record shows of its ground.

    `document` names the evidence, `found_by` the authority that found an illegal act. `renounced`
    says that the winner gave the award up under its own key, `offered` that the tenderee has signed
    the contract, `security_due_on` by which day the documents ask for the performance security, and
    `tendered_again` that the lot, whose award was declared void, is being tendered again.
    """

    ground: AnnulmentGround
    now: datetime
    words: str
    document: str
    contract_due_on: date
    found_by: str = ""
    security_due_on: date | None = None
    renounced: bool = False
    offered: bool = False
    concluded: bool = False
    tendered_again: bool = False


def annulment_grounds(switches: Switches) -> tuple[AnnulmentGround, ...]:
    """The grounds that the law of this procedure names."""
    procurement = switches.regime is Regime.PROCUREMENT
    return tuple(one for one in AnnulmentGround if not procurement or one in _PROCUREMENT)


def annulment_article(ground: AnnulmentGround, switches: Switches) -> Article:
    """The article by which an award falls away on this ground."""
    if switches.regime is Regime.PROCUREMENT:
        return _PROCUREMENT.get(ground, PROCUREMENT_REGULATION[49])
    return BIDDING_REGULATION[74 if ground in _UNWILLING else 55]


@under(
    BIDDING_LAW[46],
    BIDDING_REGULATION[55],
    BIDDING_REGULATION[74],
    PROCUREMENT_LAW[46],
    PROCUREMENT_REGULATION[49],
    PROCUREMENT_REGULATION[71],
    rule=("AW-04", "AW-16", "AW-23"),
)
def annulment_refusals(annulment: Annulment, switches: Switches) -> list[Refusal]:
    """Every ground on which the award may not be annulled like this."""
    ground, article = annulment.ground, annulment_article(annulment.ground, switches)
    refusals = []
    if annulment.concluded:
        refusals.append(_concluded(switches))
    if annulment.tendered_again:
        reason = "该标段已经重新招标，不再依次确定其他候选人"
        refusals.append(Refusal("tendered_again", article, reason))
    if ground not in annulment_grounds(switches):
        reason = f"政府采购的法规没有规定可以因“{ANNULMENT_NAMES[ground]}”另行确定供应商"
        refusals.append(Refusal("ground_unknown", article, reason, {"ground": str(ground)}))
    if not annulment.words.strip():
        refusals.append(Refusal("no_reason", article, "取消中标资格应当写明事实和理由"))
    if ground is AnnulmentGround.GAVE_UP:
        if not annulment.renounced:
            reason = "中标人没有在平台上签名声明放弃中标"
            refusals.append(Refusal("not_renounced", article, reason))
        return refusals
    refusals += proof_refusals(
        ANNULMENT_NAMES[ground],
        article,
        document=annulment.document,
        found_by=annulment.found_by,
        by_authority=ground is AnnulmentGround.ILLEGAL_ACT_FOUND,
    )
    return refusals + _too_early(annulment, article)


@under(BIDDING_LAW[45], BIDDING_LAW[46], PROCUREMENT_LAW[46], rule=("AW-16", "AW-23"))
def renunciation_refusals(
    *, words: str, renounced: bool, annulled: bool, concluded: bool, switches: Switches
) -> list[Refusal]:
    """Why a winner cannot give its award up: it has said no reason, has done so, or has signed."""
    procurement = switches.regime is Regime.PROCUREMENT
    article = PROCUREMENT_LAW[46] if procurement else BIDDING_LAW[45]
    refusals = []
    if not words.strip():
        refusals.append(Refusal("no_reason", article, "放弃中标应当说明理由"))
    if renounced:
        refusals.append(Refusal("renounced_already", article, "已经声明放弃中标"))
    if annulled:
        refusals.append(Refusal("award_annulled", article, "中标资格已被取消"))
    if concluded:
        refusals.append(_concluded(switches))
    return refusals


@under(BIDDING_REGULATION[74], rule="AW-16")
def forfeits_security(ground: AnnulmentGround | None) -> bool:
    """Whether the bid security of the winner whose award fell on this ground stays with the lot."""
    return ground in FORFEITING


def _concluded(switches: Switches) -> Refusal:
    procurement = switches.regime is Regime.PROCUREMENT
    article = PROCUREMENT_LAW[46] if procurement else BIDDING_LAW[46]
    reason = "合同已经双方签名，不能以放弃或者取消中标代替合同的履行或者解除"
    return Refusal("concluded_already", article, reason)


def _too_early(annulment: Annulment, article: Article) -> list[Refusal]:
    """The winner still has its days, or nothing was laid before it that it could have signed."""
    refusals = []
    signing = (AnnulmentGround.REFUSED_CONTRACT, AnnulmentGround.ADDED_TERMS)
    if annulment.ground in signing and not annulment.offered:
        reason = "招标人尚未签署合同文本送交中标人，不能认定中标人不订立合同"
        refusals.append(Refusal("not_offered", article, reason))
    if annulment.ground is AnnulmentGround.REFUSED_CONTRACT:
        refusals += _days_running(annulment, article, "contract", annulment.contract_due_on)
    if annulment.ground is AnnulmentGround.NO_PERFORMANCE_SECURITY:
        if annulment.security_due_on is None:
            reason = "应当写明招标文件要求提交履约保证金的最后日期"
            refusals.append(Refusal("no_security_day", article, reason))
        else:
            refusals += _days_running(annulment, article, "security", annulment.security_due_on)
    return refusals


def _days_running(annulment: Annulment, article: Article, what: str, due_on: date) -> list[Refusal]:
    if annulment.now >= end_of_day(due_on):
        return []
    named = {"contract": "签订合同", "security": "提交履约保证金"}[what]
    reason = f"{named}的期限至{due_on}，期限届满前不能认定中标人违反义务"
    return [Refusal(f"{what}_days_running", article, reason, {"until": due_on.isoformat()})]
