"""Failpoints do nothing until a test arms them, and then exactly what it asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernel.clock import monotonic_s
from kernel.failpoints import FailpointHit, arm, failpoint, watched


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    arm("")


async def test_an_unarmed_place_is_passed() -> None:
    await failpoint("nowhere")
    arm("")
    await failpoint("nowhere")


async def test_a_place_fails_at_the_passage_asked_for_and_only_then() -> None:
    arm("a=raise@3, b=raise")
    for _ in range(2):
        await failpoint("a")
    with pytest.raises(FailpointHit, match="a"):
        await failpoint("a")
    await failpoint("a")
    with pytest.raises(FailpointHit, match="b"):
        await failpoint("b")


async def test_a_place_can_be_made_slow() -> None:
    arm("a=sleep:0.05")
    began = monotonic_s()
    await failpoint("a")
    assert monotonic_s() - began >= 0.05


async def test_an_action_nobody_knows_is_an_error_and_not_nothing() -> None:
    arm("a=explode")
    with pytest.raises(ValueError, match="explode"):
        await failpoint("a")


@pytest.mark.parametrize("text", ["a", "a=", "=raise", "a=raise@x", "a=raise@0"])
def test_what_cannot_be_read_is_refused_when_it_is_armed(text: str) -> None:
    with pytest.raises(ValueError, match="failpoint"):
        arm(text)


async def test_a_watcher_holds_every_passage_while_it_watches() -> None:
    seen: list[str] = []

    async def note(name: str) -> None:
        seen.append(name)

    with watched(note):
        await failpoint("a")
        await failpoint("b")
    await failpoint("c")
    assert seen == ["a", "b"]
