"""A draw's transcript, checked without the platform, and every way of tampering with it found.

Bidding Law 37; Opinions on Conduct 14. RFC 6962 (pool and exclusions), RFC 5869 (the order).
"""

from __future__ import annotations

import copy
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from expert_pool import calling, contributing, drawing
from expert_pool.enrolling import Tie
from expert_pool.rules.recusal import TieKind
from kernel.access import Role
from kernel.crypto.digests import b64, b64u, canonical, unb64
from kernel.crypto.notes import WitnessSigner
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.randomness import random_bytes
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.transaction import Store
from kernel.store.witnesses import ask_all
from tests.decisions import barred
from tests.draw_cast import (
    CIVIL,
    COST,
    EAST,
    HOST,
    SOUTH,
    DrawHouse,
    Tick,
    a_draw_house,
    an_expert,
)
from tests.tampering import at, flipped, places
from tests.tenders import a_player
from tests.web.browser import served
from tests.web.draw_hall import DrawByWire
from web.app import create_app
from web.verifying.draw_transcript import TrustedLog, verify
from web.witnessing import Memory, create_witness

VECTOR = Path(__file__).with_name("a_kept_draw.json")
KEPT = VECTOR.read_bytes()
"""A draw in its second round: the first was void, two declined, one did not answer, one was barred
late, exclusions of several kinds, a nonce rebuilt from shares; two witnesses."""


def told() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(KEPT)
    return found


def fails(content: bytes | dict[str, Any]) -> bool:
    """Whether it is found out, without the checker itself breaking."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return not verify(raw).ok


# ── a true one ────────────────────────────────────────────────────────────────────────────────


def test_the_kept_transcript_verifies_and_says_what_happened() -> None:
    verdict = verify(KEPT)
    assert [check.detail for check in verdict.checks if not check.passed] == []
    assert verdict.found["round"] == 2
    assert verdict.found["seated"] == 4
    assert verdict.found["recovered"] == ["agency"]
    assert {"accepted", "declined", "no_answer", "excluded"} <= set(verdict.found["outcomes"])
    assert verdict.found["reasons"]


def test_whoever_knows_the_log_can_say_so() -> None:
    keys = told()["keys"]
    known = TrustedLog(keys["log"], tuple(keys["witnesses"]), 2)
    assert verify(KEPT, trusted=known).ok
    for stranger in (
        replace(known, log=keys["witnesses"][0]),
        replace(known, witnesses=known.witnesses[:1]),
        replace(known, quorum=3),
    ):
        assert not verify(KEPT, trusted=stranger).ok


def test_no_name_and_no_id_of_an_expert_stands_in_it() -> None:
    text = KEPT.decode()
    for proof in told()["proofs"].values():
        extra = json.loads(unb64(proof.split("\n")[1].removeprefix("extra ")))
        text += unb64(extra["record"]).decode()
    assert "专家" not in text
    assert '"expert_' not in text
    assert '"person' not in text


# ── tampering ─────────────────────────────────────────────────────────────────────────────────


LEAVES = [path for path in places(told()) if not isinstance(at(told(), path), dict | list)]
LISTS = [path for path in places(told()) if isinstance(at(told(), path), list)]
OBJECTS = [path for path in places(told()) if isinstance(at(told(), path), dict)]


def test_a_flipped_bit_in_any_field_is_found() -> None:
    missed: list[tuple[Any, ...]] = []
    for path in LEAVES:
        changed = told()
        at(changed, path[:-1])[path[-1]] = flipped(at(changed, path))
        if not fails(changed):
            missed.append(path)
    assert missed == []


def test_a_dropped_a_doubled_and_a_swapped_entry_is_found() -> None:
    missed: list[tuple[Any, ...]] = []
    for path in LISTS:
        size = len(at(told(), path))
        for place in range(size):
            dropped, doubled = told(), told()
            del at(dropped, path)[place]
            at(doubled, path).insert(place, copy.deepcopy(at(doubled, path)[place]))
            if not fails(dropped):
                missed.append(("dropped", path, place))
            if not fails(doubled):
                missed.append(("doubled", path, place))
        for place in range(size - 1):
            swapped = told()
            one = at(swapped, path)
            if one[place] != one[place + 1]:
                one[place], one[place + 1] = one[place + 1], one[place]
                if not fails(swapped):
                    missed.append(("swapped", path, place))
    assert missed == []


def test_a_dropped_an_added_and_an_exchanged_member_is_found() -> None:
    missed: list[tuple[Any, ...]] = []
    for path in OBJECTS:
        names = list(at(told(), path))
        for name in names:
            dropped = told()
            del at(dropped, path)[name]
            if not fails(dropped):
                missed.append(("dropped", path, name))
        added = told()
        at(added, path)["more"] = at(added, path)[names[0]]
        if not fails(added):
            missed.append(("added", path))
        for one, other in pairwise(names):
            exchanged = told()
            inner = at(exchanged, path)
            if inner[one] != inner[other]:
                inner[one], inner[other] = inner[other], inner[one]
                if not fails(exchanged):
                    missed.append(("exchanged", path, one, other))
    for name in told():
        dropped = told()
        del dropped[name]
        assert fails(dropped)
    assert fails({**told(), "more": 1})
    assert missed == []


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.integers(0, len(KEPT) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_in_the_file_is_found(place: int, bit: int) -> None:
    changed = bytearray(KEPT)
    changed[place] ^= 1 << bit
    assert fails(bytes(changed))


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{}", b"\xff", b'{"v":"ebid-draw-transcript/1"}', KEPT[:-9]]
)
def test_what_is_no_transcript_is_told_politely(content: bytes) -> None:
    assert fails(content)


@pytest.mark.parametrize("value", [None, 1, True, "x", [], {}, [[]], {"a": {}}])
def test_a_part_of_another_kind_is_told_politely(value: object) -> None:
    for name in told():
        assert fails({**told(), name: value})


def test_a_lawful_looking_forgery_of_each_answer_is_found() -> None:
    """The platform's own way to cheat: it holds every row, but not what it had logged before."""
    for place, call in enumerate(told()["calls"]):
        for outcome in ("declined", "no_answer", "barred_late", "excluded", "accepted"):
            changed = told()
            changed["calls"][place]["outcome"] = outcome
            if outcome != call["outcome"]:
                assert fails(changed)


def test_a_countersignature_by_another_hand_is_found() -> None:
    changed = told()
    key = PrivateKey.generate()
    envelope = Envelope.from_bytes(unb64(changed["countersignature"]))
    forged = key.sign(payload_type("draw-eligibility"), envelope.payload).to_bytes()
    changed["countersignature"] = b64(forged)
    changed["keys"]["signers"][key.keyid] = b64u(key.public_bytes)
    assert fails(changed)


def test_an_announcement_that_names_other_keys_is_found() -> None:
    changed = told()
    announced = json.loads(unb64(changed["announcement"]))
    announced["quorum"] = changed["keys"]["quorum"] = 0
    changed["announcement"] = b64(canonical(announced))
    assert fails(changed)


# ── a fresh one, with two witnesses of flesh and blood ────────────────────────────────────────


async def test_a_fresh_draw_under_two_witnesses_verifies(
    store: Store, settings: Settings, log_line: AsyncEngine, tick: Tick, tmp_path: Path
) -> None:
    content = await fresh_transcript(store, settings, log_line, tick, tmp_path)

    verdict = verify(content)

    assert [check.detail for check in verdict.checks if not check.passed] == []
    assert (verdict.found["round"], verdict.found["seated"]) == (2, 4)
    assert len(verdict.found["witnesses"]) == 2
    assert verdict.found["recovered"] == ["agency"]


async def fresh_transcript(
    store: Store, settings: Settings, log_line: AsyncEngine, tick: Tick, folder: Path
) -> bytes:
    """A draw in which everything happens that may happen; how the kept transcript was made."""
    vkey = founding.read_keys(settings).log_signer.vkey
    async with AsyncExitStack() as stack:
        witnesses = []
        for name in ("demo.regulator.example/w1", "demo.notary.example/w2"):
            signer = WitnessSigner(name, random_bytes(32))
            memory = Memory(folder / name.replace("/", "-"))
            app: Any = create_witness(signer, log_vkey=vkey, memory=memory)
            url = await stack.enter_async_context(served(app))
            witnesses.append(f"{signer.vkey} {url}")
        witnessed = settings.model_copy(update={"witnesses": tuple(witnesses)})

        async def tick_and_ask() -> None:
            await tick()
            await ask_all(log_line, witnessed.witness_list, quorum=2)

        house = await a_draw_house(replace(store, settings=witnessed), tick_and_ask, each=8)
        return await an_eventful_draw(house, witnessed)


async def an_eventful_draw(house: DrawHouse, settings: Settings) -> bytes:
    """A void round, then one with exclusions, a vanished party, refusals, silence and a bar."""
    for region, ties in ((HOST, "office"), (EAST, "kinship"), (SOUTH, "employment")):
        for _ in range(3):
            await an_expert_tied(house, region, ties)
    await house.announce()
    await house.commit("tenderee", "supervisor")
    house.late = timedelta(minutes=21)
    await house.do(house.pool, drawing.void, house.draw_id)
    house.late = None
    await house.tick()
    agency = await a_player(house.store, Role.AGENCY)
    house.parties["agency"] = agency
    await house.ready()
    for expert in house.experts[:2]:
        await barred(
            house.store,
            house.parties["supervisor"],
            {"person": str(expert.player.person)},
            misconduct="expert_misconduct",
            acts=["draw", "sign_in"],
        )
    await house.reveal("tenderee", "supervisor")
    await rebuild(house, "agency", ("tenderee", "supervisor"))
    wire = DrawByWire(house, create_app(house.store, settings))
    first, second, third, *_ = await house.waiting()
    await wire.answer(first[1], "declined", "已有安排")
    await wire.answer(second[1], "declined", "身体不适")
    await silent(house, third)
    await wire.seat_everybody()
    return await wire.transcript()


async def an_expert_tied(house: DrawHouse, region: str, kind: str) -> None:
    await an_expert(
        house.store,
        house.pool,
        region_code=region,
        specialisms=(COST if region == SOUTH else CIVIL,),
        ties=(Tie(house.bidder_uscc, TieKind(kind)),),
    )


async def rebuild(house: DrawHouse, vanished: str, holders: tuple[str, ...]) -> None:
    house.late = timedelta(minutes=61)
    shares = await house.shares()
    for holder in holders:
        share = house.programs[holder].open_share(shares, vanished)
        await house.do(
            house.parties[holder], contributing.give_share, house.draw_id, vanished, share
        )
    house.late = None
    await house.tick()


async def silent(house: DrawHouse, waiting: Any) -> None:
    call, expert = waiting
    await house.do(expert.player, calling.own_calls)
    house.late = calling.ANSWER_WITHIN + timedelta(minutes=1)
    await house.do(house.pool, calling.note_no_answer, call.id)
    house.late = None
