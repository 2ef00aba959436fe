"""The published method by which a lot's bids are scored: items, bands, price formula, rounding.

It is part of the tender documents; nothing else may be scored and nothing may be scored otherwise
(EV-02). It is judged against the law of its family before it is published, and an expert's mark is
judged against it when it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from evaluation.rules.score_arithmetic import (
    BenchmarkMethod,
    BenchmarkTerms,
    Deduction,
    Rounding,
    decimal_text,
    price_method_refusals,
    rounded,
)
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    COMMITTEE_PROVISIONS,
    CONSULTATION_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Provenance,
    Regime,
    Severity,
    under,
)

FULL_MARKS: Final = Decimal(100)


class ScoringMethod(StrEnum):
    """The method of each family of law that scores, and one of procurement that does not."""

    COMPREHENSIVE_EVALUATION = "comprehensive_evaluation"
    """综合评估法, of the tendering law."""

    COMPREHENSIVE_SCORING = "comprehensive_scoring"
    """综合评分法, of government procurement."""

    LOWEST_PRICE = "lowest_price"
    """最低评标价法: among those that meet the demand the lowest price wins."""


class ItemKind(StrEnum):
    """Whether an item is a matter of judgement or of fact."""

    SUBJECTIVE = "subjective"
    OBJECTIVE = "objective"
    """Every member must arrive at the same mark."""


class ItemPart(StrEnum):
    """The part of the evaluation that an item belongs to."""

    TECHNICAL = "technical"
    BUSINESS = "business"
    CREDIT = "credit"


class RoundStage(StrEnum):
    """Where rounding happens: at the total alone, or at each item and the price as well."""

    TOTAL = "total"
    EACH_ITEM = "each_item"


class TieRule(StrEnum):
    """What decides between equal totals, in the order in which the documents name it."""

    LOWER_PRICE = "lower_price"
    HIGHER_TECHNICAL = "higher_technical"
    EARLIER_BID = "earlier_bid"
    """The bid whose last byte came first."""


class Entering(StrEnum):
    """Whose prices enter the benchmark."""

    VALID = "valid"
    """Bids that were not rejected."""

    OPENED = "opened"
    """All bids that were opened, rejected ones too."""


class Procured(StrEnum):
    """What the lot is for."""

    WORKS = "works"
    GOODS = "goods"
    SERVICES = "services"


PRICE_WEIGHT_MIN: Final[Mapping[Procured, Decimal]] = MappingProxyType(
    {Procured.GOODS: Decimal(30), Procured.SERVICES: Decimal(10)}
)
"""The least price weight in government procurement, in points of a hundred."""

CONSULTED_WEIGHTS: Final[Mapping[Procured, tuple[int, int]]] = MappingProxyType(
    {Procured.GOODS: (30, 60), Procured.SERVICES: (10, 30)}
)
"""The price weight of a consultation, lowest and highest, as known from memory."""

DEDUCTION_RANGE: Final[Mapping[Procured, tuple[Decimal, Decimal]]] = MappingProxyType(
    {
        Procured.GOODS: (Decimal("0.10"), Decimal("0.20")),
        Procured.SERVICES: (Decimal("0.10"), Decimal("0.20")),
        Procured.WORKS: (Decimal("0.03"), Decimal("0.05")),
    }
)
"""What is taken off small enterprises' prices, as known from memory: beyond it one is warned."""


@dataclass(frozen=True, slots=True)
class Band:
    """One band of an item, such as 良, with the marks that belong to it, both ends included."""

    name: str
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class ScoreItem:
    """One thing that every member marks for every bid.

    `highest` is the mark for full merit and `weight` what one mark is worth in the total; `step` is
    the least difference between two marks.
    """

    id: str
    name: str
    kind: ItemKind
    part: ItemPart
    highest: Decimal
    weight: Decimal = Decimal(1)
    step: Decimal = Decimal("0.01")
    bands: tuple[Band, ...] = ()

    def worth(self) -> Fraction:
        """What the item can add to the total."""
        return Fraction(self.highest) * Fraction(self.weight)


@dataclass(frozen=True, slots=True)
class BenchmarkPrice:
    """The price is scored by its distance from a benchmark."""

    terms: BenchmarkTerms
    deduction: Deduction
    k_set: tuple[Decimal, ...] = ()
    entering: Entering = Entering.VALID


@dataclass(frozen=True, slots=True)
class PolicyRates:
    """What the documents grant small enterprises: off the price, or on top of the price points.

    `consortium` is the rate for a consortium in which small enterprises hold a share large enough.
    """

    small_enterprise: Decimal = Decimal(0)
    consortium: Decimal = Decimal(0)
    bonus: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ScoreScheme:
    """The published scoring method of one lot.

    `formula` is None where the lowest price comes first. From `trim_from` members on, the highest
    and the lowest mark of each item are left out; None never leaves one out.
    """

    method: ScoringMethod
    items: tuple[ScoreItem, ...]
    price_points: Decimal
    formula: BenchmarkPrice | None
    round_stage: RoundStage = RoundStage.TOTAL
    places: int = 2
    rounding: Rounding = Rounding.HALF_UP
    trim_from: int | None = None
    ties: tuple[TieRule, ...] = (TieRule.LOWER_PRICE, TieRule.HIGHER_TECHNICAL)
    policy: PolicyRates = PolicyRates()

    @property
    def by_price_alone(self) -> bool:
        """Whether nothing is marked and the order of the prices decides."""
        return self.method is ScoringMethod.LOWEST_PRICE

    def item(self, item_id: str) -> ScoreItem:
        """The item of that id; `KeyError` where there is none."""
        for one in self.items:
            if one.id == item_id:
                return one
        raise KeyError(item_id)


@dataclass(frozen=True, slots=True)
class SchemeSwitches:
    """What a lot's procedure and subject say about its scoring.

    `qualifications` are the names of the conditions that a bidder must fulfil to take part at all.
    `reserved_for_small` says that the lot is open to small enterprises only, `lowest_price_wins`
    that nothing but the price may decide in its procedure, by `lowest_price_article`, and
    `consulted` that it is scored after talks (磋商), for which no article here was read.
    """

    regime: Regime
    procured: Procured
    qualifications: frozenset[str] = frozenset()
    reserved_for_small: bool = False
    lowest_price_wins: bool = False
    lowest_price_article: Article = PROCUREMENT_LAW[40]
    consulted: bool = False


@under(
    BIDDING_LAW[40],
    BIDDING_REGULATION[49],
    COMMITTEE_PROVISIONS[17],
    COMMITTEE_PROVISIONS[35],
    PROCUREMENT_LAW[38],
    PROCUREMENT_LAW[40],
    PROCUREMENT_TENDER_MEASURES[54],
    PROCUREMENT_TENDER_MEASURES[55],
    PROCUREMENT_TENDER_MEASURES[57],
    rule=("EV-02", "EV-19", "EV-22"),
)
def scheme_refusals(scheme: ScoreScheme, switches: SchemeSwitches) -> list[Refusal]:
    """Every ground on which this scheme may not be published for such a lot."""
    if scheme.by_price_alone:
        return _lowest_price_refusals(scheme, switches) + _policy_refusals(scheme, switches)
    if switches.lowest_price_wins:
        reason = "应当按照符合采购需求、质量和服务相等且报价最低的原则确定成交供应商，不得评分"
        return [Refusal("scored_inquiry", switches.lowest_price_article, reason)]
    terms = None if scheme.formula is None else scheme.formula.terms
    refusals = price_method_refusals(terms, regime=switches.regime)
    refusals += _sum_refusals(scheme, switches)
    for one in scheme.items:
        refusals += _item_refusals(one, switches)
    if scheme.formula is not None:
        refusals += _formula_refusals(scheme.formula)
    if switches.regime is Regime.PROCUREMENT:
        refusals += _procurement_refusals(scheme, switches)
    elif scheme.method is not ScoringMethod.COMPREHENSIVE_EVALUATION:
        reason = "招标投标项目应当采用综合评估法"
        refusals.append(Refusal("method_unfit", COMMITTEE_PROVISIONS[35], reason))
    return refusals + _policy_refusals(scheme, switches)


@under(
    PROCUREMENT_LAW[9],
    COMMITTEE_PROVISIONS.read_as(35, Provenance.MEMORY),
    severity=Severity.WARN,
)
def scheme_cautions(scheme: ScoreScheme, switches: SchemeSwitches) -> list[Caution]:
    """What is unusual in a scheme: policy rates out of their range, deductions that favour height.

    Nobody here has read the norms behind either, so that they only warn.
    """
    cautions = []
    low, high = DEDUCTION_RANGE[switches.procured]
    rate = scheme.policy.small_enterprise
    procurement = switches.regime is Regime.PROCUREMENT
    if procurement and not switches.reserved_for_small and not low <= rate <= high:
        reason = (
            f"小微企业价格扣除比例一般为{_percent(low)}至{_percent(high)}，现为{_percent(rate)}"
        )
        cautions.append(Caution("policy_rate_unusual", PROCUREMENT_LAW[9], reason))
    cautions += consultation_cautions(scheme, switches)
    if scheme.formula is not None and scheme.formula.deduction.above < (
        scheme.formula.deduction.below
    ):
        article = COMMITTEE_PROVISIONS.read_as(35, Provenance.MEMORY)
        reason = "报价高于基准价的扣分幅度小于低于基准价的扣分幅度"
        cautions.append(Caution("deduction_favours_high", article, reason))
    return cautions


@under(CONSULTATION_MEASURES[24], CONSULTATION_MEASURES[25], rule="NB-08", severity=Severity.WARN)
def consultation_cautions(scheme: ScoreScheme, switches: SchemeSwitches) -> list[Caution]:
    """A price weight, or an order of equals, that is not what the consultation measures say."""
    if not switches.consulted:
        return []
    cautions = []
    if switches.procured in CONSULTED_WEIGHTS:
        low, high = CONSULTED_WEIGHTS[switches.procured]
        if not low <= scheme.price_points <= high:
            what = "货物" if switches.procured is Procured.GOODS else "服务"
            reason = f"{what}项目磋商的价格分值占总分值的比重应为{low}%至{high}%，请核对"
            facts = {"points": decimal_text(scheme.price_points)}
            cautions.append(
                Caution("price_weight_unusual", CONSULTATION_MEASURES[24], reason, facts)
            )
    if scheme.ties[:1] != (TieRule.LOWER_PRICE,):
        reason = "评审得分相同的，应当按照最后报价由低到高的顺序推荐，请核对"
        cautions.append(Caution("tie_rule_unusual", CONSULTATION_MEASURES[25], reason))
    return cautions


@under(
    BIDDING_REGULATION[49],
    COMMITTEE_PROVISIONS[17],
    PROCUREMENT_TENDER_MEASURES[55],
    rule="EV-02",
)
def score_refusals(
    scheme: ScoreScheme,
    item_id: str,
    score: Decimal,
    *,
    band: str | None = None,
) -> list[Refusal]:
    """Why this mark may not be given for this item; `band` is the one the expert chose, if any."""
    article = (
        PROCUREMENT_TENDER_MEASURES[55]
        if scheme.method is not ScoringMethod.COMPREHENSIVE_EVALUATION
        else BIDDING_REGULATION[49]
    )
    try:
        item = scheme.item(item_id)
    except KeyError:
        reason = "招标文件没有规定的评审因素不得作为评标的依据"
        return [Refusal("unknown_item", article, reason, {"item": item_id[:100]})]
    chosen = [one for one in item.bands if band is None or one.name == band]
    if band is not None and not chosen:
        return [Refusal("unknown_band", article, f"评审因素“{item.name}”没有“{band[:20]}”档")]
    refusals = []
    facts = {"item": item.id, "score": decimal_text(score)}
    if not _within(item, chosen, score):
        refusals.append(Refusal("out_of_band", article, _allowed(item, chosen), facts))
    if item.step and score % item.step:
        reason = f"分值的最小单位为 {decimal_text(item.step)}"
        refusals.append(Refusal("off_step", article, reason, facts))
    return refusals


def _within(item: ScoreItem, bands: list[Band], score: Decimal) -> bool:
    if not bands:
        return 0 <= score <= item.highest
    return any(one.low <= score <= one.high for one in bands)


def _allowed(item: ScoreItem, bands: list[Band]) -> str:
    if not bands:
        return f"分值应在 0 到 {decimal_text(item.highest)} 之间。"
    if len(bands) == 1:
        return f"分值应在 {_span(bands[0])} 之间（“{bands[0].name}”档）。"
    choices = "；".join(f"“{one.name}”档 {_span(one)}" for one in bands)
    return f"分值应在下列档次之内：{choices}。"


def _span(band: Band) -> str:
    return f"{decimal_text(band.low)} 到 {decimal_text(band.high)}"


def _percent(rate: Decimal) -> str:
    return f"{decimal_text(rate * 100)}%"


def _lowest_price_refusals(scheme: ScoreScheme, switches: SchemeSwitches) -> list[Refusal]:
    """Why the lowest price may not decide here, or what else this scheme would let decide."""
    article = PROCUREMENT_TENDER_MEASURES[54]
    if switches.lowest_price_wins:
        article = switches.lowest_price_article
    if switches.regime is not Regime.PROCUREMENT:
        reason = "最低评标价法仅适用于政府采购项目"
        return [Refusal("method_unfit", COMMITTEE_PROVISIONS[35], reason)]
    refusals = []
    if scheme.items or scheme.price_points or scheme.formula is not None:
        reason = "以最低报价确定成交供应商的，不得设评审因素、分值或者评标基准价"
        refusals.append(Refusal("scored_by_price", article, reason))
    if scheme.trim_from is not None or scheme.policy.bonus:
        reason = "以最低报价确定成交供应商的，没有可以去掉或者增加的分值"
        refusals.append(Refusal("marks_without_items", article, reason))
    unfit = {TieRule.LOWER_PRICE, TieRule.HIGHER_TECHNICAL} & set(scheme.ties)
    if unfit or len(set(scheme.ties)) != len(scheme.ties):
        reason = "报价相同时只能按响应文件送达的先后排序，或者由采购文件规定的随机抽取确定"
        refusals.append(Refusal("tie_rule_unfit", article, reason))
    return refusals


def _sum_refusals(scheme: ScoreScheme, switches: SchemeSwitches) -> list[Refusal]:
    article = _weights_article(switches.regime)
    refusals = []
    total = sum((one.worth() for one in scheme.items), Fraction(scheme.price_points))
    if total != FULL_MARKS:
        shown = decimal_text(rounded(total, places=4))
        reason = f"各评审因素与价格的分值之和应当为100分，现为{shown}分"
        refusals.append(Refusal("sum_not_100", article, reason, {"sum": shown}))
    ids = [one.id for one in scheme.items]
    names = [one.name for one in scheme.items]
    if len(set(ids)) != len(ids) or len(set(names)) != len(names):
        refusals.append(Refusal("item_twice", article, "评审因素的编号或者名称重复"))
    if scheme.trim_from is not None and scheme.trim_from < 5:
        reason = "成员少于5人时不得去掉最高分和最低分"
        refusals.append(Refusal("trims_too_few", article, reason))
    if len(set(scheme.ties)) != len(scheme.ties):
        refusals.append(Refusal("tie_rule_twice", article, "同分处理规则重复"))
    return refusals


def _item_refusals(item: ScoreItem, switches: SchemeSwitches) -> list[Refusal]:
    article = _weights_article(switches.regime)
    facts = {"item": item.id}
    refusals = []
    if item.highest <= 0 or item.weight <= 0:
        reason = f"评审因素“{item.name}”的满分和权重应当大于零"
        refusals.append(Refusal("item_worthless", article, reason, facts))
    if item.step <= 0 or item.highest % item.step:
        reason = f"评审因素“{item.name}”的分值单位不能整除满分"
        refusals.append(Refusal("step_unfit", article, reason, facts))
    if _bands_clash(item):
        reason = f"评审因素“{item.name}”的档次重复、交叉、超出满分，或者最高档达不到满分"
        refusals.append(Refusal("bands_unfit", article, reason, facts))
    return refusals


def _bands_clash(item: ScoreItem) -> bool:
    """Whether bands overlap beyond a shared end, leave the item's range, or miss full marks."""
    ordered = sorted(item.bands, key=lambda one: (one.low, one.high))
    names = {one.name for one in ordered}
    apart = all(below.high <= above.low for below, above in pairwise(ordered))
    inside = all(0 <= one.low <= one.high <= item.highest for one in ordered)
    reaches = not ordered or ordered[-1].high == item.highest
    return len(names) != len(ordered) or not (apart and inside and reaches)


def _formula_refusals(formula: BenchmarkPrice) -> list[Refusal]:
    article = COMMITTEE_PROVISIONS[17]
    refusals = []
    uses_k = formula.terms.scaling is not None
    if formula.terms.scaling is BenchmarkMethod.MEAN_TIMES_K and not formula.k_set:
        reason = "采用下浮系数K的，招标文件应当列明K值范围"
        refusals.append(Refusal("no_k_set", article, reason))
    if formula.k_set and not uses_k:
        refusals.append(Refusal("k_set_unused", article, "招标文件列明了不使用的K值"))
    if len(set(formula.k_set)) != len(formula.k_set) or any(
        not 0 < one < 2 for one in formula.k_set
    ):
        reason = "K值应当互不相同，大于0且小于2"
        refusals.append(Refusal("k_set_unfit", article, reason))
    return refusals


def _procurement_refusals(scheme: ScoreScheme, switches: SchemeSwitches) -> list[Refusal]:
    article = PROCUREMENT_TENDER_MEASURES[55]
    refusals = []
    if scheme.method is not ScoringMethod.COMPREHENSIVE_SCORING:
        reason = "政府采购货物和服务的评分应当采用综合评分法"
        refusals.append(Refusal("method_unfit", article, reason))
    least = PRICE_WEIGHT_MIN.get(switches.procured)
    if least is not None and scheme.price_points < least and not switches.consulted:
        what = "货物" if switches.procured is Procured.GOODS else "服务"
        reason = f"{what}项目的价格分值占总分值的比重不得低于{decimal_text(least)}%"
        facts = {"points": decimal_text(scheme.price_points)}
        refusals.append(Refusal("price_weight_too_low", article, reason, facts))
    if scheme.trim_from is not None:
        reason = "政府采购评审不得去掉最高分和最低分"
        refusals.append(Refusal("marks_trimmed", article, reason))
    conditions = {_plain(one) for one in switches.qualifications}
    for one in scheme.items:
        facts = {"item": one.id}
        if _plain(one.name) in conditions:
            reason = f"资格条件“{one.name}”不得作为评审因素"
            refusals.append(Refusal("qualification_scored", article, reason, facts))
        if one.kind is ItemKind.SUBJECTIVE and not one.bands:
            reason = f"评审因素“{one.name}”应当细化和量化，并与相应的分值区间对应"
            refusals.append(Refusal("not_quantified", article, reason, facts))
    if scheme.ties[:1] != (TieRule.LOWER_PRICE,) and not switches.consulted:
        reason = "得分相同的，应当首先按投标报价由低到高顺序排列"
        refusals.append(Refusal("tie_rule_unfit", PROCUREMENT_TENDER_MEASURES[57], reason))
    return refusals


def _policy_refusals(scheme: ScoreScheme, switches: SchemeSwitches) -> list[Refusal]:
    article = _weights_article(switches.regime)
    rates = scheme.policy
    refusals = []
    if any(not 0 <= one < 1 for one in (rates.small_enterprise, rates.consortium, rates.bonus)):
        reason = "价格扣除和加分比例应当不小于0且小于1"
        refusals.append(Refusal("policy_rate_unfit", article, reason))
    if (rates.small_enterprise or rates.consortium) and scheme.formula is not None:
        reason = "采用评标基准价的，应当增加价格得分，不得扣除报价"
        refusals.append(Refusal("deduction_with_benchmark", article, reason))
    if rates.bonus and scheme.formula is None:
        reason = "采用低价优先法的，应当扣除价格，不得另加价格分"
        refusals.append(Refusal("bonus_with_lowest_first", article, reason))
    if switches.reserved_for_small and rates != PolicyRates():
        reason = "专门面向中小企业的项目不再执行价格评审优惠"
        refusals.append(Refusal("policy_in_reserved_lot", article, reason))
    return refusals


def _weights_article(regime: Regime) -> Article:
    return (
        PROCUREMENT_TENDER_MEASURES[55]
        if regime is Regime.PROCUREMENT
        else COMMITTEE_PROVISIONS[35]
    )


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()
