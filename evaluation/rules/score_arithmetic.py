"""Points from prices and marks: exact, and rounded once.

Prices and marks come in as decimals and are reckoned with as fractions, so that nothing is lost
between the first division and the last rounding. No figure here was ever a float.

Under the tendering law the tender documents choose how a benchmark price (评标基准价) is made and
how points fall with the distance from it; no national norm fixes a formula. Government procurement
allows one way only: the lowest price earns full points, all others their share of it (低价优先法).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from kernel.crypto.digests import Malformed, text_of
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, PROCUREMENT_TENDER_MEASURES, Regime, under

_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,8})?", re.ASCII)

FEN_PLACES: Final = 2
BENCHMARK_PLACES: Final = 4
"""How many places of a benchmark are shown; reckoned with is the whole of it."""


class BenchmarkMethod(StrEnum):
    """How a benchmark price is made of the prices that enter it.

    M1 to M4 are ways to average; M5 and M7 act on an average made by one of them.
    """

    MEAN = "M1"
    """The mean of all."""

    TRIMMED_MEAN = "M2"
    """From five bids on, the mean without one highest and one lowest; of all below five."""

    STEP_TRIMMED_MEAN = "M3"
    """Of all up to five bids; without the highest of six; without one highest and one lowest from
    seven on; then raised or lowered by the float rate that the documents state."""

    SHARE_TRIMMED_MEAN = "M4"
    """From seven bids on, without the highest and the lowest fifth, each rounded to a number of
    bids, while bids equal to the last one kept stay; of four to six without one highest; below
    four as the documents say."""

    MEAN_TIMES_K = "M5"
    """The average times a coefficient K, drawn in public from a set in the documents."""

    CEILING_BLEND = "M7"
    """The average and the ceiling price, weighed against each other, times K where there is one."""


AVERAGING: Final = frozenset(
    {
        BenchmarkMethod.MEAN,
        BenchmarkMethod.TRIMMED_MEAN,
        BenchmarkMethod.STEP_TRIMMED_MEAN,
        BenchmarkMethod.SHARE_TRIMMED_MEAN,
    }
)
SCALING: Final = frozenset({BenchmarkMethod.MEAN_TIMES_K, BenchmarkMethod.CEILING_BLEND})


@dataclass(frozen=True, slots=True)
class BenchmarkTerms:
    """How the documents make the benchmark: an average, and what is done to it.

    `few_bids` averages in the place of M4 below four bids; `mean_weight` is the average's weight in
    M7, the ceiling having the rest. `ValueError` for terms that contradict themselves.
    """

    averaging: BenchmarkMethod
    scaling: BenchmarkMethod | None = None
    few_bids: BenchmarkMethod | None = None
    float_rate: Decimal = Decimal(0)
    mean_weight: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if self.averaging not in AVERAGING:
            raise ValueError("an average is made by one of M1 to M4")
        if self.scaling is not None and self.scaling not in SCALING:
            raise ValueError("an average is scaled by M5 or M7")
        needs_few = self.averaging is BenchmarkMethod.SHARE_TRIMMED_MEAN
        if needs_few != (self.few_bids is not None):
            raise ValueError("M4, and it alone, says how fewer than four bids are averaged")
        if self.few_bids is not None and self.few_bids not in (
            BenchmarkMethod.MEAN,
            BenchmarkMethod.TRIMMED_MEAN,
        ):
            raise ValueError("fewer than four bids are averaged by M1 or M2")
        if self.float_rate and self.averaging is not BenchmarkMethod.STEP_TRIMMED_MEAN:
            raise ValueError("only M3 has a float rate")
        if not -1 < self.float_rate < 1:
            raise ValueError("a float rate lies between -1 and 1")
        blend = self.scaling is BenchmarkMethod.CEILING_BLEND
        if not 0 < self.mean_weight <= 1 or (self.mean_weight != 1) != blend:
            raise ValueError("M7, and it alone, weighs the average between 0 and 1")


class DeductionMethod(StrEnum):
    """How points fall with the distance from the benchmark, by a rate above and one below it."""

    LINEAR = "D1"
    """So many points for each per cent of distance, interpolated."""

    SHARE_OF_POINTS = "D2"
    """A multiple of the distance, as a share of the full points."""

    PER_CENT = "D3"
    """Full points less the distance in per cent times the rate; D1 in the form some files use."""


@dataclass(frozen=True, slots=True)
class Deduction:
    """How the documents take points off: the form, and the rates above and below the benchmark."""

    method: DeductionMethod
    above: Decimal
    below: Decimal

    def __post_init__(self) -> None:
        if self.above < 0 or self.below < 0:
            raise ValueError("a deduction is not negative")


class Rounding(StrEnum):
    """What becomes of the places that are not shown."""

    HALF_UP = "half_up"
    """四舍五入: halves away from zero."""

    HALF_EVEN = "half_even"
    """四舍六入五成双: halves to the even neighbour."""

    CUT_OFF = "cut_off"
    """舍去: further places are dropped."""


def decimal_of(value: object) -> Decimal:
    """The decimal that a JSON text writes plainly, like `5.60` or `-0.05`, or `Malformed`."""
    text = text_of(value)
    if not _DECIMAL.fullmatch(text):
        raise Malformed("a decimal is written like 5.60, without exponent, commas or spaces")
    number = Decimal(text)
    if not number and text.startswith("-"):
        raise Malformed("zero has no sign")
    return number


def decimal_text(number: Decimal) -> str:
    """The one shortest plain text of a decimal: `5.6`, never `5.60` or `5.6E+0`."""
    text = f"{number:f}"
    shortest = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if shortest in ("-0", "") else shortest


def rounded(value: Fraction, *, places: int = 2, how: Rounding = Rounding.HALF_UP) -> Decimal:
    """A fraction as a decimal of so many places; the only place where anything is given up."""
    scaled = abs(value) * 10**places
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    twice = 2 * rest
    up = {
        Rounding.HALF_UP: twice >= scaled.denominator,
        Rounding.HALF_EVEN: twice > scaled.denominator
        or (twice == scaled.denominator and whole % 2 == 1),
        Rounding.CUT_OFF: False,
    }[how]
    digits = whole + up
    sign = 1 if value < 0 and digits else 0
    return Decimal((sign, tuple(int(digit) for digit in str(digits)), -places))


def trimmed_counts(count: int, method: BenchmarkMethod) -> tuple[int, int]:
    """How many of the lowest and of the highest an averaging method leaves out, by count alone."""
    match method:
        case BenchmarkMethod.TRIMMED_MEAN:
            return (1, 1) if count >= 5 else (0, 0)
        case BenchmarkMethod.STEP_TRIMMED_MEAN:
            return (1, 1) if count >= 7 else (0, 1) if count == 6 else (0, 0)
        case BenchmarkMethod.SHARE_TRIMMED_MEAN:
            if count >= 7:
                fifth = int(rounded(Fraction(count, 5), places=0))
                return fifth, fifth
            return (0, 1) if count >= 4 else (0, 0)
        case _:
            return 0, 0


def kept(prices: Sequence[Decimal], method: BenchmarkMethod) -> tuple[Decimal, ...]:
    """The prices that an averaging method averages, the lowest first."""
    ordered = sorted(prices)
    lowest, highest = trimmed_counts(len(ordered), method)
    inner = ordered[lowest : len(ordered) - highest]
    if method is BenchmarkMethod.SHARE_TRIMMED_MEAN and len(ordered) >= 7:
        inner = [price for price in ordered if inner[0] <= price <= inner[-1]]
    return tuple(inner)


def benchmark(
    prices: Sequence[Decimal],
    terms: BenchmarkTerms,
    *,
    k: Decimal | None = None,
    ceiling: Decimal | None = None,
) -> Fraction:
    """The benchmark price of these prices, exact.

    `ValueError` without any price, and where the terms need a K or a ceiling that is missing or
    have none to use.
    """
    if not prices:
        raise ValueError("no price enters the benchmark")
    method = terms.averaging
    if terms.few_bids is not None and len(prices) < 4:
        method = terms.few_bids
    average = _mean(kept(prices, method))
    if method is BenchmarkMethod.STEP_TRIMMED_MEAN:
        average *= 1 + Fraction(terms.float_rate)
    if terms.scaling is None:
        if k is not None:
            raise ValueError("a K was given that the documents do not know")
        return average
    if terms.scaling is BenchmarkMethod.CEILING_BLEND:
        if ceiling is None:
            raise ValueError("the ceiling enters this benchmark and is missing")
        own = Fraction(terms.mean_weight)
        average = average * own + Fraction(ceiling) * (1 - own)
    elif k is None:
        raise ValueError("K has not been drawn")
    return average if k is None else average * Fraction(k)


def benchmark_points(
    price: Decimal, base: Fraction, deduction: Deduction, *, full: Decimal
) -> Fraction:
    """The points of a price by its distance from the benchmark, never below nought."""
    distance = (Fraction(price) - base) / base
    rate = Fraction(deduction.above if distance > 0 else deduction.below)
    unit = Fraction(full) if deduction.method is DeductionMethod.SHARE_OF_POINTS else Fraction(100)
    return max(Fraction(0), Fraction(full) - abs(distance) * unit * rate)


def lowest_first_points(
    evaluated_prices: Mapping[str, Fraction], *, full: Decimal
) -> dict[str, Fraction]:
    """Full points for the lowest price, and to every other the lowest's share of its own.

    The prices are those after policy deductions, for the lowest as for the others.
    """
    if not evaluated_prices:
        return {}
    base = min(evaluated_prices.values())
    return {bid: base / price * Fraction(full) for bid, price in evaluated_prices.items()}


def evaluated_price(
    price: Decimal, *, deduction: Decimal = Decimal(0), adjustments: Sequence[Decimal] = ()
) -> Fraction:
    """The price that is evaluated: the bid's own, adjusted as the documents say, less a share.

    The contract is concluded at the bid's own price all the same.
    """
    return (Fraction(price) + sum(map(Fraction, adjustments))) * (1 - Fraction(deduction))


def with_bonus(points: Fraction, bonus: Decimal) -> Fraction:
    """Price points raised by a share of themselves, for small enterprises in works tenders."""
    return points * (1 + Fraction(bonus))


def mean_mark(marks: Sequence[Decimal], *, trim_from: int | None = None) -> Fraction:
    """The mean of the members' marks, from `trim_from` members on without one highest and lowest.

    `ValueError` without a mark.
    """
    ordered = sorted(marks)
    if trim_from is not None and len(ordered) >= max(trim_from, 3):
        ordered = ordered[1:-1]
    return _mean(ordered)


@under(BIDDING_REGULATION[49], PROCUREMENT_TENDER_MEASURES[55], rule=("EV-02", "EV-19"))
def price_method_refusals(terms: BenchmarkTerms | None, *, regime: Regime) -> list[Refusal]:
    """A benchmark price of any kind in government procurement, which knows the lowest price alone.

    It may not even leave out the highest and the lowest price; `None` stands for lowest first.
    """
    if terms is None or regime is not Regime.PROCUREMENT:
        return []
    methods = terms.averaging.value + (f"+{terms.scaling.value}" if terms.scaling else "")
    reason = (
        f"政府采购的价格分应当采用低价优先法计算，不得去掉最高报价和最低报价，"
        f"不得使用评标基准价方法{methods}"
    )
    return [
        Refusal(
            "benchmark_in_procurement",
            PROCUREMENT_TENDER_MEASURES[55],
            reason,
            {"methods": methods},
        )
    ]


def _mean(values: Sequence[Decimal]) -> Fraction:
    if not values:
        raise ValueError("a mean needs a value")
    return sum(map(Fraction, values), Fraction(0)) / len(values)
