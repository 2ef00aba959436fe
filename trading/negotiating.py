"""A supplier's side of the talks: it answers, leaves, and names its last price, once.

A last price is handed in as a signed commitment with a salt that stays with the supplier, so that
there is nothing to read before the deadline. Afterwards the supplier opens it itself; who does not
counts as having left. What others say or ask for is never shown here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, b64u, count_of, list_of, members, text_of, unb64u
from kernel.errors import NotFound, Refused
from kernel.identifiers import EntryId, LotId
from kernel.money import parse_yuan
from kernel.store.database import lock_exclusive
from kernel.store.parties import live_keys, take_part, verified_statement
from kernel.store.tables import PlatformRow
from kernel.store.transaction import Transaction
from trading import lots
from trading.drafting import clean_text, file_name
from trading.events import LastPriceHandedIn, LastPriceOpened, SupplierLeft, TalkAnswered
from trading.petitions import Evidence, require_files_kept
from trading.rules.lot_lifecycle import LotState
from trading.rules.price_talks import (
    SALT_SIZE,
    TalkPhase,
    hand_in_refusals,
    leave_refusals,
    open_refusals,
    price_commitment,
    refiling_refusals,
    reply_refusals,
    standstill_refusals,
)
from trading.rules.procedures import TALKED, Procedure
from trading.tables import (
    LastPriceOpeningRow,
    LastPriceRow,
    LotRow,
    OpenedBidRow,
    ProjectRow,
    TalkAnswerRow,
    TalkLeaveRow,
)
from trading.talk_records import OPENED, TalkFile, talk_file
from trading.talking import WORDS_MAX, ChangeTold, TalkTold, changes_in, talks_with

FILES_MAX: Final = 20
"""How many files of a response one answer may bring."""


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A last price that was taken in, and the journal's entry whose receipt follows."""

    entry_id: EntryId
    seq: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class OwnTalks:
    """The talks as one supplier sees them: its own, and what all were told."""

    lot_id: LotId
    lot_name: str
    project_name: str
    procedure: Procedure
    bidder_id: UUID
    phase: TalkPhase
    first_price: Decimal | None
    talks: tuple[TalkTold, ...]
    changes: tuple[ChangeTold, ...]
    left_at: datetime | None
    asked: bool
    due_at: datetime | None
    window_until: datetime | None
    suspended: bool
    seq: int
    commitment: bytes | None
    handed_in_at: datetime | None
    entry_id: EntryId | None
    opened_at: datetime | None
    price: Decimal | None


@by(Role.BIDDER)
async def lots_in_talks(tx: Transaction) -> frozenset[UUID]:
    """The lots about which the acting supplier is being talked with."""
    found = await tx.session.scalars(
        select(col(LotRow.id))
        .join(OpenedBidRow, col(OpenedBidRow.lot_id) == col(LotRow.id))
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .where(
            col(OpenedBidRow.bidder_id) == tx.actor.party,
            col(OpenedBidRow.outcome).in_(OPENED),
            col(LotRow.state) == LotState.IN_EVALUATION,
            col(ProjectRow.procedure).in_(TALKED),
        )
    )
    return frozenset(found)


@by(Role.BIDDER)
async def own_talks(tx: Transaction, lot_id: LotId) -> OwnTalks:
    """What concerns the acting supplier; `NotFound` for whoever does not take part."""
    file = await _own_file(tx, lot_id)
    party = tx.actor.party
    project = await lots.project_of(tx, file.lot)
    left = file.left.get(party)
    handed_in = file.handed_in.get(party)
    opened = file.opened.get(party)
    asked = party in file.asked
    return OwnTalks(
        lot_id,
        file.lot.name,
        project.name,
        Procedure(project.procedure),
        party,
        file.phase,
        file.first_prices[party],
        talks_with(file, party),
        tuple(one for one in changes_in(file) if left is None or one.confirmed_at <= left.left_at),
        None if left is None else left.left_at,
        asked,
        None if file.times is None or not asked else file.times.due_at,
        None if file.times is None or not asked else file.times.window_until,
        file.lot.suspended,
        0 if handed_in is None else handed_in.seq,
        None if handed_in is None else handed_in.commitment,
        None if handed_in is None else handed_in.handed_in_at,
        None if handed_in is None else EntryId(handed_in.entry_id),
        None if opened is None else opened.opened_at,
        None if opened is None else opened.price,
    )


@by(Role.BIDDER)
async def answer_talk(tx: Transaction, lot_id: LotId, talk_id: UUID, raw: bytes) -> None:
    """Answer what the group put to the acting supplier; its words count as its response.

    Once the demand was changed it may bring files of the response anew, which were sent before.
    """
    file = await _own_file(tx, lot_id, alone=True)
    statement = await verified_statement(
        tx, raw, "talk-answer", lot=lot_id, project=file.lot.project_id, talk=talk_id
    )
    talk = next(
        (one for one in file.talks if one.id == talk_id and one.bidder_id == tx.actor.party), None
    )
    if talk is None:
        raise NotFound("no such talk with you")
    words = clean_text(statement.payload["words"], at_most=WORDS_MAX)
    files = _files_in(statement.payload)
    kept = [Evidence(name, "", name, digest) for name, digest in files.items()]
    await require_files_kept(tx, lot_id, kept)
    known = file.answers.get(talk_id)
    if known is not None and known.digest == statement.digest:
        return

    refusals = standstill_refusals(suspended=file.lot.suspended, article=file.article)
    refusals += reply_refusals(file.phase, answered=known is not None, article=file.article)
    refusals += leave_refusals(file.phase, left=tx.actor.party in file.left, article=file.article)
    refusals += refiling_refusals(files=len(files), changes=len(file.changes), article=file.article)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        TalkAnswerRow(
            talk_id=talk_id,
            words=words,
            files=[{"name": name, "file": b64u(digest)} for name, digest in files.items()],
            digest=statement.digest,
            statement=raw,
            answered_by=tx.actor.person,
            answered_at=tx.now,
        )
    )

    tx.record(TalkAnswered(lot_id, file.bids[tx.actor.party], talk.turn, statement.digest))


@by(Role.BIDDER)
async def leave(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """Leave the talks; the same statement again is the same act."""
    file = await _own_file(tx, lot_id, alone=True)
    statement = await verified_statement(
        tx, raw, "talk-leave", lot=lot_id, project=file.lot.project_id
    )
    known = file.left.get(tx.actor.party)
    if known is not None and known.digest == statement.digest:
        return

    refusals = leave_refusals(file.phase, left=known is not None, article=file.article)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        TalkLeaveRow(
            lot_id=lot_id,
            bidder_id=tx.actor.party,
            digest=statement.digest,
            statement=raw,
            left_at=tx.now,
        )
    )

    tx.record(SupplierLeft(lot_id, file.bids[tx.actor.party], statement.digest))


@by(Role.BIDDER)
async def hand_in_last_price(tx: Transaction, lot_id: LotId, raw: bytes) -> HandedIn:
    """Take in the commitment to a last price; before the deadline a newer one takes its place.

    The same statement again is answered as it was.
    """
    file = await _own_file(tx, lot_id, alone=True)
    statement = await verified_statement(
        tx, raw, "last-price", lot=lot_id, project=file.lot.project_id
    )
    before = file.handed_in.get(tx.actor.party)
    if before is not None and before.digest == statement.digest:
        return _handed_in(before)
    if file.times is None or tx.actor.party not in file.asked:
        raise NotFound("no last price of yours was asked for")
    said = statement.payload
    seq = 1 if before is None else before.seq + 1
    if count_of(said["seq"]) != seq:
        raise Malformed(f"the next last price is number {seq}", code="sequence")
    if count_of(said["changes"]) != len(file.changes):
        raise Malformed("a last price follows every change of the demand", code="changes")
    commitment = unb64u(text_of(said["commitment"]), 32)

    refusals = standstill_refusals(suspended=file.lot.suspended, article=file.article)
    refusals += hand_in_refusals(file.phase, left=tx.actor.party in file.left, article=file.article)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    keys = await live_keys(tx.session, tx.actor.person)
    platform = await tx.session.get_one(PlatformRow, True)
    entry_id = tx.record(
        LastPriceHandedIn(
            lot_id,
            addressee_id=tx.actor.party,
            seq=seq,
            commitment=commitment,
            statement_digest=statement.digest,
            received_at=tx.now,
            deadline=file.times.due_at,
            demo=platform.demo,
        )
    )
    row = LastPriceRow(
        lot_id=lot_id,
        bidder_id=tx.actor.party,
        seq=seq,
        commitment=commitment,
        digest=statement.digest,
        statement=raw,
        keyid=statement.keyid,
        public_key=keys[statement.keyid],
        handed_in_at=tx.now,
        entry_id=entry_id,
    )
    tx.session.add(row)

    return _handed_in(row)


@by(Role.BIDDER)
async def open_last_price(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """A supplier opens its own last price after the deadline, inside the window.

    What does not fit the commitment is refused and may be sent again; it can fit nothing else.
    """
    file = await _own_file(tx, lot_id, alone=True)
    statement = await verified_statement(
        tx, raw, "last-price-opening", lot=lot_id, project=file.lot.project_id
    )
    mine = file.handed_in.get(tx.actor.party)
    if mine is None or tx.actor.party in file.left:
        raise NotFound("no last price of yours was handed in")
    if tx.actor.party in file.opened:
        return
    said = statement.payload
    price = parse_yuan(text_of(said["price"]))
    salt = unb64u(text_of(said["salt"]), SALT_SIZE)
    if price <= 0:
        raise Malformed("a price is more than nothing", code="price")
    found = price_commitment(lot_id, tx.actor.party, salt, price)

    fits = count_of(said["seq"]) == mine.seq and found == mine.commitment
    refusals = standstill_refusals(
        suspended=file.lot.suspended, article=file.article
    ) + open_refusals(file.phase, fits=fits, article=file.article)
    if refusals:
        raise Refused(refusals)

    keys = await live_keys(tx.session, tx.actor.person)
    tx.session.add(
        LastPriceOpeningRow(
            lot_id=lot_id,
            bidder_id=tx.actor.party,
            seq=mine.seq,
            price=price,
            salt=salt,
            digest=statement.digest,
            statement=raw,
            keyid=statement.keyid,
            public_key=keys[statement.keyid],
            opened_at=tx.now,
        )
    )

    tx.record(
        LastPriceOpened(
            lot_id,
            addressee_id=tx.actor.party,
            commitment=mine.commitment,
            statement_digest=statement.digest,
        )
    )


# ── what the above is made of ─────────────────────────────────────────────────────────────────


async def _own_file(tx: Transaction, lot_id: LotId, *, alone: bool = False) -> TalkFile:
    # First the lot and then its talks, as the group does, so that nobody waits in a circle.
    lot = await lots.hold(tx, lot_id)
    if alone:
        await lock_exclusive(tx.session, f"talks:{lot_id}")
    file = None if lot.published_at is None else await talk_file(tx, lot)
    began = file is not None and file.phase is not TalkPhase.NOT_BEGUN
    if file is None or not began or tx.actor.party not in file.bids:
        raise NotFound("no talks with you about this lot")
    return file


def _files_in(payload: Mapping[str, Any]) -> dict[str, bytes]:
    """The files that an answer names, by name; none where it names none."""
    files = {}
    for item in list_of(payload.get("files", []), at_most=FILES_MAX):
        told = members(item, ("name", "file"))
        files[file_name(text_of(told["name"]))] = unb64u(text_of(told["file"]), 32)
    return files


def _handed_in(row: LastPriceRow) -> HandedIn:
    return HandedIn(EntryId(row.entry_id), row.seq, row.handed_in_at)
