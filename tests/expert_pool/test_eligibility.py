"""Bidding Law 37, 56; Bidding Regulation 45, 46, 71, 72; Chongqing Bidding Regulation 27;
Government Procurement Regulation 75."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expert_pool.rules.eligibility import (
    CHONGQING,
    NATIONAL,
    ExpertFacts,
    PersonalConditions,
    Title,
    age_on,
    enrolment_cautions,
    enrolment_refusals,
    standing_refusals,
)
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CHONGQING_REGULATION,
    PROCUREMENT_REGULATION,
    Provenance,
)

TODAY = date(2026, 3, 2)
EXPERT = ExpertFacts(
    specialisms=("A0401", "A083201"),
    title=Title.SENIOR,
    years=8,
    born_on=date(1980, 5, 17),
    healthy=True,
)


def codes(expert: ExpertFacts, conditions: PersonalConditions = NATIONAL) -> set[str]:
    return {one.code for one in enrolment_refusals(expert, on=TODAY, conditions=conditions)}


def test_eight_years_and_a_senior_title_suffice() -> None:
    assert enrolment_refusals(EXPERT, on=TODAY) == []
    assert enrolment_refusals(replace(EXPERT, title="equivalent"), on=TODAY) == []


@given(st.integers(0, 60))
def test_the_eighth_year_is_the_boundary(years: int) -> None:
    assert ("too_few_years" in codes(replace(EXPERT, years=years))) == (years < 8)


@pytest.mark.parametrize("title", ["intermediate", "junior", "", "SENIOR"])
def test_no_other_title_is_senior(title: str) -> None:
    (refusal,) = enrolment_refusals(replace(EXPERT, title=title), on=TODAY)
    assert (refusal.code, refusal.article) == ("title_too_low", BIDDING_LAW[37])


@pytest.mark.parametrize("code", ["A04", "A0401", "A040103", "B013202", "C0602", "C99"])
def test_a_specialism_has_one_two_or_three_levels(code: str) -> None:
    assert codes(replace(EXPERT, specialisms=(code,))) == set()


@pytest.mark.parametrize(
    "code", ["", "A", "A4", "A0", "A040", "A04010", "A0401030", "D04", "a04", "A04\n", "A０４"]
)
def test_what_is_no_specialism_is_refused(code: str) -> None:
    (refusal,) = enrolment_refusals(replace(EXPERT, specialisms=(code,)), on=TODAY)
    assert (refusal.code, refusal.article) == ("unknown_specialism", BIDDING_REGULATION[45])


def test_an_expert_has_at_least_one_specialism_and_each_once() -> None:
    assert codes(replace(EXPERT, specialisms=())) == {"no_specialism"}
    assert codes(replace(EXPERT, specialisms=("A04", "A04"))) == {"specialism_twice"}


def test_every_ground_is_given_at_once() -> None:
    worst = ExpertFacts((), "none", 0, date(1950, 1, 1), healthy=False)
    assert codes(worst, CHONGQING) == {
        "too_few_years",
        "title_too_low",
        "no_specialism",
        "too_old",
        "not_fit",
    }


def test_what_nobody_has_read_warns_and_does_not_block() -> None:
    unwell = replace(EXPERT, healthy=False)
    assert codes(unwell) == set()
    assert [one.code for one in enrolment_cautions(unwell, on=TODAY)] == ["not_fit"]
    assert NATIONAL.article.provenance is Provenance.MEMORY
    assert enrolment_cautions(unwell, on=TODAY, conditions=CHONGQING) == []


def test_a_local_limit_cites_its_own_article() -> None:
    old = replace(EXPERT, born_on=date(1950, 1, 1))
    (refusal,) = enrolment_refusals(old, on=TODAY, conditions=CHONGQING)
    assert (refusal.code, refusal.article) == ("too_old", CHONGQING_REGULATION[27])


@given(st.dates(date(1930, 1, 1), date(2000, 12, 31)), st.integers(0, 40_000))
def test_the_age_limit_falls_on_the_birthday(born_on: date, days: int) -> None:
    day = born_on + timedelta(days=days)
    expert = replace(EXPERT, born_on=born_on)
    found = enrolment_refusals(expert, on=max(day, date(2000, 1, 1)), conditions=CHONGQING)
    age = age_on(max(day, date(2000, 1, 1)), born_on)
    assert ("too_old" in {one.code for one in found}) == (age >= 70)


def test_age_is_counted_in_completed_years() -> None:
    assert age_on(date(2026, 5, 16), date(1956, 5, 17)) == 69
    assert age_on(date(2026, 5, 17), date(1956, 5, 17)) == 70
    assert age_on(date(2025, 2, 28), date(1956, 2, 29)) == 68
    assert age_on(date(2025, 3, 1), date(1956, 2, 29)) == 69


@pytest.mark.parametrize(
    ("verified", "barred", "expected"),
    [
        (True, False, set()),
        (False, False, {"not_verified"}),
        (True, True, {"barred"}),
        (False, True, {"not_verified", "barred"}),
    ],
)
def test_only_the_verified_and_not_barred_may_be_drawn(
    verified: bool, barred: bool, expected: set[str]
) -> None:
    for article in (
        BIDDING_LAW[56],
        BIDDING_REGULATION[71],
        BIDDING_REGULATION[72],
        PROCUREMENT_REGULATION[75],
    ):
        bar = Refusal("barred", article, "处于禁止被抽取为评标专家期内")
        found = standing_refusals(verified=verified, bars=[bar] if barred else [])
        assert {one.code for one in found} == expected
        assert {one.article for one in found} <= {BIDDING_REGULATION[46], bar.article}
