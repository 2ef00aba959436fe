"""Bidding Law 40; Bidding Regulation 49; Committee Provisions 17, 35;
Procurement Tender Measures 54, 55, 57; Government Procurement Law 9, 38, 40; and, from memory,
Competitive Consultation Measures 24, 25."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.score_arithmetic import (
    BenchmarkMethod,
    BenchmarkTerms,
    Deduction,
    DeductionMethod,
)
from evaluation.rules.score_scheme import (
    Band,
    BenchmarkPrice,
    ItemKind,
    ItemPart,
    PolicyRates,
    Procured,
    SchemeSwitches,
    ScoreItem,
    ScoreScheme,
    ScoringMethod,
    TieRule,
    consultation_cautions,
    scheme_cautions,
    scheme_refusals,
    score_refusals,
)
from kernel.statute import (
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_TENDER_MEASURES,
    Provenance,
    Regime,
)

BANDS = (
    Band("优", Decimal("6.8"), Decimal(8)),
    Band("良", Decimal("5.6"), Decimal("6.7")),
    Band("一般", Decimal(0), Decimal("5.5")),
)
PLAN = ScoreItem(
    "T1",
    "施工组织设计",
    ItemKind.SUBJECTIVE,
    ItemPart.TECHNICAL,
    Decimal(8),
    step=Decimal("0.1"),
    bands=BANDS,
)
TEAM = ScoreItem("T2", "项目班子", ItemKind.SUBJECTIVE, ItemPart.TECHNICAL, Decimal(22))
RECORD = ScoreItem("B1", "业绩", ItemKind.OBJECTIVE, ItemPart.BUSINESS, Decimal(10))
FORMULA = BenchmarkPrice(
    BenchmarkTerms(BenchmarkMethod.TRIMMED_MEAN),
    Deduction(DeductionMethod.LINEAR, above=Decimal(2), below=Decimal(1)),
)
TENDER = ScoreScheme(
    ScoringMethod.COMPREHENSIVE_EVALUATION, (PLAN, TEAM, RECORD), Decimal(60), FORMULA
)
PURCHASE = replace(
    TENDER,
    method=ScoringMethod.COMPREHENSIVE_SCORING,
    items=(PLAN, replace(TEAM, bands=(Band("全", Decimal(0), Decimal(22)),)), RECORD),
    formula=None,
    policy=PolicyRates(small_enterprise=Decimal("0.10"), consortium=Decimal("0.04")),
)
WORKS = SchemeSwitches(Regime.TENDERING, Procured.WORKS)
GOODS = SchemeSwitches(Regime.PROCUREMENT, Procured.GOODS)
SERVICES = SchemeSwitches(Regime.PROCUREMENT, Procured.SERVICES)
INQUIRY = replace(GOODS, lowest_price_wins=True)
CONSULTED = (replace(GOODS, consulted=True), replace(SERVICES, consulted=True))
LOWEST = ScoreScheme(ScoringMethod.LOWEST_PRICE, (), Decimal(0), None, ties=(TieRule.EARLIER_BID,))


def codes(scheme: ScoreScheme, switches: SchemeSwitches) -> set[str]:
    return {one.code for one in scheme_refusals(scheme, switches)}


def priced(scheme: ScoreScheme, points: int) -> ScoreScheme:
    """The scheme with so many price points, the team item taking up the rest."""
    team = replace(scheme.items[1], highest=Decimal(82 - points))
    if team.bands:
        team = replace(team, bands=(Band("全", Decimal(0), team.highest),))
    return replace(
        scheme,
        price_points=Decimal(points),
        items=(scheme.items[0], team, scheme.items[2]),
    )


def test_a_benchmark_may_be_published_for_works_and_lowest_first_for_procurement() -> None:
    assert scheme_refusals(TENDER, WORKS) == []
    assert scheme_refusals(PURCHASE, GOODS) == []
    assert scheme_refusals(PURCHASE, SERVICES) == []


@given(st.integers(1, 80))
def test_the_price_weighs_thirty_in_goods_and_ten_in_services(points: int) -> None:
    scheme = priced(PURCHASE, points)
    assert ("price_weight_too_low" in codes(scheme, GOODS)) == (points < 30)
    assert ("price_weight_too_low" in codes(scheme, SERVICES)) == (points < 10)
    assert codes(priced(TENDER, points), WORKS) == set()


@pytest.mark.accepts("NB-05")
def test_the_lowest_price_decides_an_inquiry_and_may_decide_a_tender_of_procurement() -> None:
    for switches in (INQUIRY, GOODS):
        assert scheme_refusals(LOWEST, switches) == []
        assert scheme_refusals(replace(LOWEST, ties=()), switches) == []
    assert codes(LOWEST, WORKS) == {"method_unfit"}


@pytest.mark.refuses("NB-05")
def test_an_inquiry_is_not_scored() -> None:
    (refusal,) = scheme_refusals(PURCHASE, INQUIRY)
    assert (refusal.code, refusal.article) == ("scored_inquiry", PROCUREMENT_LAW[40])


@pytest.mark.refuses("NB-05")
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (replace(LOWEST, items=(PLAN,)), "scored_by_price"),
        (replace(LOWEST, price_points=Decimal("0.01")), "scored_by_price"),
        (replace(LOWEST, formula=FORMULA), "scored_by_price"),
        (replace(LOWEST, trim_from=5), "marks_without_items"),
        (replace(LOWEST, ties=(TieRule.LOWER_PRICE,)), "tie_rule_unfit"),
        (replace(LOWEST, ties=(TieRule.EARLIER_BID,) * 2), "tie_rule_unfit"),
    ],
)
def test_nothing_but_the_price_decides_where_it_decides(changed: ScoreScheme, code: str) -> None:
    (refusal,) = scheme_refusals(changed, INQUIRY)
    assert (refusal.code, refusal.article) == (code, PROCUREMENT_LAW[40])
    (refusal,) = scheme_refusals(changed, GOODS)
    assert (refusal.code, refusal.article) == (code, PROCUREMENT_TENDER_MEASURES[54])


@pytest.mark.parametrize(("switches", "points"), [(GOODS, 25), (SERVICES, 8)])
def test_too_light_a_price_is_refused_with_its_article(
    switches: SchemeSwitches, points: int
) -> None:
    (refusal,) = scheme_refusals(priced(PURCHASE, points), switches)
    assert (refusal.code, refusal.article) == (
        "price_weight_too_low",
        PROCUREMENT_TENDER_MEASURES[55],
    )


@given(st.decimals(0, 200, places=2))
def test_everything_together_makes_a_hundred(points: Decimal) -> None:
    found = codes(replace(TENDER, price_points=points), WORKS)
    assert (found == {"sum_not_100"}) == (points != 60)


def test_weights_enter_the_sum() -> None:
    weighted = replace(TEAM, highest=Decimal(100), weight=Decimal("0.22"))
    assert codes(replace(TENDER, items=(PLAN, weighted, RECORD)), WORKS) == set()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (replace(PURCHASE, formula=FORMULA, policy=PolicyRates()), "benchmark_in_procurement"),
        (replace(PURCHASE, method=ScoringMethod.COMPREHENSIVE_EVALUATION), "method_unfit"),
        (replace(PURCHASE, trim_from=7), "marks_trimmed"),
        (replace(PURCHASE, ties=()), "tie_rule_unfit"),
        (
            replace(PURCHASE, ties=(TieRule.HIGHER_TECHNICAL, TieRule.LOWER_PRICE)),
            "tie_rule_unfit",
        ),
        (replace(PURCHASE, items=(PLAN, TEAM, RECORD)), "not_quantified"),
        (
            replace(PURCHASE, policy=PolicyRates(bonus=Decimal("0.03"))),
            "bonus_with_lowest_first",
        ),
    ],
)
def test_procurement_refuses_what_its_article_forbids(changed: ScoreScheme, code: str) -> None:
    assert codes(changed, GOODS) == {code}


def test_a_condition_to_take_part_is_not_scored() -> None:
    switches = replace(GOODS, qualifications=frozenset({" 业 绩 "}))
    assert codes(PURCHASE, switches) == {"qualification_scored"}
    assert codes(TENDER, replace(WORKS, qualifications=frozenset({"业绩"}))) == set()


def test_a_lot_for_small_enterprises_grants_them_nothing_more() -> None:
    reserved = replace(GOODS, reserved_for_small=True)
    assert codes(PURCHASE, reserved) == {"policy_in_reserved_lot"}
    assert codes(replace(PURCHASE, policy=PolicyRates()), reserved) == set()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (replace(TENDER, method=ScoringMethod.COMPREHENSIVE_SCORING), "method_unfit"),
        (replace(TENDER, trim_from=4), "trims_too_few"),
        (replace(TENDER, ties=(TieRule.LOWER_PRICE,) * 2), "tie_rule_twice"),
        (
            replace(TENDER, items=(PLAN, TEAM, replace(RECORD, id="T1"))),
            "item_twice",
        ),
        (
            replace(TENDER, items=(PLAN, TEAM, replace(RECORD, name=PLAN.name))),
            "item_twice",
        ),
        (
            replace(TENDER, policy=PolicyRates(small_enterprise=Decimal("0.1"))),
            "deduction_with_benchmark",
        ),
        (replace(TENDER, policy=PolicyRates(bonus=Decimal(1))), "policy_rate_unfit"),
        (replace(TENDER, policy=PolicyRates(bonus=Decimal("-0.01"))), "policy_rate_unfit"),
        (replace(TENDER, formula=replace(FORMULA, k_set=(Decimal("0.98"),))), "k_set_unused"),
    ],
)
def test_a_scheme_that_cannot_work_is_refused(changed: ScoreScheme, code: str) -> None:
    assert codes(changed, WORKS) == {code}


TIMES_K = BenchmarkTerms(BenchmarkMethod.TRIMMED_MEAN, scaling=BenchmarkMethod.MEAN_TIMES_K)


@pytest.mark.parametrize(
    ("k_set", "expected"),
    [
        (("0.95", "0.96", "0.98"), set()),
        ((), {"no_k_set"}),
        (("0.95", "0.95"), {"k_set_unfit"}),
        (("0",), {"k_set_unfit"}),
        (("2",), {"k_set_unfit"}),
    ],
)
def test_the_set_of_k_is_published(k_set: tuple[str, ...], expected: set[str]) -> None:
    formula = replace(FORMULA, terms=TIMES_K, k_set=tuple(map(Decimal, k_set)))
    assert codes(replace(TENDER, formula=formula), WORKS) == expected


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (replace(PLAN, step=Decimal(0)), "step_unfit"),
        (replace(PLAN, step=Decimal("0.3")), "step_unfit"),
        (replace(PLAN, bands=(*BANDS, Band("优", Decimal(8), Decimal(8)))), "bands_unfit"),
        (replace(PLAN, bands=BANDS[1:]), "bands_unfit"),
        (replace(PLAN, bands=(Band("优", Decimal(5), Decimal(9)),)), "bands_unfit"),
        (replace(PLAN, bands=(Band("优", Decimal(8), Decimal(7)), BANDS[2])), "bands_unfit"),
        (
            replace(PLAN, bands=(BANDS[0], Band("良", Decimal(5), Decimal(7)))),
            "bands_unfit",
        ),
    ],
)
def test_an_item_that_nobody_could_mark_is_refused(item: ScoreItem, code: str) -> None:
    assert codes(replace(TENDER, items=(item, TEAM, RECORD)), WORKS) == {code}


def test_bands_may_share_an_end() -> None:
    bands = (Band("优", Decimal(5), Decimal(8)), Band("良", Decimal(0), Decimal(5)))
    assert codes(replace(TENDER, items=(replace(PLAN, bands=bands), TEAM, RECORD)), WORKS) == set()


def test_a_worthless_item_is_refused() -> None:
    nothing = replace(RECORD, weight=Decimal(0))
    heavier = replace(TEAM, highest=Decimal(32))
    assert codes(replace(TENDER, items=(PLAN, heavier, nothing)), WORKS) == {"item_worthless"}


@pytest.mark.parametrize("rate", ["0.09", "0.21"])
def test_an_unusual_deduction_is_warned_of_and_not_refused(rate: str) -> None:
    scheme = replace(PURCHASE, policy=PolicyRates(small_enterprise=Decimal(rate)))
    assert codes(scheme, GOODS) == set()
    assert [one.code for one in scheme_cautions(scheme, GOODS)] == ["policy_rate_unusual"]


@pytest.mark.parametrize("rate", ["0.10", "0.20"])
def test_a_usual_deduction_passes_without_a_word(rate: str) -> None:
    scheme = replace(PURCHASE, policy=PolicyRates(small_enterprise=Decimal(rate)))
    assert scheme_cautions(scheme, GOODS) == []


def test_a_formula_that_favours_high_prices_is_warned_of() -> None:
    odd = replace(FORMULA, deduction=replace(FORMULA.deduction, below=Decimal(3)))
    (caution,) = scheme_cautions(replace(TENDER, formula=odd), WORKS)
    assert caution.code == "deduction_favours_high"
    assert caution.article.provenance is Provenance.MEMORY


# --- marks


def test_a_mark_outside_its_band_is_refused_with_the_allowed_range() -> None:
    (refusal,) = score_refusals(TENDER, "T1", Decimal("6.8"), band="良")
    assert refusal.reason == "分值应在 5.6 到 6.7 之间（“良”档）。"
    assert (refusal.code, refusal.article) == ("out_of_band", BIDDING_REGULATION[49])
    (refusal,) = score_refusals(PURCHASE, "T1", Decimal("8.1"))
    assert refusal.article == PROCUREMENT_TENDER_MEASURES[55]


def test_a_mark_that_fits_no_band_is_told_all_of_them() -> None:
    (refusal,) = score_refusals(TENDER, "T1", Decimal("9"))
    expected = "“优”档 6.8 到 8；“良”档 5.6 到 6.7；“一般”档 0 到 5.5"
    assert refusal.reason == f"分值应在下列档次之内：{expected}。"


def test_an_item_without_bands_runs_from_nought_to_full() -> None:
    (refusal,) = score_refusals(TENDER, "T2", Decimal("22.01"))
    assert refusal.reason == "分值应在 0 到 22 之间。"
    assert score_refusals(TENDER, "T2", Decimal("22.00")) == []


@given(st.integers(-10, 100))
def test_exactly_the_marks_in_the_chosen_band_are_taken(tenths: int) -> None:
    score = Decimal(tenths) / 10
    for band in BANDS:
        found = score_refusals(TENDER, "T1", score, band=band.name)
        assert (found == []) == (band.low <= score <= band.high)
    anywhere = any(band.low <= score <= band.high for band in BANDS)
    assert (score_refusals(TENDER, "T1", score) == []) == anywhere


def test_a_mark_keeps_to_the_step() -> None:
    assert [one.code for one in score_refusals(TENDER, "T1", Decimal("5.65"))] == ["off_step"]
    assert score_refusals(TENDER, "T2", Decimal("5.65")) == []


def test_what_the_documents_do_not_name_is_not_marked() -> None:
    assert [one.code for one in score_refusals(TENDER, "X", Decimal(1))] == ["unknown_item"]
    assert [one.code for one in score_refusals(TENDER, "T1", Decimal(1), band="特优")] == [
        "unknown_band"
    ]


def test_a_negotiation_is_not_scored_by_an_article_of_its_own() -> None:
    negotiation = replace(INQUIRY, lowest_price_article=PROCUREMENT_LAW[38])
    assert scheme_refusals(LOWEST, negotiation) == []
    (refusal,) = scheme_refusals(PURCHASE, negotiation)
    assert (refusal.code, refusal.article) == ("scored_inquiry", PROCUREMENT_LAW[38])


@pytest.mark.accepts("NB-08")
@pytest.mark.refuses("NB-08")
@pytest.mark.parametrize("points", [9, 10, 29, 30, 31, 60, 61])
def test_a_consultations_price_weight_is_warned_of_outside_its_range(points: int) -> None:
    scheme = priced(PURCHASE, points)
    for switches, (low, high) in zip(CONSULTED, ((30, 60), (10, 30)), strict=True):
        found = {one.code for one in consultation_cautions(scheme, switches)}
        assert ("price_weight_unusual" in found) is not (low <= points <= high)
        assert codes(scheme, switches) == set()
    assert consultation_cautions(scheme, GOODS) == []


@pytest.mark.refuses("NB-08")
def test_another_order_of_equals_is_warned_of_in_a_consultation() -> None:
    scheme = replace(priced(PURCHASE, 30), ties=(TieRule.HIGHER_TECHNICAL,))
    for switches in CONSULTED:
        assert [one.code for one in consultation_cautions(scheme, switches)] == ["tie_rule_unusual"]
        assert codes(scheme, switches) == set()
    assert "tie_rule_unfit" in codes(scheme, GOODS)
