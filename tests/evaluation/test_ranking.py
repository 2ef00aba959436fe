"""Bidding Law 40; Bidding Regulation 49, 53; Opinions on Conduct 5;
Procurement Tender Measures 31, 55, 57, 64, 68."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.ranking import (
    Allowance,
    BidStatus,
    EvaluatedBid,
    EvaluationResult,
    Totalling,
    candidates_refusals,
    counted_bidders,
    ranked,
    result_document,
    totalling_refusals,
)
from evaluation.rules.score_arithmetic import (
    BenchmarkMethod,
    BenchmarkTerms,
    Deduction,
    DeductionMethod,
)
from evaluation.rules.score_commitment import Mark, ScoreSheet
from evaluation.rules.score_scheme import (
    BenchmarkPrice,
    Entering,
    ItemKind,
    ItemPart,
    PolicyRates,
    RoundStage,
    ScoreItem,
    ScoreScheme,
    ScoringMethod,
    TieRule,
)
from kernel.crypto.digests import canonical
from kernel.statute import (
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
)

COMMITTEE = UUID(int=99)
PEOPLE = [UUID(int=n) for n in range(5)]
TECHNICAL = ScoreItem("T", "技术", ItemKind.SUBJECTIVE, ItemPart.TECHNICAL, Decimal(50))
BUSINESS = ScoreItem("B", "商务", ItemKind.OBJECTIVE, ItemPart.BUSINESS, Decimal(20))
PURCHASE = ScoreScheme(
    ScoringMethod.COMPREHENSIVE_SCORING, (TECHNICAL, BUSINESS), Decimal(30), None
)
BENCHMARKED = BenchmarkPrice(
    BenchmarkTerms(BenchmarkMethod.TRIMMED_MEAN),
    Deduction(DeductionMethod.LINEAR, above=Decimal(2), below=Decimal(1)),
)
TENDER = replace(PURCHASE, method=ScoringMethod.COMPREHENSIVE_EVALUATION, formula=BENCHMARKED)

Marks = Mapping[str, Mapping[str, Sequence[str | int]]]


def sheets(marks: Marks) -> tuple[ScoreSheet, ...]:
    """One sheet for each member, from the members' marks by item and bid."""
    return tuple(
        ScoreSheet(
            COMMITTEE,
            person,
            1,
            tuple(
                Mark(bid, item, Decimal(given[n]))
                for item, by_bid in marks.items()
                for bid, given in by_bid.items()
            ),
        )
        for n, person in enumerate(PEOPLE)
    )


def same(mark: str | int) -> list[str | int]:
    return [mark] * len(PEOPLE)


ABC = Totalling(
    scheme=PURCHASE,
    regime=Regime.PROCUREMENT,
    bids=(
        EvaluatedBid("A", Decimal(980_000)),
        EvaluatedBid("B", Decimal(1_050_000)),
        EvaluatedBid("C", Decimal(1_200_000)),
    ),
    rejected=frozenset(),
    sheets=sheets(
        {
            "T": {
                "A": [40, 42, 41, 39, 43],
                "B": [45, 44, 46, 45, 45],
                "C": [47, 48, 46, 49, 45],
            },
            "B": {"A": same(18), "B": same(17), "C": same(20)},
        }
    ),
)


def shown(result: EvaluationResult) -> list[tuple[str, int | None, str]]:
    return [(one.bid, one.rank, str(one.total)) for one in result.lines]


def equal_bids(**prices: int) -> Totalling:
    """Bids whose totals are all 90.00 whatever their prices: the price does not count."""
    scheme = replace(
        PURCHASE,
        items=(replace(TECHNICAL, highest=Decimal(80)), BUSINESS),
        price_points=Decimal(0),
    )
    bids = tuple(EvaluatedBid(bid, Decimal(price)) for bid, price in prices.items())
    given = {"T": {bid: same(70) for bid in prices}, "B": {bid: same(20) for bid in prices}}
    return replace(ABC, scheme=scheme, bids=bids, sheets=sheets(given))


# --- totals


def test_totals_are_means_of_members_plus_the_price() -> None:
    result = ranked(ABC)
    assert shown(result) == [("C", 1, "91.50"), ("B", 2, "90.00"), ("A", 3, "89.00")]
    assert [str(result.line(bid).price_points) for bid in "ABC"] == ["30.00", "28.00", "24.50"]
    assert dict(result.line("B").items) == {"T": 45, "B": 17}
    assert result.benchmark is None
    assert result.candidates == ("C", "B", "A")


def test_a_small_enterprise_is_priced_lower_in_the_evaluation_alone() -> None:
    policy = PolicyRates(small_enterprise=Decimal("0.10"), consortium=Decimal("0.04"))
    bids = (ABC.bids[0], replace(ABC.bids[1], allowance=Allowance.SMALL_ENTERPRISE), ABC.bids[2])
    result = ranked(replace(ABC, scheme=replace(PURCHASE, policy=policy), bids=bids))
    assert [str(result.line(bid).price_points) for bid in "ABC"] == ["28.93", "30.00", "23.63"]
    assert result.line("B").price == 1_050_000
    joint = (*ABC.bids[:2], replace(ABC.bids[2], allowance=Allowance.CONSORTIUM))
    result = ranked(replace(ABC, scheme=replace(PURCHASE, policy=policy), bids=joint))
    assert str(result.line("C").price_points) == "25.52"


def test_weights_turn_marks_into_points() -> None:
    weighted = replace(TECHNICAL, highest=Decimal(100), weight=Decimal("0.5"))
    result = ranked(replace(ABC, scheme=replace(PURCHASE, items=(weighted, BUSINESS))))
    assert dict(result.line("A").items)["T"] == Decimal("20.50")


def test_rounding_each_item_may_differ_from_rounding_the_total() -> None:
    given: Marks = {"T": {"A": [1, 0, 0, 0, 0], "B": same(1), "C": same(1)}, "B": ABC_BUSINESS}
    thirds = replace(TECHNICAL, highest=Decimal(50), weight=Decimal("0.024"))
    scheme = replace(PURCHASE, items=(thirds, replace(BUSINESS, weight=Decimal("0.224"))))
    at_total = ranked(replace(ABC, scheme=scheme, sheets=sheets(given)))
    each = replace(scheme, round_stage=RoundStage.EACH_ITEM)
    at_items = ranked(replace(ABC, scheme=each, sheets=sheets(given)))
    assert str(at_total.line("A").total) == "34.04"
    assert str(at_items.line("A").total) == "34.03"


ABC_BUSINESS: dict[str, list[str | int]] = {"A": same(18), "B": same(17), "C": same(20)}


def test_an_extreme_mark_is_left_out_where_the_documents_say_so() -> None:
    given: Marks = {
        "T": {"A": [0, 40, 41, 42, 50], "B": same(45), "C": same(45)},
        "B": ABC_BUSINESS,
    }
    trimmed = replace(TENDER, trim_from=5)
    tendering = replace(ABC, regime=Regime.TENDERING, sheets=sheets(given))
    result = ranked(replace(tendering, scheme=trimmed))
    assert dict(result.line("A").items)["T"] == 41
    result = ranked(replace(tendering, scheme=TENDER))
    assert dict(result.line("A").items)["T"] == Decimal("34.60")


# --- the price by a benchmark


def five_and_one_rejected(entering: Entering) -> Totalling:
    prices = {"A": 9620, "B": 9710, "C": 9755, "D": 9800, "E": 9848, "X": 20000}
    given = {
        "T": {bid: same(40) for bid in prices},
        "B": {bid: same(15) for bid in prices},
    }
    return Totalling(
        scheme=replace(TENDER, formula=replace(BENCHMARKED, entering=entering)),
        regime=Regime.TENDERING,
        bids=tuple(EvaluatedBid(bid, Decimal(price)) for bid, price in prices.items()),
        rejected=frozenset({"X"}),
        sheets=sheets(given),
    )


def test_a_rejected_price_does_not_enter_the_benchmark_of_valid_bids() -> None:
    result = ranked(five_and_one_rejected(Entering.VALID))
    assert result.benchmark == Decimal("9755.0000")
    assert result.lines[0].bid == "C"
    assert result.lines[0].price_points == 30
    assert result.line("X").status is BidStatus.REJECTED
    assert result.line("X").rank is None
    assert "X" not in result.candidates


def test_the_documents_may_let_every_opened_price_enter() -> None:
    result = ranked(five_and_one_rejected(Entering.OPENED))
    assert result.benchmark == Decimal("9778.2500")


def test_k_is_one_of_those_in_the_documents() -> None:
    terms = BenchmarkTerms(BenchmarkMethod.TRIMMED_MEAN, scaling=BenchmarkMethod.MEAN_TIMES_K)
    formula = replace(BENCHMARKED, terms=terms, k_set=(Decimal("0.95"), Decimal("0.98")))
    facts = replace(five_and_one_rejected(Entering.VALID), scheme=replace(TENDER, formula=formula))
    assert ranked(replace(facts, k=Decimal("0.98"))).benchmark == Decimal("9559.9000")
    for k in (None, Decimal("0.96")):
        with pytest.raises(ValueError, match="K"):
            ranked(replace(facts, k=k))
    with pytest.raises(ValueError, match="K"):
        ranked(replace(ABC, k=Decimal("0.98")))


def test_works_may_raise_small_enterprises_price_points() -> None:
    facts = five_and_one_rejected(Entering.VALID)
    scheme = replace(facts.scheme, policy=PolicyRates(bonus=Decimal("0.05")))
    bids = tuple(
        replace(one, allowance=Allowance.SMALL_ENTERPRISE) if one.bid == "C" else one
        for one in facts.bids
    )
    result = ranked(replace(facts, scheme=scheme, bids=bids))
    assert result.line("C").price_points == Decimal("31.50")


# --- ties


def test_the_lower_price_goes_before_an_equal_total() -> None:
    result = ranked(equal_bids(X=1_010_000, Y=1_005_000))
    assert shown(result) == [("Y", 1, "90.00"), ("X", 2, "90.00")]
    assert result.open_ties == ()


def test_equal_in_total_and_price_share_a_rank_until_a_draw() -> None:
    facts = equal_bids(X=1_000_000, Y=1_000_000, Z=2_000_000)
    result = ranked(facts)
    assert shown(result) == [("X", 1, "90.00"), ("Y", 1, "90.00"), ("Z", 3, "90.00")]
    assert result.open_ties == (("X", "Y"),)
    assert result.candidates == ()
    drawn = ranked(replace(facts, drawn=("Y", "X")))
    assert drawn.candidates == ("Y", "X", "Z")
    assert [one.rank for one in drawn.lines] == [1, 1, 3]
    assert drawn.open_ties == ()


def test_in_tendering_a_draw_makes_the_rank() -> None:
    facts = replace(equal_bids(X=1_000_000, Y=1_000_000), regime=Regime.TENDERING)
    assert [one.rank for one in ranked(facts).lines] == [1, 1]
    drawn = ranked(replace(facts, drawn=("Y", "X")))
    assert [(one.bid, one.rank) for one in drawn.lines] == [("Y", 1), ("X", 2)]


def two_ways_to_ninety(regime: Regime) -> Totalling:
    facts = equal_bids(X=1_000_000, Y=1_000_000)
    given = {"T": {"X": same(70), "Y": same(72)}, "B": {"X": same(20), "Y": same(18)}}
    return replace(facts, regime=regime, sheets=sheets(given))


def test_the_documents_may_let_the_technical_marks_decide() -> None:
    tendering = ranked(two_ways_to_ninety(Regime.TENDERING))
    assert [(one.bid, one.rank) for one in tendering.lines] == [("Y", 1), ("X", 2)]
    procurement = ranked(two_ways_to_ninety(Regime.PROCUREMENT))
    assert [(one.bid, one.rank) for one in procurement.lines] == [("Y", 1), ("X", 1)]
    assert procurement.candidates == ("Y", "X")
    facts = two_ways_to_ninety(Regime.TENDERING)
    price_only = replace(facts.scheme, ties=(TieRule.LOWER_PRICE,))
    assert ranked(replace(facts, scheme=price_only)).open_ties == (("X", "Y"),)


def test_a_tie_behind_the_candidates_holds_nothing_up() -> None:
    result = ranked(equal_bids(A=1, B=2, C=3, X=9, Y=9))
    assert result.candidates == ("A", "B", "C")
    assert result.open_ties == (("X", "Y"),)
    assert candidates_refusals(("A", "B", "C"), result, regime=Regime.TENDERING) == []


# --- same brands


def test_only_the_best_of_one_brand_may_be_a_candidate() -> None:
    facts = equal_bids(P=1, Q=2, R=3)
    bids = tuple(replace(one, brand="Z" if one.bid in "PR" else "") for one in facts.bids)
    given = {
        "T": {"P": same(70), "Q": same(71), "R": same(72)},
        "B": {bid: same(20) for bid in "PQR"},
    }
    facts = replace(facts, bids=bids, sheets=sheets(given))
    result = ranked(facts)
    assert shown(result) == [("R", 1, "92.00"), ("Q", 2, "91.00"), ("P", None, "90.00")]
    assert result.line("P").status is BidStatus.SAME_BRAND
    assert result.candidates == ("R", "Q")
    assert counted_bidders(bids) == 2
    assert ranked(replace(facts, regime=Regime.TENDERING)).candidates == ("R", "Q", "P")


def test_equal_bids_of_one_brand_wait_for_a_draw() -> None:
    facts = equal_bids(P=1, R=1)
    facts = replace(facts, bids=tuple(replace(one, brand="Z") for one in facts.bids))
    assert ranked(facts).candidates == ()
    assert ranked(facts).open_ties == (("P", "R"),)
    assert ranked(replace(facts, drawn=("R", "P"))).candidates == ("R",)


# --- what may be totalled and named


def codes(facts: Totalling) -> list[str]:
    return [one.code for one in totalling_refusals(facts, committee_members=PEOPLE)]


def test_full_sheets_may_be_totalled() -> None:
    assert codes(ABC) == []


def test_every_member_has_exactly_one_standing_sheet() -> None:
    assert codes(replace(ABC, sheets=ABC.sheets[1:])) == ["sheets_missing"]
    assert codes(replace(ABC, sheets=(*ABC.sheets, ABC.sheets[0]))) == ["sheets_missing"]


def test_a_missing_mark_is_found() -> None:
    short = replace(ABC.sheets[0], marks=ABC.sheets[0].marks[1:])
    assert codes(replace(ABC, sheets=(short, *ABC.sheets[1:]))) == ["marks_missing"]


def test_nothing_is_totalled_where_every_bid_is_rejected() -> None:
    assert codes(replace(ABC, rejected=frozenset("ABC"))) == ["no_valid_bid"]


@pytest.mark.parametrize(
    ("regime", "article"),
    [
        (Regime.PROCUREMENT, PROCUREMENT_TENDER_MEASURES[64]),
        (Regime.TENDERING, CONDUCT_OPINIONS[5]),
    ],
)
def test_a_fact_has_one_right_mark(regime: Regime, article: object) -> None:
    given = {
        "T": {bid: same(40) for bid in "ABC"},
        "B": ABC_BUSINESS | {"A": [18, 18, 18, 18, 17]},
    }
    facts = replace(ABC, regime=regime, sheets=sheets(given))
    (refusal,) = totalling_refusals(facts, committee_members=PEOPLE)
    assert (refusal.code, refusal.article) == ("objective_marks_differ", article)
    assert refusal.facts == {"bid": "A", "item": "B"}


def test_candidates_are_the_first_three_of_the_ranking() -> None:
    result = ranked(equal_bids(A=1, B=2, C=3, D=4))
    assert result.candidates == ("A", "B", "C")
    found = candidates_refusals(tuple("ABCD"), result, regime=Regime.TENDERING)
    assert [one.code for one in found] == ["too_many_candidates", "not_the_ranking"]
    assert {one.article for one in found} == {BIDDING_REGULATION[53]}
    found = candidates_refusals(("B", "A", "C"), result, regime=Regime.PROCUREMENT)
    assert [one.article for one in found] == [PROCUREMENT_TENDER_MEASURES[68]]
    tied = ranked(equal_bids(X=1, Y=1))
    found = candidates_refusals(("X", "Y"), tied, regime=Regime.PROCUREMENT)
    assert [one.code for one in found] == ["tie_open", "not_the_ranking"]


# --- by price alone


LOWEST = ScoreScheme(ScoringMethod.LOWEST_PRICE, (), Decimal(0), None, ties=(TieRule.EARLIER_BID,))


def quoted(*told: tuple[int, bool]) -> Totalling:
    """Quotations in the order in which they came, each with whether it meets the demand."""
    bids = tuple(
        EvaluatedBid(f"{n:02}", Decimal(price), received=n)
        for n, (price, _) in enumerate(told, start=1)
    )
    unfit = frozenset(bid.bid for bid, (_, meets) in zip(bids, told, strict=True) if not meets)
    return replace(ABC, scheme=LOWEST, bids=bids, rejected=unfit, sheets=sheets({}))


@pytest.mark.accepts("NB-04", "NB-05")
@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=12))
def test_by_price_alone_the_lowest_that_meets_the_demand_is_first(
    told: list[tuple[int, bool]],
) -> None:
    facts = quoted(*told)
    result = ranked(facts)
    fit = [one for one in facts.bids if one.bid not in facts.rejected]
    first = min(fit, key=lambda one: (one.price, one.received), default=None)
    assert result.open_ties == ()
    if first is None:
        assert result.candidates == ()
    else:
        assert result.candidates[0] == first.bid
    kept = [one for one in result.lines if one.rank is not None]
    assert [one.price for one in kept] == sorted(one.price for one in kept)
    assert {one.total for one in kept} <= {Decimal(0)}


def test_a_policy_deduction_orders_by_the_price_that_is_evaluated_to_the_last_fen() -> None:
    rates = PolicyRates(small_enterprise=Decimal("0.10"))
    bids = (
        EvaluatedBid("A", Decimal("900000.00")),
        EvaluatedBid("B", Decimal("999999.99"), allowance=Allowance.SMALL_ENTERPRISE),
    )
    facts = replace(quoted(), scheme=replace(LOWEST, policy=rates, ties=()), bids=bids)
    assert ranked(facts).candidates == ("B", "A")
    assert ranked(replace(facts, scheme=replace(LOWEST, ties=()))).candidates == ("A", "B")


def test_equal_prices_wait_for_a_draw_where_the_documents_say_nothing() -> None:
    facts = quoted((5, True), (5, True), (6, True))
    silent = replace(facts, scheme=replace(LOWEST, ties=()))
    result = ranked(silent)
    assert (result.candidates, result.open_ties) == ((), (("01", "02"),))
    assert ranked(replace(silent, drawn=("02", "01"))).candidates == ("02", "01", "03")


def test_a_price_is_more_than_nothing() -> None:
    with pytest.raises(ValueError, match="price"):
        EvaluatedBid("A", Decimal(0))


# --- for every evaluation


@st.composite
def evaluations(draw: st.DrawFn) -> Totalling:
    """Small evaluations in which ties and rejections are frequent."""
    ids = draw(st.lists(st.sampled_from("ABCDEFGH"), unique=True, min_size=1))
    regime = draw(st.sampled_from([Regime.TENDERING, Regime.PROCUREMENT]))
    scheme = TENDER if regime is Regime.TENDERING else PURCHASE
    bids = tuple(
        EvaluatedBid(
            bid,
            Decimal(draw(st.integers(98, 102))),
            brand=draw(st.sampled_from(["", "", "Z"])),
        )
        for bid in ids
    )
    given: dict[str, dict[str, list[str | int]]] = {
        "T": {bid: [draw(st.integers(40, 41)) for _ in PEOPLE] for bid in ids},
        "B": {bid: same(draw(st.integers(14, 15))) for bid in ids},
    }
    rejected = draw(st.sets(st.sampled_from(ids), max_size=len(ids) - 1))
    return Totalling(
        scheme=replace(scheme, trim_from=draw(st.sampled_from([None, 5]))),
        regime=regime,
        bids=bids,
        rejected=frozenset(rejected),
        sheets=sheets(given),
        drawn=tuple(draw(st.sampled_from([[], sorted(ids)]))),
    )


@given(evaluations(), st.data())
def test_no_order_of_bids_sheets_or_marks_changes_the_result(
    facts: Totalling, data: st.DataObject
) -> None:
    turned = replace(
        facts,
        bids=tuple(data.draw(st.permutations(facts.bids))),
        sheets=tuple(
            replace(sheet, marks=tuple(reversed(sheet.marks)))
            for sheet in data.draw(st.permutations(facts.sheets))
        ),
    )
    assert ranked(turned) == ranked(facts)
    assert canonical(result_document(ranked(turned))) == canonical(result_document(ranked(facts)))


@given(evaluations())
def test_every_result_is_in_order_and_complete(facts: Totalling) -> None:
    result = ranked(facts)
    placed = [one for one in result.lines if one.status is BidStatus.RANKED]
    assert sorted(one.bid for one in result.lines) == sorted(one.bid for one in facts.bids)
    assert {one.bid for one in result.lines if one.status is BidStatus.REJECTED} == facts.rejected
    for before, after in pairwise(placed):
        assert before.total >= after.total
        if before.total == after.total:
            assert before.price <= after.price
    assert [one.rank for one in placed][:1] in ([1], [])
    assert len(result.candidates) <= 3
    assert result.candidates in (tuple(one.bid for one in placed[:3]), ())


@given(evaluations())
def test_totals_equal_those_reckoned_the_long_way(facts: Totalling) -> None:
    valid = [one for one in facts.bids if one.bid not in facts.rejected]
    prices = sorted(Fraction(one.price) for one in valid)
    inner = prices[1:-1] if len(prices) >= 5 else prices
    base = sum(inner, Fraction(0)) / len(inner)
    for one in valid:
        total = Fraction(0)
        for item in ("T", "B"):
            marks = sorted(Fraction(sheet.mark(one.bid, item)) for sheet in facts.sheets)
            if facts.scheme.trim_from:
                marks = marks[1:-1]
            total += sum(marks, Fraction(0)) / len(marks)
        if facts.regime is Regime.PROCUREMENT:
            total += prices[0] / Fraction(one.price) * 30
        else:
            off = (Fraction(one.price) - base) / base * 100
            total += max(Fraction(0), 30 - (2 * off if off > 0 else -off))
        cents = Decimal((total * 10**9).__floor__()) / Decimal(10**9)
        expected = cents.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        assert ranked(facts).line(one.bid).total == expected
