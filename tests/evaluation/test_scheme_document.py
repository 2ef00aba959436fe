"""Bidding Regulation 49: only the published method may be used, so it has one reading."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from evaluation.rules.scheme_document import parse_scheme, scheme_document
from evaluation.rules.score_arithmetic import BenchmarkMethod, DeductionMethod, Rounding
from evaluation.rules.score_scheme import (
    Entering,
    PolicyRates,
    Procured,
    RoundStage,
    SchemeSwitches,
    TieRule,
    scheme_refusals,
)
from kernel.crypto.digests import Malformed, canonical, strict_json
from kernel.statute import Regime

WORKS: dict[str, Any] = {
    "v": "ebid-score-scheme/1",
    "method": "comprehensive_evaluation",
    "items": [
        {
            "id": "T1",
            "name": "施工组织设计",
            "kind": "subjective",
            "part": "technical",
            "highest": "8.00",
            "step": "0.1",
            "bands": [
                {"name": "优", "min": "6.8", "max": "8"},
                {"name": "良", "min": "0", "max": "6.7"},
            ],
        },
        {
            "id": "B1",
            "name": "企业业绩",
            "kind": "objective",
            "part": "business",
            "highest": "100",
            "weight": "0.32",
        },
    ],
    "price": {
        "points": "60",
        "benchmark": {
            "averaging": "M4",
            "scaling": "M7",
            "few_bids": "M1",
            "mean_weight": "0.4",
            "k": ["0.95", "0.98"],
            "entering": "valid",
            "deduction": {"method": "D1", "above": "2", "below": "1"},
        },
    },
    "round": {"stage": "total", "places": 2, "how": "half_up"},
    "trim_from": 7,
    "ties": ["lower_price", "higher_technical"],
    "policy": {"small_enterprise": "0", "consortium": "0", "bonus": "0.03"},
}


def test_a_scheme_is_read_as_it_is_written() -> None:
    scheme = parse_scheme(WORKS)
    assert scheme.item("T1").bands[1].high == Decimal("6.7")
    assert scheme.item("B1").step == Decimal("0.01")
    assert scheme.formula is not None
    assert scheme.formula.terms.averaging is BenchmarkMethod.SHARE_TRIMMED_MEAN
    assert scheme.formula.terms.scaling is BenchmarkMethod.CEILING_BLEND
    assert scheme.formula.deduction.method is DeductionMethod.LINEAR
    assert scheme.formula.entering is Entering.VALID
    assert scheme.round_stage is RoundStage.TOTAL
    assert scheme.rounding is Rounding.HALF_UP
    assert scheme.trim_from == 7
    assert scheme.ties == (TieRule.LOWER_PRICE, TieRule.HIGHER_TECHNICAL)
    assert scheme.policy == PolicyRates(bonus=Decimal("0.03"))
    assert scheme_refusals(scheme, SchemeSwitches(Regime.TENDERING, Procured.WORKS)) == []


def test_a_scheme_survives_being_written_and_read() -> None:
    plain = {name: WORKS[name] for name in ("v", "method", "items", "round", "ties")}
    stepped = copy.deepcopy(WORKS)
    stepped["price"]["benchmark"] = {
        "averaging": "M3",
        "float_rate": "-0.05",
        "entering": "opened",
        "deduction": {"method": "D2", "above": "1.2", "below": "0.8"},
    }
    by_price = plain | {
        "method": "lowest_price",
        "items": [],
        "price": {"points": "0"},
        "ties": ["earlier_bid"],
    }
    for document in (WORKS, stepped, plain | {"price": {"points": "60"}}, by_price):
        scheme = parse_scheme(document)
        written = canonical(scheme_document(scheme))
        assert parse_scheme(strict_json(written)) == scheme
        assert canonical(scheme_document(parse_scheme(strict_json(written)))) == written


def _set(*path: str | int, to: object) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = to

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("v", to="ebid-score-scheme/2"),
        _set("method", to="lowest"),
        _set("extra", to=1),
        _set("items", 0, "highest", to=8),
        _set("items", 0, "highest", to="-8"),
        _set("items", 0, "highest", to="8e0"),
        _set("items", 0, "kind", to="magic"),
        _set("items", 0, "part", to=None),
        _set("items", 0, "id", to=""),
        _set("items", 0, "name", to="长" * 201),
        _set("items", 0, "colour", to="red"),
        _set("items", 0, "bands", 0, "min", to="a"),
        _set("items", to={}),
        _set("price", to={}),
        _set("price", "points", to=60),
        _set("price", "benchmark", "averaging", to="M5"),
        _set("price", "benchmark", "averaging", to="M6"),
        _set("price", "benchmark", "few_bids", to="M4"),
        _set("price", "benchmark", "mean_weight", to="1"),
        _set("price", "benchmark", "deduction", "above", to="-1"),
        _set("price", "benchmark", "k", to=["0.95", 1]),
        _set("round", "places", to=7),
        _set("round", "places", to="2"),
        _set("round", "how", to="bankers"),
        _set("trim_from", to=-1),
        _set("ties", to=["lower_price", "luck"]),
        _set("ties", to=["lower_price"] * 4),
        _set("policy", to={"small_enterprise": "0.1"}),
    ],
)
def test_anything_else_is_malformed(change: Callable[[Any], None]) -> None:
    document = copy.deepcopy(WORKS)
    change(document)
    with pytest.raises(Malformed):
        parse_scheme(document)


@pytest.mark.parametrize("member", ["v", "method", "items", "price", "round", "ties"])
def test_nothing_required_may_be_left_out(member: str) -> None:
    document = {name: value for name, value in WORKS.items() if name != member}
    with pytest.raises(Malformed):
        parse_scheme(document)
