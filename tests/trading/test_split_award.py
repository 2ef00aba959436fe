"""Award split from evaluation: Bidding Law 19, 40, 41; Bidding Regulation 55; Opinions on Conduct
2; Government Procurement Regulation 43.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto.digests import Malformed
from kernel.identifiers import PartyId
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, CONDUCT_OPINIONS, PROCUREMENT_REGULATION
from trading.rules.procedures import Procedure, Switches, switches_of
from trading.rules.split_award import (
    Contender,
    DecisionMethod,
    Minutes,
    SplitAward,
    Tie,
    announcement_cautions,
    announcement_refusals,
    counted,
    decision_refusals,
    minutes_in,
    split_in,
)

ON = date(2026, 3, 2)
MANDATORY = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=ON)
VOLUNTARY = switches_of(Procedure.OPEN_TENDER_VOLUNTARY, on=ON)
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=ON)

A, B, C, STRANGER = (PartyId(UUID(int=number)) for number in range(1, 5))
CANDIDATES = (
    Contender(A, "甲公司", 1, Decimal(300)),
    Contender(B, "乙公司", 2, Decimal(200)),
    Contender(C, "丙公司", 3, Decimal(200)),
)
VOTE = SplitAward(
    DecisionMethod.VOTE, 3, "信用、履约能力和报价", Tie.BETTER_RANK, "某市评定分离试点办法"
)
MEMBERS = ("钱一", "孙二", "李三")
WHY = "乙公司履约能力强，报价合理。"


def announced(
    split: SplitAward,
    switches: Switches = MANDATORY,
    *,
    state_funded: bool = True,
    on: date = ON,
) -> list[str]:
    found = announcement_refusals(split, switches, state_funded=state_funded, on=on)
    return [one.code for one in found]


def voted(*whom: PartyId, reasons: str = WHY) -> Minutes:
    return Minutes(MEMBERS, dict(zip(MEMBERS, whom, strict=False)), reasons)


def decided(minutes: Minutes | None, chosen: PartyId, split: SplitAward | None = VOTE) -> list[str]:
    return [one.code for one in decision_refusals(split, minutes, chosen, candidates=CANDIDATES)]


# ── what may be announced ─────────────────────────────────────────────────────────────────────


@pytest.mark.accepts("AW-20", "AW-21")
@pytest.mark.parametrize("switches", [MANDATORY, VOLUNTARY])
def test_a_whole_method_may_be_named_where_the_law_tenders(switches: Switches) -> None:
    assert announced(VOTE, switches) == []
    assert announcement_refusals(None, PROCUREMENT, state_funded=True, on=ON) == []


@pytest.mark.refuses("AW-20")
def test_procurement_goes_by_the_ranking() -> None:
    found = announcement_refusals(VOTE, PROCUREMENT, state_funded=True, on=ON)
    assert [(one.code, one.article) for one in found] == [
        ("may_not_split", PROCUREMENT_REGULATION[43])
    ]


@pytest.mark.refuses("AW-20")
def test_factors_and_a_committee_are_part_of_the_method() -> None:
    bare = replace(VOTE, factors=" ", members=2)
    found = announcement_refusals(bare, VOLUNTARY, state_funded=False, on=ON)
    assert [(one.code, one.article) for one in found] == [
        ("no_award_factors", BIDDING_LAW[19]),
        ("no_award_committee", BIDDING_LAW[19]),
    ]
    assert announced(replace(bare, method=DecisionMethod.LOWEST_PRICE), VOLUNTARY) == []


@pytest.mark.refuses("AW-21")
@pytest.mark.parametrize(
    ("on", "article"),
    [
        (date(2027, 8, 31), CONDUCT_OPINIONS[2]),
        (date(2027, 9, 1), BIDDING_LAW[41]),
    ],
)
def test_lots_are_never_drawn_for_a_winner(on: date, article: object) -> None:
    lots = replace(VOTE, method=DecisionMethod.LOTS)
    found = announcement_refusals(lots, VOLUNTARY, state_funded=False, on=on)
    assert [(one.code, one.article) for one in found] == [("lots_drawn", article)]


def test_state_money_needs_a_document_to_rest_on_and_stays_doubtful() -> None:
    nameless = replace(VOTE, basis="")
    found = announcement_refusals(nameless, MANDATORY, state_funded=True, on=ON)
    assert [(one.code, one.article) for one in found] == [
        ("no_split_basis", BIDDING_REGULATION[55])
    ]
    assert announced(nameless, MANDATORY, state_funded=False) == []
    assert announced(nameless, VOLUNTARY) == []


@pytest.mark.refuses("AW-22")
def test_the_pilot_rules_of_state_money_are_cautioned_about() -> None:
    found = announcement_cautions(VOTE, MANDATORY, state_funded=True)
    assert [(one.code, one.article) for one in found] == [
        ("split_on_pilot_rules", BIDDING_REGULATION[55])
    ]
    assert "某市评定分离试点办法" in found[0].reason


@pytest.mark.accepts("AW-22")
def test_where_the_law_leaves_the_choice_nothing_is_cautioned_about() -> None:
    assert announcement_cautions(VOTE, VOLUNTARY, state_funded=True) == []
    assert announcement_cautions(VOTE, MANDATORY, state_funded=False) == []
    assert announcement_cautions(None, MANDATORY, state_funded=True) == []


# ── what is decided ───────────────────────────────────────────────────────────────────────────


@pytest.mark.accepts("AW-20")
def test_most_votes_decide() -> None:
    assert decided(voted(B, B, A), B) == []
    assert decided(voted(B, B, A), A) == ["not_as_decided"]


@pytest.mark.parametrize("votes", list(permutations((A, B, C))))
@pytest.mark.parametrize(("tie", "winner"), [(Tie.BETTER_RANK, A), (Tie.LOWER_PRICE, B)])
def test_equal_votes_go_by_the_published_rule(
    votes: tuple[PartyId, ...], tie: Tie, winner: PartyId
) -> None:
    assert counted(replace(VOTE, tie=tie), voted(*votes), CANDIDATES) == winner


@given(st.lists(st.sampled_from([A, B, C]), min_size=3, max_size=3), st.sampled_from(list(Tie)))
def test_a_vote_names_one_who_has_most_votes_and_no_other_may_win(
    votes: list[PartyId], tie: Tie
) -> None:
    split = replace(VOTE, tie=tie)
    named = counted(split, voted(*votes), CANDIDATES)
    assert named is not None
    assert votes.count(named) == max(votes.count(one) for one in votes)
    assert [one for one in (A, B, C) if not decided(voted(*votes), one, split)] == [named]


@pytest.mark.refuses("AW-20")
@pytest.mark.parametrize(
    ("minutes", "code"),
    [
        (None, "no_minutes"),
        (voted(B, B), "votes_missing"),
        (voted(B, B, STRANGER), "vote_for_other"),
        (voted(B, B, A, reasons="同意"), "no_reasons"),
        (replace(voted(B, B, A), members=(*MEMBERS[:2], MEMBERS[1])), "other_committee"),
        (replace(voted(B, B, A), left=frozenset({C})), "left_unsaid"),
    ],
)
def test_a_decision_that_is_not_whole_does_not_stand(minutes: Minutes | None, code: str) -> None:
    assert code in decided(minutes, B)


def test_who_is_set_aside_or_gone_is_out_of_the_choice() -> None:
    lowest = SplitAward(DecisionMethod.LOWEST_PRICE, 0, "", Tie.BETTER_RANK)
    minutes = Minutes((), {}, "按照报价由低到高确定。")
    assert decided(minutes, B, lowest) == []
    assert decided(minutes, C, lowest) == ["not_as_decided"]
    refusals = decision_refusals(lowest, minutes, C, candidates=CANDIDATES, set_aside={B})
    assert refusals == []
    said = replace(minutes, left=frozenset({B}))
    assert decision_refusals(lowest, said, C, candidates=CANDIDATES, left={B, STRANGER}) == []


def test_members_who_deliberate_choose_freely_among_the_candidates_and_do_not_vote() -> None:
    talked = replace(VOTE, method=DecisionMethod.DELIBERATION)
    assert decided(replace(voted(), votes={}), C, talked) == []
    assert decided(voted(B, B, B), B, talked) == ["other_method"]


def test_nothing_is_decided_apart_that_was_not_announced() -> None:
    assert decided(None, B, None) == []
    found = decision_refusals(None, voted(B, B, B), B, candidates=CANDIDATES)
    assert [(one.code, one.article) for one in found] == [("no_split_announced", BIDDING_LAW[40])]


# ── how it is written ─────────────────────────────────────────────────────────────────────────


def test_method_and_minutes_come_back_as_they_were_written() -> None:
    assert split_in(VOTE.plain()) == VOTE
    minutes = replace(voted(B, B, A), left=frozenset({C}))
    assert minutes_in(minutes.plain()) == minutes


@pytest.mark.parametrize(
    "told",
    [
        {**VOTE.plain(), "method": "dice"},
        {**VOTE.plain(), "members": 100},
        {**VOTE.plain(), "more": 1},
    ],
)
def test_a_method_in_another_form_is_none(told: object) -> None:
    with pytest.raises(Malformed):
        split_in(told)


@pytest.mark.parametrize(
    "votes",
    [
        [{"member": "钱一", "bidder": "甲公司"}],
        [{"member": "钱一", "bidder": str(A)}, {"member": "钱一", "bidder": str(B)}],
        [{"member": " ", "bidder": str(A)}],
    ],
)
def test_minutes_in_another_form_are_none(votes: object) -> None:
    with pytest.raises(Malformed):
        minutes_in({"members": list(MEMBERS), "votes": votes, "reasons": WHY})
