"""What the members of a consortium sign, and what the law holds against them: Bidding Law 31;
Bidding Regulation 37, 51; Government Procurement Law 24; Government Procurement Regulation 22.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto.digests import Malformed
from kernel.identifiers import PartyId
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    Article,
    Regime,
)
from trading.rules.consortium_agreement import (
    Agreement,
    BidderAtLot,
    MemberSaid,
    agreement_in,
    consortia_accepted,
    counted_grades,
    findings_of,
)


def party(number: int) -> PartyId:
    return PartyId(UUID(int=number))


AGREEMENT = Agreement(
    "p",
    "l",
    party(1),
    (
        MemberSaid(party(1), "土建", {"市政": 1, "机电": 3}),
        MemberSaid(party(2), "安装", {"机电": 2}),
    ),
    joint=True,
)
PAIR = BidderAtLot(
    party(1), "甲", AGREEMENT, frozenset({party(1), party(2)}), {party(1): "甲", party(2): "乙"}
)
ALONE = BidderAtLot(party(3), "丙")


def found(
    bidder: BidderAtLot,
    *others: BidderAtLot,
    accepted: bool = True,
    prequalified: list[PartyId] | None = None,
    regime: Regime = Regime.TENDERING,
    **grades: int,
) -> list[tuple[str, Article]]:
    refusals = findings_of(
        bidder,
        others,
        accepted=accepted,
        prequalified=prequalified,
        regime=regime,
        required_grades=grades,
    )
    return [(one.code, one.article) for one in refusals]


@pytest.mark.accepts("BI-09")
def test_a_consortium_that_all_have_signed_may_bid_beside_others() -> None:
    assert found(PAIR, ALONE) == found(ALONE, PAIR) == []
    assert found(PAIR, ALONE, regime=Regime.PROCUREMENT) == []
    assert found(PAIR, prequalified=[party(2), party(1)], 市政=1, 机电=3) == []
    assert found(ALONE, prequalified=[party(3)]) == []


@pytest.mark.refuses("BI-09")
def test_each_flaw_is_found_with_its_article() -> None:
    law, reg = BIDDING_LAW[31], BIDDING_REGULATION[37]
    assert found(PAIR, accepted=False) == [("no_consortia", reg)]
    assert found(replace(PAIR, signers=frozenset({party(1)}))) == [("not_signed", law)]
    assert found(replace(PAIR, agreement=replace(AGREEMENT, joint=False))) == [("not_joint", law)]
    assert found(replace(PAIR, agreement=replace(AGREEMENT, lead=party(2)))) == [
        ("not_the_lead", law)
    ]
    stranger = replace(AGREEMENT, lead=party(9))
    assert found(replace(PAIR, agreement=stranger)) == [
        ("not_the_lead", law),
        ("lead_no_member", law),
    ]
    one = replace(AGREEMENT, members=AGREEMENT.members[:1])
    assert found(replace(PAIR, agreement=one)) == [("too_few_members", law)]
    assert found(PAIR, prequalified=[party(1)]) == [("members_changed", reg)]
    assert found(PAIR, 机电=2) == [("grade_too_low", law)]
    assert found(BidderAtLot(party(4), "丁", unreadable=True)) == [
        ("no_agreement", BIDDING_REGULATION[51, 2])
    ]


@pytest.mark.refuses("BI-09")
def test_a_member_has_no_second_part_alone_or_in_another_consortium() -> None:
    alone = BidderAtLot(party(2), "乙")
    other = BidderAtLot(
        party(5),
        "戊",
        Agreement(
            "p", "l", party(5), (MemberSaid(party(5), "全部", {}), AGREEMENT.members[1]), True
        ),
        frozenset({party(5), party(2)}),
    )
    due = BIDDING_REGULATION[37]
    assert found(PAIR, alone) == found(alone, PAIR) == [("second_part", due)]
    assert found(PAIR, other) == found(other, PAIR) == [("second_part", due)]
    (told,) = found(PAIR, alone, regime=Regime.PROCUREMENT)
    assert told == ("second_part", PROCUREMENT_REGULATION[22])


def test_who_passed_as_a_consortium_does_not_bid_alone() -> None:
    assert found(ALONE, prequalified=[party(3), party(4)]) == [
        ("members_changed", BIDDING_REGULATION[37])
    ]


def test_procurement_finds_the_same_by_its_own_law() -> None:
    flawed = replace(PAIR, agreement=replace(AGREEMENT, joint=False))
    assert found(flawed, regime=Regime.PROCUREMENT) == [("not_joint", PROCUREMENT_LAW[24])]
    unreadable = replace(ALONE, unreadable=True)
    assert found(unreadable, regime=Regime.PROCUREMENT) == [("no_agreement", PROCUREMENT_LAW[24])]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_a_speciality_counts_by_its_lowest_grade(grades: list[int]) -> None:
    members = tuple(MemberSaid(party(n), "", {"市政": grade}) for n, grade in enumerate(grades, 1))
    pair = replace(PAIR, agreement=replace(AGREEMENT, members=members))
    assert counted_grades(pair) == {"市政": max(grades)}
    assert counted_grades(ALONE) == {}


def test_a_notice_says_whether_consortia_are_accepted() -> None:
    assert consortia_accepted("接受联合体，成员不超过三家")
    for words in ("不接受联合体投标", "不允许联合体", " ", ""):
        assert not consortia_accepted(words)


SAID = {
    "v": "ebid-consortium-agreement/1",
    "project": "p",
    "lot": "l",
    "lead": str(party(1)),
    "members": [{"organisation": str(party(1)), "part": "土建", "grades": {"市政": 1}}],
    "liability": "joint",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"lead": "甲"},
        {"members": [{"organisation": str(party(1))}]},
        {"members": [{"organisation": str(party(1)), "part": 1}]},
        {"members": [{"organisation": str(party(1)), "part": "x" * 2001}]},
        {"members": [{"organisation": str(party(1)), "part": "", "grades": ["市政"]}]},
        {"members": [{"organisation": str(party(1)), "part": "", "grades": {"市政": 0}}]},
        {"members": [{"organisation": str(party(1)), "part": "", "grades": {"市政": 10}}]},
    ],
)
def test_an_agreement_is_read_to_the_letter(changes: dict[str, object]) -> None:
    assert agreement_in(SAID).members == (MemberSaid(party(1), "土建", {"市政": 1}),)
    with pytest.raises(Malformed):
        agreement_in({**SAID, **changes})
