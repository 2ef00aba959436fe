"""A candidate is examined again by the committee that recommended it: Bidding Regulation 56."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from evaluation.rules.recheck_finding import Finding, Opinion, finding, opinion_refusals
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION

FIVE = [UUID(int=number) for number in range(1, 6)]
SIX = [*FIVE, UUID(int=6)]


def found(members: list[UUID], said: str) -> Finding:
    """What is found where members answer in their order: `+` fit, `-` unfit."""
    opinions = [Opinion(who, sign == "+") for who, sign in zip(members, said, strict=False)]
    return finding(opinions, members)


@pytest.mark.accepts("AW-05")
@pytest.mark.refuses("AW-05")
@pytest.mark.parametrize(
    ("members", "said", "expected"),
    [
        (FIVE, "", Finding.OPEN),
        (FIVE, "--++", Finding.OPEN),
        (FIVE, "---", Finding.UNFIT),
        (FIVE, "+++", Finding.CONFIRMED),
        (FIVE, "-+-+-", Finding.UNFIT),
        (SIX, "---", Finding.OPEN),
        (SIX, "----", Finding.UNFIT),
        (SIX, "---+++", Finding.CONFIRMED),
    ],
)
def test_the_majority_of_all_members_concludes(
    members: list[UUID], said: str, expected: Finding
) -> None:
    assert found(members, said) is expected


def test_the_opinion_of_somebody_who_does_not_sit_there_counts_for_nothing() -> None:
    strangers = [Opinion(UUID(int=100 + one), False) for one in range(5)]
    assert finding(strangers, FIVE) is Finding.OPEN


def codes(**changes: Any) -> list[str]:
    facts: dict[str, Any] = {"open": True, "given": False, "words": "资产被冻结", **changes}
    return [one.code for one in opinion_refusals(**facts)]


def test_a_member_says_once_and_with_reasons_what_it_found_while_it_is_asked() -> None:
    barred = Refusal("barred", BIDDING_REGULATION[46], "处于禁止期内")
    assert codes() == []
    assert codes(open=False) == ["recheck_over"]
    assert codes(given=True) == ["given_already"]
    assert codes(words=" ") == ["no_reason"]
    assert codes(open=False, given=True, words="", bars=[barred]) == [
        *("barred", "recheck_over", "given_already", "no_reason")
    ]
