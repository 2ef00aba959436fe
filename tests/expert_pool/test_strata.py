"""Bidding Law 37; Bidding Regulation 45, 46, 47; Procurement Tender Measures 47;
Opinions on Conduct 14; Remote Evaluation Notice 4."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expert_pool.rules.strata import (
    FALLBACKS,
    CommitteePlan,
    Fallback,
    Stratum,
    fallback_refusals,
    plan_refusals,
    strata_cautions,
    strata_refusals,
    widened,
)
from kernel.statute import (
    BIDDING_LAW,
    PROCUREMENT_LAW,
    PROCUREMENT_TENDER_MEASURES,
    Provenance,
    Regime,
)

HOST = Stratum("成都", "A0401", "5101", 2)
BRANCH = Stratum("绵阳", "A0401", "5107", 1)
FAR = Stratum("重庆", "A06", "50", 1)
STRATA = (HOST, BRANCH, FAR)
PLAN = CommitteePlan(size=5, representatives=1)


def codes(*strata: Stratum) -> set[str]:
    return {one.code for one in strata_refusals(strata)}


def test_three_regions_of_four_experts_may_be_drawn() -> None:
    assert strata_refusals(STRATA) == []
    assert plan_refusals(STRATA, PLAN) == []
    assert strata_cautions(STRATA, host_region="5101") == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (replace(HOST, specialism="A0"), "unknown_specialism"),
        (replace(HOST, region_code="5"), "unknown_region"),
        (replace(HOST, region_code="0101"), "unknown_region"),
        (replace(HOST, region_code="51010"), "unknown_region"),
        (replace(HOST, seats=0), "no_seats"),
        (replace(HOST, alternates=-1), "no_seats"),
        (replace(HOST, name=" "), "stratum_unnamed"),
        (replace(HOST, name="a\0b"), "stratum_unnamed"),
        (BRANCH, "stratum_twice"),
    ],
)
def test_a_stratum_that_cannot_be_drawn_from_is_refused(changed: Stratum, code: str) -> None:
    assert codes(changed, BRANCH, FAR) == {code}


def test_a_draw_needs_a_stratum() -> None:
    assert codes() == {"no_strata"}


@given(st.integers(0, 13), st.integers(0, 13), st.integers(0, 13))
def test_a_plan_is_lawful_exactly_when_the_law_says_so(
    seats: int, representatives: int, size: int
) -> None:
    found = plan_refusals([replace(HOST, seats=seats)], CommitteePlan(size, representatives))
    lawful = (
        seats + representatives == size and size >= 5 and size % 2 == 1 and 3 * seats >= 2 * size
    )
    assert (found == []) == lawful


def test_procurement_cites_its_own_article_and_may_need_seven() -> None:
    plan = replace(PLAN, size_min=7)
    (refusal,) = plan_refusals(STRATA, plan, regime=Regime.PROCUREMENT)
    assert (refusal.code, refusal.article) == ("size_unlawful", PROCUREMENT_TENDER_MEASURES[47])
    (refusal,) = plan_refusals(STRATA, plan)
    assert refusal.article == BIDDING_LAW[37]
    fixed = replace(plan, size_article=PROCUREMENT_LAW[40])
    (refusal,) = plan_refusals(STRATA, fixed, regime=Regime.PROCUREMENT)
    assert refusal.article == PROCUREMENT_LAW[40]


def test_a_host_that_sends_too_many_is_warned_of() -> None:
    crowded = (replace(HOST, seats=3), FAR)
    (caution,) = strata_cautions(crowded, host_region="5101")
    assert caution.code == "host_share"
    assert caution.article.provenance is Provenance.MEMORY
    assert strata_cautions(crowded, host_region="5101", host_share_max=Fraction(3, 4)) == []


def test_experts_of_one_region_only_are_no_remote_evaluation() -> None:
    found = strata_cautions([FAR], host_region="5101")
    assert [one.code for one in found] == ["one_region"]


@given(st.integers(0, 20))
def test_a_pool_is_thin_below_three_times_the_seats(available: int) -> None:
    found = strata_cautions(STRATA, host_region="5101", candidates={HOST.name: available})
    assert ([one.code for one in found] == ["thin_stratum"]) == (available < 6)


def test_a_stratum_takes_in_by_prefix() -> None:
    assert HOST.takes_in(specialisms=["C01", "A040103"], region_code="510104")
    assert not HOST.takes_in(specialisms=["A0402"], region_code="510104")
    assert not HOST.takes_in(specialisms=["A0401"], region_code="510704")
    assert replace(HOST, region_code="").takes_in(specialisms=["A0401"], region_code="110000")


def test_fallbacks_are_taken_in_order_and_the_last_two_with_consent() -> None:
    for count, step in enumerate(FALLBACKS):
        for tried in Fallback:
            found = fallback_refusals(tried, taken=FALLBACKS[:count], consented=True)
            assert (found == []) == (tried is step)
    last = fallback_refusals(Fallback.APPOINTMENT, taken=FALLBACKS[:-1], consented=False)
    assert [one.code for one in last] == ["no_consent"]
    assert fallback_refusals(Fallback.SAME_CODE, taken=FALLBACKS, consented=True)
    skipped = (Fallback.SPECIALITY,)
    assert fallback_refusals(Fallback.SPECIALITY, taken=skipped, consented=True)


def test_widening_takes_in_more_under_a_new_name() -> None:
    narrow = Stratum("结构", "A040103", "510104", 2)
    by_step = {step: widened(narrow, step) for step in Fallback}
    assert by_step[Fallback.SAME_CODE] == narrow
    assert by_step[Fallback.OTHER_POOL] == narrow
    assert by_step[Fallback.SPECIALITY].specialism == "A0401"
    assert by_step[Fallback.CLASS].specialism == "A04"
    assert by_step[Fallback.PROVINCE].region_code == "51"
    assert by_step[Fallback.PARTNER_REGION].region_code == ""
    wider = [one for one in by_step.values() if one != narrow]
    assert len({one.name for one in wider}) == len(wider)
    assert all(one.takes_in(specialisms=["A040103"], region_code="510104") for one in wider)
    assert strata_refusals(wider) == []
