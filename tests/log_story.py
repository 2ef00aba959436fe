"""A log for tests: things said in it, witnesses who watch it, and exports of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette

from kernel.access import PLATFORM, Actor, Role
from kernel.crypto import merkle
from kernel.crypto.digests import b64, b64u
from kernel.crypto.notes import WitnessSigner
from kernel.events import Audience, Event
from kernel.identifiers import EntryId, PartyId
from kernel.randomness import random_bytes, random_id
from kernel.store.transaction import Store, transaction
from kernel.store.transparency_log import latest_note, nodes_at
from tests.web.browser import served
from web.witnessing import Memory, Now, create_witness, own_clock

Tick = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Uttered(Event):
    """Something everybody may know."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    words: str


@dataclass(frozen=True, slots=True)
class Sealed(Event):
    """From now on, what is sealed about this subject stays so."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    seals: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Unsealed(Event):
    """What was sealed about this subject may be known."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    discloses: ClassVar[bool] = True
    barrier: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Slipped(Event):
    """Something sealed, whose author gets a receipt."""

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    receipted: ClassVar[bool] = True
    received_at: datetime
    deadline: datetime


def somebody() -> Actor:
    """A bidder that nobody else is."""
    return Actor(Role.BIDDER, party_id=PartyId(random_id()))


async def enter(store: Store, event: Event, actor: Actor = PLATFORM) -> EntryId:
    """Record one event by itself."""
    async with transaction(store, actor=actor) as tx:
        return tx.record(event)


async def utter(store: Store, count: int = 1) -> None:
    """Say something publicly, that many times."""
    for number in range(count):
        await enter(store, Uttered(random_id(), f"word {number}"))


@dataclass(frozen=True, slots=True)
class Bystander:
    """A running witness: its key, its address, and what it remembers."""

    signer: WitnessSigner
    address: str
    memory: Memory

    @property
    def told(self) -> tuple[str, str]:
        """As the platform's settings name it: key and address."""
        return self.signer.vkey, self.address


@asynccontextmanager
async def bystanders(
    count: int, *, log_vkey: str, folder: Path, now: Now = own_clock
) -> AsyncIterator[list[Bystander]]:
    """That many witnesses, each on a port of its own."""
    async with AsyncExitStack() as stack:
        found = []
        for number in range(count):
            signer = WitnessSigner(f"witness{number}.test/w", random_bytes(32))
            memory = Memory(folder / f"witness{number}.state")
            app = create_witness(signer, log_vkey=log_vkey, memory=memory, now=now)
            address = await stack.enter_async_context(served_plainly(app))
            found.append(Bystander(signer, address, memory))
        yield found


@asynccontextmanager
async def served_plainly(app: Starlette) -> AsyncIterator[str]:
    """An application that is no FastAPI one under a free port."""
    async with served(cast(Any, app)) as address:
        yield address


async def write_export(
    line: AsyncConnection,
    folder: Path,
    *,
    log_vkey: str,
    witness_vkeys: Sequence[str] = (),
    quorum: int = 0,
) -> int:
    """Everything the log holds, as an export of the view `all`; the tree's size."""
    note = await latest_note(line, quorum=quorum)
    assert note is not None
    size = int(note.split("\n")[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint").write_text(note)
    await _write_tiles(line, folder, size)
    rows = await line.execute(
        text(
            "SELECT j.id, j.record, j.salt, p.index FROM kernel.journal j"
            " JOIN kernel.log_place p ON p.entry_id = j.id WHERE p.index < :size ORDER BY p.index"
        ),
        {"size": size},
    )
    lines = [
        json.dumps(
            {
                "number": number,
                "id": str(row.id),
                "record": b64(row.record),
                "salt": b64u(row.salt),
                "index": row.index,
            }
        )
        for number, row in enumerate(rows, start=1)
    ]
    (folder / "entries.jsonl").write_text("".join(f"{one}\n" for one in lines))
    keys = {"log": log_vkey, "witnesses": list(witness_vkeys), "quorum": quorum, "view": "all"}
    (folder / "keys.json").write_text(json.dumps(keys))
    return size


async def _write_tiles(line: AsyncConnection, folder: Path, size: int) -> None:
    rows = await line.execute(
        text("SELECT data FROM kernel.log_leaf WHERE index < :size ORDER BY index"), {"size": size}
    )
    leaves = [row[0] for row in rows]
    level = 0
    while (width := size >> (merkle.TILE_HEIGHT * level)) > 0:
        wanted = [(level * merkle.TILE_HEIGHT, index) for index in range(width)]
        found = await nodes_at(line, wanted)
        hashes = [found[place] for place in wanted]
        for number in range(-(-width // merkle.TILE_WIDTH)):
            part = slice(number * merkle.TILE_WIDTH, (number + 1) * merkle.TILE_WIDTH)
            _put(folder, level, number, hashes[part], b"".join(hashes[part]))
            if level == 0:
                _put(folder, None, number, hashes[part], merkle.bundle(leaves[part]))
        level += 1


def _put(folder: Path, level: int | None, number: int, part: list[bytes], content: bytes) -> None:
    path = folder / merkle.tile_path(level, number, len(part))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
