"""Which misconduct bars for how long, and what a decision must say.

Bidding Law 50, 53, 54, 56, 60, 61; Bidding Regulation 67, 68, 71, 72, 78; Opinions on Conduct 12;
Government Procurement Law 77, 78; Government Procurement Regulation 72, 73, 75.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blacklist.rules.bar_terms import (
    ACT_NAMES,
    BAR_TERMS,
    EXPERT_ACTS,
    Bar,
    BarDecision,
    BarredAct,
    Misconduct,
    Subject,
    decision_refusals,
    fine_range,
    holds,
    lift_refusals,
    reaches,
    years_after,
)
from kernel.statute import Provenance, Regime

COLLUSION = BarDecision(
    authority="某市住房和城乡建设局",
    document_number="建罚字〔2026〕12号",
    article="《中华人民共和国招标投标法》第五十三条",
    reason="在某项目中与其他投标人串通投标",
    misconduct=Misconduct.COLLUSION,
    subject=Subject.ORGANISATION,
    acts=frozenset({BarredAct.SUBMISSION, BarredAct.AWARD}),
    decided_on=date(2026, 3, 2),
    starts_on=date(2026, 3, 2),
    ends_on=date(2027, 3, 2),
    recorded_on=date(2026, 3, 3),
)
CORRUPTION = replace(
    COLLUSION,
    misconduct=Misconduct.EXPERT_CORRUPTION,
    subject=Subject.PERSON,
    acts=EXPERT_ACTS,
    ends_on=None,
)
DAY = timedelta(days=1)


def codes(decision: BarDecision) -> list[str]:
    return [one.code for one in decision_refusals(decision)]


def a_decision_on(misconduct: Misconduct, *, ends_on: date | None) -> BarDecision:
    term = BAR_TERMS[misconduct]
    return replace(
        COLLUSION,
        misconduct=misconduct,
        subject=term.subject,
        acts=term.acts,
        ends_on=ends_on,
    )


def test_a_decision_that_says_everything_is_recorded() -> None:
    assert codes(COLLUSION) == []
    assert codes(CORRUPTION) == []


@pytest.mark.parametrize("item", ["authority", "document_number", "article", "reason"])
def test_a_decision_that_lacks_something_is_none(item: str) -> None:
    flaw: dict[str, Any] = {item: "  "}
    found = decision_refusals(replace(COLLUSION, **flaw))
    assert [(one.code, one.facts["item"]) for one in found] == [("decision_lacks", item)]


def test_all_grounds_are_given_at_once() -> None:
    empty = replace(
        COLLUSION, authority="", document_number="", acts=frozenset(), ends_on=date(2026, 3, 3)
    )
    assert codes(empty) == ["decision_lacks", "decision_lacks", "no_act_barred", "term_too_short"]


@pytest.mark.parametrize(
    ("misconduct", "shortest", "longest"),
    [
        (Misconduct.COLLUSION, 1, 2),
        (Misconduct.BRIBERY, 1, 2),
        (Misconduct.MISREPRESENTATION, 1, 3),
        (Misconduct.NON_PERFORMANCE, 2, 5),
        (Misconduct.AGENCY_LEAK, 1, 2),
        (Misconduct.PROCUREMENT_MISCONDUCT, 1, 3),
        (Misconduct.PROCUREMENT_FALSE_COMPLAINT, 1, 3),
        (Misconduct.PROCUREMENT_AGENCY, 1, 3),
    ],
)
def test_a_term_is_bounded_by_its_law_to_the_day(
    misconduct: Misconduct, shortest: int, longest: int
) -> None:
    start = COLLUSION.starts_on
    first, last = years_after(start, shortest) - DAY, years_after(start, longest)
    assert codes(a_decision_on(misconduct, ends_on=first - DAY)) == ["term_too_short"]
    assert codes(a_decision_on(misconduct, ends_on=first)) == []
    assert codes(a_decision_on(misconduct, ends_on=last)) == []
    assert codes(a_decision_on(misconduct, ends_on=last + DAY)) == ["term_too_long"]
    assert codes(a_decision_on(misconduct, ends_on=None)) == ["no_end"]


@pytest.mark.parametrize("misconduct", Misconduct)
def test_nobody_is_barred_for_life_without_a_law(misconduct: Misconduct) -> None:
    for_life = misconduct in {
        Misconduct.EXPERT_CORRUPTION,
        Misconduct.EXPERT_GRAVE_MISCONDUCT,
        Misconduct.PROCUREMENT_EXPERT,
    }
    assert ("no_end" not in codes(a_decision_on(misconduct, ends_on=None))) is for_life


def test_an_experts_term_is_left_to_the_authority_but_has_an_end() -> None:
    assert codes(a_decision_on(Misconduct.EXPERT_MISCONDUCT, ends_on=date(2026, 6, 2))) == []
    assert codes(a_decision_on(Misconduct.EXPERT_MISCONDUCT, ends_on=None)) == ["no_end"]


def test_a_bar_runs_forward_and_not_back() -> None:
    assert codes(replace(COLLUSION, ends_on=COLLUSION.starts_on - DAY)) == ["ends_before_start"]
    assert codes(replace(COLLUSION, starts_on=COLLUSION.decided_on - DAY)) == ["retroactive"]
    assert codes(replace(COLLUSION, recorded_on=COLLUSION.decided_on - DAY)) == [
        "decided_in_the_future"
    ]


def test_a_bar_reaches_no_act_that_its_ground_does_not() -> None:
    drawn = replace(COLLUSION, acts=frozenset({BarredAct.SUBMISSION, BarredAct.DRAW}))
    found = decision_refusals(drawn)
    assert [(one.code, one.facts["act"]) for one in found] == [("act_not_reached", "draw")]
    bidding = replace(CORRUPTION, acts=frozenset({BarredAct.SUBMISSION}))
    assert codes(bidding) == ["act_not_reached"]


def test_a_firm_is_not_barred_as_a_person_nor_a_person_as_a_firm() -> None:
    assert codes(replace(COLLUSION, subject=Subject.PERSON)) == ["wrong_subject"]
    assert codes(replace(CORRUPTION, subject=Subject.ORGANISATION)) == ["wrong_subject"]


def test_every_misconduct_has_a_term_of_its_own_law_that_was_read() -> None:
    assert set(BAR_TERMS) == set(Misconduct)
    assert set(ACT_NAMES) == set(BarredAct)
    for term in BAR_TERMS.values():
        assert all(one.instrument.regime is term.regime for one in term.articles)
        assert all(one.provenance is not Provenance.MEMORY for one in term.articles)
        assert term.acts


def test_a_bar_of_the_tendering_law_reaches_the_tenders_the_law_demands() -> None:
    assert reaches(Misconduct.COLLUSION, regime=Regime.TENDERING, mandatory=True)
    assert not reaches(Misconduct.COLLUSION, regime=Regime.TENDERING, mandatory=False)
    assert not reaches(Misconduct.COLLUSION, regime=Regime.PROCUREMENT, mandatory=True)
    assert reaches(Misconduct.EXPERT_CORRUPTION, regime=Regime.TENDERING, mandatory=False)
    assert reaches(Misconduct.PROCUREMENT_MISCONDUCT, regime=Regime.PROCUREMENT, mandatory=True)


# --- who is barred on a day

START, END = date(2026, 3, 2), date(2027, 3, 2)
BAR = Bar(BarredAct.SUBMISSION, START, END)


@given(st.dates(date(2025, 1, 1), date(2029, 1, 1)))
def test_first_and_last_day_are_barred_and_no_other(day: date) -> None:
    assert holds(BAR, BarredAct.SUBMISSION, on=day) is (START <= day <= END)


@given(st.dates(date(2026, 3, 2), date(2999, 1, 1)))
def test_a_bar_without_an_end_never_ends(day: date) -> None:
    assert holds(replace(BAR, ends_on=None), BarredAct.SUBMISSION, on=day)


@given(st.dates(START, END), st.dates(START, END))
def test_a_lifted_bar_holds_until_the_day_before_its_lifting(day: date, lifted_on: date) -> None:
    lifted = replace(BAR, lifted_on=lifted_on)
    assert holds(lifted, BarredAct.SUBMISSION, on=day) is (day < lifted_on)


@pytest.mark.parametrize("act", sorted(set(BarredAct) - {BarredAct.SUBMISSION}))
def test_a_bar_forbids_its_own_act_only(act: BarredAct) -> None:
    assert not holds(BAR, act, on=START)


def test_a_bar_is_lifted_by_a_document_and_once() -> None:
    said = {"authority": "某市住房和城乡建设局", "document_number": "建罚撤〔2026〕1号"}
    assert lift_refusals(**said, reason="复议撤销", lifted_already=False) == []
    found = lift_refusals(authority="", document_number="", reason="", lifted_already=True)
    assert [one.code for one in found] == [*["decision_lacks"] * 3, "lifted_already"]


# --- figures


def test_collusion_over_twelve_million_costs_60_000_to_120_000() -> None:
    assert fine_range(Decimal(12_000_000)) == (Decimal(60_000), Decimal(120_000))


def test_a_leap_day_has_its_anniversary_at_the_end_of_february() -> None:
    assert years_after(date(2028, 2, 29), 1) == date(2029, 2, 28)
    assert years_after(date(2028, 2, 29), 4) == date(2032, 2, 29)


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(0, 9))
def test_years_after_keeps_month_and_almost_always_the_day(day: date, years: int) -> None:
    later = years_after(day, years)
    assert (later.year, later.month) == (day.year + years, day.month)
    assert later.day == day.day or (day.day == 29 and later.day == 28)
