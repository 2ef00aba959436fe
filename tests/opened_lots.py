"""Lots under way at their opening, for tests: really sealed bids, closed, released, opened."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from kernel.access import PLATFORM
from kernel.crypto import sealing
from kernel.crypto.digests import b64u, canonical, instant_text
from kernel.crypto.signing import PrivateKey
from kernel.identifiers import LotId
from kernel.randomness import random_bytes
from kernel.store.transaction import Store, transaction
from tests.sealed_bids import (
    IN_TIME,
    SealedFile,
    Tender,
    a_bidder,
    a_submission,
    a_tender,
    at,
    uploaded,
)
from tests.tenders import Player, signed
from trading import closing, lots, opening, reception
from trading.bidding import submit
from trading.rules.opening_policy import policy_keys
from trading.tables import LotRow

PRICES = ("128460000.00", "125300500.00", "127900000.00")
"""Of the three bids of a closed lot."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One bidder at an opening: what it sealed, and the key that releases it."""

    player: Player
    key: PrivateKey
    sheet: dict[str, object]
    files: tuple[SealedFile, SealedFile]


@dataclass(slots=True)
class Hall:
    """A lot whose bids are being opened."""

    store: Store
    tender: Tender
    entries: list[Entry] = field(default_factory=list)

    @property
    def lot_id(self) -> LotId:
        return LotId(self.tender.lot_id)

    @property
    def in_window(self) -> datetime:
        return self.tender.due_at + timedelta(minutes=5)

    async def lot(self) -> LotRow:
        async with transaction(self.store, actor=PLATFORM) as tx:
            return await lots.hold(tx, self.lot_id)

    async def window_ends_at(self) -> datetime:
        lot = await self.lot()
        assert lot.release_until is not None
        return lot.release_until


def sealed_by(
    tender: Tender, bidder: UUID, key: PrivateKey, kind: str, content: bytes, *, escrow: bool
) -> SealedFile:
    """An envelope whose own secret this key unwraps."""
    sink = io.BytesIO()
    done = sealing.seal(
        io.BytesIO(content),
        sink,
        meta=sealing.envelope_meta(
            project=str(tender.lot.project_id),
            lot=str(tender.lot_id),
            envelope=kind,
            bidder=str(bidder),
            nonce=random_bytes(16),
            created=instant_text(IN_TIME),
        ),
        policy=policy_keys(tender.lot.policy),
        bidder_keys=[key.public_bytes],
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


async def an_entry(
    store: Store,
    tender: Tender,
    price: str,
    *,
    escrow: bool = False,
    sheet: bytes | None = None,
    bid: bytes | None = None,
    spoil: Callable[[SealedFile], SealedFile] | None = None,
    player: Player | None = None,
) -> Entry:
    """A bidder whose sealed bid was taken in before the deadline; `spoil` changes its envelopes."""
    player, key = player or await a_bidder(store), PrivateKey.generate()
    said: dict[str, object] = {"v": "ebid-sheet/1", "price": price, "currency": "CNY"}
    content = canonical(said) if sheet is None else sheet
    files = (
        sealed_by(tender, player.party, key, "sheet", content, escrow=escrow),
        sealed_by(tender, player.party, key, "bid", bid or b"PK" + random_bytes(99), escrow=escrow),
    )
    if spoil is not None:
        files = (spoil(files[0]), spoil(files[1]))
    await uploaded(store, player, tender.lot_id, files)
    raw = a_submission(tender, player, files)
    async with reception.opened(store, patience_s=0) as counter:
        answer = await submit(
            store, counter, player.actor, tender.lot_id, raw, key="k", received_at=IN_TIME
        )
    assert answer.judgement is not None
    return Entry(player, key, said, files)


async def a_hall(store: Store, tender: Tender, entries: list[Entry]) -> Hall:
    """The lot closed, its release window running."""
    await closing.close_lot(at(store, tender.due_at + timedelta(seconds=3)), LotId(tender.lot_id))
    return Hall(store, tender, entries)


async def a_closed_lot(store: Store) -> Hall:
    """A lot with three bids, closed, whose release window is running."""
    tender = await a_tender(store)
    return await a_hall(store, tender, [await an_entry(store, tender, one) for one in PRICES])


def release_statement(hall: Hall, entry: Entry, *, spoilt: bool = False) -> bytes:
    secrets = []
    for file in entry.files:
        header = sealing.parse_header(file.header)
        secret = sealing.unwrap(header, sealing.BIDDER, entry.key.kid, entry.key)
        secrets.append({"head": b64u(file.head), "secret": b64u(bytes(32) if spoilt else secret)})
    return signed(
        entry.player,
        "release",
        {
            "v": "ebid-release/1",
            "lot": str(hall.lot_id),
            "secrets": secrets,
            "signed_at": instant_text(hall.in_window),
        },
    )


async def released(hall: Hall, entry: Entry, *, at: datetime | None = None) -> None:
    async with transaction(hall.store, actor=entry.player.actor, now=at or hall.in_window) as tx:
        await opening.release(tx, hall.lot_id, release_statement(hall, entry))


async def window_ended(hall: Hall) -> None:
    store = replace(hall.store, clock=at(hall.store, await hall.window_ends_at()).clock)
    await opening.proceed(store, hall.lot_id)


def fallback_statement(hall: Hall, who: Player) -> bytes:
    return signed(
        who,
        "fallback",
        {
            "v": "ebid-fallback/1",
            "lot": str(hall.lot_id),
            "signed_at": instant_text(hall.in_window),
        },
    )


async def fallback_agreed(hall: Hall, who: Player) -> None:
    async with transaction(hall.store, actor=who.actor, now=await hall.window_ends_at()) as tx:
        await opening.agree_fallback(tx, hall.lot_id, fallback_statement(hall, who))


async def shares_of(hall: Hall, custodian: Player, *, spoilt: bool = False) -> bytes:
    """The signed shares of everything this custodian is asked for."""
    async with transaction(
        hall.store, actor=custodian.actor, now=await hall.window_ends_at()
    ) as tx:
        asked = await opening.share_request(tx, hall.lot_id)
    key = custodian.lot_keys[hall.lot_id]
    shares = []
    for _, component, header_bytes in asked.headers:
        header = sealing.parse_header(header_bytes)
        for share in sealing.unwrap_shares(header, component, key.kid, key):
            given = bytes(len(share)) if spoilt else share
            shares.append({"head": b64u(header.head), "component": component, "share": b64u(given)})
    return signed(
        custodian,
        "shares",
        {
            "v": "ebid-shares/1",
            "lot": str(hall.lot_id),
            "shares": shares,
            "signed_at": instant_text(hall.in_window),
        },
    )


async def shares_given(hall: Hall, custodian: Player) -> None:
    raw = await shares_of(hall, custodian)
    async with transaction(
        hall.store, actor=custodian.actor, now=await hall.window_ends_at()
    ) as tx:
        await opening.give_shares(tx, hall.lot_id, raw)


async def everything_opened(hall: Hall) -> None:
    """Three custodians give their shares, and what is then due is done."""
    for custodian in hall.tender.cast.custodians[:3]:
        await shares_given(hall, custodian)
    await opening.proceed(at(hall.store, await hall.window_ends_at()), hall.lot_id)


async def an_opened_lot(store: Store, tender: Tender, prices: Sequence[str]) -> Hall:
    """A lot whose bids, at these prices, lie open."""
    hall = await a_hall(store, tender, [await an_entry(store, tender, p) for p in prices])
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    return hall
