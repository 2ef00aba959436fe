"""Who must be the winner, and when the next candidate may step up.

Where the law demands the first-ranked candidate, a later one may win only if everybody ranked
before is set aside on one of the grounds that the law lists, each with the document that shows it.
A bar recorded after the deadline is no such ground by itself: it holds the award up until it is
lifted, or until an authority finds an illegal act that affected the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.identifiers import PartyId
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CIVIL_CODE,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    under,
)
from trading.rules.procedures import Switches, Winner


class SetAsideGround(StrEnum):
    """Why a candidate ranked before may be passed over (条例 55)."""

    GAVE_UP = "gave_up"
    FORCE_MAJEURE = "force_majeure"
    NO_PERFORMANCE_SECURITY = "no_performance_security"
    ILLEGAL_ACT_FOUND = "illegal_act_found"


GROUND_NAMES: Final[Mapping[SetAsideGround, str]] = MappingProxyType(
    {
        SetAsideGround.GAVE_UP: "放弃中标",
        SetAsideGround.FORCE_MAJEURE: "因不可抗力不能履行合同",
        SetAsideGround.NO_PERFORMANCE_SECURITY: "未按要求提交履约保证金",
        SetAsideGround.ILLEGAL_ACT_FOUND: "被查实存在影响中标结果的违法行为",
    }
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate of the committee's report."""

    party_id: PartyId
    name: str
    rank: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """That a candidate is passed over, on which ground, and the document that shows it.

    `found_by` is the authority that found an illegal act; the other grounds need none.
    """

    ground: SetAsideGround
    document: str
    found_by: str = ""


@dataclass(frozen=True, slots=True)
class WinnerChoice:
    """Whom the tenderee wants to name, out of which candidates.

    `state_funded` says that state money controls or dominates the project, `split` that the notice
    named a method by which the tenderee chooses (评定分离).
    """

    chosen: PartyId
    candidates: tuple[Candidate, ...]
    set_aside: Mapping[PartyId, SetAside]
    state_funded: bool
    all_rejected: bool = False
    lapsed: frozenset[PartyId] = frozenset()
    """Those whose bids stopped binding them because they did not agree to a longer validity."""
    annulled: frozenset[PartyId] = frozenset()
    """Those to whom the lot was awarded before, and whose award fell away."""
    unfit: frozenset[PartyId] = frozenset()
    """Those whom the original committee found unfit when it examined them again (条例 56)."""
    split: bool = False


def names_first(switches: Switches, *, state_funded: bool, split: bool = False) -> bool:
    """Whether the law names the winner here: the first in rank who is not set aside.

    Not where the notice split the award from the evaluation and the procedure lets it.
    """
    if split and switches.may_split_award:
        return False
    match switches.winner:
        case Winner.RANK_ONE:
            return True
        case Winner.RANK_ONE_IF_STATE_FUNDED:
            return state_funded
        case Winner.ANY_CANDIDATE:
            return False


@under(
    BIDDING_LAW[40],
    BIDDING_LAW[57],
    BIDDING_REGULATION[55],
    CIVIL_CODE[478],
    PROCUREMENT_REGULATION[43],
    PROCUREMENT_TENDER_MEASURES[68],
    rule=("AW-04", "AW-06"),
)
def winner_refusals(choice: WinnerChoice, switches: Switches) -> list[Refusal]:
    """Every ground on which the chosen one may not be named the winner."""
    if choice.all_rejected or not choice.candidates:
        reason = "所有投标已被否决，不得自行确定中标人"
        return [Refusal("all_rejected", BIDDING_LAW[57], reason)]
    chosen = next((one for one in choice.candidates if one.party_id == choice.chosen), None)
    if chosen is None:
        reason = "不得在评标委员会推荐的中标候选人以外确定中标人"
        return [Refusal("not_a_candidate", BIDDING_LAW[57], reason)]
    refusals = []
    if chosen.party_id in choice.set_aside:
        ground = GROUND_NAMES[choice.set_aside[chosen.party_id].ground]
        reason = f"{chosen.name}{ground}，不符合中标条件"
        refusals.append(Refusal("set_aside", switches.winner_article, reason))
    if chosen.party_id in choice.annulled:
        reason = f"{chosen.name}的中标资格已被取消，不得再次确定为中标人"
        refusals.append(Refusal("award_annulled", switches.winner_article, reason))
    if chosen.party_id in choice.lapsed:
        reason = f"{chosen.name}未同意延长投标有效期，其投标已经失效"
        refusals.append(Refusal("bid_lapsed", CIVIL_CODE[478], reason))
    if names_first(switches, state_funded=choice.state_funded, split=choice.split):
        refusals += _passed_over(choice, chosen, switches)
    elif choice.split:
        # Whoever is set aside is out of the choice, so each must be so with a document.
        for one in choice.set_aside.values():
            refusals += set_aside_refusals(one)
    return refusals


@under(BIDDING_REGULATION[55], rule="AW-04")
def set_aside_refusals(set_aside: SetAside) -> list[Refusal]:
    """Why a candidate may not be set aside like this: nothing shows it, or nobody found it."""
    return proof_refusals(
        GROUND_NAMES[set_aside.ground],
        BIDDING_REGULATION[55],
        document=set_aside.document,
        found_by=set_aside.found_by,
        by_authority=set_aside.ground is SetAsideGround.ILLEGAL_ACT_FOUND,
    )


@under(BIDDING_REGULATION[55], rule="AW-04")
def proof_refusals(
    ground: str, article: Article, *, document: str, found_by: str, by_authority: bool
) -> list[Refusal]:
    """Why a ground that is named so is not shown: no document says it, or no authority found it."""
    refusals = []
    if not document.strip():
        reason = f"应当载明证明“{ground}”的文件"
        refusals.append(Refusal("no_document", article, reason))
    if by_authority and not found_by.strip():
        reason = "影响中标结果的违法行为应当由有关机关查实，应当载明查实机关"
        refusals.append(Refusal("not_found_by_authority", article, reason))
    return refusals


def _passed_over(choice: WinnerChoice, chosen: Candidate, switches: Switches) -> list[Refusal]:
    refusals = []
    for better in sorted(choice.candidates, key=lambda one: one.rank):
        if better.rank >= chosen.rank:
            break
        if better.party_id in choice.lapsed | choice.annulled | choice.unfit:
            continue
        set_aside = choice.set_aside.get(better.party_id)
        if set_aside is None:
            reason = (
                f"应当确定排名在先的中标候选人为中标人："
                f"第{better.rank}名{better.name}没有不符合中标条件的法定情形"
            )
            facts = {"rank": str(chosen.rank), "passed_over": str(better.rank)}
            refusals.append(Refusal("not_first", switches.winner_article, reason, facts))
        else:
            refusals += set_aside_refusals(set_aside)
    return refusals
