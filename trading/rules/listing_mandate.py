"""What an agency may do for the seller of a listing: what the seller's letter for it says.

A letter names one listing by its code, so that it can be signed before there is a listing at all.
The reserve is the seller's own secret, and so is the decision to keep a winner's deposit: neither
can be entrusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, CIVIL_CODE, under
from trading.rules.agency_scope import LETTER
from trading.rules.listing_protocol import TERMS


class ListingAct(StrEnum):
    """The parts of a listing that a seller may entrust."""

    ANNOUNCE = "announce"
    ORDER = "order"
    DEAL = "deal"


LISTING_ACT_NAMES: Final[Mapping[ListingAct, tuple[str, str]]] = MappingProxyType(
    {
        ListingAct.ANNOUNCE: ("发布挂牌公告", "announce the listing"),
        ListingAct.ORDER: ("中止、恢复和终止挂牌", "suspend, resume and end it"),
        ListingAct.DEAL: ("签订成交确认书", "sign the deal"),
    }
)


@dataclass(frozen=True, slots=True)
class Mandate:
    """What a letter entrusts: which acts, and its last day; without one until it is ended."""

    acts: frozenset[ListingAct]
    until: date | None = None
    ended: bool = False


@under(LETTER, rule="PL-07")
def mandate_refusals(mandate: Mandate | None, act: ListingAct, *, on: date) -> list[Refusal]:
    """Every ground on which an agency may not do this on this day; a letter's last day is good."""
    if mandate is None:
        reason = "出让人（转让人）没有为该挂牌编号签署给本单位的授权委托书"
        return [Refusal("agency_not_authorised", LETTER, reason)]
    if mandate.ended:
        return [Refusal("authorisation_ended", LETTER, "出让人（转让人）已经终止委托")]
    refusals = []
    if mandate.until is not None and on > mandate.until:
        reason = f"授权委托书已于{mandate.until:%Y-%m-%d}到期"
        facts = {"until": mandate.until.isoformat()}
        refusals.append(Refusal("authorisation_expired", LETTER, reason, facts))
    if act not in mandate.acts:
        reason = f"授权委托书没有授权代理机构{LISTING_ACT_NAMES[act][0]}"
        refusals.append(Refusal("authorisation_other_act", LETTER, reason, {"act": str(act)}))
    return refusals


@under(LETTER, rule="PL-07")
def mandate_letter_refusals(
    mandate: Mandate, *, today: date, to_an_agency: bool, to_itself: bool
) -> list[Refusal]:
    """Why a letter entrusts nothing to nobody: no act, a past day, or no agency."""
    refusals = []
    if not mandate.acts:
        refusals.append(Refusal("letter_without_acts", LETTER, "授权委托书应当载明代理事项"))
    if mandate.until is not None and mandate.until < today:
        refusals.append(Refusal("letter_outdated", LETTER, "授权委托书载明的期限已过"))
    if to_itself or not to_an_agency:
        refusals.append(Refusal("no_agency", LETTER, "受托人应当是已登记的代理机构"))
    return refusals


@under(CIVIL_CODE[509], rule="LA-03")
def entrusted_reserve_refusals(*, by_agency: bool, has_reserve: bool) -> list[Refusal]:
    """An agency sets no reserve: the seller decides it, and nobody else is to know it."""
    if not (by_agency and has_reserve):
        return []
    reason = "底价由出让人确定并保密，设有底价的由出让人本单位发布公告"
    return [Refusal("reserve_by_agency", TERMS, reason)]


@under(BIDDING_REGULATION[13], rule="SC-09")
def own_agency_refusals(*, entrusted: bool) -> list[Refusal]:
    """An agency does not bid for what it was entrusted with, even if it has done nothing yet."""
    if not entrusted:
        return []
    reason = "代理机构不得参加所代理标的的竞买"
    return [Refusal("agency_bids", BIDDING_REGULATION[13], reason)]


@under(CIVIL_CODE[509], rule="LA-07")
def relisting_refusals(*, own: bool, without_deal: bool, again_already: bool) -> list[Refusal]:
    """Why something is not listed again: it is another's, is not free, or was listed again."""
    refusals = []
    if not own:
        refusals.append(Refusal("not_the_seller", TERMS, "只有原出让人（转让人）可以重新挂牌"))
    if not without_deal:
        refusals.append(Refusal("not_free", TERMS, "原挂牌尚未结束，或者已经成交"))
    if again_already:
        refusals.append(Refusal("relisted_already", TERMS, "原挂牌已经重新挂牌"))
    return refusals
