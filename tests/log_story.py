"""A log for tests: things said in it, witnesses who watch it, and exports of it."""

from __future__ import annotations

import io
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, cast

from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette

from kernel.access import PLATFORM, Actor, Role
from kernel.crypto.notes import WitnessSigner
from kernel.events import Audience, Event
from kernel.identifiers import EntryId, PartyId
from kernel.randomness import random_bytes, random_id
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.transaction import Store, transaction
from tests.web.browser import served
from web import exporting_log
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
    line: AsyncConnection, folder: Path, settings: Settings
) -> tuple[int, int, int]:
    """The operator's export of the view `all`: its leaves, its entries, up to where it is whole.

    It takes the place of an older one in the folder, whose checkpoint stays for comparison.
    """
    newest = folder / "checkpoint"
    if newest.exists():
        (folder / "checkpoints").mkdir(exist_ok=True)
        newest.rename(folder / "checkpoints" / newest.read_text().split("\n")[1])
        (folder / "entries.jsonl").unlink()
        shutil.rmtree(folder / "tile")
    signer = founding.read_keys(settings).log_signer
    talk = Console(file=io.StringIO())
    return await exporting_log.write_export(
        line, folder, signer=signer, settings=settings, talk=talk
    )
