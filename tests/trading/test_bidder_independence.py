"""Who may not bid beside whom, and consortia: Bidding Law 31; Bidding Regulation 34, 37, 38, 42;
Electronic Bidding Measures 23; Government Procurement Regulation 18, 22.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.identifiers import PartyId
from kernel.statute import BIDDING_REGULATION, PROCUREMENT_REGULATION, Regime
from trading.rules.bidder_independence import (
    DIRECT,
    BidderTies,
    Consortium,
    Member,
    change_refusals,
    consortium_refusals,
    misrepresentation_cautions,
    ties_between,
    ties_to_platform,
    ties_to_project,
)

TENDERING, PROCUREMENT = Regime.TENDERING, Regime.PROCUREMENT


def party(number: int) -> PartyId:
    return PartyId(UUID(int=number))


ONE = BidderTies(party(1), "一建", "91110000802100433B", "张一", {})
TWO = BidderTies(party(2), "二建", "91330106673959654P", "李二", {})


@pytest.mark.accepts("BI-06", "BI-07")
@pytest.mark.parametrize("regime", [TENDERING, PROCUREMENT])
def test_strangers_may_bid_beside_each_other(regime: Regime) -> None:
    assert ties_between([ONE, TWO], regime) == []


@pytest.mark.refuses("BI-06", "BI-07")
@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(TWO, head="张一"), "单位负责人为同一人"),
        (replace(TWO, holders={ONE.uscc: DIRECT}), "一建控股二建"),
        (replace(TWO, managers=frozenset({ONE.uscc})), "一建管理二建"),
    ],
)
def test_one_head_a_hold_or_management_ties_two_bidders(other: BidderTies, words: str) -> None:
    for regime, article in (
        (TENDERING, BIDDING_REGULATION[34]),
        (PROCUREMENT, PROCUREMENT_REGULATION[18]),
    ):
        found = ties_between([ONE, other], regime)
        assert [(one.code, one.article) for one in found] == [("bidders_tied", article)]
        assert words in found[0].reason


@pytest.mark.accepts("BI-07")
def test_procurement_counts_a_direct_hold_alone() -> None:
    held = replace(TWO, holders={ONE.uscc: "indirect"})
    assert ties_between([ONE, held], PROCUREMENT) == []
    assert len(ties_between([ONE, held], TENDERING)) == 1


def test_nobody_is_tied_by_an_unknown_head() -> None:
    assert ties_between([replace(ONE, head=""), replace(TWO, head="")], TENDERING) == []


@given(st.lists(st.sampled_from(["甲", "乙", "丙"]), min_size=2, max_size=6))
def test_every_pair_with_one_head_is_told_once(heads: list[str]) -> None:
    bidders = [
        replace(ONE, party_id=party(n), uscc=str(n), name=f"单位{n}", head=head)
        for n, head in enumerate(heads)
    ]
    pairs = sum(heads.count(head) * (heads.count(head) - 1) // 2 for head in set(heads))
    assert len(ties_between(bidders, TENDERING)) == pairs


@pytest.mark.refuses("BI-06")
def test_whom_the_tenderee_holds_does_not_bid() -> None:
    held = replace(ONE, holders={"OWNER": "indirect"})
    found = ties_to_project(held, tenderee_uscc="OWNER", regime=TENDERING)
    assert [one.code for one in found] == ["tied_to_tenderee"]
    assert ties_to_project(ONE, tenderee_uscc="OWNER", regime=TENDERING) == []


@pytest.mark.refuses("BI-07")
def test_who_wrote_the_specifications_does_not_supply() -> None:
    designer = replace(ONE, project_work=("规范编制",))
    found = ties_to_project(designer, tenderee_uscc="OWNER", regime=PROCUREMENT)
    assert [one.code for one in found] == ["worked_on_project"]
    assert ties_to_project(designer, tenderee_uscc="OWNER", regime=TENDERING) == []


@pytest.mark.refuses("BI-08")
def test_the_operator_and_its_own_do_not_bid_here() -> None:
    operator = replace(ONE, uscc="OPERATOR")
    own = replace(ONE, holders={"OPERATOR": DIRECT})
    assert [one.code for one in ties_to_platform(operator, operator_uscc="OPERATOR")] == [
        "operator_bids"
    ]
    assert [one.code for one in ties_to_platform(own, operator_uscc="OPERATOR")] == [
        "tied_to_operator"
    ]


@pytest.mark.accepts("BI-08")
def test_others_may() -> None:
    assert ties_to_platform(ONE, operator_uscc="OPERATOR") == []


# ── consortia ─────────────────────────────────────────────────────────────────────────────────

PAIR = Consortium(
    (
        Member(party(1), "一建", "土建", {"建筑工程": 1}),
        Member(party(2), "二建", "土建", {"建筑工程": 2}),
    ),
    "共同投标协议",
)


def codes(consortium: Consortium, **changes: object) -> list[str]:
    told: dict[str, object] = {
        "accepted": True,
        "required_grades": {"建筑工程": 2},
        "others": [],
        "prequalified": None,
        "regime": TENDERING,
        **changes,
    }
    return [one.code for one in consortium_refusals(consortium, **told)]  # type: ignore[arg-type]  # facts by name


@pytest.mark.accepts("BI-09")
def test_a_consortium_with_agreement_and_grade_may_bid() -> None:
    assert codes(PAIR) == codes(PAIR, prequalified=[party(2), party(1)]) == []


@pytest.mark.refuses("BI-09")
def test_it_counts_by_its_lowest_grade() -> None:
    assert PAIR.grade("建筑工程") == 2
    assert codes(PAIR, required_grades={"建筑工程": 1}) == ["grade_too_low"]
    assert codes(PAIR, required_grades={"市政公用工程": 3}) == ["grade_too_low"]


@pytest.mark.refuses("BI-09")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"accepted": False}, "no_consortia"),
        ({"others": [[party(2)]]}, "second_part"),
        ({"others": [[party(7), party(1)]]}, "second_part"),
        ({"prequalified": [party(1)]}, "members_changed"),
        ({"prequalified": [party(1), party(2), party(3)]}, "members_changed"),
    ],
)
def test_what_speaks_against_it_is_told(changes: dict[str, object], code: str) -> None:
    assert codes(PAIR, **changes) == [code]


@pytest.mark.refuses("BI-09")
def test_every_fault_of_its_agreement_is_told_at_once() -> None:
    bare = Consortium((replace(PAIR.members[0], part=" ", signed=False), PAIR.members[0]), "")
    assert codes(bare) == ["no_agreement", "part_unclear", "not_signed", "member_twice"]
    alone = Consortium(PAIR.members[:1], "协议")
    assert codes(alone) == ["too_few_members"]
    assert codes(bare, regime=PROCUREMENT)[0] == "no_agreement"


@pytest.mark.accepts("BI-10")
def test_a_change_that_was_told_and_harms_nothing_is_no_ground() -> None:
    assert change_refusals(told=True, still_qualified=True, harms_fairness=False) == []


@pytest.mark.refuses("BI-10")
def test_a_bidder_that_no_longer_qualifies_is_out() -> None:
    found = change_refusals(told=False, still_qualified=False, harms_fairness=True)
    assert [one.code for one in found] == [
        *("no_longer_qualified", "harms_fairness", "change_not_told"),
    ]


@pytest.mark.refuses("BI-11")
def test_signs_of_a_lent_name_are_warned_of_and_decide_nothing() -> None:
    found = misrepresentation_cautions(certificate_of_another=True, unverified_claims=["业绩三"])
    assert [one.code for one in found] == ["certificate_of_another", "claim_unverified"]


@pytest.mark.accepts("BI-11")
def test_where_everything_checks_nothing_is_said() -> None:
    assert misrepresentation_cautions(certificate_of_another=False, unverified_claims=[]) == []
