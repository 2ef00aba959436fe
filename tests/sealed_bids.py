"""Sealed bids for tests: really sealed to a published lot's custodians, sent and signed for."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from kernel.access import Role
from kernel.crypto import sealing
from kernel.crypto.digests import b64u, canonical, instant_text, sha256
from kernel.crypto.signing import PrivateKey
from kernel.randomness import random_bytes
from kernel.store.clocks import Clock, hand_clock
from kernel.store.transaction import Store, transaction
from tests.tenders import NOW, Cast, Player, PublishedLot, a_cast, a_player, a_published_lot, signed
from trading import uploading
from trading.bidding import Answer, submit
from trading.reception import Reception
from trading.rules.opening_policy import policy_keys
from trading.uploading import Announcement, UploadState

IN_TIME = NOW + timedelta(days=3)
SHEET = canonical(
    {"v": "ebid-sheet/1", "price": "128460000.00", "currency": "CNY", "duration_days": 540}
)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """One sealed envelope: its header, and its payload in parts."""

    kind: str
    header: bytes
    payload: bytes
    head: bytes
    root: bytes

    @property
    def parts(self) -> list[bytes]:
        size = sealing.PART_SIZE
        return [self.payload[at : at + size] for at in range(0, len(self.payload), size)]

    @property
    def announcement(self) -> Announcement:
        digests = tuple(sha256(part) for part in self.parts)
        return Announcement(self.kind, len(self.payload), digests)


@dataclass(frozen=True, slots=True)
class Tender:
    """A published lot and those who made it."""

    cast: Cast
    lot: PublishedLot

    @property
    def lot_id(self) -> UUID:
        return self.lot.lot_id

    @property
    def due_at(self) -> datetime:
        return self.lot.bids_due_at


async def a_tender(store: Store) -> Tender:
    """A lot that is open for bids."""
    cast = await a_cast(store)
    return Tender(cast, await a_published_lot(store, cast))


async def a_bidder(store: Store) -> Player:
    return await a_player(store, Role.BIDDER)


def at(store: Store, instant: datetime) -> Store:
    """The same store with its clock standing still at an instant."""
    return replace(store, clock=hand_clock(instant))


def clocked(store: Store, clock: Clock) -> Store:
    """The same store by another clock."""
    return replace(store, clock=clock)


def a_sealed_file(
    tender: Tender,
    bidder_id: UUID,
    kind: str,
    content: bytes | None = None,
    *,
    escrow: bool = False,
    policy: sealing.PolicyKeys | None = None,
    lot_id: UUID | None = None,
) -> SealedFile:
    """An envelope sealed for a lot, to the custodians of its policy unless another is given."""
    sink = io.BytesIO()
    if content is None:
        content = SHEET if kind == "sheet" else b"PK" + random_bytes(64)
    done = sealing.seal(
        io.BytesIO(content),
        sink,
        meta=sealing.envelope_meta(
            project=str(tender.lot.project_id),
            lot=str(lot_id or tender.lot_id),
            envelope=kind,
            bidder=str(bidder_id),
            nonce=random_bytes(16),
            created=instant_text(IN_TIME),
        ),
        policy=policy or policy_keys(tender.lot.policy),
        bidder_keys=[PrivateKey.generate().public_bytes],
        secrets=sealing.drawn_secrets(random_bytes),
        entropy=random_bytes,
        escrow=escrow,
    )
    container = sink.getvalue()
    return SealedFile(
        kind,
        container[: done.header_size],
        container[done.header_size :],
        done.head,
        done.payload_root,
    )


def a_sealed_bid(
    tender: Tender, bidder: Player, content: bytes | None = None, *, escrow: bool = False
) -> tuple[SealedFile, SealedFile]:
    """Sheet and bid of one bidder."""
    return (
        a_sealed_file(tender, bidder.party, "sheet", escrow=escrow),
        a_sealed_file(tender, bidder.party, "bid", content, escrow=escrow),
    )


async def announced(
    store: Store, who: Player, lot_id: UUID, announcement: Announcement
) -> UploadState:
    async with transaction(store, actor=who.actor) as tx:
        return await uploading.open_upload(tx, lot_id, announcement)


async def sent(store: Store, who: Player, upload_id: UUID, number: int, content: bytes) -> None:
    async with transaction(store, actor=who.actor) as tx:
        await uploading.keep_part(tx, upload_id, number, content)


async def header_sent(store: Store, who: Player, upload_id: UUID, header: bytes) -> None:
    async with transaction(store, actor=who.actor) as tx:
        await uploading.keep_header(tx, upload_id, header)


async def uploaded(
    store: Store, who: Player, lot_id: UUID, files: Sequence[SealedFile]
) -> list[UUID]:
    """Everything of these envelopes, sent while the lot was open; the uploads' ids."""
    then = at(store, IN_TIME)
    ids: list[UUID] = []
    for file in files:
        upload = await announced(then, who, lot_id, file.announcement)
        await header_sent(then, who, upload.id, file.header)
        for number, part in enumerate(file.parts):
            await sent(then, who, upload.id, number, part)
        ids.append(upload.id)
    return ids


def a_submission(
    tender: Tender,
    who: Player,
    files: Sequence[SealedFile],
    *,
    seq: int = 1,
    replaces: bytes | None = None,
    **changes: object,
) -> bytes:
    """The signed statement that submits these envelopes; none of them withdraws the bid."""
    payload: dict[str, object] = {
        "v": "ebid-submission/1",
        "project": str(tender.lot.project_id),
        "lot": str(tender.lot_id),
        "bidder": str(who.party),
        "seq": seq,
        "policy": b64u(tender.lot.policy_hash),
        "envelopes": [
            {
                "envelope": file.kind,
                "head": b64u(file.head),
                "payload_size": len(file.payload),
                "payload_root": b64u(file.root),
            }
            for file in files
        ],
        "replaces": None if replaces is None else b64u(replaces),
        "signed_at": instant_text(IN_TIME),
        **changes,
    }
    return signed(who, "submission", payload)


async def submitted(
    store: Store,
    reception: Reception,
    who: Player,
    tender: Tender,
    raw: bytes,
    *,
    key: str = "",
    at: datetime = IN_TIME,
) -> Answer:
    """The answer to a submission whose last byte came at an instant."""
    return await submit(
        store,
        reception,
        who.actor,
        tender.lot_id,
        raw,
        key=key or sha256(raw).hex(),
        received_at=at,
    )


Tick = Callable[[], Awaitable[None]]


@asynccontextmanager
async def ticking(tick: Tick, *, nap_s: float = 0.15) -> AsyncIterator[None]:
    """Let the log take in what is committed, again and again, until the block ends."""

    async def beat() -> None:
        while True:
            await tick()
            await asyncio.sleep(nap_s)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
