"""Who is invited to bid, how many at least, and how they are found (邀请招标).

Where they must be drawn, the order follows from a seed, so that whoever has seed and list can draw
again. The signed notice names the invited by a salted commitment alone: nobody learns who or how
many they are, and nobody can exchange them afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from kernel.crypto.digests import canonical, labelled
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    CONSULTATION_MEASURES,
    NON_TENDER_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Severity,
    under,
)
from trading.rules.procedures import Invitation, Offers, Switches


class Source(StrEnum):
    """Where the names come from among which the invited are found."""

    NOTICE = "notice"
    """资格预审公告征集。"""

    LIST = "list"
    """从供应商库中选取。"""

    RECOMMENDATION = "recommendation"
    """采购人书面推荐。"""

    CHOSEN = "chosen"
    """招标人直接确定。"""


SOURCE_NAMES: Final[Mapping[Source, tuple[str, str]]] = MappingProxyType(
    {
        Source.NOTICE: ("资格预审公告征集", "A prequalification notice"),
        Source.LIST: ("从供应商库中选取", "A register of suppliers"),
        Source.RECOMMENDATION: ("采购人书面推荐", "Written recommendation"),
        Source.CHOSEN: ("招标人（采购人）直接确定", "Chosen by the tenderee"),
    }
)


@dataclass(frozen=True, slots=True)
class Guest:
    """An organisation that is to be listed, and what speaks against asking it to bid."""

    party_id: UUID
    name: str
    is_bidder: bool
    is_verified: bool
    is_own_side: bool


@dataclass(frozen=True, slots=True)
class Invited:
    """The invited as they are about to be told.

    `choice` is how many there were to draw from; `drawn` that they were drawn at random;
    `witnesses` how many of the purchaser's staff saw it; `sent_at` when each invitation goes out.
    """

    count: int
    source: Source
    choice: int
    drawn: bool
    witnesses: int
    record: str
    sent_at: tuple[datetime, ...]


NOBODY: Final = Invited(0, Source.CHOSEN, 0, False, 0, "", ())
"""That nobody was listed."""


@under(
    BIDDING_LAW[17],
    PROCUREMENT_LAW[31],
    PROCUREMENT_LAW[40],
    PROCUREMENT_TENDER_MEASURES[14],
    rule=("SC-07", "SC-08"),
)
def guest_refusals(guests: Sequence[Guest], switches: Switches) -> list[Refusal]:
    """Every ground on which one of these cannot be asked to bid, or nobody can."""
    demands, article = switches.invitation, refusing_article(switches)
    if demands is None:
        reason = "公开进行的项目面向所有符合条件的单位，不发出投标邀请书"
        return [Refusal("open_to_all", switches.principle, reason)]
    refusals = []
    for one in guests:
        if one.is_own_side or not one.is_bidder:
            reason = f"{one.name}不是可以投标的单位"
            refusals.append(Refusal("not_a_bidder", article, reason))
        elif not one.is_verified:
            reason = f"{one.name}的注册信息尚未核验，其能力、资信无从确认"
            refusals.append(Refusal("guest_unverified", article, reason))
    if len({one.party_id for one in guests}) != len(guests):
        refusals.append(Refusal("guest_twice", article, "同一单位列入了两次"))
    return refusals


@under(
    BIDDING_LAW[17],
    PROCUREMENT_LAW[31],
    PROCUREMENT_LAW[40],
    PROCUREMENT_TENDER_MEASURES[14],
    rule=("SC-07", "SC-08"),
)
def invitation_refusals(invited: Invited, switches: Switches) -> list[Refusal]:
    """Every ground on which these may not be invited like this; none where anybody may bid."""
    demands = switches.invitation
    if demands is None or (demands.or_notice and invited == NOBODY):
        return []
    article = refusing_article(switches)
    refusals = []
    if invited.count < demands.invited_min and demands.binds:
        refusals.append(Refusal("too_few_invited", article, *_too_few(invited, demands)))
    if switches.offers is Offers.AGREED and invited.count > 1:
        reason = "单一来源采购只有一个供应商"
        refusals.append(Refusal("more_than_one", article, reason))
    if not demands.drawn:
        return refusals
    if not invited.drawn or invited.source is Source.CHOSEN:
        refusals.append(Refusal("not_drawn", article, "应当从符合条件的名单中随机抽取被邀请人"))
    listed = invited.source in (Source.LIST, Source.RECOMMENDATION)
    if listed and invited.choice < demands.choice_factor * invited.count:
        reason = f"备选的供应商不得少于拟随机抽取数量的{demands.choice_factor}倍"
        facts = {"choice": str(invited.choice), "invited": str(invited.count)}
        refusals.append(Refusal("choice_too_small", article, reason, facts))
    if invited.witnesses < demands.witnesses_min:
        reason = f"随机抽取时应当有不少于{demands.witnesses_min}名采购人工作人员在场"
        refusals.append(Refusal("too_few_witnesses", article, reason))
    if not invited.record.strip():
        refusals.append(Refusal("no_record", article, "随机抽取过程应当形成书面记录并存档"))
    if len(set(invited.sent_at)) > 1:
        refusals.append(Refusal("not_together", article, "应当向所有被邀请人同时发出投标邀请书"))
    return refusals


@under(CONSULTATION_MEASURES[6], NON_TENDER_MEASURES[12], rule="NB-02", severity=Severity.WARN)
def invitation_cautions(invited: Invited, switches: Switches) -> list[Caution]:
    """What is doubtful of the invited where the text that asks for them is known from memory."""
    demands = switches.invitation
    if demands is None or demands.binds or invited == NOBODY:
        return []
    cautions = []
    if invited.count < demands.invited_min:
        cautions.append(Caution("too_few_invited", demands.article, *_too_few(invited, demands)))
    if invited.source is Source.CHOSEN:
        reason = "受邀供应商应当从供应商库中抽取，或者由采购人和评审专家分别书面推荐，请核对"
        cautions.append(Caution("chosen_directly", demands.article, reason))
    return cautions


def _too_few(invited: Invited, demands: Invitation) -> tuple[str, dict[str, str]]:
    reason = f"应当向{demands.invited_min}个以上具备能力的单位发出投标邀请书"
    return reason, {"invited": str(invited.count)}


def refusing_article(switches: Switches) -> Article:
    """By what an invitation is refused: what asks for it, where that text was read."""
    demands = switches.invitation
    return demands.article if demands is not None and demands.binds else switches.principle


@under(
    BIDDING_LAW[17],
    PROCUREMENT_LAW[31],
    PROCUREMENT_LAW[40],
    PROCUREMENT_TENDER_MEASURES[14],
    rule=("SC-07", "SC-08"),
)
def uninvited_refusals(*, invited: bool, switches: Switches) -> list[Refusal]:
    """Who was not invited may not bid where the others were."""
    if invited or switches.invitation is None:
        return []
    reason = "本标段只向受邀请的单位提供文件，未收到邀请书的单位不能参加"
    return [Refusal("not_invited", refusing_article(switches), reason)]


def drawn_first(listed: Collection[UUID], seed: bytes, *, count: int) -> tuple[UUID, ...]:
    """Those of the listed whom this seed draws first, in the order in which it draws them.

    Neither the order of the list nor who else stands in it moves anybody against another.
    """
    return tuple(
        sorted(listed, key=lambda party: labelled("ebid/1/invitees", seed, party.bytes))[:count]
    )


def invited_commitment(salt: bytes, invited: Collection[UUID]) -> bytes:
    """What stands in the signed notice for the invited."""
    return labelled("ebid/1/invited", salt, canonical(sorted(map(str, invited))))
