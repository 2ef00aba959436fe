"""Bidding Regulation 46; Opinions on Conduct 14."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expert_pool.rules.calling_order import LEFT, Answer, CallOutcome, Walk, answer_refusals, walk

C = CallOutcome
A, B, D, E, F = (bytes([n]) * 32 for n in range(5))
NO_GROUNDS: dict[bytes, tuple[str, ...]] = {label: () for label in (A, B, D, E, F)}

LABELS = [bytes([n]) * 32 for n in range(12)]


@st.composite
def draws(
    draw: st.DrawFn,
) -> tuple[dict[str, list[bytes]], dict[str, int], dict[bytes, tuple[str, ...]]]:
    names = ["north", "south", "west"][: draw(st.integers(1, 3))]
    rankings = {
        name: draw(st.lists(st.sampled_from(LABELS), unique=True, max_size=12)) for name in names
    }
    numbers = {name: draw(st.integers(0, 4)) for name in names}
    grounds: dict[bytes, tuple[str, ...]] = {
        label: ("employed",) if draw(st.integers(0, 3)) == 0 else () for label in LABELS
    }
    return rankings, numbers, grounds


def outcomes(found: Walk) -> list[tuple[str, int, CallOutcome]]:
    return [(one.stratum, one.place, one.outcome) for one in found.steps]


def test_the_top_of_the_list_sits() -> None:
    found = walk({"n": [A, B, D]}, numbers={"n": 2}, grounds=NO_GROUNDS)
    assert found.seated == {"n": (A, B)}
    assert found.open_seats == {"n": 0}
    assert outcomes(found) == [("n", 1, C.CALLED), ("n", 2, C.CALLED)]


def test_whoever_is_excluded_is_passed_over_with_every_ground() -> None:
    grounds = NO_GROUNDS | {A: ("kin", "employed")}
    found = walk({"n": [A, B, D]}, numbers={"n": 2}, grounds=grounds)
    assert found.seated == {"n": (B, D)}
    assert found.steps[0].outcome is C.EXCLUDED
    assert found.steps[0].grounds == ("employed", "kin")


def test_nobody_is_called_in_two_strata() -> None:
    found = walk({"n": [A, B], "s": [A, D]}, numbers={"n": 1, "s": 1}, grounds=NO_GROUNDS)
    assert found.seated == {"n": (A,), "s": (D,)}
    assert ("s", 1, C.SEATED_ELSEWHERE) in outcomes(found)


def test_the_next_in_the_same_list_follows_whoever_leaves() -> None:
    found = walk(
        {"n": [A, B, D], "s": [E, F]},
        numbers={"n": 1, "s": 1},
        grounds=NO_GROUNDS,
        left=[(A, C.DECLINED), (E, C.RECUSED), (B, C.NO_ANSWER)],
    )
    assert found.seated == {"n": (D,), "s": (F,)}
    assert outcomes(found) == [
        ("n", 1, C.DECLINED),
        ("s", 1, C.RECUSED),
        ("n", 2, C.NO_ANSWER),
        ("s", 2, C.CALLED),
        ("n", 3, C.CALLED),
    ]


def test_whoever_declined_is_not_asked_again_in_another_stratum() -> None:
    found = walk(
        {"n": [A, B], "s": [D, A, E]},
        numbers={"n": 1, "s": 1},
        grounds=NO_GROUNDS,
        left=[(A, C.DECLINED), (D, C.DECLINED)],
    )
    assert found.seated == {"n": (B,), "s": (E,)}
    assert ("s", 2, C.DECLINED) in outcomes(found)


def test_a_list_that_runs_out_leaves_seats_open() -> None:
    found = walk({"n": [A]}, numbers={"n": 2}, grounds=NO_GROUNDS, left=[(A, C.ABSENT)])
    assert found.seated == {"n": ()}
    assert found.open_seats == {"n": 2}


def test_only_who_holds_a_call_can_leave_and_only_by_leaving() -> None:
    lists = {"n": [A, B]}
    for left in [(B, C.DECLINED), (A, C.ACCEPTED), (D, C.DECLINED)]:
        with pytest.raises(ValueError, match="no call"):
            walk(lists, numbers={"n": 1}, grounds=NO_GROUNDS, left=[left])
    with pytest.raises(ValueError, match="commitment"):
        walk(lists, numbers={"n": 1}, grounds={A: ()})


@given(draws(), st.data())
def test_every_walk_keeps_to_the_lists(
    given_draw: tuple[dict[str, list[bytes]], dict[str, int], dict[bytes, tuple[str, ...]]],
    data: st.DataObject,
) -> None:
    rankings, numbers, grounds = given_draw
    left: list[tuple[bytes, CallOutcome]] = []
    before = walk(rankings, numbers=numbers, grounds=grounds)
    _keeps_to_the_lists(before, rankings, numbers, grounds, left)
    for _ in range(data.draw(st.integers(0, 5))):
        holders = [label for seated in before.seated.values() for label in seated]
        if not holders:
            break
        leaver = data.draw(st.sampled_from(holders))
        left.append((leaver, data.draw(st.sampled_from(sorted(LEFT)))))
        after = walk(rankings, numbers=numbers, grounds=grounds, left=left)
        _keeps_to_the_lists(after, rankings, numbers, grounds, left)
        for stratum, seated in before.seated.items():
            stayed = [label for label in seated if label != leaver]
            assert list(after.seated[stratum])[: len(stayed)] == stayed
            if leaver not in seated:
                assert after.seated[stratum] == seated
        before = after


def _keeps_to_the_lists(
    found: Walk,
    rankings: Mapping[str, Sequence[bytes]],
    numbers: Mapping[str, int],
    grounds: Mapping[bytes, tuple[str, ...]],
    left: Sequence[tuple[bytes, CallOutcome]],
) -> None:
    holders = [label for seated in found.seated.values() for label in seated]
    assert len(set(holders)) == len(holders)
    assert not any(grounds[label] for label in holders)
    assert not {label for label, _ in left} & set(holders)
    for stratum, count in numbers.items():
        steps = [one for one in found.steps if one.stratum == stratum]
        assert [one.place for one in steps] == list(range(1, len(steps) + 1))
        assert [one.label for one in steps] == list(rankings[stratum])[: len(steps)]
        assert len(found.seated[stratum]) + found.open_seats[stratum] == count
        if found.open_seats[stratum]:
            assert len(steps) == len(rankings[stratum])
        for one in steps:
            assert (one.outcome is C.EXCLUDED) == bool(one.grounds)


GOOD_ANSWERS = [
    Answer(C.ACCEPTED, signed_by_expert=True),
    Answer(C.DECLINED, signed_by_expert=True),
    Answer(C.RECUSED, signed_by_expert=True),
    Answer(C.NO_ANSWER, delivered=True),
    Answer(C.BARRED_LATE, decision="川发改罚〔2026〕1号"),
    Answer(C.ABSENT),
]


@pytest.mark.parametrize("answer", GOOD_ANSWERS)
def test_an_answer_with_its_proof_is_recorded(answer: Answer) -> None:
    assert answer_refusals(answer) == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (replace(GOOD_ANSWERS[0], signed_by_expert=False), "not_signed"),
        (replace(GOOD_ANSWERS[1], signed_by_expert=False, delivered=True), "not_signed"),
        (replace(GOOD_ANSWERS[2], signed_by_expert=False), "not_signed"),
        (replace(GOOD_ANSWERS[3], delivered=False), "not_delivered"),
        (replace(GOOD_ANSWERS[4], decision=""), "no_decision"),
        (Answer(C.EXCLUDED), "not_an_answer"),
        (Answer(C.SEATED_ELSEWHERE), "not_an_answer"),
        (Answer(C.CALLED), "not_an_answer"),
    ],
)
def test_nothing_is_recorded_in_a_name_without_its_proof(answer: Answer, code: str) -> None:
    assert [one.code for one in answer_refusals(answer)] == [code]
