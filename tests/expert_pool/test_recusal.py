"""Bidding Law 37; Bidding Regulation 46; Committee Provisions 12;
Government Procurement Regulation 9; Procurement Tender Measures 47."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expert_pool.rules.recusal import (
    AVOIDED_CODES,
    Capacity,
    Concerned,
    ExpertTie,
    ExpertTies,
    TieKind,
    ground_codes,
    looked_back_to,
    recusal_refusals,
    same_employer_cautions,
)
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    COMMITTEE_PROVISIONS,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Provenance,
    Regime,
)

TODAY = date(2026, 3, 2)
HOME, BIDDER, TENDEREE, AGENCY, AUTHORITY = "home", "bidder", "tenderee", "agency", "authority"
CONCERNED = (
    Concerned(BIDDER, Capacity.BIDDER),
    Concerned(TENDEREE, Capacity.TENDEREE),
    Concerned(AGENCY, Capacity.AGENCY),
    Concerned(AUTHORITY, Capacity.AUTHORITY),
)
FREE = ExpertTies(HOME)


def tied(kind: TieKind, to: str = BIDDER, ended_on: date | None = None) -> ExpertTies:
    return replace(FREE, ties=(ExpertTie(to, kind, ended_on),))


def grounds(expert: ExpertTies, regime: Regime = Regime.TENDERING) -> list[str]:
    found = recusal_refusals(expert, CONCERNED, on=TODAY, regime=regime)
    return [one.facts["ground"] for one in found]


def test_an_expert_without_ties_need_not_step_aside() -> None:
    assert grounds(FREE) == []
    assert grounds(tied(TieKind.EMPLOYMENT, to="somebody else")) == []


@pytest.mark.parametrize(
    ("expert", "ground"),
    [
        (ExpertTies(BIDDER), "A1"),
        (ExpertTies(TENDEREE), "A1"),
        (ExpertTies(AGENCY), "A1"),
        (tied(TieKind.EMPLOYMENT), "A1"),
        (tied(TieKind.EMPLOYMENT, ended_on=date(2025, 1, 1)), "A2"),
        (tied(TieKind.RETIREMENT, ended_on=date(2025, 1, 1)), "A3"),
        (tied(TieKind.OFFICE), "A4"),
        (tied(TieKind.KINSHIP), "A5"),
        (tied(TieKind.AUTHORSHIP, to=TENDEREE), "A6"),
        (tied(TieKind.INTEREST), "A7"),
        (ExpertTies(AUTHORITY), "A9"),
        (tied(TieKind.EMPLOYMENT, to=AUTHORITY), "A9"),
        (replace(FREE, penalised=True), "A10"),
    ],
)
def test_each_tie_has_its_ground(expert: ExpertTies, ground: str) -> None:
    assert grounds(expert) == [ground]


def test_having_left_the_authority_is_no_ground() -> None:
    assert grounds(tied(TieKind.EMPLOYMENT, to=AUTHORITY, ended_on=date(2026, 1, 1))) == []


def test_every_ground_is_listed_and_none_twice() -> None:
    expert = ExpertTies(
        BIDDER,
        (
            ExpertTie(BIDDER, TieKind.EMPLOYMENT),
            ExpertTie(BIDDER, TieKind.KINSHIP),
            ExpertTie(TENDEREE, TieKind.AUTHORSHIP),
        ),
        penalised=True,
    )
    assert grounds(expert) == ["A1", "A5", "A6", "A10"]
    found = recusal_refusals(expert, CONCERNED, on=TODAY)
    assert ground_codes(found) == ("author", "employed", "kin", "penalised")


@given(st.integers(-2000, 2000))
def test_three_years_are_looked_back_on_the_day_itself_included(days: int) -> None:
    ended_on = looked_back_to(TODAY, 3) + timedelta(days=days)
    found = grounds(tied(TieKind.OFFICE, ended_on=ended_on))
    assert found == (["A4"] if days >= 0 else [])


def test_a_leap_day_is_looked_back_from_to_the_last_of_february() -> None:
    assert looked_back_to(date(2028, 2, 29), 3) == date(2025, 2, 28)
    assert looked_back_to(date(2026, 3, 2), 3) == date(2023, 3, 2)


def test_the_years_looked_back_are_a_parameter() -> None:
    expert = tied(TieKind.RETIREMENT, ended_on=date(2022, 1, 1))
    assert recusal_refusals(expert, CONCERNED, on=TODAY) == []
    assert len(recusal_refusals(expert, CONCERNED, on=TODAY, years=5)) == 1


def test_each_regime_cites_its_own_articles() -> None:
    def articles(expert: ExpertTies, regime: Regime) -> list[object]:
        return [one.article for one in recusal_refusals(expert, CONCERNED, on=TODAY, regime=regime)]

    tendering, procurement = Regime.TENDERING, Regime.PROCUREMENT
    assert articles(ExpertTies(BIDDER), tendering) == [BIDDING_LAW[37]]
    assert articles(ExpertTies(BIDDER), procurement) == [PROCUREMENT_REGULATION[9]]
    assert articles(ExpertTies(AGENCY), procurement) == [PROCUREMENT_TENDER_MEASURES[47]]
    assert articles(ExpertTies(TENDEREE), procurement) == [PROCUREMENT_TENDER_MEASURES[47]]
    assert articles(ExpertTies(AUTHORITY), tendering) == [BIDDING_REGULATION[46]]
    assert articles(tied(TieKind.KINSHIP), tendering) == [COMMITTEE_PROVISIONS[12]]
    assert articles(replace(FREE, penalised=True), tendering) == [COMMITTEE_PROVISIONS[12]]


def test_the_exchange_code_tells_whom_the_expert_avoids() -> None:
    found = recusal_refusals(ExpertTies(AGENCY), CONCERNED, on=TODAY)
    assert [one.facts["avoided"] for one in found] == ["4"]
    assert set(AVOIDED_CODES) == set(Capacity)


@given(st.permutations(CONCERNED), st.permutations(list(TieKind)))
def test_the_order_of_facts_never_changes_the_answer(
    concerned: list[Concerned], kinds: list[TieKind]
) -> None:
    expert = ExpertTies(BIDDER, tuple(ExpertTie(BIDDER, kind) for kind in kinds))
    straight = ExpertTies(BIDDER, tuple(ExpertTie(BIDDER, kind) for kind in TieKind))
    assert recusal_refusals(expert, concerned, on=TODAY) == recusal_refusals(
        straight, CONCERNED, on=TODAY
    )


def test_two_members_from_one_employer_are_a_caution_and_no_refusal() -> None:
    (caution,) = same_employer_cautions(["x", "y", "x", "", ""])
    assert caution.facts == {"ground": "A8", "uscc": "x"}
    assert caution.article.provenance is Provenance.MEMORY
    assert same_employer_cautions(["x", "y"]) == []
