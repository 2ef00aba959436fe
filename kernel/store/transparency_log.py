"""The journal's entries made into a Merkle tree, with signed checkpoints anyone can check.

An entry is *recorded* in the journal, *sequenced*, *integrated* into the tree, *published* under a
signed checkpoint and *witnessed* by others. Every leaf is a salted commitment, every batch is
padded to 8, 64, 512, … leaves with fillers that look the same, and an entry's place within its
batch is drawn at random: neither the tree's size nor a receipt's index tells how much happened.

The tree is committed before its root is signed. A process that dies in between signs the committed
tree when it starts again, so that no two roots are ever signed for one size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from kernel.access import PLATFORM
from kernel.crypto import merkle
from kernel.crypto.notes import Checkpoint, LogSigner
from kernel.crypto.receipts import (
    filler_commitment,
    filler_record,
    filler_salt,
    leaf_data,
    write_proof,
)
from kernel.events import Event
from kernel.failpoints import failpoint
from kernel.identifiers import EntryId
from kernel.randomness import random_bytes, random_id, random_order
from kernel.store import journal
from kernel.store.clocks import platform_clock, unshifted_clock
from kernel.store.database import lock_key
from kernel.store.events import PLATFORM_ITSELF, FillerKeyCommitted, FillerKeyDisclosed

SMALLEST_BATCH = 8
Line = AsyncConnection | AsyncSession
Answer = TypeVar("Answer")
NodeAt = tuple[int, int]

_NODES: Final = text(
    "SELECT 0, index, hash FROM kernel.log_leaf WHERE index = ANY(CAST(:leaves AS bigint[]))"
    " UNION ALL"
    " SELECT n.level, n.index, n.hash FROM kernel.log_node n"
    " JOIN unnest(CAST(:levels AS integer[]), CAST(:indexes AS bigint[])) AS w (level, index)"
    " ON n.level = w.level AND n.index = w.index"
)


@dataclass(frozen=True, slots=True)
class Tree:
    """The integrated tree: how many leaves, its root, and the last position it holds."""

    size: int
    root: bytes
    position: int


@dataclass(frozen=True, slots=True)
class _Pending:
    position: int
    id: UUID
    record: bytes
    salt: bytes
    barrier: bool


@dataclass(frozen=True, slots=True)
class _Epoch:
    number: int
    key: bytes


def padded(entries: int) -> int:
    """How many leaves a batch of that many entries has: the next of 8, 64, 512, …"""
    size = SMALLEST_BATCH
    while size < entries:
        size *= SMALLEST_BATCH
    return size


def batches_of(pending: Sequence[_Pending]) -> list[list[_Pending]]:
    """The entries cut before every barrier; one empty batch where nothing is pending."""
    batches: list[list[_Pending]] = [[]]
    for entry in pending:
        if entry.barrier and batches[-1]:
            batches.append([])
        batches[-1].append(entry)
    return batches


async def tree_now(line: Line) -> Tree:
    """The tree as it is integrated."""
    row = (
        await line.execute(
            text("SELECT size, root, position FROM kernel.log_batch ORDER BY size DESC LIMIT 1")
        )
    ).first()
    return Tree(0, merkle.EMPTY_ROOT, 0) if row is None else Tree(*row)


async def integrate_once(connection: AsyncConnection, *, epoch_length: timedelta) -> Tree:
    """Integrate everything sequenced so far, or only fillers where nothing is.

    Called by the sequencer's leader alone, on its connection.
    """
    async with connection.begin():
        tree = await tree_now(connection)
        epoch = await _epoch_for(connection, tree, epoch_length)
        rows = await connection.execute(
            text(
                "SELECT s.position, j.id, j.record, j.salt, j.barrier FROM kernel.sequence s"
                " JOIN kernel.journal j ON j.id = s.entry_id"
                " WHERE s.position > :position ORDER BY s.position LIMIT 4000"
            ),
            {"position": tree.position},
        )
        for batch in batches_of([_Pending(*row) for row in rows]):
            tree = await _integrate(connection, tree, batch, epoch)
        await failpoint("log.before_commit")
    await failpoint("log.after_integration")
    return tree


async def _integrate(
    connection: AsyncConnection, tree: Tree, batch: list[_Pending], epoch: _Epoch
) -> Tree:
    width = padded(len(batch))
    places = dict(zip(random_order(width), batch, strict=False))
    leaves: list[bytes] = []
    for slot in range(width):
        entry = places.get(slot)
        index = tree.size + slot
        leaves.append(
            leaf_data(filler_salt(epoch.key, index), filler_record(epoch.number))
            if entry is None
            else leaf_data(entry.salt, entry.record)
        )
    await connection.execute(
        text("INSERT INTO kernel.log_leaf (index, data) VALUES (:index, :data)"),
        [{"index": tree.size + slot, "data": data} for slot, data in enumerate(leaves)],
    )
    if places:
        await connection.execute(
            text("INSERT INTO kernel.log_place (entry_id, index) VALUES (:id, :index)"),
            [{"id": entry.id, "index": tree.size + slot} for slot, entry in places.items()],
        )
    hashes = [merkle.leaf_hash(data) for data in leaves]
    nodes = await with_nodes(connection, lambda get: merkle.new_nodes(tree.size, hashes, get))
    stored = [
        {"level": level, "index": index, "hash": value}
        for level, index, value in nodes
        if level > 0
    ]
    if stored:
        await connection.execute(
            text("INSERT INTO kernel.log_node (level, index, hash) VALUES (:level, :index, :hash)"),
            stored,
        )
    size = tree.size + width
    root = await with_nodes(connection, lambda get: merkle.root_of(size, get))
    grown = Tree(size, root, batch[-1].position if batch else tree.position)
    await connection.execute(
        text(
            "INSERT INTO kernel.log_batch (size, root, position, integrated_at)"
            " VALUES (:size, :root, :position, :at)"
        ),
        {
            "size": size,
            "root": root,
            "position": grown.position,
            "at": await unshifted_clock(connection),
        },
    )
    return grown


async def publish_once(connection: AsyncConnection, signer: LogSigner) -> str:
    """Sign the integrated tree where that is not done yet, and write the receipts it makes due.

    The signed checkpoint's text. Repeating it changes nothing.
    """
    async with connection.begin():
        tree = await tree_now(connection)
        if tree.size == 0:
            return ""
        note = await _checkpoint_note(connection, tree.size)
        if note is None:
            note = signer.sign(Checkpoint(signer.name, tree.size, tree.root))
            await connection.execute(
                text(
                    "INSERT INTO kernel.log_checkpoint (size, note, signed_at)"
                    " VALUES (:size, :note, :at)"
                ),
                {"size": tree.size, "note": note, "at": await unshifted_clock(connection)},
            )
        due = await _receipts_due(connection, witnessed=False, size=tree.size)
        await _write_receipts(connection, due, size=tree.size, note=note, witnessed=False)
    await failpoint("log.after_publication")
    return note


async def keep_cosignature(
    connection: AsyncConnection, *, size: int, witness: str, line: str, at_unix: int, quorum: int
) -> None:
    """Keep a witness's line; with the quorum complete, write the receipts' witnessed companions.

    One line at a time: two witnesses who answer at once would each miss the other's line.
    """
    async with connection.begin():
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("cosignatures")}
        )
        await connection.execute(
            text(
                "INSERT INTO kernel.log_cosignature (size, witness, line, witnessed_at)"
                " VALUES (:size, :witness, :line, to_timestamp(:at)) ON CONFLICT DO NOTHING"
            ),
            {"size": size, "witness": witness, "line": line, "at": at_unix},
        )
        note, witnesses = await cosigned_note(connection, size)
        if note is None or witnesses < quorum:
            return
        due = await _receipts_due(connection, witnessed=True, size=size)
        await _write_receipts(connection, due, size=size, note=note, witnessed=True)


async def cosigned_note(line: Line, size: int) -> tuple[str | None, int]:
    """The checkpoint of that size with every cosignature known for it, and how many there are."""
    note = await _checkpoint_note(line, size)
    if note is None:
        return None, 0
    rows = await line.execute(
        text("SELECT line FROM kernel.log_cosignature WHERE size = :size ORDER BY witness"),
        {"size": size},
    )
    lines = [row[0] for row in rows]
    return note + "".join(lines), len(lines)


async def latest_note(line: Line, *, quorum: int = 0) -> str | None:
    """The newest published checkpoint that at least `quorum` witnesses cosigned."""
    row = (
        await line.execute(
            text(
                "SELECT c.size FROM kernel.log_checkpoint c WHERE (SELECT count(*) FROM"
                " kernel.log_cosignature w WHERE w.size = c.size) >= :quorum"
                " ORDER BY c.size DESC LIMIT 1"
            ),
            {"quorum": quorum},
        )
    ).first()
    return None if row is None else (await cosigned_note(line, row[0]))[0]


async def place_of(line: Line, entry_id: UUID) -> int | None:
    """The index of an entry's leaf, or None while it is not integrated."""
    row = (
        await line.execute(
            text("SELECT index FROM kernel.log_place WHERE entry_id = :id"), {"id": entry_id}
        )
    ).first()
    return None if row is None else int(row[0])


async def receipt_of(line: Line, entry_id: UUID, *, witnessed: bool = False) -> str | None:
    """A receipt's bytes as they were first written, or None while they are not."""
    row = (
        await line.execute(
            text(
                "SELECT proof FROM kernel.receipt WHERE entry_id = :id AND witnessed = :witnessed"
            ),
            {"id": entry_id, "witnessed": witnessed},
        )
    ).first()
    return None if row is None else str(row[0])


async def proof_of(line: Line, entry_id: UUID, *, quorum: int = 0) -> str | None:
    """A proof that an entry stands in the newest checkpoint with that quorum, made now."""
    note = await latest_note(line, quorum=quorum)
    place = await place_of(line, entry_id)
    if note is None or place is None:
        return None
    size = int(note.split("\n")[1])
    if place >= size:
        return None
    return (await _proofs(line, [entry_id], size=size, note=note)).get(entry_id)


async def proofs_of_entries(
    line: Line, entry_ids: Sequence[UUID], *, quorum: int = 0
) -> dict[UUID, str]:
    """Proofs of these entries in the newest checkpoint with that quorum, if they are in it."""
    note = await latest_note(line, quorum=quorum)
    if note is None:
        return {}
    size = int(note.split("\n")[1])
    places = await line.execute(
        text("SELECT entry_id FROM kernel.log_place WHERE entry_id = ANY(:ids) AND index < :size"),
        {"ids": list(entry_ids), "size": size},
    )
    return await _proofs(line, [one for (one,) in places], size=size, note=note)


async def disclose_fillers(connection: AsyncConnection) -> int:
    """Disclose the keys of ended runs of fillers that no sealed subject needs any more."""
    async with connection.begin():
        rows = await connection.execute(
            text(
                "UPDATE kernel.filler_epoch e SET disclosed_at = clock_timestamp()"
                " WHERE e.end_index IS NOT NULL AND e.disclosed_at IS NULL AND NOT EXISTS"
                " (SELECT 1 FROM kernel.sealing s WHERE s.ended_at IS NULL AND s.began_at <"
                " (SELECT n.began_at FROM kernel.filler_epoch n WHERE n.number = e.number + 1))"
                " RETURNING number, key, first_index, end_index"
            )
        )
        # In their order, so that whoever has one of these keys has all that came before it.
        disclosed = [FillerKeyDisclosed(PLATFORM_ITSELF, *row) for row in sorted(map(tuple, rows))]
        await _record(connection, disclosed)
    return len(disclosed)


async def with_nodes(line: Line, ask: Callable[[merkle.NodeGetter], Answer]) -> Answer:
    """The answer of a pure tree function, with the stored nodes it asks for.

    The function runs twice: once to learn which nodes it needs, once with them.
    """
    wanted: set[NodeAt] = set()

    def note_down(level: int, index: int) -> bytes:
        wanted.add((level, index))
        return bytes(32)

    ask(note_down)
    found = await nodes_at(line, wanted)
    return ask(lambda level, index: found[level, index])


async def nodes_at(line: Line, wanted: Iterable[NodeAt]) -> dict[NodeAt, bytes]:
    """The hashes of perfect subtrees, leaves included."""
    asked = tuple(wanted)
    if not asked:
        return {}
    above = [place for place in asked if place[0] > 0]
    rows = await line.execute(
        _NODES,
        {
            "leaves": [index for level, index in asked if level == 0],
            "levels": [level for level, _ in above],
            "indexes": [index for _, index in above],
        },
    )
    return {(level, index): value for level, index, value in rows}


async def _checkpoint_note(line: Line, size: int) -> str | None:
    row = (
        await line.execute(
            text("SELECT note FROM kernel.log_checkpoint WHERE size = :size"), {"size": size}
        )
    ).first()
    return None if row is None else str(row[0])


async def _receipts_due(connection: AsyncConnection, *, witnessed: bool, size: int) -> list[UUID]:
    rows = await connection.execute(
        text(
            "SELECT j.id FROM kernel.journal j JOIN kernel.log_place p ON p.entry_id = j.id"
            " WHERE j.receipted AND p.index < :size AND NOT EXISTS (SELECT 1 FROM kernel.receipt r"
            " WHERE r.entry_id = j.id AND r.witnessed = :witnessed)"
        ),
        {"size": size, "witnessed": witnessed},
    )
    return [row[0] for row in rows]


async def _write_receipts(
    connection: AsyncConnection, due: list[UUID], *, size: int, note: str, witnessed: bool
) -> None:
    proofs = await _proofs(connection, due, size=size, note=note)
    for entry_id, proof in proofs.items():
        await connection.execute(
            text(
                "INSERT INTO kernel.receipt (entry_id, witnessed, proof)"
                " VALUES (:id, :witnessed, :proof)"
            ),
            {"id": entry_id, "witnessed": witnessed, "proof": proof},
        )


async def _proofs(
    line: Line, entry_ids: Sequence[UUID], *, size: int, note: str
) -> dict[UUID, str]:
    if not entry_ids:
        return {}
    rows = await line.execute(
        text(
            "SELECT j.id, j.record, j.salt, p.index FROM kernel.journal j"
            " JOIN kernel.log_place p ON p.entry_id = j.id WHERE j.id = ANY(:ids)"
        ),
        {"ids": list(entry_ids)},
    )
    entries = rows.all()
    proofs = {}
    for entry_id, record, salt, index in entries:
        path = await with_nodes(
            line,
            lambda get, index=index: merkle.inclusion_proof(get, index, size),  # type: ignore[misc]  # mypy cannot infer a lambda's default
        )
        proofs[entry_id] = write_proof(record=record, salt=salt, index=index, path=path, note=note)
    return proofs


async def _epoch_for(connection: AsyncConnection, tree: Tree, length: timedelta) -> _Epoch:
    row = (
        await connection.execute(
            text(
                "SELECT number, key, clock_timestamp() - began_at < :length AS current"
                " FROM kernel.filler_epoch WHERE end_index IS NULL"
            ),
            {"length": length},
        )
    ).first()
    if row is not None and row.current:
        return _Epoch(row.number, row.key)
    number = 1 if row is None else row.number + 1
    if row is not None:
        await connection.execute(
            text("UPDATE kernel.filler_epoch SET end_index = :size WHERE number = :number"),
            {"size": tree.size, "number": row.number},
        )
    key = random_bytes(32)
    await connection.execute(
        text(
            "INSERT INTO kernel.filler_epoch (number, key, began_at, first_index)"
            " VALUES (:number, :key, clock_timestamp(), :size)"
        ),
        {"number": number, "key": key, "size": tree.size},
    )
    await _record(
        connection, [FillerKeyCommitted(PLATFORM_ITSELF, number, filler_commitment(number, key))]
    )
    return _Epoch(number, key)


async def _record(connection: AsyncConnection, events: Sequence[Event]) -> None:
    if events:
        await journal.append(
            connection,
            [(EntryId(random_id()), event) for event in events],
            actor=PLATFORM,
            at=await platform_clock(connection),
        )


async def is_witnessed(line: Line, entry_id: UUID, *, quorum: int) -> bool:
    """Whether the entry stands in a checkpoint that at least `quorum` witnesses cosigned."""
    row = await line.execute(
        text(
            "SELECT 1 FROM kernel.log_place p WHERE p.entry_id = :id AND EXISTS (SELECT 1 FROM"
            " kernel.log_checkpoint c WHERE c.size > p.index AND (SELECT count(*) FROM"
            " kernel.log_cosignature w WHERE w.size = c.size) >= :quorum)"
        ),
        {"id": entry_id, "quorum": quorum},
    )
    return row.first() is not None
