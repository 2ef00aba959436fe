"""Everyone who may be drawn has the same chance, whoever else is struck out or declines.

Bidding Law 37; Bidding Regulation 46. Chance is counted over whole draws, from the nonces to the
seats, and a planted bias must be found by the same count.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import comb

import pytest

from expert_pool.rules.calling_order import CallOutcome, walk
from kernel.crypto import fair_draw
from kernel.crypto.digests import sha256

ANNOUNCEMENT = sha256(b"announcement")
STRATUM = "施工"

CHI_SQUARE_9 = 27.88
CHI_SQUARE_44 = 80.93
"""What chance exceeds once in a thousand times, with 9 and with 44 degrees of freedom."""


def labels(count: int) -> list[bytes]:
    return [sha256(b"label", bytes([number])) for number in range(count)]


def seats_of(seed: int, pool: list[bytes], *, seats: int, excluded: set[bytes]) -> frozenset[bytes]:
    """Who sits after a draw whose nonces follow from a seed."""
    nonces = {
        party: sha256(party.encode(), seed.to_bytes(8, "big"))
        for party in ("agency", "supervisor", "tenderee")
    }
    order = fair_draw.ranking(fair_draw.prk(ANNOUNCEMENT, nonces), STRATUM, pool)
    walked = walk(
        {STRATUM: order},
        numbers={STRATUM: seats},
        grounds={label: ("kin",) if label in excluded else () for label in pool},
    )
    return frozenset(walked.seated[STRATUM])


def chi_square(found: Counter[frozenset[bytes]], outcomes: int) -> float:
    expected = found.total() / outcomes
    return sum((count - expected) ** 2 / expected for count in found.values()) + expected * (
        outcomes - len(found)
    )


@pytest.mark.parametrize("struck", [0, 2])
def test_every_pair_of_five_is_as_likely_as_any_other(struck: int) -> None:
    pool = labels(5 + struck)
    excluded = set(pool[5:])
    found = Counter(seats_of(seed, pool, seats=2, excluded=excluded) for seed in range(5000))
    assert set(found) == {frozenset(pair) for pair in combinations(pool[:5], 2)}
    assert chi_square(found, comb(5, 2)) < CHI_SQUARE_9


def test_the_count_would_find_a_thumb_on_the_scale() -> None:
    """Whoever is first in the pool sits one time in twenty without any draw."""
    pool = labels(5)
    found = Counter(
        seats_of(seed, pool, seats=2, excluded=set()) if seed % 20 else frozenset(pool[:2])
        for seed in range(5000)
    )
    assert chi_square(found, comb(5, 2)) > CHI_SQUARE_9


def test_striking_one_out_never_moves_the_others() -> None:
    pool = labels(8)
    for seed in range(200):
        before = seats_of(seed, pool, seats=3, excluded=set())
        gone = min(before)
        after = seats_of(seed, pool, seats=3, excluded={gone})
        assert before - {gone} < after


def test_whoever_declines_is_followed_by_the_next_and_nobody_else_moves() -> None:
    pool = labels(8)
    for seed in range(200):
        nonces = {"a": sha256(seed.to_bytes(8, "big"))}
        order = fair_draw.ranking(fair_draw.prk(ANNOUNCEMENT, nonces), STRATUM, pool)
        left = [(order[0], CallOutcome.DECLINED)]
        walked = walk(
            {STRATUM: order},
            numbers={STRATUM: 3},
            grounds={label: () for label in pool},
            left=left,
        )
        assert walked.seated[STRATUM] == order[1:4]


@pytest.mark.soak
def test_a_hundred_thousand_draws_of_two_of_ten_are_even() -> None:
    pool = labels(10)
    found = Counter(seats_of(seed, pool, seats=2, excluded=set()) for seed in range(100_000))
    assert chi_square(found, comb(10, 2)) < CHI_SQUARE_44
