"""A bidder's sealed envelopes come in parts, in any order and as often as the line demands.

An envelope is its header, sent whole, and its payload, sent in parts of 8 MiB; the header is no
part, so part *i* is leaf *i* of the payload's root. A part is named by its digest and kept once for
all uploads of that bidder to that lot: sealing a bid to new custodians changes the header alone,
and the payload need not be sent again.

What is kept lies in a drawer of its own. There is no way to read it from here: until a lot is
closed nobody may decrypt or extract a bid (电子招标投标办法 27); the only reader is the opening.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import col

from kernel.access import PLATFORM, Role, by
from kernel.crypto import merkle, sealing
from kernel.crypto.digests import Malformed, sha256
from kernel.errors import BrokenSeal, NotFound, Outrun, Refused, TooMuch
from kernel.failpoints import failpoint
from kernel.identifiers import UploadId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import E_BIDDING_MEASURES
from kernel.store.clocks import unshifted_clock
from kernel.store.database import lock_exclusive, lock_key, lock_shared
from kernel.store.documents import Documents
from kernel.store.parties import require_verified, take_part
from kernel.store.transaction import Store, Transaction, transaction
from trading.prequalification_rounds import newest_round, times_of
from trading.rules.bid_admission import lateness_refusals
from trading.rules.lot_lifecycle import LotState
from trading.rules.prequalification import lateness_refusals as application_lateness
from trading.tables import (
    ApplicationRow,
    BidEnvelopeRow,
    LotRow,
    UploadDiscardedRow,
    UploadHeaderRow,
    UploadPartRow,
    UploadRow,
    UploadWholeRow,
)

DRAWER: Final = "sealed"
LIVE_UPLOADS_MAX: Final = 16
"""How many uploads of one bidder to one lot may wait for a bid to refer to them."""

LIVE_PAYLOADS_MAX: Final = 2
"""How many of the largest payloads those uploads may announce together."""

ABANDONED_AFTER: Final = timedelta(hours=48)
SWEPT_AT_ONCE: Final = 50
PARTS_KEPT: Final = "parts:kept"
"""Held by whoever copies the documents: until then no part leaves the disk."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a bidder is about to send: which envelope, its payload's size, its parts' SHA-256."""

    envelope: str
    payload_size: int
    part_digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class UploadState:
    """How far an upload is; `missing` are the numbers of the parts that have not come, from 0."""

    id: UploadId
    lot_id: UUID
    envelope: str
    payload_size: int
    part_count: int
    missing: tuple[int, ...]
    head: bytes | None

    @property
    def is_complete(self) -> bool:
        """Whether header and every part are there."""
        return self.head is not None and not self.missing


@dataclass(frozen=True, slots=True)
class Whole:
    """What the platform itself computed over a payload that is there whole."""

    payload_root: bytes
    payload_sha256: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """An upload with its header, and what it digests to where that is computed."""

    upload: UploadRow
    header: bytes
    whole: Whole | None


def sealed_drawer(documents: Documents) -> Documents:
    """Where payloads lie, apart from everything that can be asked for by its digest."""
    return documents.drawer(DRAWER)


def bidder_lock(lot_id: UUID, bidder_id: UUID) -> str:
    """The lock under which one bidder's submissions to one lot are judged one after another."""
    return f"bidder:{lot_id}/{bidder_id}"


# ── what a bidder does ────────────────────────────────────────────────────────────────────────


@by(Role.BIDDER)
async def open_upload(tx: Transaction, lot_id: UUID, announced: Announcement) -> UploadState:
    """Announce an envelope's payload; announcing the same one again finds the same upload."""
    lot = await open_lot(tx, lot_id)
    await lock_exclusive(tx.session, f"uploads:{lot_id}/{tx.actor.party}")
    live = await _live_uploads(tx, lot_id)

    _judge_announcement(tx, announced)
    for upload in live:
        if _announces(upload, announced):
            return await _state(tx, upload)
    _judge_quota(tx, announced, live)
    await require_verified(tx)
    await take_part(tx, lot.id)

    upload = UploadRow(
        id=random_id(),
        lot_id=lot.id,
        bidder_id=tx.actor.party,
        person_id=tx.actor.person,
        envelope=announced.envelope,
        payload_size=announced.payload_size,
        part_digests=list(announced.part_digests),
        opened_at=tx.now,
        begun_at=await unshifted_clock(tx.session),
    )
    tx.session.add(upload)
    await tx.session.flush()

    return await _state(tx, upload)


@by(Role.BIDDER)
async def keep_header(tx: Transaction, upload_id: UUID, header: bytes) -> UploadState:
    """Keep the header that belongs to an upload; it stands once it is there.

    Bytes that are no header are not sealed, and refused with a prompt (电子招标投标办法 26).
    """
    upload = await _own(tx, upload_id)
    await open_lot(tx, upload.lot_id)
    known = await tx.session.get(UploadHeaderRow, upload.id)

    head = _head_in(header)
    if known is not None and known.header != header:
        raise Outrun("this upload has another header; announce a new upload")

    if known is None:
        tx.session.add(
            UploadHeaderRow(upload_id=upload.id, head=head, header=header, kept_at=tx.now)
        )
        await tx.session.flush()

    return await _state(tx, upload)


@by(Role.BIDDER)
async def keep_part(tx: Transaction, upload_id: UUID, number: int, content: bytes) -> UploadState:
    """Keep one part durably; the same part again changes nothing.

    `Malformed` where the bytes are not the part that was announced under this number.
    """
    upload = await _own(tx, upload_id)
    await open_lot(tx, upload.lot_id)
    if not 0 <= number < len(upload.part_digests):
        raise NotFound("no such part")
    digest = upload.part_digests[number]

    expected = part_size(upload.payload_size, number)
    if len(content) != expected:
        raise Malformed(f"part {number} has {expected} bytes, not {len(content)}", code="part_size")
    actual, leaf = await asyncio.to_thread(lambda: (sha256(content), merkle.leaf_hash(content)))
    if actual != digest:
        raise Malformed(f"these are not the bytes announced as part {number}", code="wrong_digest")

    await lock_shared(tx.session, _part_lock(digest))
    await _keep_whole(sealed_drawer(tx.documents), digest, content)
    await tx.session.execute(
        insert(UploadPartRow)
        .values(
            lot_id=upload.lot_id,
            bidder_id=upload.bidder_id,
            digest=digest,
            size=expected,
            leaf=leaf,
            kept_at=tx.now,
        )
        .on_conflict_do_nothing()
    )

    return await _state(tx, upload)


@by(Role.BIDDER)
async def upload_state(tx: Transaction, upload_id: UUID) -> UploadState:
    """How far an own upload is; another's is not there."""
    return await _state(tx, await _own(tx, upload_id))


@by(Role.BIDDER)
async def own_uploads(tx: Transaction, lot_id: UUID) -> list[UploadState]:
    """The acting bidder's uploads to a lot that no bid refers to yet, oldest first."""
    return [await _state(tx, upload) for upload in await _live_uploads(tx, lot_id)]


@by(Role.BIDDER, Role.PLATFORM)
async def discard_upload(tx: Transaction, upload_id: UUID) -> None:
    """Give up an upload that no bid refers to; its parts leave the disk with the next sweep."""
    upload = await tx.session.get(UploadRow, upload_id)
    if upload is None or (tx.actor.role is Role.BIDDER and upload.bidder_id != tx.actor.party):
        raise NotFound("no such upload")
    await lock_exclusive(tx.session, bidder_lock(upload.lot_id, upload.bidder_id))
    if await tx.session.get(UploadDiscardedRow, upload_id) is not None:
        return

    if await tx.session.scalar(select(_is_referred_to(upload_id))):
        raise Outrun("a bid refers to this upload")

    tx.session.add(UploadDiscardedRow(upload_id=upload_id, discarded_at=tx.now))
    await tx.session.execute(
        text(
            "DELETE FROM trading.upload_part p WHERE p.lot_id = :lot AND p.bidder_id = :bidder"
            " AND p.digest = ANY(:digests) AND NOT EXISTS (SELECT 1 FROM trading.upload u"
            " WHERE u.lot_id = p.lot_id AND u.bidder_id = p.bidder_id AND u.id <> :upload"
            " AND p.digest = ANY(u.part_digests) AND NOT EXISTS"
            " (SELECT 1 FROM trading.upload_discarded d WHERE d.upload_id = u.id))"
        ),
        {
            "lot": upload.lot_id,
            "bidder": upload.bidder_id,
            "digests": upload.part_digests,
            "upload": upload_id,
        },
    )


# ── what the platform does ────────────────────────────────────────────────────────────────────


async def assemble(store: Store, upload_id: UUID) -> Whole | None:
    """Read an upload through once it is complete, and note what it digests to; None before.

    A part whose stored bytes are damaged is taken out, so that it is missing and can be sent again.
    """
    async with store.sessions() as session:
        known = await session.get(UploadWholeRow, upload_id)
        upload = await session.get_one(UploadRow, upload_id)
        present = await _present_in(session, upload)
    if known is not None:
        return Whole(known.payload_root, known.payload_sha256)
    if _missing(upload, present):
        return None
    digest = sealing.PayloadDigest()
    drawer = sealed_drawer(store.documents)
    for part in upload.part_digests:
        try:
            content = await drawer.read(part)
        except (BrokenSeal, NotFound):
            await _take_out(store, upload, part)
            return None
        await asyncio.to_thread(digest.update, content)
    whole = Whole(digest.root, digest.sha256)
    await failpoint("upload.before_whole")
    async with store.sessions.begin() as session:
        await session.execute(
            insert(UploadWholeRow)
            .values(
                upload_id=upload_id,
                payload_root=whole.payload_root,
                payload_sha256=whole.payload_sha256,
            )
            .on_conflict_do_nothing()
        )
    return whole


async def sweep(store: Store) -> int:
    """Give up uploads that led nowhere, and take what was given up off the disk; how many.

    An upload leads nowhere once its lot is closed without it, or when it is two days old. May be
    called at any time and by anyone; a sweep that dies is finished by the next. While somebody
    copies the documents, nothing leaves the disk.
    """
    async with store.sessions() as session:
        before = await unshifted_clock(session) - ABANDONED_AFTER
        stale = await session.scalars(_abandoned(before).limit(SWEPT_AT_ONCE))
        stale_ids = list(stale)
    for upload_id in stale_ids:
        try:
            async with transaction(store, actor=PLATFORM) as tx:
                await discard_upload(tx, upload_id)
        except Outrun:
            continue
    await failpoint("upload.between_sweeps")
    async with store.sessions() as session:
        full = await session.scalars(
            select(col(UploadDiscardedRow.upload_id))
            .where(col(UploadDiscardedRow.emptied).is_(False))
            .limit(SWEPT_AT_ONCE)
        )
        full_ids = list(full)
    return sum([await _empty(store, upload_id) for upload_id in full_ids])


@asynccontextmanager
async def all_parts_kept(connection: AsyncConnection) -> AsyncIterator[None]:
    """While this lasts, no part leaves the disk; the connection must commit by itself."""
    key = {"key": lock_key(PARTS_KEPT)}
    await connection.execute(text("SELECT pg_advisory_lock_shared(:key)"), key)
    try:
        yield
    finally:
        await connection.execute(text("SELECT pg_advisory_unlock_shared(:key)"), key)


async def _empty(store: Store, upload_id: UUID) -> bool:
    drawer = sealed_drawer(store.documents)
    async with store.sessions.begin() as session:
        if not await session.scalar(select(func.pg_try_advisory_xact_lock(lock_key(PARTS_KEPT)))):
            return False
        row = await session.get_one(UploadDiscardedRow, upload_id, with_for_update=True)
        upload = await session.get_one(UploadRow, upload_id)
        for digest in sorted(set(upload.part_digests)):
            await lock_exclusive(session, _part_lock(digest))
            needed = await session.scalar(
                select(exists().where(col(UploadPartRow.digest) == digest))
            )
            if not needed:
                await drawer.discard(digest)
        row.emptied = True
    return True


async def _take_out(store: Store, upload: UploadRow, digest: bytes) -> None:
    async with store.sessions.begin() as session:
        await lock_exclusive(session, _part_lock(digest))
        await session.execute(
            delete(UploadPartRow).where(
                col(UploadPartRow.lot_id) == upload.lot_id,
                col(UploadPartRow.bidder_id) == upload.bidder_id,
                col(UploadPartRow.digest) == digest,
            )
        )


async def uploads_of(tx: Transaction, lot_id: UUID, bidder_id: UUID, head: bytes) -> Sequence[Sent]:
    """A bidder's uploads whose header has this digest, the newest first."""
    rows = await tx.session.execute(
        select(UploadRow, UploadHeaderRow, UploadWholeRow)
        .join(UploadHeaderRow, col(UploadHeaderRow.upload_id) == col(UploadRow.id))
        .outerjoin(UploadWholeRow, col(UploadWholeRow.upload_id) == col(UploadRow.id))
        .where(
            col(UploadRow.lot_id) == lot_id,
            col(UploadRow.bidder_id) == bidder_id,
            col(UploadHeaderRow.head) == head,
            ~_is_discarded(),
        )
        .order_by(col(UploadRow.begun_at).desc(), col(UploadRow.id))
    )
    return [
        Sent(
            upload,
            header.header,
            None if whole is None else Whole(whole.payload_root, whole.payload_sha256),
        )
        for upload, header, whole in rows
    ]


async def missing_parts(tx: Transaction, upload: UploadRow) -> tuple[int, ...]:
    """The numbers of an upload's parts that are not there, from 0."""
    return _missing(upload, await _present_in(tx.session, upload))


# ── what they are made of ─────────────────────────────────────────────────────────────────────


def part_size(payload_size: int, number: int) -> int:
    """How many bytes part `number` of a payload has: 8 MiB, the last one what is left."""
    return min(sealing.PART_SIZE, payload_size - number * sealing.PART_SIZE)


def part_count(payload_size: int) -> int:
    """In how many parts a payload comes."""
    return math.ceil(payload_size / sealing.PART_SIZE)


async def open_lot(tx: Transaction, lot_id: UUID) -> LotRow:
    """A lot that takes envelopes now, of bids or of applications for its prequalification.

    There is none while it is a mere draft, and it is late after.
    """
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None:
        raise NotFound("no such lot")
    if lot.published_at is None or lot.bids_due_at is None:
        await _require_applications(tx, lot)
        return lot
    refusals = lateness_refusals(tx.now, lot_state=LotState(lot.state), bids_due_at=lot.bids_due_at)
    if refusals:
        raise Refused(refusals)
    return lot


async def _require_applications(tx: Transaction, lot: LotRow) -> None:
    found = await newest_round(tx.session, lot.id)
    if found is None or lot.state != LotState.DRAFT:
        raise NotFound("no such lot")
    times = await times_of(tx.session, found)
    refusals = application_lateness(tx.now, applications_due_at=times.applications_due_at)
    if refusals:
        raise Refused(refusals)


def _judge_announcement(tx: Transaction, announced: Announcement) -> None:
    most = tx.settings.upload_bytes_max
    if announced.envelope not in sealing.PADDING_UNITS:
        raise Malformed("no such kind of envelope", code="unknown_envelope")
    if not 0 < announced.payload_size <= most:
        raise Malformed(f"a payload has at least one and at most {most} bytes", code="upload_size")
    count = part_count(announced.payload_size)
    if len(announced.part_digests) != count:
        raise Malformed(
            f"{announced.payload_size} bytes come in {count} parts of {sealing.PART_SIZE} bytes,"
            f" not in {len(announced.part_digests)}",
            code="part_count",
        )
    if any(len(digest) != 32 for digest in announced.part_digests):
        raise Malformed("a part is named by its SHA-256", code="part_digest")


def _judge_quota(tx: Transaction, announced: Announcement, live: Sequence[UploadRow]) -> None:
    if len(live) >= LIVE_UPLOADS_MAX:
        raise TooMuch(f"本单位在本标段已有{len(live)}个尚未递交的上传，请先递交或者放弃其中之一")
    waiting = sum(upload.payload_size for upload in live)
    most = LIVE_PAYLOADS_MAX * tx.settings.upload_bytes_max
    if waiting + announced.payload_size > most:
        raise TooMuch(f"本单位在本标段尚未递交的上传共{waiting}字节，加上本次将超过{most}字节")


def _announces(upload: UploadRow, announced: Announcement) -> bool:
    same = (upload.envelope, upload.payload_size, tuple(upload.part_digests))
    return same == (announced.envelope, announced.payload_size, announced.part_digests)


def _head_in(header: bytes) -> bytes:
    try:
        parsed = sealing.parse_header(header)
    except Malformed as fault:
        raise Refused([not_sealed(fault.code)]) from None
    if parsed.payload_offset != len(header):
        raise Refused([not_sealed("trailing_bytes")])
    return parsed.head


def not_sealed(code: str) -> Refusal:
    """The refusal of bytes that are no sealed envelope, with a prompt to seal them."""
    return Refusal(
        "not_sealed",
        E_BIDDING_MEASURES[26],
        "所传文件不是按本标段开标规则加密的投标文件，已拒收；请先用投标加密工具加密后再上传",
        {"fault": code},
    )


async def _keep_whole(drawer: Documents, digest: bytes, content: bytes) -> None:
    """Keep the part; bytes under its name that a crash has torn are replaced."""
    if await drawer.has(digest):
        try:
            await drawer.read(digest)
        except BrokenSeal:
            await drawer.discard(digest)
    await drawer.keep(content)


async def _own(tx: Transaction, upload_id: UUID) -> UploadRow:
    upload = await tx.session.get(UploadRow, upload_id)
    if upload is None or upload.bidder_id != tx.actor.party:
        raise NotFound("no such upload")
    if await tx.session.get(UploadDiscardedRow, upload_id) is not None:
        raise NotFound("no such upload")
    return upload


async def _live_uploads(tx: Transaction, lot_id: UUID) -> Sequence[UploadRow]:
    rows = await tx.session.scalars(
        select(UploadRow)
        .where(
            col(UploadRow.lot_id) == lot_id,
            col(UploadRow.bidder_id) == tx.actor.party,
            ~_is_discarded(),
            ~_is_submitted(),
        )
        .order_by(col(UploadRow.begun_at), col(UploadRow.id))
    )
    return rows.all()


async def _state(tx: Transaction, upload: UploadRow) -> UploadState:
    present = await _present_in(tx.session, upload)
    header = await tx.session.get(UploadHeaderRow, upload.id)
    return UploadState(
        UploadId(upload.id),
        upload.lot_id,
        upload.envelope,
        upload.payload_size,
        len(upload.part_digests),
        _missing(upload, present),
        None if header is None else header.head,
    )


async def _present_in(session: AsyncSession, upload: UploadRow) -> dict[bytes, int]:
    rows = await session.execute(
        select(col(UploadPartRow.digest), col(UploadPartRow.size)).where(
            col(UploadPartRow.lot_id) == upload.lot_id,
            col(UploadPartRow.bidder_id) == upload.bidder_id,
            col(UploadPartRow.digest).in_(upload.part_digests),
        )
    )
    return {digest: size for digest, size in rows}


def _missing(upload: UploadRow, present: Mapping[bytes, int]) -> tuple[int, ...]:
    return tuple(
        number
        for number, digest in enumerate(upload.part_digests)
        if present.get(digest) != part_size(upload.payload_size, number)
    )


def _part_lock(digest: bytes) -> str:
    return f"part:{digest.hex()}"


def _is_discarded() -> ColumnElement[bool]:
    return exists().where(col(UploadDiscardedRow.upload_id) == col(UploadRow.id))


def _is_submitted() -> ColumnElement[bool]:
    return or_(
        exists().where(col(BidEnvelopeRow.upload_id) == col(UploadRow.id)),
        exists().where(col(ApplicationRow.upload_id) == col(UploadRow.id)),
    )


def _is_referred_to(upload_id: UUID) -> ColumnElement[bool]:
    return or_(
        exists().where(col(BidEnvelopeRow.upload_id) == upload_id),
        exists().where(col(ApplicationRow.upload_id) == upload_id),
    )


def _abandoned(before: datetime) -> Select[UUID]:
    # Who applies for a prequalification uploads while the lot is a draft.
    over = col(LotRow.state).not_in([LotState.DRAFT, LotState.OPEN, LotState.CLOSING])
    return (
        select(col(UploadRow.id))
        .join(LotRow, col(LotRow.id) == col(UploadRow.lot_id))
        .where(~_is_discarded(), ~_is_submitted(), or_(over, col(UploadRow.begun_at) < before))
        .order_by(col(UploadRow.begun_at))
    )
