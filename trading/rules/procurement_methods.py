"""When procurement may do without a tender, who negotiates, and who wins then.

Negotiation, single source and inquiry have their cases in the law; the one who claims a case shows
it. Among offers that meet the demand alike, the lowest price wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.identifiers import PartyId
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    CONSULTATION_MEASURES,
    NON_TENDER_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    Article,
    Provenance,
    Severity,
    under,
)
from trading.rules.procedures import Procedure

SUPPLIERS_MIN: Final = 3
GROUP_MIN: Final = 3
GROUP_MIN_AT_THRESHOLD: Final = 5
ADDITION_SHARE: Final = Decimal("0.10")


class MethodGround(StrEnum):
    """A case in which the law lets procurement do without a tender."""

    NO_BIDS = "no_bids"
    COMPLEX = "complex"
    URGENT = "urgent"
    PRICE_UNKNOWN = "price_unknown"
    ONLY_SUPPLIER = "only_supplier"
    UNFORESEEN_EMERGENCY = "unforeseen_emergency"
    ADDITION = "addition"
    STANDARD_GOODS = "standard_goods"
    BOUGHT_SERVICE = "bought_service"
    AIDED_RESEARCH = "aided_research"
    UNTENDERED_WORKS = "untendered_works"


GROUND_NAMES: Final[Mapping[MethodGround, str]] = MappingProxyType(
    {
        MethodGround.NO_BIDS: "招标后没有供应商投标或者没有合格标的，或者重新招标未能成立",
        MethodGround.COMPLEX: "技术复杂或者性质特殊，不能确定详细规格或者具体要求",
        MethodGround.URGENT: "采用招标所需时间不能满足用户紧急需要",
        MethodGround.PRICE_UNKNOWN: "不能事先计算出价格总额",
        MethodGround.ONLY_SUPPLIER: "只能从唯一供应商处采购",
        MethodGround.UNFORESEEN_EMERGENCY: "发生了不可预见的紧急情况不能从其他供应商处采购",
        MethodGround.ADDITION: "必须保证原有采购项目一致性或者服务配套，且添购不超过原合同的10%",
        MethodGround.STANDARD_GOODS: "采购的货物规格、标准统一，现货货源充足且价格变化幅度小",
        MethodGround.BOUGHT_SERVICE: "政府购买服务项目",
        MethodGround.AIDED_RESEARCH: "市场竞争不充分的科研项目，以及需要扶持的科技成果转化项目",
        MethodGround.UNTENDERED_WORKS: "依法必须招标的工程建设项目以外的工程建设项目",
    }
)

CASES: Final[Mapping[Procedure, tuple[Article, frozenset[MethodGround]]]] = MappingProxyType(
    {
        Procedure.COMPETITIVE_NEGOTIATION: (
            PROCUREMENT_LAW[30],
            frozenset(
                {
                    MethodGround.NO_BIDS,
                    MethodGround.COMPLEX,
                    MethodGround.URGENT,
                    MethodGround.PRICE_UNKNOWN,
                }
            ),
        ),
        Procedure.SINGLE_SOURCE: (
            PROCUREMENT_LAW[31],
            frozenset(
                {
                    MethodGround.ONLY_SUPPLIER,
                    MethodGround.UNFORESEEN_EMERGENCY,
                    MethodGround.ADDITION,
                }
            ),
        ),
        Procedure.REQUEST_FOR_QUOTATIONS: (
            PROCUREMENT_LAW[32],
            frozenset({MethodGround.STANDARD_GOODS}),
        ),
        Procedure.COMPETITIVE_CONSULTATION: (
            CONSULTATION_MEASURES[3],
            frozenset(
                {
                    MethodGround.BOUGHT_SERVICE,
                    MethodGround.COMPLEX,
                    MethodGround.PRICE_UNKNOWN,
                    MethodGround.AIDED_RESEARCH,
                    MethodGround.UNTENDERED_WORKS,
                }
            ),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class MethodClaim:
    """That a method may be used: the case, what shows it, and what an addition is added to.

    `of_goods` says that goods are bought, the only thing that an inquiry is for.
    """

    ground: MethodGround | None
    document: str
    amount: Decimal = Decimal(0)
    first_contract: Decimal | None = None
    of_goods: bool = True


@under(PROCUREMENT_LAW[30], PROCUREMENT_LAW[31], PROCUREMENT_LAW[32], rule="NB-09")
def case_refusals(procedure: Procedure, claim: MethodClaim) -> list[Refusal]:
    """Why procurement may not use this method: no case of the law, or nothing that shows it."""
    if procedure not in CASES:
        return []
    article, grounds = CASES[procedure]
    if article.provenance is Provenance.MEMORY:
        return []
    if claim.ground not in grounds:
        names = "；".join(GROUND_NAMES[one] for one in MethodGround if one in grounds)
        return [Refusal("no_case", article, f"只有下列情形可以采用：{names}")]
    refusals = []
    if procedure is Procedure.REQUEST_FOR_QUOTATIONS and not claim.of_goods:
        reason = "询价方式只适用于采购货物"
        refusals.append(Refusal("not_goods", article, reason))
    if not claim.document.strip():
        reason = f"以“{GROUND_NAMES[claim.ground]}”为由的，应当载明说明或者批准文件"
        refusals.append(Refusal("no_document", article, reason))
    if claim.ground is MethodGround.ADDITION:
        first = claim.first_contract or Decimal(0)
        if claim.amount > ADDITION_SHARE * first:
            reason = "添购资金总额不得超过原合同采购金额的10%"
            refusals.append(Refusal("addition_too_large", article, reason))
    return refusals


@under(CONSULTATION_MEASURES[3], rule="NB-12", severity=Severity.WARN)
def case_cautions(procedure: Procedure, claim: MethodClaim) -> list[Caution]:
    """What is doubtful about a method whose cases nobody here has read in their own text."""
    if procedure not in CASES or CASES[procedure][0].provenance is not Provenance.MEMORY:
        return []
    article, grounds = CASES[procedure]
    if claim.ground in grounds and claim.document.strip():
        return []
    names = "；".join(GROUND_NAMES[one] for one in MethodGround if one in grounds)
    return [Caution("no_case", article, f"请核对并载明属于下列何种情形：{names}")]


@under(NON_TENDER_MEASURES[7], rule="NB-01", severity=Severity.WARN)
def group_cautions(*, members: int, experts: int, at_threshold: bool) -> list[Caution]:
    """A negotiating or inquiry group that is too small for what it buys."""
    least = GROUP_MIN_AT_THRESHOLD if at_threshold else GROUP_MIN
    if members >= least and members % 2 and experts * 3 >= members * 2:
        return []
    reason = f"小组应当由{least}人以上单数组成，其中评审专家不少于三分之二"
    return [Caution("group_unfit", NON_TENDER_MEASURES[7], reason)]


@under(NON_TENDER_MEASURES[12], rule="NB-02", severity=Severity.WARN)
def supplier_cautions(invited: int, procedure: Procedure) -> list[Caution]:
    """Fewer than three suppliers asked, where more than one can be."""
    if procedure is Procedure.SINGLE_SOURCE or invited >= SUPPLIERS_MIN:
        return []
    reason = f"应当邀请不少于{SUPPLIERS_MIN}家符合条件的供应商"
    return [Caution("too_few_suppliers", NON_TENDER_MEASURES[12], reason)]


@dataclass(frozen=True, slots=True)
class Offer:
    """A supplier's last price, and whether its offer meets the demand."""

    supplier: PartyId
    price: Decimal
    meets: bool
    number: int


@under(
    PROCUREMENT_LAW[38], PROCUREMENT_LAW[40], PROCUREMENT_REGULATION[36], rule=("NB-04", "NB-05")
)
def lowest_that_meets(offers: Sequence[Offer]) -> Offer | None:
    """Who wins a negotiation or inquiry: the lowest price that meets the demand; None for nobody.

    Of equal prices the first received, so that the answer never hangs on chance.
    """
    fit = [one for one in offers if one.meets]
    return min(fit, key=lambda one: (one.price, one.number), default=None)


@under(PROCUREMENT_LAW[38], PROCUREMENT_LAW[40], PROCUREMENT_REGULATION[36], rule="NB-05")
def second_price_refusals(
    *, named_before: bool, article: Article = PROCUREMENT_LAW[40]
) -> list[Refusal]:
    """An inquiry's price, and the last one after talks, is named once and cannot be changed."""
    if not named_before:
        return []
    reason = "价格应当一次报出，不得要求或者作出第二次报价"
    return [Refusal("price_named", article, reason)]
