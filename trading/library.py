"""An organisation enters its licences and performances once; the centre compares them; they are
used again and again.

Who enters something signs for its truth. Nothing is used before the centre's staff have verified
it, and what was verified is never rewritten: it is replaced by a new entry, or withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, count_of, members, text_of, unb64u
from kernel.errors import NotFound, Refused
from kernel.identifiers import LibraryEntryId, PartyId
from kernel.money import parse_yuan
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import E_BIDDING_MEASURES
from kernel.store import outbox
from kernel.store.database import lock_exclusive
from kernel.store.documents import Documents
from kernel.store.outbox import Channel, Message, Recipient
from kernel.store.parties import Statement, organisation, verified_statement
from kernel.store.registering import id_of
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.drafting import clean_text, file_name
from trading.events import LibraryEntryJudged, LibraryEntryMade, LibraryEntryWithdrawn
from trading.rules.library_entries import (
    EntryFacts,
    EntryKind,
    EntryState,
    LibraryEntry,
    entry_faults,
    entry_refusals,
    number_key,
    state_of,
    verdict_refusals,
)
from trading.tables import LibraryEntryRow, LibraryVerdictRow, LibraryWithdrawalRow

HOLDERS: Final = (Role.TENDEREE, Role.AGENCY, Role.BIDDER)
"""The capacities in which an organisation keeps a library of its own."""

DRAWER: Final = "library"
FILE_MAX: Final = 8 << 20
TITLE_MAX: Final = 120
BASIS_MAX: Final = 200
KEPT_ABREAST: Final = (EntryState.WAITING, EntryState.VERIFIED)

JUDGED_TOPIC: Final = "library_judged"
TOLD_BY: Final = (Channel.INBOX, Channel.EMAIL)

MEDIA_TYPES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)
"""What a scanned paper can be, by its first bytes."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Made:
    """An entry as it was taken in."""

    id: LibraryEntryId
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Said:
    """What a statement says: the entry, its file, and what it is to replace."""

    entry: LibraryEntry
    file_name: str
    file_digest: bytes
    file_size: int
    replaces: UUID | None


def own_drawer(documents: Documents, party_id: UUID) -> Documents:
    """Where one organisation's files lie: nobody else's entry can name them."""
    return documents.drawer(f"{DRAWER}/{party_id}")


# ── entering ──────────────────────────────────────────────────────────────────────────────────


@by(*HOLDERS)
async def keep_entry_file(tx: Transaction, content: bytes) -> bytes:
    """Keep a scanned paper for an entry that is going to name it; its digest."""
    media_type_of(content)
    return await own_drawer(tx.documents, tx.actor.party).keep(content)


@by(*HOLDERS)
async def enter_licence(tx: Transaction, raw: bytes) -> Made:
    """Take a licence into the acting organisation's library; it waits for the centre."""
    return await _enter(tx, raw, "licence", _licence_in)


@by(*HOLDERS)
async def enter_performance(tx: Transaction, raw: bytes) -> Made:
    """Take a performance elsewhere into the library; those on this platform stand there already."""
    return await _enter(tx, raw, "performance", _performance_in)


async def _enter(
    tx: Transaction, raw: bytes, kind: str, read: Callable[[Mapping[str, Any]], LibraryEntry]
) -> Made:
    own = await organisation(tx, tx.actor.party)
    statement = await verified_statement(tx, raw, kind, organisation=own.id)
    await lock_exclusive(tx.session, "library")
    before = await tx.session.scalar(
        select(LibraryEntryRow).where(col(LibraryEntryRow.digest) == statement.digest)
    )
    if before is not None:
        return Made(LibraryEntryId(before.id), before.digest)
    said = _said_in(statement, read)
    drawer = own_drawer(tx.documents, own.id)
    try:
        content = await drawer.read(said.file_digest)
    except NotFound:
        raise _faulty({"file": "请先上传文件"}) from None
    old = None if said.replaces is None else await own_entry(tx, said.replaces)

    if len(content) != said.file_size:
        raise _faulty({"file": "文件大小与所述不符"})
    others = await _same_number(tx, said.entry)
    facts = EntryFacts(
        own_uscc=own.uscc,
        known_here=any(
            row.party_id == own.id and state in KEPT_ABREAST and row.id != said.replaces
            for row, state in others
        ),
        known_elsewhere=any(
            row.party_id != own.id and state is EntryState.VERIFIED for row, state in others
        ),
    )
    refusals = entry_refusals(said.entry, facts, today=beijing_day(tx.now))
    if old is not None:
        refusals += _replacement_refusals(said.entry, *old)
    if refusals:
        raise Refused(refusals)

    row = _row_of(tx, said, statement, media_type_of(content))
    tx.session.add(row)

    tx.record(
        LibraryEntryMade(
            row.id,
            addressee_id=own.id,
            kind=row.kind,
            statement_digest=row.digest,
            file_digest=row.file_digest,
            replaces=row.replaces,
        )
    )

    return Made(LibraryEntryId(row.id), row.digest)


def _row_of(tx: Transaction, said: _Said, statement: Statement, media_type: str) -> LibraryEntryRow:
    entry = said.entry
    return LibraryEntryRow(
        id=random_id(),
        party_id=tx.actor.party,
        kind=entry.kind,
        title=entry.title,
        number=entry.number,
        number_key=number_key(entry.number),
        issuer=entry.issuer,
        begins_on=entry.begins_on,
        ends_on=entry.ends_on,
        amount=entry.amount,
        file_name=said.file_name,
        file_digest=said.file_digest,
        file_size=said.file_size,
        media_type=media_type,
        replaces=said.replaces,
        digest=statement.digest,
        statement=statement.envelope,
        entered_by=tx.actor.person,
        entered_at=tx.now,
    )


def _replacement_refusals(
    entry: LibraryEntry, row: LibraryEntryRow, state: EntryState
) -> list[Refusal]:
    """A new entry replaces one of the same kind that is still in use."""
    if row.kind == entry.kind and state in KEPT_ABREAST:
        return []
    reason = "只能替换本单位仍在使用的同一种类的信息"
    told = {"pointer": "#/replaces"}
    return [Refusal("not_replaceable", E_BIDDING_MEASURES[14], reason, told)]


async def _same_number(
    tx: Transaction, entry: LibraryEntry
) -> list[tuple[LibraryEntryRow, EntryState]]:
    """Every entry of that kind with that number, and of performances with that client too."""
    rows = await tx.session.scalars(
        select(LibraryEntryRow).where(
            col(LibraryEntryRow.kind) == entry.kind,
            col(LibraryEntryRow.number_key) == number_key(entry.number),
            col(LibraryEntryRow.erased_at).is_(None),
        )
    )
    alike = [row for row in rows if entry.kind.is_licence or row.issuer == entry.issuer]
    states = await states_of(tx, alike)
    return [(row, states[row.id]) for row in alike]


# ── judging and withdrawing ───────────────────────────────────────────────────────────────────


@by(Role.CENTRE_STAFF)
async def judge_entry(
    tx: Transaction, entry_id: LibraryEntryId, *, holds: bool, basis: str
) -> None:
    """Note that the centre compared an entry with its papers, and whether it holds."""
    row, state = await _locked(tx, entry_id)
    said = clean_text(basis, at_most=BASIS_MAX)

    refusals = verdict_refusals(state, own_entry=row.entered_by == tx.actor.person)
    if refusals:
        raise Refused(refusals)

    tx.session.add(
        LibraryVerdictRow(
            entry_id=row.id,
            holds=holds,
            basis=said,
            judged_by=tx.actor.person,
            judged_at=tx.now,
        )
    )

    told = tx.record(LibraryEntryJudged(row.id, addressee_id=row.party_id, holds=holds))
    facts = {"kind": "LibraryEntryJudged"}
    message = Message(JUDGED_TOPIC, row.id, must=False, channels=TOLD_BY, facts=facts)
    await outbox.post(tx, told, message, await holders(tx, row.party_id))


@by(*HOLDERS)
async def withdraw_entry(tx: Transaction, entry_id: LibraryEntryId, *, reason: str) -> None:
    """Take an own entry out of use for good; saying it twice changes nothing."""
    row, state = await _locked(tx, entry_id)
    if row.party_id != tx.actor.party:
        raise NotFound("no such entry")
    if state is EntryState.WITHDRAWN:
        return

    said = clean_text(reason, at_most=BASIS_MAX)

    tx.session.add(
        LibraryWithdrawalRow(
            entry_id=row.id, reason=said, withdrawn_by=tx.actor.person, withdrawn_at=tx.now
        )
    )

    tx.record(LibraryEntryWithdrawn(row.id, addressee_id=row.party_id))


# ── for the neighbours in this house ──────────────────────────────────────────────────────────


async def holders(tx: Transaction, party_id: UUID) -> list[Recipient]:
    """Who is told of an organisation's library: it, in each capacity that keeps one."""
    own = await organisation(tx, party_id)
    return [Recipient(PartyId(party_id), role) for role in HOLDERS if role in own.roles]


async def own_entry(tx: Transaction, entry_id: UUID) -> tuple[LibraryEntryRow, EntryState]:
    """An entry of the acting organisation and its state; `NotFound` for those of others."""
    row = await tx.session.get(LibraryEntryRow, entry_id)
    if row is None or row.party_id != tx.actor.party or row.erased_at is not None:
        raise NotFound("no such entry")
    return row, (await states_of(tx, [row]))[row.id]


async def states_of(tx: Transaction, rows: list[LibraryEntryRow]) -> dict[UUID, EntryState]:
    """How far each of these entries has come."""
    ids = [row.id for row in rows]
    verdicts: dict[UUID, bool] = {
        id: holds
        for id, holds in await tx.session.execute(
            select(col(LibraryVerdictRow.entry_id), col(LibraryVerdictRow.holds)).where(
                col(LibraryVerdictRow.entry_id).in_(ids)
            )
        )
    }
    withdrawn = set(
        await tx.session.scalars(
            select(col(LibraryWithdrawalRow.entry_id)).where(
                col(LibraryWithdrawalRow.entry_id).in_(ids)
            )
        )
    )
    replaced = set(
        await tx.session.scalars(
            select(col(LibraryEntryRow.replaces))
            .join(LibraryVerdictRow, col(LibraryVerdictRow.entry_id) == col(LibraryEntryRow.id))
            .where(col(LibraryEntryRow.replaces).in_(ids), col(LibraryVerdictRow.holds))
        )
    )
    return {
        id: state_of(verdict=verdicts.get(id), withdrawn=id in withdrawn, replaced=id in replaced)
        for id in ids
    }


def entry_of(row: LibraryEntryRow) -> LibraryEntry:
    """The entry that a row keeps."""
    return LibraryEntry(
        EntryKind(row.kind),
        row.title,
        row.number,
        row.issuer,
        row.begins_on,
        row.ends_on,
        row.amount,
    )


def media_type_of(content: bytes) -> str:
    """What kind of file a scanned paper is; `Malformed` where it is none that is taken."""
    for first, media_type in MEDIA_TYPES:
        if content.startswith(first):
            return media_type
    raise Malformed("a paper is a PDF, PNG or JPEG file", code="file_kind")


# ── reading what was signed ───────────────────────────────────────────────────────────────────


def _said_in(statement: Statement, read: Callable[[Mapping[str, Any]], LibraryEntry]) -> _Said:
    said = statement.payload
    entry = read(said)
    file = members(said["file"], ("name", "sha256", "size"))
    if faults := entry_faults(entry):
        raise _faulty(faults)
    return _Said(
        entry,
        _member("file", lambda: file_name(text_of(file["name"]))),
        _member("file", lambda: unb64u(file["sha256"], 32)),
        _member("file", lambda: count_of(file["size"])),
        _member("replaces", lambda: id_of(said["replaces"])) if "replaces" in said else None,
    )


def _licence_in(said: Mapping[str, Any]) -> LibraryEntry:
    kind = _member("kind", lambda: EntryKind(text_of(said["kind"])))
    if not kind.is_licence:
        raise _faulty({"kind": "请选择证照的种类"})
    return LibraryEntry(
        kind,
        _words(said, "title"),
        _words(said, "number"),
        _words(said, "issuer"),
        _day(said, "valid_from"),
        _day(said, "valid_to") if "valid_to" in said else None,
    )


def _performance_in(said: Mapping[str, Any]) -> LibraryEntry:
    return LibraryEntry(
        EntryKind.PERFORMANCE,
        _words(said, "title"),
        _words(said, "number"),
        _words(said, "client"),
        _day(said, "contracted_on"),
        _day(said, "completed_on") if "completed_on" in said else None,
        _member("amount", lambda: _positive(parse_yuan(text_of(said["amount"])))),
    )


def _positive(amount: Decimal) -> Decimal:
    if amount <= 0:
        raise ValueError("an amount above nothing")
    return amount


def _words(said: Mapping[str, Any], member: str) -> str:
    return _member(member, lambda: clean_text(said[member], at_most=TITLE_MAX))


def _day(said: Mapping[str, Any], member: str) -> date:
    return _member(member, lambda: date.fromisoformat(text_of(said[member])))


def _member(member: str, read: Callable[[], Value]) -> Value:
    """What a member says, or `Malformed` with a pointer to it."""
    try:
        return read()
    except (Malformed, ValueError) as fault:
        raise _faulty({member: f"“{member}”的内容格式不正确：{fault}"}) from None


def _faulty(faults: Mapping[str, str]) -> Malformed:
    return Malformed("；".join(faults.values()), code="entry_malformed", faults=faults)


async def _locked(tx: Transaction, entry_id: LibraryEntryId) -> tuple[LibraryEntryRow, EntryState]:
    await lock_exclusive(tx.session, "library")
    row = await tx.session.get(LibraryEntryRow, entry_id)
    if row is None or row.erased_at is not None:
        raise NotFound("no such entry")
    return row, (await states_of(tx, [row]))[row.id]
