"""Bidding Law 38, 42; Bidding Regulation 51, 53; Committee Provisions 21, 27;
Opinions on Conduct 13; Government Procurement Law 36, 40;
Procurement Tender Measures 43, 60, 61, 63."""

from __future__ import annotations

import itertools
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.rejection_grounds import (
    GROUNDS,
    AfterRejections,
    MotionOutcome,
    RejectionGround,
    RejectionMotion,
    SignatureReading,
    after_rejections,
    continuation_refusals,
    grounds_of,
    is_unsigned,
    motion_refusals,
    outcome,
    rejected_bids,
    vote_refusals,
)
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    PROCUREMENT_LAW,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
)

G = RejectionGround
PEOPLE = [UUID(int=n) for n in range(5)]
MOTION = RejectionMotion("B4", G.NOT_RESPONSIVE, "技术标第37页", "未响应★工期要求")


def codes(motion: RejectionMotion, regime: Regime = Regime.TENDERING) -> set[str]:
    return {one.code for one in motion_refusals(motion, regime=regime)}


def test_there_are_seven_grounds_in_tendering_each_with_its_item() -> None:
    assert [GROUNDS[one][0] for one in grounds_of(Regime.TENDERING)] == [
        BIDDING_REGULATION[51, item] for item in range(1, 8)
    ]


def test_procurement_has_six_grounds_and_the_unexplained_low_price() -> None:
    assert [GROUNDS[one][0] for one in grounds_of(Regime.PROCUREMENT)] == [
        *(PROCUREMENT_TENDER_MEASURES[63, item] for item in range(1, 7)),
        PROCUREMENT_TENDER_MEASURES[60],
    ]


@pytest.mark.parametrize(("ground", "regime"), list(itertools.product(G, Regime)))
def test_a_ground_serves_its_own_family_of_law_only(ground: G, regime: Regime) -> None:
    if regime is Regime.ALL:
        return
    motion = replace(MOTION, ground=ground, asked=True)
    assert codes(motion, regime) == (set() if ground in grounds_of(regime) else {"ground_unknown"})


@pytest.mark.parametrize(
    ("motion", "code"),
    [
        (replace(MOTION, page=""), "no_page"),
        (replace(MOTION, page="全文"), "no_page"),
        (replace(MOTION, words="  "), "no_words"),
    ],
)
def test_a_rejection_names_page_and_reason(motion: RejectionMotion, code: str) -> None:
    assert codes(motion) == {code}


def test_a_low_price_is_asked_about_before_it_is_rejected() -> None:
    low = replace(MOTION, ground=G.PRICE_OUT_OF_BOUNDS, below_cost=True)
    (refusal,) = motion_refusals(low, regime=Regime.TENDERING)
    assert (refusal.code, refusal.article) == ("not_asked", CONDUCT_OPINIONS[13])
    assert codes(replace(low, asked=True)) == set()
    assert codes(replace(low, below_cost=False)) == set()
    low = replace(MOTION, ground=G.PROCUREMENT_PRICE_TOO_LOW)
    (refusal,) = motion_refusals(low, regime=Regime.PROCUREMENT)
    assert refusal.article == PROCUREMENT_TENDER_MEASURES[60]


@pytest.mark.parametrize(
    ("sealed", "signed", "both", "either"),
    [
        (True, True, False, False),
        (True, False, False, True),
        (False, True, False, True),
        (False, False, True, True),
    ],
)
def test_seal_and_signature_are_read_as_the_documents_say(
    sealed: bool, signed: bool, both: bool, either: bool
) -> None:
    assert is_unsigned(sealed=sealed, signed=signed) == both
    reading = SignatureReading.EITHER_MISSING
    assert is_unsigned(sealed=sealed, signed=signed, reading=reading) == either


@given(st.integers(5, 11), st.data())
def test_the_majority_of_the_whole_committee_decides(size: int, data: st.DataObject) -> None:
    people = [UUID(int=n) for n in range(size)]
    votes = data.draw(st.lists(st.sampled_from([True, False, None]), min_size=size, max_size=size))
    motion = replace(
        MOTION,
        in_favour=frozenset(one for one, vote in zip(people, votes, strict=True) if vote is True),
        against=frozenset(one for one, vote in zip(people, votes, strict=True) if vote is False),
    )
    found = outcome(motion, people)
    in_favour, against = len(motion.in_favour), len(motion.against)
    silent = size - in_favour - against
    assert (found is MotionOutcome.CARRIED) == (in_favour > size / 2)
    assert (found is MotionOutcome.LOST) == (in_favour + silent <= size / 2)
    assert rejected_bids([motion], people) == (
        {"B4"} if found is MotionOutcome.CARRIED else frozenset()
    )


def test_votes_of_others_count_for_nothing() -> None:
    strangers = frozenset(UUID(int=n) for n in range(10, 20))
    assert outcome(replace(MOTION, in_favour=strangers), PEOPLE) is MotionOutcome.OPEN
    both = replace(MOTION, in_favour=frozenset(PEOPLE[:3]), against=frozenset(PEOPLE[:1]))
    assert outcome(both, PEOPLE) is MotionOutcome.OPEN


def test_a_member_votes_once_and_only_while_it_matters() -> None:
    def refused(motion: RejectionMotion, member: UUID) -> list[str]:
        found = vote_refusals(motion, member, committee_members=PEOPLE, regime=Regime.TENDERING)
        return [one.code for one in found]

    once = replace(MOTION, in_favour=frozenset(PEOPLE[:1]))
    carried = replace(MOTION, in_favour=frozenset(PEOPLE[:3]))
    assert refused(MOTION, PEOPLE[0]) == []
    assert refused(MOTION, UUID(int=99)) == ["not_a_member"]
    assert refused(once, PEOPLE[0]) == ["voted_already"]
    assert refused(carried, PEOPLE[4]) == ["decided_already"]


@given(st.integers(0, 12))
def test_below_three_the_two_families_of_law_part_ways(valid: int) -> None:
    tendering = after_rejections(valid, regime=Regime.TENDERING)
    procurement = after_rejections(valid, regime=Regime.PROCUREMENT)
    if valid >= 3:
        assert tendering is procurement is AfterRejections.GO_ON
    else:
        assert tendering is AfterRejections.JUDGE_COMPETITION
        assert procurement is AfterRejections.STOP


def test_a_committee_argues_whether_competition_is_lacking() -> None:
    def refused(
        valid: int, regime: Regime, argued: str, rejects_all: bool, inquiry: bool = False
    ) -> list[tuple[str, Article]]:
        found = continuation_refusals(
            valid, regime=regime, argued=argued, rejects_all=rejects_all, inquiry=inquiry
        )
        return [(one.code, one.article) for one in found]

    tendering, procurement = Regime.TENDERING, Regime.PROCUREMENT
    assert refused(2, tendering, "两家报价充分竞争", False) == []
    assert refused(2, tendering, "两家报价明显缺乏竞争", True) == []
    assert refused(2, tendering, " ", True) == [("not_argued", CONDUCT_OPINIONS[13])]
    assert refused(0, tendering, "无", False) == [("none_valid", BIDDING_LAW[42])]
    assert refused(3, tendering, "", False) == []
    assert [code for code, _ in refused(3, tendering, "", True)] == ["enough_valid"]
    assert refused(2, procurement, "", False) == [("too_few_valid", PROCUREMENT_LAW[36])]
    assert refused(2, procurement, "", True) == []
    assert refused(2, procurement, "", False, True) == [("too_few_valid", PROCUREMENT_LAW[40])]
    assert refused(3, procurement, "", True, True) == [("enough_valid", PROCUREMENT_LAW[40])]
    assert refused(3, procurement, "", False, True) == refused(2, procurement, "", True, True) == []
