"""Bidding Regulation 49; Procurement Tender Measures 55."""

from __future__ import annotations

import itertools
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.score_arithmetic import (
    BenchmarkMethod,
    BenchmarkTerms,
    Deduction,
    DeductionMethod,
    Rounding,
    benchmark,
    benchmark_points,
    decimal_of,
    decimal_text,
    evaluated_price,
    kept,
    lowest_first_points,
    mean_mark,
    price_method_refusals,
    rounded,
    trimmed_counts,
    with_bonus,
)
from kernel.crypto.digests import Malformed
from kernel.statute import PROCUREMENT_TENDER_MEASURES, Regime

M = BenchmarkMethod
PRICES = st.lists(
    st.integers(1, 10**12).map(lambda fen: Decimal(fen) / 100), min_size=1, max_size=15
)
SIMPLE_TERMS = [
    BenchmarkTerms(M.MEAN),
    BenchmarkTerms(M.TRIMMED_MEAN),
    BenchmarkTerms(M.STEP_TRIMMED_MEAN, float_rate=Decimal("-0.05")),
    BenchmarkTerms(M.SHARE_TRIMMED_MEAN, few_bids=M.MEAN),
]


def decimals(*texts: str | int) -> list[Decimal]:
    return [Decimal(text) for text in texts]


def shown(values: list[Fraction] | dict[str, Fraction]) -> list[str]:
    return [str(rounded(one)) for one in (values.values() if isinstance(values, dict) else values)]


# --- the lowest price first, of 综合评分法


def lowest_first(*deductions: str) -> list[str]:
    prices = decimals(980_000, 1_050_000, 1_200_000)
    evaluated = {
        name: evaluated_price(price, deduction=Decimal(deduction))
        for name, price, deduction in zip("ABC", prices, deductions, strict=True)
    }
    return shown(lowest_first_points(evaluated, full=Decimal(30)))


def test_the_lowest_price_earns_full_points_and_others_their_share() -> None:
    assert lowest_first("0", "0", "0") == ["30.00", "28.00", "24.50"]


def test_a_small_enterprise_may_become_the_base_for_all() -> None:
    assert lowest_first("0", "0.10", "0") == ["28.93", "30.00", "23.63"]


def test_a_deduction_of_a_fifth_counts_for_base_and_bid_alike() -> None:
    assert lowest_first("0", "0.20", "0") == ["25.71", "30.00", "21.00"]


def test_a_consortium_with_a_small_member_has_its_own_rate() -> None:
    assert lowest_first("0", "0", "0.04") == ["30.00", "28.00", "25.52"]


def test_nothing_is_won_where_nobody_bids() -> None:
    assert lowest_first_points({}, full=Decimal(30)) == {}


@given(PRICES, st.sampled_from([Decimal("0"), Decimal("0.10"), Decimal("0.20")]))
def test_nobody_has_more_than_the_lowest_price_and_nobody_less_than_nought(
    prices: list[Decimal], deduction: Decimal
) -> None:
    evaluated = {
        str(n): evaluated_price(price, deduction=deduction) for n, price in enumerate(prices)
    }
    points = lowest_first_points(evaluated, full=Decimal(30))
    assert max(points.values()) == 30
    assert all(0 < one <= 30 for one in points.values())
    for (bid, price), (other, dearer) in itertools.combinations(evaluated.items(), 2):
        assert (points[bid] >= points[other]) == (price <= dearer)


def test_additions_and_savings_make_the_evaluated_price_but_not_the_contract() -> None:
    bids = {
        "A": evaluated_price(Decimal(1000), adjustments=decimals(12)),
        "B": evaluated_price(Decimal(1008), adjustments=decimals("-5.0")),
        "C": evaluated_price(Decimal(995), adjustments=decimals(30)),
    }
    assert bids == {"A": 1012, "B": 1003, "C": 1025}
    assert min(bids, key=lambda bid: bids[bid]) == "B"


@pytest.mark.parametrize(("bonus", "expected"), [("0.03", "43.88"), ("0.05", "44.73")])
def test_works_raise_the_price_points_of_small_enterprises(bonus: str, expected: str) -> None:
    assert str(rounded(with_bonus(Fraction("42.60"), Decimal(bonus)))) == expected


# --- benchmarks

SEVEN = decimals(9620, 9710, 9755, 9800, 9848, 9905, 10120)
D1 = Deduction(DeductionMethod.LINEAR, above=Decimal(2), below=Decimal(1))


@pytest.mark.parametrize(
    ("k", "base", "points"),
    [
        ("0.98", "9607.5280", ["99.74", "97.87", "96.93", "95.99", "94.99", "93.81", "89.33"]),
        ("0.95", "9313.4200", ["93.42", "91.48", "90.52", "89.55", "88.52", "87.30", "82.68"]),
    ],
)
def test_a_trimmed_mean_times_k_with_linear_deductions(
    k: str, base: str, points: list[str]
) -> None:
    terms = BenchmarkTerms(M.TRIMMED_MEAN, scaling=M.MEAN_TIMES_K)
    assert benchmark(SEVEN, BenchmarkTerms(M.TRIMMED_MEAN)) == Fraction("9803.6")
    reckoned = benchmark(SEVEN, terms, k=Decimal(k))
    assert str(rounded(reckoned, places=4)) == base
    assert shown([benchmark_points(p, reckoned, D1, full=Decimal(100)) for p in SEVEN]) == points


def test_a_fifth_is_left_out_on_each_side() -> None:
    prices = decimals(900, 905, 910, 915, 920, 925, 930, 935, 940, 960)
    terms = BenchmarkTerms(M.SHARE_TRIMMED_MEAN, few_bids=M.MEAN)
    assert kept(prices, M.SHARE_TRIMMED_MEAN) == tuple(decimals(910, 915, 920, 925, 930, 935))
    assert str(rounded(benchmark(prices, terms))) == "922.50"


def test_the_fifth_is_rounded_to_a_number_of_bids() -> None:
    counts = [trimmed_counts(n, M.SHARE_TRIMMED_MEAN) for n in range(7, 14)]
    assert counts == [(n, n) for n in (1, 2, 2, 2, 2, 2, 3)]


def test_bids_equal_to_the_last_one_kept_stay() -> None:
    prices = decimals(100, 110, 110, 110, 115, 120, 120, 130)
    assert kept(prices, M.SHARE_TRIMMED_MEAN) == tuple(decimals(110, 110, 110, 115, 120, 120))


@pytest.mark.parametrize(
    ("count", "left_out"), [(3, (0, 0)), (4, (0, 1)), (5, (0, 1)), (6, (0, 1)), (7, (1, 1))]
)
def test_four_to_six_bids_lose_only_the_highest(count: int, left_out: tuple[int, int]) -> None:
    assert trimmed_counts(count, M.SHARE_TRIMMED_MEAN) == left_out


def test_fewer_than_four_bids_are_averaged_as_the_documents_say() -> None:
    terms = BenchmarkTerms(M.SHARE_TRIMMED_MEAN, few_bids=M.MEAN)
    assert benchmark(decimals(1, 2, 6), terms) == 3


@pytest.mark.parametrize(
    ("prices", "mean", "points"),
    [
        (
            (100, 102, 98, 105, 110),
            103,
            {100: "97.36", 102: "94.91", 98: "99.82", 105: "91.23", 110: "85.10"},
        ),
        ((100, 102, 98, 105, 110, 120), 103, {120: "72.84"}),
        ((100, 102, 98, 105, 110, 90, 120), 103, {90: "93.58", 120: "72.84"}),
    ],
)
def test_step_trimming_floats_and_takes_a_share_of_the_points(
    prices: tuple[int, ...], mean: int, points: dict[int, str]
) -> None:
    terms = BenchmarkTerms(M.STEP_TRIMMED_MEAN, float_rate=Decimal("-0.05"))
    plain = BenchmarkTerms(M.STEP_TRIMMED_MEAN)
    off = Deduction(DeductionMethod.SHARE_OF_POINTS, above=Decimal("1.2"), below=Decimal("0.8"))
    base = benchmark(decimals(*prices), terms)
    assert benchmark(decimals(*prices), plain) == mean
    assert str(rounded(base, places=4)) == "97.8500"
    for price, expected in points.items():
        assert shown([benchmark_points(Decimal(price), base, off, full=Decimal(100))]) == [expected]


@pytest.mark.parametrize(
    ("prices", "base", "points"),
    [
        ((100, 102, 98, 105, 110), "102.3333", ["59.77", "59.97", "59.58", "59.48", "58.50"]),
        ((100, 102, 98, 105), "101.2500", ["59.88", "59.85", "59.68", "59.26"]),
    ],
)
def test_a_trimmed_mean_with_a_rate_for_each_per_cent(
    prices: tuple[int, ...], base: str, points: list[str]
) -> None:
    off = Deduction(DeductionMethod.PER_CENT, above=Decimal("0.2"), below=Decimal("0.1"))
    reckoned = benchmark(decimals(*prices), BenchmarkTerms(M.TRIMMED_MEAN))
    assert str(rounded(reckoned, places=4)) == base
    scored = [benchmark_points(Decimal(p), reckoned, off, full=Decimal(60)) for p in prices]
    assert shown(scored) == points


def test_points_fall_by_each_per_cent_and_are_interpolated() -> None:
    off = Deduction(DeductionMethod.LINEAR, above=Decimal(1), below=Decimal("0.5"))
    prices = decimals(9600, 9696, 9744, 9504, 9360, 10560)
    scored = [benchmark_points(p, Fraction(9600), off, full=Decimal(50)) for p in prices]
    assert shown(scored) == ["50.00", "49.00", "48.50", "49.50", "48.75", "40.00"]


@pytest.mark.parametrize(
    "terms",
    [
        *SIMPLE_TERMS,
        BenchmarkTerms(M.MEAN, scaling=M.MEAN_TIMES_K),
        BenchmarkTerms(M.MEAN, scaling=M.CEILING_BLEND, mean_weight=Decimal("0.4")),
    ],
)
def test_procurement_refuses_every_benchmark(terms: BenchmarkTerms) -> None:
    (refusal,) = price_method_refusals(terms, regime=Regime.PROCUREMENT)
    assert refusal.code == "benchmark_in_procurement"
    assert refusal.article == PROCUREMENT_TENDER_MEASURES[55]
    assert price_method_refusals(terms, regime=Regime.TENDERING) == []


def test_procurement_takes_the_lowest_price_first() -> None:
    assert price_method_refusals(None, regime=Regime.PROCUREMENT) == []


def test_the_ceiling_is_blended_in_and_scaled() -> None:
    terms = BenchmarkTerms(M.MEAN, scaling=M.CEILING_BLEND, mean_weight=Decimal("0.4"))
    blended = benchmark(decimals(90, 110), terms, k=Decimal("0.95"), ceiling=Decimal(120))
    assert blended == Fraction(112) * Fraction("0.95")
    assert benchmark(decimals(90, 110), terms, ceiling=Decimal(120)) == 112


def test_what_the_terms_need_must_be_there_and_nothing_else() -> None:
    blend = BenchmarkTerms(M.MEAN, scaling=M.CEILING_BLEND, mean_weight=Decimal("0.4"))
    times_k = BenchmarkTerms(M.MEAN, scaling=M.MEAN_TIMES_K)
    for prices, terms, k in [
        ([], BenchmarkTerms(M.MEAN), None),
        (decimals(1), BenchmarkTerms(M.MEAN), Decimal("0.95")),
        (decimals(1), blend, None),
        (decimals(1), times_k, None),
    ]:
        with pytest.raises(ValueError, match=r"enters|K"):
            benchmark(prices, terms, k=k)


def test_terms_that_contradict_themselves_do_not_exist() -> None:
    with pytest.raises(ValueError, match="M1 to M4"):
        BenchmarkTerms(M.MEAN_TIMES_K)
    with pytest.raises(ValueError, match="M5 or M7"):
        BenchmarkTerms(M.MEAN, scaling=M.TRIMMED_MEAN)
    with pytest.raises(ValueError, match="fewer than four"):
        BenchmarkTerms(M.SHARE_TRIMMED_MEAN)
    with pytest.raises(ValueError, match="fewer than four"):
        BenchmarkTerms(M.MEAN, few_bids=M.MEAN)
    with pytest.raises(ValueError, match="M1 or M2"):
        BenchmarkTerms(M.SHARE_TRIMMED_MEAN, few_bids=M.SHARE_TRIMMED_MEAN)
    with pytest.raises(ValueError, match="float rate"):
        BenchmarkTerms(M.MEAN, float_rate=Decimal("0.01"))
    with pytest.raises(ValueError, match="float rate"):
        BenchmarkTerms(M.STEP_TRIMMED_MEAN, float_rate=Decimal(-1))
    with pytest.raises(ValueError, match="weighs"):
        BenchmarkTerms(M.MEAN, mean_weight=Decimal("0.5"))
    with pytest.raises(ValueError, match="weighs"):
        BenchmarkTerms(M.MEAN, scaling=M.CEILING_BLEND)
    with pytest.raises(ValueError, match="negative"):
        Deduction(DeductionMethod.LINEAR, above=Decimal(-1), below=Decimal(1))


@given(PRICES, st.sampled_from(SIMPLE_TERMS), st.randoms(use_true_random=False))
def test_a_benchmark_does_not_depend_on_the_order_of_bids(
    prices: list[Decimal], terms: BenchmarkTerms, chance: object
) -> None:
    shuffled = list(prices)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a Random
    assert benchmark(shuffled, terms) == benchmark(prices, terms)


@given(PRICES, st.sampled_from(SIMPLE_TERMS))
def test_an_average_lies_between_the_lowest_and_the_highest(
    prices: list[Decimal], terms: BenchmarkTerms
) -> None:
    base = benchmark(prices, terms) / (1 + Fraction(terms.float_rate))
    assert min(prices) <= base <= max(prices)


@given(
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.sampled_from(DeductionMethod),
    st.integers(0, 500),
    st.integers(0, 500),
)
def test_points_lie_between_nought_and_full_and_never_rise_away_from_the_benchmark(
    price: int, base: int, method: DeductionMethod, above: int, below: int
) -> None:
    off = Deduction(method, above=Decimal(above) / 100, below=Decimal(below) / 100)
    full = Decimal(60)
    points = benchmark_points(Decimal(price), Fraction(base), off, full=full)
    step = 1 if price >= base else -1
    further = benchmark_points(Decimal(price + step), Fraction(base), off, full=full)
    assert 0 <= further <= points <= full
    assert price != base or points == full


# --- marks and rounding

MARKS = decimals(80, 85, 86, 88, 90, 91, 99)


def test_a_mean_of_marks_is_of_all_unless_the_documents_trim() -> None:
    assert str(rounded(mean_mark(MARKS))) == "88.43"
    assert str(rounded(mean_mark(MARKS, trim_from=7))) == "88.00"
    assert str(rounded(mean_mark(MARKS, trim_from=8))) == "88.43"


def test_trimming_never_leaves_nobody() -> None:
    assert mean_mark(decimals(1, 3), trim_from=1) == 2
    with pytest.raises(ValueError, match="mean"):
        mean_mark([])


@given(st.decimals(-(10**6), 10**6, places=5), st.integers(0, 4), st.sampled_from(Rounding))
def test_rounding_agrees_with_the_decimal_arithmetic_of_the_language(
    value: Decimal, places: int, how: Rounding
) -> None:
    names = {
        Rounding.HALF_UP: ROUND_HALF_UP,
        Rounding.HALF_EVEN: ROUND_HALF_EVEN,
        Rounding.CUT_OFF: ROUND_DOWN,
    }
    wide = Context(prec=60)
    expected = value.quantize(Decimal(1).scaleb(-places), rounding=names[how], context=wide)
    found = rounded(Fraction(value), places=places, how=how)
    assert found == expected
    assert -int(found.as_tuple().exponent) == places


def test_a_third_is_given_up_only_at_the_end() -> None:
    assert rounded(Fraction(1, 3) * 3, places=2) == 1


@given(st.decimals(-(10**9), 10**9, places=6))
def test_a_decimal_has_one_text_and_comes_back_from_it(number: Decimal) -> None:
    assert decimal_of(decimal_text(number)) == number
    assert decimal_text(decimal_of(decimal_text(number))) == decimal_text(number)


@pytest.mark.parametrize(
    "text", ["", "01", "1.", ".5", "1e2", "+1", "1,000", " 1", "1\n", "-0", "-0.0", "NaN", 1, None]
)
def test_a_decimal_written_otherwise_is_malformed(text: object) -> None:
    with pytest.raises(Malformed):
        decimal_of(text)
