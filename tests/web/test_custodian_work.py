"""A custodian's program believes the log and its own clock, and nobody else.

Electronic Bidding Measures 30: what is opened before its time cannot be closed again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as told
from hypothesis import strategies as st

from kernel.crypto import sealing
from kernel.crypto.digests import Malformed, b64, b64u, canonical, strict_json, unb64, unb64u
from kernel.crypto.envelope_header import head_of, header_bytes
from kernel.crypto.notes import Checkpoint, LogSigner, SignedNote, WitnessSigner
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal
from kernel.randomness import random_bytes
from kernel.store.tables import PlatformRow
from kernel.store.transaction import Store, transaction
from kernel.store.transparency_log import proof_of
from tests.conftest import TEMPLATE
from tests.kept_stores import Lines, founded_store, settings_in
from tests.log_story import Tick
from tests.opened_lots import (
    Entry,
    Hall,
    a_hall,
    an_entry,
    fallback_agreed,
    released,
    window_ended,
)
from tests.sealed_bids import SealedFile, a_tender
from tests.tenders import Player, signed
from trading import opening
from web.custodian_work import Custodian, Trust

RELEASED, ESCROWED, ABSENT = 0, 1, 2
WITNESSES = tuple(WitnessSigner(f"witness{number}.test/w", random_bytes(32)) for number in range(3))
SECOND = timedelta(seconds=1)

Change = Callable[["Asked"], None]


@dataclass(slots=True, repr=False)
class Asked:
    """What one custodian is asked for, and the program that is asked."""

    hall: Hall
    player: Player
    request: dict[str, Any]
    program: Custodian

    @property
    def due_at(self) -> datetime:
        """The deadline of the bids."""
        return self.hall.tender.due_at

    def header_of(self, number: int, kind: int = 0) -> dict[str, str]:
        """How the platform would ask for a bidder's envelope."""
        header = self.hall.entries[number].files[kind].header
        return {"bid": "", "component": sealing.OFFICIALS, "bytes": b64(header)}


def witnessed(proof: str, *witnesses: WitnessSigner) -> str:
    """The proof, with these witnesses' signatures under its checkpoint."""
    note = proof[proof.index("\n\n") + 2 :]
    checkpoint = Checkpoint.parse(SignedNote.parse(note).text)
    return proof + "".join(one.cosign(checkpoint, 1_772_600_000) for one in witnesses)


async def asked_of(hall: Hall, player: Player) -> Asked:
    """A custodian who is asked when the window has ended, before the log and two witnesses."""
    now = await hall.window_ends_at()
    async with transaction(hall.store, actor=player.actor, now=now) as tx:
        asked = await opening.share_request(tx, hall.lot_id)
        close = await proof_of(tx.session, asked.close_entry)
        window = await proof_of(tx.session, asked.window_closed_entry)
        platform = await tx.session.get_one(PlatformRow, True)
    assert close is not None
    assert window is not None
    request = {
        "policy": b64(asked.policy),
        "timetable": b64(asked.timetable),
        "close_proof": witnessed(close, *WITNESSES[:2]),
        "window_closed_proof": witnessed(window, *WITNESSES[:2]),
        "headers": [
            {"bid": str(bid), "component": component, "bytes": b64(header)}
            for bid, component, header in asked.headers
        ],
    }
    trust = Trust(platform.log_vkey, tuple(one.vkey for one in WITNESSES[:2]), 2)
    key = player.lot_keys[hall.lot_id]
    return Asked(hall, player, request, Custodian(key=key, trust=trust, now=lambda: now))


async def a_waiting_hall(
    store: Store, tick: Tick, *, spoil: Callable[[SealedFile], SealedFile] | None = None
) -> Hall:
    """One bidder released; of two absent ones the first chose escrow, and both sides agreed."""
    tender = await a_tender(store)
    entries: list[Entry] = [
        await an_entry(store, tender, "700000.00", spoil=spoil),
        await an_entry(store, tender, "800000.00", escrow=True),
        await an_entry(store, tender, "900000.00"),
        await an_entry(store, tender, "650000.00"),
    ]
    hall = await a_hall(store, tender, entries)
    for number in (RELEASED, 3):
        await released(hall, entries[number])
    await window_ended(hall)
    await fallback_agreed(hall, tender.cast.agency)
    await fallback_agreed(hall, tender.cast.supervisor)
    await tick()
    return hall


@pytest.fixture
async def asked_here(store: Store, tick: Tick) -> Asked:
    """Where the answer can be given to the platform that asks."""
    hall = await a_waiting_hall(store, tick)
    return await asked_of(hall, hall.tender.cast.custodians[0])


@pytest.fixture(scope="module")
async def kept(role_lines: Lines, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    """A custodian who was asked once, for all tests that only look at the answer."""
    name, settings = "kept_asked", settings_in(tmp_path_factory.mktemp("asked") / "store")
    async with founded_store(role_lines, name, TEMPLATE, settings) as (store, tick):
        hall = await a_waiting_hall(store, tick)
        yield await asked_of(hall, hall.tender.cast.custodians[0])
    await role_lines.drop(name)


@pytest.fixture
def asked(kept: Asked) -> Asked:
    """The same request, for a test to change, and a program that has seen nothing yet."""
    program = Custodian(key=kept.program.key, trust=kept.program.trust, now=kept.program.now)
    return replace(kept, request=deepcopy(kept.request), program=program)


def given_for(answer: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["head"], one["component"]) for one in answer["shares"]}


async def test_a_convinced_program_gives_what_was_released_and_what_may_be_opened_for_the_absent(
    asked_here: Asked,
) -> None:
    answer = asked_here.program.answer(asked_here.request)
    entries = asked_here.hall.entries
    heads = {n: [b64u(file.head) for file in entries[n].files] for n in range(4)}
    both = [head for n in (RELEASED, ESCROWED, 3) for head in heads[n]]
    assert given_for(answer) == {
        *((head, sealing.OFFICIALS) for head in both),
        *((head, sealing.BIDDER) for head in heads[ESCROWED]),
    }
    assert not {head for head, _ in given_for(answer)} & set(heads[ABSENT])
    hall, player = asked_here.hall, asked_here.player
    now = await hall.window_ends_at()
    async with transaction(hall.store, actor=player.actor, now=now) as tx:
        await opening.give_shares(tx, hall.lot_id, signed(player, "shares", answer))


# ── what does not convince it ─────────────────────────────────────────────────────────────────


def said_in(statement: bytes) -> dict[str, Any]:
    said: Any = strict_json(Envelope.from_bytes(statement).payload)
    assert isinstance(said, dict)
    return said


def too_early(asked: Asked) -> None:
    asked.program.now = lambda: asked.due_at - SECOND


def one_witness_too_few(asked: Asked) -> None:
    for name in ("close_proof", "window_closed_proof"):
        asked.request[name] = asked.request[name].rstrip("\n").rpartition("\n")[0] + "\n"


def a_stranger_for_a_witness(asked: Asked) -> None:
    one_witness_too_few(asked)
    for name in ("close_proof", "window_closed_proof"):
        asked.request[name] = witnessed(asked.request[name], WITNESSES[2])


def the_closing_twice(asked: Asked) -> None:
    asked.request["window_closed_proof"] = asked.request["close_proof"]


def the_window_twice(asked: Asked) -> None:
    asked.request["close_proof"] = asked.request["window_closed_proof"]


def another_log(asked: Asked) -> None:
    key = LogSigner("other.test/log", random_bytes(32)).vkey
    asked.program.trust = replace(asked.program.trust, log_vkey=key)


def a_newer_timetable_was_seen(asked: Asked) -> None:
    asked.program.seen[str(asked.hall.lot_id)] = 2


def another_timetable(asked: Asked) -> None:
    entry = asked.hall.tender.lot.papers.timetable
    said = said_in(entry)
    asked.request["timetable"] = b64(
        signed(asked.player, "timetable", {**said, "bids_due_at": "2026-01-01T00:00:00Z"})
    )


def another_policy(asked: Asked) -> None:
    said = said_in(asked.hall.tender.lot.papers.opening_policy)
    asked.request["policy"] = b64(signed(asked.player, "opening-policy", {**said, "version": 9}))


def who_did_not_release_and_chose_no_escrow(asked: Asked) -> None:
    asked.request["headers"].append(asked.header_of(ABSENT))


def the_bidders_part_of_who_released(asked: Asked) -> None:
    asked.request["headers"].append({**asked.header_of(RELEASED), "component": sealing.BIDDER})


def what_the_closing_does_not_list(asked: Asked) -> None:
    header = sealing.parse_header(asked.hall.entries[RELEASED].files[0].header)
    keys: Any = strict_json(header.keys_bytes)
    keys["components"].reverse()
    other = header_bytes(header.meta_bytes, canonical(keys))
    asked.request["headers"].append(
        {"bid": "", "component": sealing.OFFICIALS, "bytes": b64(other)}
    )


UNCONVINCING: tuple[Change, ...] = (
    too_early,
    one_witness_too_few,
    a_stranger_for_a_witness,
    the_closing_twice,
    the_window_twice,
    another_log,
    a_newer_timetable_was_seen,
    another_timetable,
    another_policy,
    who_did_not_release_and_chose_no_escrow,
    the_bidders_part_of_who_released,
    what_the_closing_does_not_list,
)


@pytest.mark.parametrize("change", UNCONVINCING, ids=lambda change: change.__name__)
async def test_whoever_asks_otherwise_is_given_nothing_at_all(asked: Asked, change: Change) -> None:
    change(asked)
    with pytest.raises(BrokenSeal):
        asked.program.answer(asked.request)


async def test_by_its_own_clock_the_deadline_itself_is_time(asked: Asked) -> None:
    asked.program.now = lambda: asked.due_at
    assert asked.program.answer(asked.request)["shares"]


async def test_it_remembers_the_newest_timetable_it_has_seen(asked: Asked) -> None:
    asked.program.answer(asked.request)
    assert asked.program.seen == {str(asked.hall.lot_id): 1}


@told(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
async def test_whatever_byte_is_changed_nothing_else_is_given(
    asked: Asked, data: st.DataObject
) -> None:
    before = asked.program.answer(asked.request)
    name = data.draw(st.sampled_from(["policy", "timetable", "close_proof", "window_closed_proof"]))
    content = asked.request[name].encode() if "proof" in name else unb64(asked.request[name])
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    text = bytes(changed).decode("latin-1") if "proof" in name else b64(bytes(changed))
    try:
        after = asked.program.answer({**asked.request, name: text})
    except (BrokenSeal, Malformed):
        return
    assert after == before


# ── what its bidder sealed badly ──────────────────────────────────────────────────────────────


def sealed_to_nobody(file: SealedFile) -> SealedFile:
    """The same envelope, with shares in it that open for none of the custodians."""
    header = sealing.parse_header(file.header)
    keys: Any = strict_json(header.keys_bytes)
    for component in keys["components"]:
        for way in component["ways"]:
            for share in way.get("to", ()):
                share["ct"] = b64u(random_bytes(len(unb64u(share["ct"]))))
    spoilt = header_bytes(header.meta_bytes, canonical(keys))
    return replace(file, header=spoilt, head=head_of(spoilt))


async def test_one_bidders_bad_shares_keep_nobody_elses_back(store: Store, tick: Tick) -> None:
    hall = await a_waiting_hall(store, tick, spoil=sealed_to_nobody)
    asked = await asked_of(hall, hall.tender.cast.custodians[0])
    answer = asked.program.answer(asked.request)
    bad = {b64u(file.head) for file in hall.entries[RELEASED].files}
    assert not {head for head, _ in given_for(answer)} & bad
    assert {b64u(file.head) for file in hall.entries[3].files} <= {
        head for head, _ in given_for(answer)
    }
    assert {words.split()[0] for words in asked.program.undealt} == bad
