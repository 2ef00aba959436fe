"""Whether the journal and the log are what they claim to be, asked of the database itself.

This is the platform looking at itself, after every story of failures and by `sunbid doctor`. It
needs the owner's eyes, since only the owner may read the fillers' keys. Outsiders need none of it:
they check an exported log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto import merkle
from kernel.crypto.digests import b64u, labelled
from kernel.crypto.notes import Checkpoint, SignedNote
from kernel.crypto.receipts import filler_leaf, leaf_data, verify_proof
from kernel.errors import BrokenSeal
from kernel.events import Audience


async def log_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold in the journal, its views, the log and the receipts."""
    return [
        *await _positions(connection),
        *await _views(connection),
        *await _records(connection),
        *await _leaves(connection),
        *await _roots(connection),
        *await _receipts(connection),
        *await _answers(connection),
    ]


async def _positions(connection: AsyncConnection) -> list[str]:
    count, last, queued_twice = (
        await connection.execute(
            text(
                "SELECT (SELECT count(*) FROM kernel.sequence),"
                " (SELECT coalesce(max(position), 0) FROM kernel.sequence),"
                " (SELECT count(*) FROM kernel.unsequenced u"
                " JOIN kernel.sequence s ON s.entry_id = u.entry_id)"
            )
        )
    ).one()
    faults = []
    if count != last:
        faults.append(f"positions are not dense: {count} entries, last position {last}")
    if queued_twice:
        faults.append(f"{queued_twice} sequenced entries are still queued")
    lost = (
        await connection.execute(
            text(
                "SELECT count(*) FROM kernel.journal j WHERE NOT EXISTS (SELECT 1 FROM"
                " kernel.sequence s WHERE s.entry_id = j.id) AND NOT EXISTS (SELECT 1 FROM"
                " kernel.unsequenced u WHERE u.entry_id = j.id)"
            )
        )
    ).scalar_one()
    if lost:
        faults.append(f"{lost} entries are neither queued nor sequenced")
    return faults


async def _views(connection: AsyncConnection) -> list[str]:
    rows = await connection.execute(
        text(
            "SELECT view, count(*) AS entries, max(number) AS last FROM kernel.view_entry"
            " GROUP BY view HAVING count(*) <> max(number)"
        )
    )
    faults = [f"the numbers of view {row.view} have a gap" for row in rows]
    told = await connection.execute(
        text(
            "SELECT v.view, j.id FROM kernel.view_entry v"
            " JOIN kernel.journal j ON j.id = v.entry_id"
            " JOIN kernel.sealing s ON s.subject_id = j.subject_id AND s.ended_at IS NULL"
            " WHERE j.audience = :sealed AND v.view IS DISTINCT FROM 'party/' || j.party_id"
        ),
        {"sealed": Audience.SEALED_UNTIL_CLOSE},
    )
    return faults + [f"sealed entry {row.id} is numbered in view {row.view}" for row in told]


async def _records(connection: AsyncConnection) -> list[str]:
    rows = await connection.execute(
        text("SELECT id, kind, subject_id, record, operator, operator_salt FROM kernel.journal")
    )
    faults = []
    forgotten = 0
    for entry_id, kind, subject_id, record, operator, operator_salt in rows:
        told = json.loads(record)
        if told["kind"] == "PersonForgotten":
            forgotten -= told["facts"]["entries"]
        if not operator and not operator_salt:
            forgotten += 1
        elif told["operator"] != b64u(labelled("ebid/1/operator", operator_salt, operator)):
            faults.append(f"entry {entry_id} was made by somebody else than its row says")
        if (told["id"], told["kind"], told["subject"]) != (str(entry_id), kind, str(subject_id)):
            faults.append(f"entry {entry_id} says something else than its row")
    if forgotten:
        faults.append("entries do not say who made them, and nobody was forgotten")
    return faults


async def _leaves(connection: AsyncConnection) -> list[str]:
    placed = {
        index: (entry_id, leaf_data(salt, record))
        for entry_id, salt, record, index in await connection.execute(
            text(
                "SELECT j.id, j.salt, j.record, p.index FROM kernel.journal j"
                " JOIN kernel.log_place p ON p.entry_id = j.id"
            )
        )
    }
    epochs = (
        await connection.execute(
            text("SELECT number, key, first_index, end_index FROM kernel.filler_epoch")
        )
    ).all()
    leaves = await connection.execute(
        text("SELECT index, data FROM kernel.log_leaf ORDER BY index")
    )
    faults, expected = [], 0
    for index, data in leaves:
        if index != expected:
            faults.append(f"leaf {expected} is missing")
        expected = index + 1
        if index in placed:
            entry_id, leaf = placed[index]
            if leaf != data:
                faults.append(f"entry {entry_id} is not what leaf {index} committed to")
        elif not any(
            first <= index < (end if end is not None else index + 1)
            and filler_leaf(number, key, index) == data
            for number, key, first, end in epochs
        ):
            faults.append(f"leaf {index} is neither an entry nor a filler")
    unplaced = (
        await connection.execute(
            text(
                "SELECT count(*) FROM kernel.sequence s WHERE s.position <= (SELECT"
                " coalesce(max(position), 0) FROM kernel.log_batch) AND NOT EXISTS"
                " (SELECT 1 FROM kernel.log_place p WHERE p.entry_id = s.entry_id)"
            )
        )
    ).scalar_one()
    if unplaced:
        faults.append(f"{unplaced} integrated entries have no leaf")
    return faults


async def _roots(connection: AsyncConnection) -> list[str]:
    hashes = [
        row[0]
        for row in await connection.execute(text("SELECT hash FROM kernel.log_leaf ORDER BY index"))
    ]
    roots = dict(growing_roots(hashes))
    batches = await connection.execute(text("SELECT size, root FROM kernel.log_batch"))
    faults = [
        f"the tree of size {size} had another root"
        for size, root in batches
        if roots.get(size) != root
    ]
    notes = await connection.execute(text("SELECT size, note FROM kernel.log_checkpoint"))
    for size, note in notes:
        try:
            signed = Checkpoint.parse(SignedNote.parse(note).text)
        except BrokenSeal:
            signed = None
        if signed is None or (signed.size, signed.root) != (size, roots.get(size)):
            faults.append(f"the checkpoint of size {size} is not of the tree that is kept")
    nodes = await connection.execute(text("SELECT level, index, hash FROM kernel.log_node"))
    for level, index, value in nodes:
        width = 1 << level
        part = hashes[index * width : (index + 1) * width]
        if len(part) != width or merkle.root(part) != value:
            faults.append(f"node {level}/{index} is not that of its leaves")
    return faults


def growing_roots(hashes: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """(size, root) of every tree these leaf hashes went through."""
    peaks: list[tuple[int, bytes]] = []
    for size, value in enumerate(hashes, start=1):
        level, grown = 0, value
        while peaks and peaks[-1][0] == level:
            grown = merkle.node_hash(peaks.pop()[1], grown)
            level += 1
        peaks.append((level, grown))
        whole = peaks[-1][1]
        for _, peak in reversed(peaks[:-1]):
            whole = merkle.node_hash(peak, whole)
        yield size, whole


async def _receipts(connection: AsyncConnection) -> list[str]:
    vkey = (await connection.execute(text("SELECT log_vkey FROM kernel.platform"))).scalar_one()
    rows = await connection.execute(
        text(
            "SELECT r.entry_id, r.proof, j.record, p.index FROM kernel.receipt r"
            " JOIN kernel.journal j ON j.id = r.entry_id"
            " LEFT JOIN kernel.log_place p ON p.entry_id = j.id"
        )
    )
    faults = [
        fault
        for entry_id, proof, record, index in rows
        if (fault := _receipt_fault(entry_id, proof, record, index, vkey))
    ]
    # A checkpoint and the receipts it makes due are written at once; so are the companions that a
    # quorum makes due, which therefore exist for every entry before one that has its own.
    lacking = await connection.execute(
        text(
            "SELECT j.id, due.witnessed FROM kernel.journal j"
            " JOIN kernel.log_place p ON p.entry_id = j.id, (VALUES"
            " (false, (SELECT max(size) FROM kernel.log_checkpoint)),"
            " (true, (SELECT max(w.index) + 1 FROM kernel.receipt c JOIN kernel.log_place w"
            " ON w.entry_id = c.entry_id WHERE c.witnessed))) AS due (witnessed, size)"
            " WHERE j.receipted AND p.index < due.size AND NOT EXISTS (SELECT 1 FROM"
            " kernel.receipt r WHERE r.entry_id = j.id AND r.witnessed = due.witnessed)"
        )
    )
    return faults + [
        f"entry {row.id} has no {'witnessed companion of its ' if row.witnessed else ''}receipt"
        for row in lacking
    ]


def _receipt_fault(
    entry_id: UUID, proof: str, record: bytes, index: int | None, vkey: str
) -> str | None:
    try:
        proven = verify_proof(proof, log_vkey=vkey, witness_vkeys=())
    except BrokenSeal as error:
        return f"the receipt of {entry_id} does not verify: {error}"
    if proven.record != record:
        return f"the receipt of {entry_id} is about another record"
    return None if proven.index == index else f"the receipt of {entry_id} names another leaf"


async def _answers(connection: AsyncConnection) -> list[str]:
    """Only what was done is answered again under its key, and only to somebody who is known."""
    rows = await connection.execute(
        text(
            "SELECT r.person_id, r.key FROM kernel.request r WHERE r.status >= 400"
            " OR length(r.body_digest) <> 32"
            " OR NOT EXISTS (SELECT 1 FROM kernel.person p WHERE p.id = r.person_id)"
        )
    )
    return [f"the answer kept for {row.person_id} under {row.key} is no answer" for row in rows]
