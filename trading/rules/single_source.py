"""Buying from the only one who can deliver (单一来源采购): what is published, and what is agreed.

Who is claimed to be the only supplier is named beforehand, with the grounds, so that whoever could
deliver too may say so while the notice stands. Then a group agrees a price with the supplier: never
above the budget, nor above what the supplier itself had offered. How many sit in the group, whose
opinions a claim needs and how opinions of others are dealt with is known from memory, and warns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from kernel.crypto.digests import Malformed, list_of, members, text_of
from kernel.identifiers import PersonId
from kernel.money import parse_yuan, yuan_text
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    NON_TENDER_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Severity,
    under,
)
from trading.rules.procedures import Offers, Switches
from trading.rules.procurement_methods import MethodGround

GROUP_MIN: Final = 3
GROUP_MAX: Final = 15
OPINIONS_MIN: Final = 3
OPINIONS_MAX: Final = 9
NAME_MAX: Final = 60
WORDS_MAX: Final = 4000


@dataclass(frozen=True, slots=True)
class ExpertOpinion:
    """What somebody of the trade says of the claim: who he is, and his words."""

    name: str
    employer: str
    title: str
    words: str

    def plain(self) -> dict[str, str]:
        """The opinion as the notice states it."""
        return {
            "name": self.name,
            "employer": self.employer,
            "title": self.title,
            "words": self.words,
        }


@dataclass(frozen=True, slots=True)
class SoleSupplier:
    """That one supplier alone can deliver, why, and whose opinions say so."""

    supplier_id: UUID
    grounds: str
    opinions: tuple[ExpertOpinion, ...] = ()


def publicity_switches(switches: Switches, ground: MethodGround | None) -> Switches:
    """The switches with their publicity only where there is a sole supplier to be published.

    An emergency does not wait for it, nor an addition to a contract that stands (条例 38).
    """
    if switches.offers is not Offers.AGREED or ground is MethodGround.ONLY_SUPPLIER:
        return switches
    return replace(switches, notice_period=None)


@under(PROCUREMENT_LAW[31], PROCUREMENT_REGULATION[38], rule="NB-06")
def sole_supplier_refusals(
    sole: SoleSupplier | None, switches: Switches, *, ground: MethodGround | None
) -> list[Refusal]:
    """Why a lot may not be put to a single supplier like this: none is named, or without grounds.

    And why one that is for more than one supplier may not name any.
    """
    if switches.offers is not Offers.AGREED:
        if sole is None:
            return []
        reason = "本采购方式不指定唯一供应商"
        return [Refusal("no_sole_supplier_here", switches.principle, reason)]
    only = ground is MethodGround.ONLY_SUPPLIER
    article = PROCUREMENT_REGULATION[38] if only else PROCUREMENT_LAW[31]
    if sole is None:
        reason = "单一来源采购应当载明供应商名称和采用单一来源方式的理由"
        return [Refusal("no_sole_supplier", article, reason)]
    if not sole.grounds.strip():
        return [Refusal("no_sole_grounds", article, "应当说明只能从该供应商采购的理由")]
    return []


@under(NON_TENDER_MEASURES[38], rule="NB-14", severity=Severity.WARN)
def sole_supplier_cautions(
    sole: SoleSupplier | None, switches: Switches, *, ground: MethodGround | None
) -> list[Caution]:
    """A claim that nobody can deliver but one, with fewer opinions than we remember it to need."""
    only = switches.offers is Offers.AGREED and ground is MethodGround.ONLY_SUPPLIER
    if not only or sole is None or len(sole.opinions) >= OPINIONS_MIN:
        return []
    reason = f"公示应当附有专业人员的论证意见和姓名、职称、单位，现有{len(sole.opinions)}份，请核对"
    return [Caution("few_opinions", NON_TENDER_MEASURES[38], reason)]


@dataclass(frozen=True, slots=True)
class GroupMember:
    """Somebody who agrees the price for the purchaser, and what he is there."""

    person_id: PersonId
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class PriceAgreement:
    """A price as it was agreed, by whom, and the record of how (协商情况记录)."""

    price: Decimal
    group: tuple[GroupMember, ...]
    record: str


def agreement_in(told: dict[str, Any]) -> PriceAgreement:
    """The agreement that a statement states, or `Malformed`."""
    group = []
    for item in list_of(told["group"], at_most=GROUP_MAX):
        one = members(item, {"person", "name", "title"})
        try:
            person = PersonId(UUID(text_of(one["person"])))
        except ValueError:
            raise Malformed("a person's id was expected") from None
        name, title = text_of(one["name"]).strip(), text_of(one["title"]).strip()
        if not name or max(len(name), len(title)) > NAME_MAX:
            raise Malformed(f"a name has 1 to {NAME_MAX} characters")
        group.append(GroupMember(person, name, title))
    record = text_of(told["record"])
    if len(record) > WORDS_MAX:
        raise Malformed(f"a record has at most {WORDS_MAX} characters")
    try:
        price = parse_yuan(text_of(told["price"]))
    except ValueError as fault:
        raise Malformed(str(fault)) from None
    return PriceAgreement(price, tuple(group), record)


@under(
    PROCUREMENT_LAW[6],
    PROCUREMENT_LAW[39],
    PROCUREMENT_LAW[42],
    PROCUREMENT_TENDER_MEASURES[12],
    rule="NB-15",
)
def agreement_refusals(
    agreement: PriceAgreement,
    switches: Switches,
    *,
    offered: Decimal,
    budget: Decimal,
    ceiling: Decimal | None,
    of_the_purchaser: Mapping[UUID, str],
) -> list[Refusal]:
    """Every ground on which a price may not be agreed like this.

    `of_the_purchaser` are the persons who may sit in the group, by their names.
    """
    refusals = []
    price = agreement.price
    if price <= 0:
        refusals.append(Refusal("price_not_positive", PROCUREMENT_LAW[39], "成交价格应当大于零"))
    if price > budget:
        reason = f"成交价格不得超过采购预算{yuan_text(budget)}元"
        refusals.append(Refusal("above_budget", PROCUREMENT_LAW[6], reason))
    if ceiling is not None and price > ceiling:
        reason = f"成交价格不得超过最高限价{yuan_text(ceiling)}元"
        refusals.append(Refusal("above_ceiling", switches.ceiling_article, reason))
    if price > offered:
        reason = f"商定的价格不得高于供应商响应文件的报价{yuan_text(offered)}元"
        refusals.append(Refusal("above_offer", PROCUREMENT_LAW[39], reason))
    persons = [one.person_id for one in agreement.group]
    if not persons or len(set(persons)) < len(persons):
        reason = "协商情况记录应当载明全部采购人员，且不得重复"
        refusals.append(Refusal("no_group", PROCUREMENT_LAW[42], reason))
    if any(of_the_purchaser.get(one.person_id) != one.name for one in agreement.group):
        reason = "采购人员应当是采购人或者采购代理机构登记的人员"
        refusals.append(Refusal("not_of_the_purchaser", PROCUREMENT_LAW[42], reason))
    if not agreement.record.strip():
        reason = "应当编写协商情况记录，作为采购活动记录保存"
        refusals.append(Refusal("no_negotiation_record", PROCUREMENT_LAW[42], reason))
    return refusals


@under(
    NON_TENDER_MEASURES[40],
    NON_TENDER_MEASURES[41],
    rule=("NB-14", "NB-16"),
    severity=Severity.WARN,
)
def agreement_cautions(agreement: PriceAgreement, *, unanswered: int) -> list[Caution]:
    """A group smaller than we remember it to be, and opinions of others nobody has answered."""
    cautions = []
    if len(agreement.group) < GROUP_MIN:
        reason = f"与供应商商定价格的采购人员应当不少于{GROUP_MIN}人，请核对"
        cautions.append(Caution("group_small", NON_TENDER_MEASURES[41], reason))
    if unanswered:
        reason = f"尚有{unanswered}件对公示的异议未答复，应当先组织补充论证并答复，请核对"
        cautions.append(Caution("opinions_unanswered", NON_TENDER_MEASURES[40], reason))
    return cautions


class FailureGround(StrEnum):
    """Why talks with the only supplier come to no price."""

    NO_PRICE = "no_price"
    ABOVE_BUDGET = "above_budget"
    CASE_GONE = "case_gone"
    MISCONDUCT = "misconduct"


FAILURES: Final[Mapping[FailureGround, str]] = MappingProxyType(
    {
        FailureGround.NO_PRICE: "未能在保证采购项目质量的基础上商定合理价格",
        FailureGround.ABOVE_BUDGET: "供应商的报价超过采购预算",
        FailureGround.CASE_GONE: "因情况变化，不再符合单一来源采购方式的适用情形",
        FailureGround.MISCONDUCT: "出现影响采购公正的违法、违规行为",
    }
)
"""The grounds in words; that their list is whole is known from memory (74号令 43)."""


@under(PROCUREMENT_LAW[39], PROCUREMENT_LAW[42], rule="NB-15")
def failure_refusals(*, reason: str, concluded: bool) -> list[Refusal]:
    """Why talks may not be ended without a price: it is agreed, or nothing says why."""
    refusals = []
    if concluded:
        reason_why = "成交价格已经商定，不得再以未商定价格为由终止"
        refusals.append(Refusal("already_agreed", PROCUREMENT_LAW[39], reason_why))
    if not reason.strip():
        refusals.append(Refusal("no_reason", PROCUREMENT_LAW[42], "应当说明终止采购活动的原因"))
    return refusals


@under(PROCUREMENT_LAW[39], rule="NB-15")
def signature_refusals(
    *, signs: UUID, group: Sequence[UUID], for_supplier: bool, concluded: bool
) -> list[Refusal]:
    """Why this person does not sign: neither of the group nor for the supplier, or all is done."""
    if concluded:
        return [Refusal("already_agreed", PROCUREMENT_LAW[39], "成交价格已经商定，不得再变更")]
    if for_supplier or signs in group:
        return []
    reason = "协商情况记录由采购人员和供应商签字确认"
    return [Refusal("not_in_group", PROCUREMENT_LAW[39], reason)]
