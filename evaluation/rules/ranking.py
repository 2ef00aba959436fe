"""The order of bids: totals from sheets and prices, ties, and the candidates.

A total is what is published: it is rounded once, as the documents say, and ties are judged on it,
so that two bids shown with the same total are never ordered by digits that nobody was shown.

The tendering law names no rule for ties; the documents do. Procurement orders equal totals by
price, lets bids equal in both share a rank (并列), and leaves the choice between them to the
documents or to a public draw.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final
from uuid import UUID

from evaluation.rules.score_arithmetic import (
    BENCHMARK_PLACES,
    benchmark,
    benchmark_points,
    decimal_text,
    evaluated_price,
    lowest_first_points,
    mean_mark,
    rounded,
    with_bonus,
)
from evaluation.rules.score_commitment import ScoreSheet
from evaluation.rules.score_scheme import (
    Entering,
    ItemKind,
    ItemPart,
    RoundStage,
    ScoreScheme,
    TieRule,
)
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
    under,
)

CANDIDATES_MAX: Final = 3


class Allowance(StrEnum):
    """What the documents grant a bidder, by what it is."""

    NONE = "none"
    SMALL_ENTERPRISE = "small_enterprise"
    CONSORTIUM = "consortium"


class BidStatus(StrEnum):
    """Whether a bid has a place in the ranking."""

    RANKED = "ranked"
    REJECTED = "rejected"
    SAME_BRAND = "same_brand"
    """Another bid of the same brand stands before it, and only that one may be a candidate."""


@dataclass(frozen=True, slots=True)
class EvaluatedBid:
    """A bid as the ranking sees it.

    `brand` only where same brands count as one bidder, and `received` its place among the bids by
    when they came only where the documents let that decide between equals.
    """

    bid: str
    price: Decimal
    allowance: Allowance = Allowance.NONE
    brand: str = ""
    received: int = 0

    def __post_init__(self) -> None:
        if self.price <= 0:
            raise ValueError("a price is more than nothing")


@dataclass(frozen=True, slots=True)
class Totalling:
    """Everything that totals and ranking follow from, and nothing else.

    `sheets` are the standing ones, one for each member. `drawn` is the order in which bids still
    equal were drawn in public, empty where none was.
    """

    scheme: ScoreScheme
    regime: Regime
    bids: tuple[EvaluatedBid, ...]
    rejected: frozenset[str]
    sheets: tuple[ScoreSheet, ...]
    k: Decimal | None = None
    ceiling: Decimal | None = None
    drawn: tuple[str, ...] = ()
    candidates_max: int = CANDIDATES_MAX

    def valid(self) -> tuple[EvaluatedBid, ...]:
        """The bids that were not rejected."""
        return tuple(one for one in self.bids if one.bid not in self.rejected)


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One bid in the result; a rejected bid has a price and nothing else.

    `items` are what each item adds to the total, as shown.
    """

    bid: str
    status: BidStatus
    price: Decimal
    items: tuple[tuple[str, Decimal], ...] = ()
    technical: Decimal = Decimal(0)
    price_points: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The ranking, best first, then bids set aside, then rejected ones.

    `open_ties` are the groups that neither the documents' rules nor a draw has ordered; while one
    of them reaches the foremost places, no candidates follow.
    """

    benchmark: Decimal | None
    lines: tuple[ScoreLine, ...]
    candidates: tuple[str, ...]
    open_ties: tuple[tuple[str, ...], ...]

    def line(self, bid: str) -> ScoreLine:
        """The line of that bid; `KeyError` where there is none."""
        for one in self.lines:
            if one.bid == bid:
                return one
        raise KeyError(bid)


@under(
    BIDDING_LAW[40],
    BIDDING_REGULATION[49],
    CONDUCT_OPINIONS[5],
    PROCUREMENT_TENDER_MEASURES[55],
    PROCUREMENT_TENDER_MEASURES[64],
    rule=("EV-12", "EV-13", "EV-14"),
)
def totalling_refusals(
    totalling: Totalling, *, committee_members: Collection[UUID]
) -> list[Refusal]:
    """Why totals may not be formed yet: sheets missing, marks missing, objective marks that differ.

    A fact has one right mark. Where members differ on one, the committee puts it right first, each
    on its own sheet and with its reason.
    """
    procurement = totalling.regime is Regime.PROCUREMENT
    article = PROCUREMENT_TENDER_MEASURES[55] if procurement else BIDDING_REGULATION[49]
    refusals = []
    # Where nothing is marked a sheet says that its member found no further ground to reject a bid.
    signers = [sheet.expert for sheet in totalling.sheets]
    if set(signers) != set(committee_members) or len(set(signers)) != len(signers):
        refusals.append(Refusal("sheets_missing", article, "并非每名成员都有且仅有一份有效评分"))
    if not totalling.valid():
        refusals.append(Refusal("no_valid_bid", BIDDING_LAW[40], "没有可以评分的有效投标"))
    given = _marks(totalling.sheets)
    for item in totalling.scheme.items:
        for bid in totalling.valid():
            marks = given.get((bid.bid, item.id), [])
            facts = {"bid": bid.bid, "item": item.id}
            if len(marks) != len(totalling.sheets):
                reason = f"评审因素“{item.name}”有成员未评分"
                refusals.append(Refusal("marks_missing", article, reason, facts))
            elif item.kind is ItemKind.OBJECTIVE and len(set(marks)) > 1:
                source = PROCUREMENT_TENDER_MEASURES[64] if procurement else CONDUCT_OPINIONS[5]
                reason = f"客观评审因素“{item.name}”各成员评分不一致"
                refusals.append(Refusal("objective_marks_differ", source, reason, facts))
    return refusals


@under(
    BIDDING_LAW[40],
    BIDDING_REGULATION[53],
    PROCUREMENT_TENDER_MEASURES[31],
    PROCUREMENT_TENDER_MEASURES[55],
    PROCUREMENT_TENDER_MEASURES[57],
    PROCUREMENT_TENDER_MEASURES[68],
    rule=("EV-18", "EV-19", "EV-21", "EV-23"),
)
def ranked(totalling: Totalling) -> EvaluationResult:
    """The result that follows from these facts, the same in whatever order they are given.

    Where every bid was rejected there is nothing to reckon, and only the prices stay. `ValueError`
    where the facts do not suffice: judge them by `totalling_refusals` first.
    """
    rejected = tuple(
        ScoreLine(one.bid, BidStatus.REJECTED, one.price)
        for one in sorted(totalling.bids, key=lambda one: one.bid)
        if one.bid in totalling.rejected
    )
    if not totalling.valid():
        return EvaluationResult(benchmark=None, lines=rejected, candidates=(), open_ties=())
    base = _benchmark(totalling)
    points = _price_points(totalling, base)
    given = _marks(totalling.sheets)
    scored = [_scored(totalling, bid, points[bid.bid], given) for bid in totalling.valid()]
    scored.sort(key=lambda line: _order(totalling, line))
    placed, beaten, brand_ties = _without_same_brands(totalling, scored)
    placed = _with_ranks(totalling, placed)
    open_ties = tuple(sorted({*brand_ties, *_open_ties(totalling, placed)}))
    foremost = tuple(one.bid for one in placed[: totalling.candidates_max])
    undecided = any(set(group) & set(foremost) for group in open_ties)
    return EvaluationResult(
        benchmark=None if base is None else rounded(base, places=BENCHMARK_PLACES),
        lines=(*placed, *beaten, *rejected),
        candidates=() if undecided else foremost,
        open_ties=open_ties,
    )


@under(
    BIDDING_REGULATION[53],
    PROCUREMENT_TENDER_MEASURES[68],
    rule=("EV-18", "EV-23"),
)
def candidates_refusals(
    candidates: Sequence[str], result: EvaluationResult, *, regime: Regime
) -> list[Refusal]:
    """Why these may not be named as candidates, in this order."""
    procurement = regime is Regime.PROCUREMENT
    article = PROCUREMENT_TENDER_MEASURES[68] if procurement else BIDDING_REGULATION[53]
    refusals = []
    if len(candidates) > CANDIDATES_MAX:
        reason = f"中标候选人不得超过{CANDIDATES_MAX}个，并应当标明排序"
        refusals.append(Refusal("too_many_candidates", article, reason))
    if result.open_ties and not result.candidates:
        reason = "存在得分和报价均相同且未按规定确定顺序的投标人"
        refusals.append(Refusal("tie_open", article, reason))
    if tuple(candidates) != result.candidates:
        reason = "推荐的中标候选人与评审结果的排序不一致"
        refusals.append(Refusal("not_the_ranking", article, reason))
    return refusals


def counted_bidders(bids: Sequence[EvaluatedBid]) -> int:
    """How many bidders these count as, when bids of the same brand count as one."""
    brands = {one.brand for one in bids if one.brand}
    return len(brands) + sum(1 for one in bids if not one.brand)


def result_document(result: EvaluationResult) -> dict[str, object]:
    """The result as JSON; equal results have equal documents, however their prices are written."""
    return {
        "benchmark": None if result.benchmark is None else f"{result.benchmark:f}",
        "lines": [
            {
                "bid": one.bid,
                "status": one.status,
                "price": decimal_text(one.price),
                "items": {item: f"{mark:f}" for item, mark in one.items},
                "technical": f"{one.technical:f}",
                "price_points": f"{one.price_points:f}",
                "total": f"{one.total:f}",
                "rank": one.rank,
            }
            for one in result.lines
        ],
        "candidates": list(result.candidates),
        "open_ties": [list(group) for group in result.open_ties],
    }


# --- the price


def _benchmark(totalling: Totalling) -> Fraction | None:
    formula = totalling.scheme.formula
    if formula is None:
        if totalling.k is not None:
            raise ValueError("a K was given that the documents do not know")
        return None
    if totalling.k is not None and totalling.k not in formula.k_set:
        raise ValueError("the K is not one of those in the documents")
    if formula.k_set and totalling.k is None:
        raise ValueError("K has not been drawn")
    entering = totalling.bids if formula.entering is Entering.OPENED else totalling.valid()
    prices = [one.price for one in entering]
    return benchmark(prices, formula.terms, k=totalling.k, ceiling=totalling.ceiling)


def _evaluated_prices(totalling: Totalling) -> dict[str, Fraction]:
    """The price of each bid that was not rejected, less what the documents take off it."""
    policy = totalling.scheme.policy
    rates = {
        Allowance.NONE: Decimal(0),
        Allowance.SMALL_ENTERPRISE: policy.small_enterprise,
        Allowance.CONSORTIUM: policy.consortium,
    }
    return {
        one.bid: evaluated_price(one.price, deduction=rates[one.allowance])
        for one in totalling.valid()
    }


def _price_points(totalling: Totalling, base: Fraction | None) -> dict[str, Fraction]:
    scheme, policy = totalling.scheme, totalling.scheme.policy
    if scheme.formula is None or base is None:
        return lowest_first_points(_evaluated_prices(totalling), full=scheme.price_points)
    return {
        one.bid: with_bonus(
            benchmark_points(one.price, base, scheme.formula.deduction, full=scheme.price_points),
            policy.bonus if one.allowance is Allowance.SMALL_ENTERPRISE else Decimal(0),
        )
        for one in totalling.valid()
    }


# --- the totals


def _marks(sheets: Sequence[ScoreSheet]) -> dict[tuple[str, str], list[Decimal]]:
    """The members' marks for each bid and item."""
    given: defaultdict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for sheet in sheets:
        for one in sheet.marks:
            given[one.bid, one.item].append(one.score)
    return dict(given)


def _scored(
    totalling: Totalling,
    bid: EvaluatedBid,
    price_points: Fraction,
    given: Mapping[tuple[str, str], Sequence[Decimal]],
) -> ScoreLine:
    scheme = totalling.scheme

    def shown(value: Fraction) -> Decimal:
        return rounded(value, places=scheme.places, how=scheme.rounding)

    def counted(value: Fraction) -> Fraction:
        return Fraction(shown(value)) if scheme.round_stage is RoundStage.EACH_ITEM else value

    added = {
        item.id: counted(
            mean_mark(given.get((bid.bid, item.id), ()), trim_from=scheme.trim_from)
            * Fraction(item.weight)
        )
        for item in scheme.items
    }
    technical = sum(
        (added[item.id] for item in scheme.items if item.part is ItemPart.TECHNICAL), Fraction(0)
    )
    price = counted(price_points)
    return ScoreLine(
        bid=bid.bid,
        status=BidStatus.RANKED,
        price=bid.price,
        items=tuple((item.id, shown(added[item.id])) for item in scheme.items),
        technical=shown(technical),
        price_points=shown(price),
        total=shown(sum(added.values(), price)),
    )


# --- the order


def _tie_key(totalling: Totalling, line: ScoreLine) -> tuple[Decimal | Fraction, ...]:
    """What orders the line: its total, or its price where that alone decides; then the rules."""
    came = {one.bid: one.received for one in totalling.bids}
    keys = {
        TieRule.LOWER_PRICE: line.price,
        TieRule.HIGHER_TECHNICAL: -line.technical,
        TieRule.EARLIER_BID: Decimal(came[line.bid]),
    }
    scheme = totalling.scheme
    first: Decimal | Fraction = -line.total
    if scheme.by_price_alone:
        first = _evaluated_prices(totalling)[line.bid]
    return (first, *(keys[rule] for rule in scheme.ties))


def _draw_place(totalling: Totalling, line: ScoreLine) -> int:
    drawn = totalling.drawn
    return drawn.index(line.bid) if line.bid in drawn else len(drawn)


def _order(
    totalling: Totalling, line: ScoreLine
) -> tuple[tuple[Decimal | Fraction, ...], int, str]:
    """Best first; the bid's own id only keeps the list steady and settles nothing."""
    return _tie_key(totalling, line), _draw_place(totalling, line), line.bid


def _groups(
    totalling: Totalling, lines: Sequence[ScoreLine]
) -> dict[tuple[Decimal | Fraction, ...], list[ScoreLine]]:
    groups: defaultdict[tuple[Decimal | Fraction, ...], list[ScoreLine]] = defaultdict(list)
    for line in lines:
        groups[_tie_key(totalling, line)].append(line)
    return groups


def _open_ties(totalling: Totalling, lines: Sequence[ScoreLine]) -> set[tuple[str, ...]]:
    """The groups that are equal under every rule of the documents, and were not drawn for."""
    drawn = set(totalling.drawn)
    return {
        tuple(sorted(line.bid for line in group))
        for group in _groups(totalling, lines).values()
        if len(group) > 1 and not drawn >= {line.bid for line in group}
    }


def _with_ranks(totalling: Totalling, lines: Sequence[ScoreLine]) -> tuple[ScoreLine, ...]:
    """The lines with ranks; equal ones share the first place of their group.

    Procurement law fixes total and price as what makes a rank; further rules only choose among
    equals. In tendering the documents' rules, and then a draw, make the rank.
    """
    placed: list[ScoreLine] = []
    for place, line in enumerate(lines, 1):
        before = placed[-1] if placed else None
        shares = before is not None and _same_rank(totalling, before, line)
        placed.append(replace(line, rank=before.rank if before is not None and shares else place))
    return tuple(placed)


def _same_rank(totalling: Totalling, before: ScoreLine, line: ScoreLine) -> bool:
    if totalling.regime is Regime.PROCUREMENT:
        return (before.total, before.price) == (line.total, line.price)
    drawn = {before.bid, line.bid} <= set(totalling.drawn)
    return _tie_key(totalling, before) == _tie_key(totalling, line) and not drawn


def _without_same_brands(
    totalling: Totalling, lines: Sequence[ScoreLine]
) -> tuple[tuple[ScoreLine, ...], tuple[ScoreLine, ...], set[tuple[str, ...]]]:
    """The lines that stay, those set aside behind one of their brand, and undecided brands.

    Of one brand the highest total stays; among equal totals the documents' rules or a draw decide,
    by the order the lines already have.
    """
    brands = {one.bid: one.brand for one in totalling.bids if one.brand}
    if totalling.regime is not Regime.PROCUREMENT:
        brands = {}
    first: dict[str, ScoreLine] = {}
    beaten = []
    undecided: set[tuple[str, ...]] = set()
    for line in lines:
        brand = brands.get(line.bid)
        if brand is None:
            continue
        if brand not in first:
            first[brand] = line
            continue
        beaten.append(replace(line, status=BidStatus.SAME_BRAND))
        undecided |= _open_ties(totalling, [first[brand], line])
    gone = {line.bid for line in beaten}
    return tuple(line for line in lines if line.bid not in gone), tuple(beaten), undecided
