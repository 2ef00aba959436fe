"""A receipt verifies without the platform, and no mutant of it does (电子签名法 11; tlog-proof)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from kernel.crypto.digests import instant_text
from kernel.crypto.notes import WitnessSigner
from kernel.identifiers import LotId
from kernel.randomness import random_bytes, random_id
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import LOG, connect
from kernel.store.transaction import Store
from kernel.store.transparency_log import proof_of, receipt_of
from kernel.store.witnesses import ask_all
from tests.conftest import START, Database
from tests.log_story import Slipped, Tick, bystanders, enter, somebody, utter
from tests.sealed_bids import (
    a_bidder,
    a_sealed_bid,
    a_submission,
    a_tender,
    at,
    submitted,
    ticking,
    uploaded,
)
from trading import closing, reception
from web.verifying.offline_checks import verify_app
from web.verifying.receipt_proof import Cut, verify
from web.verifying.verdicts import Verdict

FAR = START + timedelta(days=4000)


@dataclass(frozen=True)
class Held:
    """A receipt as a bidder keeps it, and whom he believes."""

    proof: str
    log: str
    witnesses: tuple[str, ...]


@pytest.fixture
async def held(
    store: Store, database: Database, tick: Tick, settings: Settings, tmp_path: Path
) -> Held:
    log = founding.read_keys(settings).log_signer.vkey
    await utter(store, 9)
    entry = await enter(store, Slipped(random_id(), START, FAR), somebody())
    await tick()
    engine = connect(database.url(LOG), pool_size=2)
    async with bystanders(2, log_vkey=log, folder=tmp_path) as both:
        await ask_all(engine, [one.told for one in both], quorum=2)
    await engine.dispose()
    async with store.sessions() as session:
        proof = await receipt_of(session, entry, witnessed=True)
    assert proof is not None
    return Held(proof, log, tuple(one.signer.vkey for one in both))


def checked(held: Held, proof: str, tmp_path: Path, *options: str) -> int:
    """The exit code of `sunbid verify receipt` for this text."""
    file = tmp_path / "receipt.txt"
    file.write_text(proof)
    witnesses = [word for one in held.witnesses for word in ("--witness", one)]
    done = CliRunner().invoke(
        verify_app, ["receipt", str(file), "--log", held.log, *witnesses, *options]
    )
    return done.exit_code


def mutants(proof: str) -> Iterator[tuple[str, str]]:
    """Every line changed in three places, dropped, doubled, and swapped with the next."""
    lines = proof.split("\n")
    for place, line in enumerate(lines):
        before, after = lines[:place], lines[place + 1 :]
        for spot in sorted({0, len(line) // 3, len(line) // 2, len(line) - 1} if line else ()):
            other = "A" if line[spot] != "A" else "B"
            yield (
                f"{place}:{spot}",
                "\n".join([*before, line[:spot] + other + line[spot + 1 :], *after]),
            )
        yield f"{place} dropped", "\n".join([*before, *after])
        yield f"{place} doubled", "\n".join([*before, line, line, *after])
        if after and after[0] != line:
            yield f"{place} swapped", "\n".join([*before, after[0], line, *after[1:]])


# The order of two witnesses' lines says nothing, and neither does the blank end of the text.
def says_the_same(one: str, other: str) -> bool:
    return (
        one != other
        and sorted(one.split("\n")) == sorted(other.split("\n"))
        and (one.split("\n— ", maxsplit=1)[0] == other.split("\n— ", maxsplit=1)[0])
    )


async def test_a_witnessed_receipt_verifies_and_no_mutant_of_it_does(
    held: Held, tmp_path: Path
) -> None:
    whole = verify(held.proof, log=held.log, witnesses=held.witnesses, quorum=2)
    assert whole.ok, whole.plain()
    assert whole.found["proven"] == "before the deadline"
    count = 0
    for what, mutant in mutants(held.proof):
        if says_the_same(mutant, held.proof):
            continue
        count += 1
        found = verify(mutant, log=held.log, witnesses=held.witnesses, quorum=2)
        assert not found.ok, what
    assert count > 40


async def test_every_field_of_the_record_is_bound(held: Held) -> None:
    opening = held.proof.split("\n")[1].removeprefix("extra ")
    told = json.loads(base64.b64decode(opening))
    record = json.loads(base64.b64decode(told["record"]))
    changes = [(record, key) for key in record] + [
        (record["facts"], key) for key in record["facts"]
    ]
    for place, key in changes:
        kept, place[key] = place[key], "changed"
        text = json.dumps(record, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        forged = {**told, "record": base64.b64encode(text.encode()).decode()}
        packed = base64.b64encode(json.dumps(forged, separators=(",", ":")).encode()).decode()
        mutant = held.proof.replace(opening, packed)
        assert mutant != held.proof
        assert not verify(mutant, log=held.log, witnesses=held.witnesses, quorum=2).ok, key
        place[key] = kept


async def test_the_command_leaves_with_0_or_6_and_says_why_in_json(
    held: Held, tmp_path: Path
) -> None:
    assert checked(held, held.proof, tmp_path) == 0
    assert checked(held, held.proof.replace("index ", "index 1"), tmp_path) == 6
    assert checked(held, held.proof, tmp_path, "--quorum", "3") == 6
    assert checked(held, held.proof, tmp_path, "--quorum", "0") == 2
    early = instant_text(START - timedelta(seconds=1))
    assert checked(held, held.proof, tmp_path, "--deadline", early) == 6
    assert checked(held, held.proof, tmp_path, "--deadline", instant_text(FAR)) == 0
    assert checked(held, held.proof, tmp_path, "--deadline", "2026-03-02T01:00:00") == 2
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    done = CliRunner().invoke(
        verify_app, ["receipt", str(tmp_path / "binary"), "--log", held.log, "--json"]
    )
    assert done.exit_code == 6
    assert json.loads(done.stdout)["ok"] is False


async def test_strangers_and_a_lone_witness_make_no_quorum(held: Held) -> None:
    strangers = [WitnessSigner(f"s{n}.test/w", random_bytes(32)).vkey for n in range(2)]
    for known, needed in ((strangers, 1), (held.witnesses[:1], 2), ((), 1)):
        assert not verify(held.proof, log=held.log, witnesses=known, quorum=needed).ok
    twice = [held.witnesses[0]] * 2
    assert not verify(held.proof, log=held.log, witnesses=twice, quorum=2).ok


async def test_a_bid_seen_only_after_the_deadline_proves_nothing_by_itself(held: Held) -> None:
    found = verify(
        held.proof,
        log=held.log,
        witnesses=held.witnesses,
        quorum=2,
        deadline=START + timedelta(seconds=1),
    )
    assert not found.ok
    assert "proven" not in found.found


@dataclass(frozen=True)
class Closed:
    """A bid of the last second, cosigned after the deadline, and the proofs of its lot's cut."""

    receipt: str
    cut: Cut
    log: str
    witnesses: tuple[str, ...]


async def a_last_second_bid(
    store: Store, database: Database, tick: Tick, folder: Path, *, witnessed_after: timedelta
) -> Closed:
    """The receipt of a bid that came a moment before the deadline, and its lot's closing."""
    tender, bidder = await a_tender(store), await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    moment = tender.due_at - timedelta(milliseconds=1)
    just_in_time = at(store, moment)
    async with reception.opened(just_in_time) as counter, ticking(tick):
        raw = a_submission(tender, bidder, files)
        answer = await submitted(just_in_time, counter, bidder, tender, raw, at=moment)
    assert answer.judgement is not None
    await closing.close_lot(at(store, tender.due_at + timedelta(seconds=3)), LotId(tender.lot_id))
    await tick()
    log = founding.read_keys(store.settings).log_signer.vkey
    engine = connect(database.url(LOG), pool_size=2)
    seen_at = tender.due_at + witnessed_after

    async def then() -> datetime:
        return seen_at

    async with bystanders(2, log_vkey=log, folder=folder, now=then) as both:
        await ask_all(engine, [one.told for one in both], quorum=2)
    await engine.dispose()
    async with store.sessions() as session:
        kinds = ("BidSubmitted", "LotClosing", "LotClosed")
        rows = await session.execute(
            text("SELECT kind, id FROM kernel.journal WHERE kind = ANY(:kinds)"),
            {"kinds": list(kinds)},
        )
        entry = {kind: id for kind, id in rows}
        receipt = await receipt_of(session, entry["BidSubmitted"], witnessed=True)
        proofs = [await proof_of(session, entry[kind], quorum=2) for kind in kinds[1:]]
    assert receipt is not None
    return Closed(
        receipt, Cut(str(proofs[0]), str(proofs[1])), log, tuple(one.signer.vkey for one in both)
    )


async def test_a_bid_of_the_last_second_is_proven_by_the_witnessed_cut(
    store: Store, database: Database, tick: Tick, tmp_path: Path
) -> None:
    closed = await a_last_second_bid(
        store, database, tick, tmp_path, witnessed_after=timedelta(seconds=5)
    )

    def judged(receipt: str, cut: Cut | None) -> Verdict:
        return verify(receipt, log=closed.log, witnesses=closed.witnesses, quorum=2, cut=cut)

    whole = judged(closed.receipt, closed.cut)
    assert whole.ok, whole.plain()
    assert whole.found["proven"] == "in the witnessed cut"
    assert not judged(closed.receipt, None).ok
    assert not judged(closed.receipt, Cut(closed.cut.closed, closed.cut.closing)).ok
    assert not judged(closed.receipt, Cut(closed.cut.closing, closed.cut.closing)).ok
    assert not judged(closed.receipt, Cut(closed.receipt, closed.cut.closed)).ok
    for what in ("closing", "closed"):
        for place, mutant in mutants(getattr(closed.cut, what)):
            if not says_the_same(mutant, getattr(closed.cut, what)):
                assert not judged(closed.receipt, replace(closed.cut, **{what: mutant})).ok, place

    for name, content in (
        ("receipt", closed.receipt),
        ("closing", closed.cut.closing),
        ("closed", closed.cut.closed),
    ):
        (tmp_path / name).write_text(content)
    words = ["receipt", str(tmp_path / "receipt"), "--log", closed.log]
    words += [word for one in closed.witnesses for word in ("--witness", one)]
    cut = ["--closing", str(tmp_path / "closing"), "--closed", str(tmp_path / "closed")]
    assert CliRunner().invoke(verify_app, [*words, *cut]).exit_code == 0
    assert CliRunner().invoke(verify_app, words).exit_code == 6
    assert CliRunner().invoke(verify_app, [*words, *cut[:2]]).exit_code == 2


async def test_a_cut_that_was_witnessed_late_shows_nothing(
    store: Store, database: Database, tick: Tick, tmp_path: Path
) -> None:
    closed = await a_last_second_bid(
        store, database, tick, tmp_path, witnessed_after=timedelta(minutes=11)
    )
    assert not verify(
        closed.receipt, log=closed.log, witnesses=closed.witnesses, quorum=2, cut=closed.cut
    ).ok
