"""Bidding Law 37; Bidding Regulation 46; Chongqing Bidding Regulation 30;
Government Procurement Law 40; Procurement Tender Measures 45, 47; Remote Evaluation Notice 4."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.committee_composition import (
    CommitteeDemands,
    CommitteeMember,
    MemberKind,
    OtherSide,
    ProposedCommittee,
    composition_refusals,
    spread_cautions,
)
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CHONGQING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Provenance,
    Regime,
)

HOST, BRANCH = UUID(int=1), UUID(int=2)
TENDEREE = "tenderee"
TENDERING = CommitteeDemands(Regime.TENDERING)
PROCUREMENT = CommitteeDemands(Regime.PROCUREMENT)


def committee(experts: int, representatives: int, *, hosted: int = 2) -> ProposedCommittee:
    drawn = tuple(
        CommitteeMember(
            UUID(int=100 + n), MemberKind.EXPERT, f"home{n}", HOST if n < hosted else BRANCH
        )
        for n in range(experts)
    )
    sent = tuple(
        CommitteeMember(UUID(int=200 + n), MemberKind.REPRESENTATIVE, TENDEREE, HOST)
        for n in range(representatives)
    )
    return ProposedCommittee(drawn + sent, TENDEREE)


def codes(proposed: ProposedCommittee, demands: CommitteeDemands = TENDERING) -> set[str]:
    return {one.code for one in composition_refusals(proposed, demands)}


def altered(proposed: ProposedCommittee, place: int, **changes: object) -> ProposedCommittee:
    members = list(proposed.members)
    members[place] = replace(members[place], **changes)  # type: ignore[arg-type]  # named by the test
    return replace(proposed, members=tuple(members))


@given(st.integers(0, 12), st.integers(0, 6))
def test_a_committee_is_lawful_exactly_when_the_numbers_are(
    experts: int, representatives: int
) -> None:
    size = experts + representatives
    lawful = size >= 5 and size % 2 == 1 and experts * 3 >= size * 2
    assert (codes(committee(experts, representatives)) == set()) == lawful


@pytest.mark.parametrize(("size", "experts"), [(5, 4), (7, 5), (9, 6), (11, 8)])
def test_two_thirds_are_counted_in_whole_experts(size: int, experts: int) -> None:
    assert codes(committee(experts, size - experts)) == set()
    assert codes(committee(experts - 1, size - experts + 1)) == {"too_few_experts"}


def test_a_large_purchase_needs_seven() -> None:
    large = replace(PROCUREMENT, members_min=7)
    (refusal,) = composition_refusals(committee(4, 1), large)
    assert (refusal.code, refusal.article) == ("size_unlawful", PROCUREMENT_TENDER_MEASURES[47])
    assert codes(committee(5, 2), large) == set()


def test_an_inquiry_group_has_three_of_whom_two_are_experts() -> None:
    inquiry = replace(PROCUREMENT, members_min=3, size_article=PROCUREMENT_LAW[40])
    assert codes(committee(2, 1), inquiry) == set()
    assert codes(committee(1, 2), inquiry) == {"too_few_experts"}
    for experts in (2, 4):
        (refusal,) = composition_refusals(committee(experts, 0), inquiry)
        assert (refusal.code, refusal.article) == ("size_unlawful", PROCUREMENT_LAW[40])


def test_a_place_may_limit_representatives_further() -> None:
    local = replace(TENDERING, representatives_max=2)
    assert codes(committee(5, 2), local) == set()
    (refusal,) = composition_refusals(committee(6, 3), local)
    assert (refusal.code, refusal.article) == (
        "too_many_representatives",
        CHONGQING_REGULATION[30],
    )


def test_the_purchasers_representative_does_not_lead() -> None:
    proposed = committee(4, 1)
    led = replace(proposed, leader=proposed.members[4].person_id)
    (refusal,) = composition_refusals(led, PROCUREMENT)
    assert refusal.article == PROCUREMENT_TENDER_MEASURES[45, 4]
    assert codes(led) == set()
    assert codes(replace(proposed, leader=proposed.members[0].person_id), PROCUREMENT) == set()
    assert codes(replace(proposed, leader=UUID(int=999))) == {"leader_not_a_member"}


def test_nobody_sits_twice() -> None:
    proposed = committee(4, 1)
    assert codes(altered(proposed, 1, person_id=proposed.members[0].person_id)) == {"person_twice"}


@pytest.mark.parametrize(
    ("side", "regime", "article"),
    [
        (OtherSide.BIDDER, Regime.TENDERING, BIDDING_LAW[37]),
        (OtherSide.SUPERVISOR, Regime.TENDERING, BIDDING_REGULATION[46]),
        (OtherSide.CUSTODIAN, Regime.TENDERING, BIDDING_REGULATION[46]),
        (OtherSide.SITE_STAFF, Regime.PROCUREMENT, BIDDING_REGULATION[46]),
        (OtherSide.AGENCY, Regime.TENDERING, BIDDING_REGULATION[46]),
        (OtherSide.AGENCY, Regime.PROCUREMENT, PROCUREMENT_TENDER_MEASURES[47]),
    ],
)
def test_nobody_sits_who_acts_for_another_side(
    side: OtherSide, regime: Regime, article: Article
) -> None:
    proposed = altered(committee(4, 1), 0, other_sides=frozenset({side}))
    (refusal,) = composition_refusals(proposed, CommitteeDemands(regime))
    assert (refusal.code, refusal.article) == ("acts_for_another_side", article)


def test_a_purchasers_own_expert_sits_as_its_representative_only() -> None:
    proposed = altered(committee(4, 1), 0, employer_uscc=TENDEREE)
    assert codes(proposed, PROCUREMENT) == {"own_staff_as_expert"}
    assert codes(proposed, TENDERING) == set()


def test_experts_at_one_site_only_are_warned_of() -> None:
    found = spread_cautions(committee(4, 1, hosted=4), host_site_id=HOST)
    assert [one.code for one in found] == ["all_experts_at_one_site", "host_share"]
    assert {one.article.provenance for one in found} == {Provenance.MEMORY}
    found = spread_cautions(committee(4, 1, hosted=0), host_site_id=HOST)
    assert [one.code for one in found] == ["all_experts_at_one_site"]


@given(st.integers(0, 4))
def test_half_of_the_experts_may_sit_at_the_host(hosted: int) -> None:
    found = {one.code for one in spread_cautions(committee(4, 1, hosted=hosted), host_site_id=HOST)}
    assert ("host_share" in found) == (hosted > 2)


def test_a_province_may_set_another_share() -> None:
    proposed = committee(4, 1, hosted=3)
    share = Fraction(3, 4)
    assert spread_cautions(proposed, host_site_id=HOST, host_share_max=share) == []
    assert spread_cautions(replace(proposed, members=()), host_site_id=HOST) == []
