"""A scoring method as JSON: read strictly, written in one way.

Every number is a text, so that no reader turns a mark into a float. What is read may still be
unlawful; that is judged elsewhere.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from evaluation.rules.score_arithmetic import (
    BenchmarkMethod,
    BenchmarkTerms,
    Deduction,
    DeductionMethod,
    Rounding,
    decimal_of,
    decimal_text,
)
from evaluation.rules.score_scheme import (
    Band,
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
from kernel.crypto.digests import Malformed, count_of, list_of, members, text_of

VERSION: Final = "ebid-score-scheme/1"
ITEMS_MAX: Final = 500

_Kind = TypeVar("_Kind", bound=StrEnum)


def parse_scheme(document: object) -> ScoreScheme:
    """The scheme that a JSON document says, or `Malformed`; whether it is lawful is not judged."""
    told = members(
        document,
        {"v", "method", "items", "price", "round", "ties"},
        optional={"trim_from", "policy"},
    )
    if told["v"] != VERSION:
        raise Malformed(f"a score scheme is written as {VERSION}")
    price = members(told["price"], {"points"}, optional={"benchmark"})
    rounding = members(told["round"], {"stage", "places", "how"})
    places = count_of(rounding["places"])
    if places > 6:
        raise Malformed("a score is shown with at most six places")
    trim_from = told.get("trim_from")
    return ScoreScheme(
        method=_kind(ScoringMethod, told["method"]),
        items=tuple(map(_parse_item, list_of(told["items"], at_most=ITEMS_MAX))),
        price_points=_not_negative(price["points"]),
        formula=_parse_benchmark(price["benchmark"]) if "benchmark" in price else None,
        round_stage=_kind(RoundStage, rounding["stage"]),
        places=places,
        rounding=_kind(Rounding, rounding["how"]),
        trim_from=None if trim_from is None else count_of(trim_from),
        ties=tuple(_kind(TieRule, one) for one in list_of(told["ties"], at_most=len(TieRule))),
        policy=_parse_policy(told["policy"]) if "policy" in told else PolicyRates(),
    )


def scheme_document(scheme: ScoreScheme) -> dict[str, object]:
    """The scheme as JSON; reading it again gives the same scheme."""
    price: dict[str, object] = {"points": decimal_text(scheme.price_points)}
    if scheme.formula is not None:
        price["benchmark"] = _benchmark_document(scheme.formula)
    document: dict[str, object] = {
        "v": VERSION,
        "method": scheme.method,
        "items": [_item_document(one) for one in scheme.items],
        "price": price,
        "round": {"stage": scheme.round_stage, "places": scheme.places, "how": scheme.rounding},
        "ties": list(scheme.ties),
    }
    if scheme.trim_from is not None:
        document["trim_from"] = scheme.trim_from
    if scheme.policy != PolicyRates():
        document["policy"] = {
            "small_enterprise": decimal_text(scheme.policy.small_enterprise),
            "consortium": decimal_text(scheme.policy.consortium),
            "bonus": decimal_text(scheme.policy.bonus),
        }
    return document


def _parse_item(value: object) -> ScoreItem:
    told = members(
        value,
        {"id", "name", "kind", "part", "highest"},
        optional={"weight", "step", "bands"},
    )
    return ScoreItem(
        id=_named(told["id"], 40),
        name=_named(told["name"], 200),
        kind=_kind(ItemKind, told["kind"]),
        part=_kind(ItemPart, told["part"]),
        highest=_not_negative(told["highest"]),
        weight=_not_negative(told.get("weight", "1")),
        step=_not_negative(told.get("step", "0.01")),
        bands=tuple(_parse_band(one) for one in list_of(told.get("bands", []), at_most=20)),
    )


def _parse_band(value: object) -> Band:
    told = members(value, {"name", "min", "max"})
    return Band(_named(told["name"], 40), _not_negative(told["min"]), _not_negative(told["max"]))


def _parse_benchmark(value: object) -> BenchmarkPrice:
    told = members(
        value,
        {"averaging", "deduction", "entering"},
        optional={"scaling", "few_bids", "float_rate", "mean_weight", "k"},
    )
    off = members(told["deduction"], {"method", "above", "below"})
    try:
        return BenchmarkPrice(
            terms=BenchmarkTerms(
                averaging=_kind(BenchmarkMethod, told["averaging"]),
                scaling=_kind(BenchmarkMethod, told["scaling"]) if "scaling" in told else None,
                few_bids=_kind(BenchmarkMethod, told["few_bids"]) if "few_bids" in told else None,
                float_rate=decimal_of(told.get("float_rate", "0")),
                mean_weight=decimal_of(told.get("mean_weight", "1")),
            ),
            deduction=Deduction(
                _kind(DeductionMethod, off["method"]),
                above=decimal_of(off["above"]),
                below=decimal_of(off["below"]),
            ),
            k_set=tuple(decimal_of(one) for one in list_of(told.get("k", []), at_most=100)),
            entering=_kind(Entering, told["entering"]),
        )
    except ValueError as fault:
        raise Malformed(str(fault)) from None


def _parse_policy(value: object) -> PolicyRates:
    told = members(value, {"small_enterprise", "consortium", "bonus"})
    return PolicyRates(*(decimal_of(told[name]) for name in PolicyRates.__slots__))


def _item_document(item: ScoreItem) -> dict[str, object]:
    document: dict[str, object] = {
        "id": item.id,
        "name": item.name,
        "kind": item.kind,
        "part": item.part,
        "highest": decimal_text(item.highest),
        "weight": decimal_text(item.weight),
        "step": decimal_text(item.step),
    }
    if item.bands:
        document["bands"] = [
            {"name": one.name, "min": decimal_text(one.low), "max": decimal_text(one.high)}
            for one in item.bands
        ]
    return document


def _benchmark_document(formula: BenchmarkPrice) -> dict[str, object]:
    terms = formula.terms
    document: dict[str, object] = {
        "averaging": terms.averaging,
        "entering": formula.entering,
        "deduction": {
            "method": formula.deduction.method,
            "above": decimal_text(formula.deduction.above),
            "below": decimal_text(formula.deduction.below),
        },
    }
    if terms.scaling is not None:
        document["scaling"] = terms.scaling
    if terms.few_bids is not None:
        document["few_bids"] = terms.few_bids
    if terms.float_rate:
        document["float_rate"] = decimal_text(terms.float_rate)
    if terms.mean_weight != 1:
        document["mean_weight"] = decimal_text(terms.mean_weight)
    if formula.k_set:
        document["k"] = [decimal_text(one) for one in formula.k_set]
    return document


def _kind(kinds: type[_Kind], value: object) -> _Kind:
    try:
        return kinds(text_of(value))
    except ValueError:
        raise Malformed(f"{value!r} is no {kinds.__name__}") from None


def _named(value: object, at_most: int) -> str:
    text = text_of(value)
    if not text.strip() or len(text) > at_most:
        raise Malformed(f"a name has 1 to {at_most} characters")
    return text


def _not_negative(value: object) -> Decimal:
    number = decimal_of(value)
    if number < 0:
        raise Malformed("a mark or a weight is not negative")
    return number
