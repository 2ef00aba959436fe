"""What may be seen of prequalifications: the call by everybody, an application by its applicant.

The tenderee's side sees who applied once the release window is over, because it must review them;
everybody sees who passed once the bids lie open, and nobody before (招标投标法 22).
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto import sealing
from kernel.crypto.digests import Malformed, strict_json, unb64u
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal, NotFound, Refused, TooMuch
from kernel.identifiers import LotId, PartyId
from kernel.refusals import Refusal
from kernel.store.parties import organisation_names
from kernel.store.transaction import Transaction
from kernel.store.transparency_log import receipt_of
from kernel.working_days import beijing_day
from trading import library_views, lots
from trading.events import ApplicationsRead
from trading.library import own_drawer
from trading.library_views import EntryReferred, entry_referred
from trading.prequalification_rounds import (
    addenda_of,
    newest_round,
    phase_now,
    releases,
    times_of,
)
from trading.prequalifying import applicant_in, archive_of, opened_applications
from trading.rules.consortium_agreement import BidderAtLot, consortia_accepted, findings_of
from trading.rules.lot_lifecycle import LotState, was_opened
from trading.rules.prequalification import Phase, committee_due, stage_refusals
from trading.rules.procedures import Procedure, switches_of
from trading.rules.sheet_fields import references_in
from trading.sealed_archives import from_archive, list_files, read_file
from trading.tables import (
    ApplicationReleaseRow,
    ApplicationRow,
    LotRow,
    NoticeRow,
    PrequalificationAddendumRow,
    PrequalificationRow,
    ProjectRow,
    QualificationRow,
)

LIST_MAX: Final = 200
REFERENCES_MAX: Final = 200
MANIFEST: Final = "manifest.json"
MANIFEST_MAX: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One prequalification as a list shows it."""

    lot_id: LotId
    name: str
    project_code: str
    tenderee: str
    round: int
    phase: Phase
    ended: bool
    published_at: datetime
    applications_due_at: datetime


@dataclass(frozen=True, slots=True)
class AddendumTold:
    """A change or clarification of the documents, and by when applications are due after it."""

    number: int
    title: str
    text: str
    may_affect: bool
    documents: tuple[Mapping[str, Any], ...]
    applications_due_at: datetime
    moved: bool
    published_at: datetime
    digest: bytes
    statement: bytes


@dataclass(frozen=True, slots=True)
class OwnApplication:
    """One of the acting applicant's own applications or withdrawals."""

    seq: int
    withdrawn: bool
    received_at: datetime
    payload_size: int
    digest: bytes
    head: bytes
    header: bytes
    released_at: datetime | None
    entry_id: UUID
    receipt: bool


@dataclass(frozen=True, slots=True)
class Result:
    """How the acting applicant came out, with the reasons for each condition it failed."""

    passed: bool
    reasons: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A lot's newest prequalification, as the asking person may see it.

    `ended` is the reason for which the tender was ended, None while it was not. `owned` says that
    the asker is the tenderee's side, `qualified` who passed, once that is public, and `brakes` why
    everything waits. `committee_due` says that a committee reviews, drawn from the pool.
    """

    lot_id: LotId
    lot_state: LotState
    project_id: UUID
    project_code: str
    tenderee: str
    name: str
    round: int
    phase: Phase
    ended: str | None
    words: Mapping[str, str]
    conditions: tuple[Mapping[str, Any], ...]
    documents: tuple[Mapping[str, Any], ...]
    addenda: tuple[AddendumTold, ...]
    published_at: datetime
    documents_until: datetime
    applications_due_at: datetime
    window_until: datetime
    digest: bytes
    statement: bytes
    owned: bool
    own: tuple[OwnApplication, ...]
    result: Result | None
    qualified: tuple[str, ...]
    brakes: tuple[str, ...]
    committee_due: bool

    @property
    def standing(self) -> OwnApplication | None:
        """The applicant's application that counts."""
        return self.own[-1] if self.own and not self.own[-1].withdrawn else None

    @property
    def accepts_consortia(self) -> bool:
        """Whether the notice lets members apply together."""
        return consortia_accepted(self.words.get("consortium", ""))


@dataclass(frozen=True, slots=True)
class Applicant:
    """An opened application before its reviewers; `findings` are about its consortium.

    `library` is what it refers to in its applicant's library, as it stood when applications were
    due.
    """

    application_id: UUID
    party_id: PartyId
    name: str
    received_at: datetime
    files: tuple[tuple[str, int], ...]
    unreadable: bool
    members: tuple[Mapping[str, Any], ...]
    findings: tuple[Refusal, ...]
    library: tuple[EntryReferred, ...]
    passed: bool | None
    reasons: tuple[Mapping[str, Any], ...]


@by(*Role)
async def prequalifications(tx: Transaction) -> tuple[Line, ...]:
    """The newest round of every lot that was ever prequalified, the newest first."""
    newest = (
        select(PrequalificationRow, LotRow, ProjectRow)
        .join(LotRow, col(LotRow.id) == col(PrequalificationRow.lot_id))
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .ext(distinct_on(col(PrequalificationRow.lot_id)))
        .order_by(col(PrequalificationRow.lot_id), col(PrequalificationRow.round).desc())
    )
    rows = [(found, lot, project) for found, lot, project in await tx.session.execute(newest)]
    rows.sort(key=lambda row: row[0].published_at, reverse=True)
    rows = rows[:LIST_MAX]
    names = await organisation_names(tx.session, [project.tenderee_id for _, _, project in rows])
    return tuple(
        [
            Line(
                LotId(lot.id),
                found.name,
                project.code,
                names[project.tenderee_id],
                found.round,
                await phase_now(tx, found),
                lot.state == LotState.CANCELLED,
                found.published_at,
                (await times_of(tx.session, found)).applications_due_at,
            )
            for found, lot, project in rows
        ]
    )


@by(*Role)
async def is_called_draft(tx: Transaction, lot_id: UUID) -> bool:
    """Whether a lot is known by the call for applications alone, because nothing else is out."""
    lot = await tx.session.get(LotRow, lot_id)
    return lot is not None and lot.prequalified and lot.published_at is None


@by(*Role)
async def prequalification(tx: Transaction, lot_id: UUID) -> Seen:
    """The lot's newest prequalification, with what is the asker's own in it."""
    lot, project, found = await _found(tx, lot_id)
    said = strict_json(Envelope.from_bytes(found.statement).payload, 8 << 20)
    assert isinstance(said, dict)
    names = await organisation_names(tx.session, [project.tenderee_id])
    times = await times_of(tx.session, found)
    own: tuple[OwnApplication, ...] = ()
    result = None
    if tx.actor.role is Role.BIDDER:
        own = tuple(await _own(tx, found))
        result = await _result(tx, found)

    return Seen(
        LotId(lot.id),
        LotState(lot.state),
        project.id,
        project.code,
        names[project.tenderee_id],
        found.name,
        found.round,
        await phase_now(tx, found),
        await _ended(tx, lot),
        said["words"],
        tuple(found.conditions),
        tuple(found.documents),
        _addenda(found, await addenda_of(tx.session, found)),
        found.published_at,
        found.documents_until,
        times.applications_due_at,
        times.window_until,
        found.digest,
        found.statement,
        lots.owns(tx, project),
        own,
        result,
        await _qualified(tx, lot, found),
        tuple(lot.brakes.values()),
        committee_due(
            switches_of(Procedure(project.procedure), on=beijing_day(found.published_at)),
            state_funded=project.state_funded,
        ),
    )


@by(*Role)
async def document(tx: Transaction, lot_id: UUID, name: str) -> tuple[Mapping[str, Any], bytes]:
    """One file of the prequalification documents, for anybody and free of charge."""
    _, _, found = await _found(tx, lot_id)
    added = [one.documents for one in await addenda_of(tx.session, found)]
    for one in chain(found.documents, *added):
        if one["name"] == name:
            return one, await tx.documents.read(unb64u(one["sha256"], 32))
    raise NotFound("no such file")


@by(Role.TENDEREE, Role.AGENCY)
async def applicants(tx: Transaction, lot_id: UUID) -> tuple[Applicant, ...]:
    """The opened applications, for those who review them; `Refused` before the window is over."""
    lot, project = await lots.owned(tx, lot_id)
    found = await newest_round(tx.session, lot.id)
    if found is None:
        raise NotFound("no prequalification of this lot")
    return await applicants_in(tx, lot, project, found)


async def applicants_in(
    tx: Transaction, lot: LotRow, project: ProjectRow, found: PrequalificationRow
) -> tuple[Applicant, ...]:
    """The opened applications of a round, with what is to be minded of each."""
    await _require_over(tx, found)
    switches = switches_of(Procedure(project.procedure), on=beijing_day(found.published_at))
    said = strict_json(Envelope.from_bytes(found.statement).payload, 8 << 20)
    assert isinstance(said, dict)
    accepted = consortia_accepted(said["words"].get("consortium", ""))
    opened = await opened_applications(tx, found)
    bidders = [await applicant_in(tx, lot, found, one) for one in opened]
    library = await _library(tx, found, opened)

    if opened:
        tx.record(ApplicationsRead(lot.id, round=found.round))

    told = []
    for application, bidder in zip(opened, bidders, strict=True):
        files, unreadable = await _files(tx, found, application)
        judged = await tx.session.get(
            QualificationRow, (lot.id, found.round, application.applicant_id)
        )
        told.append(
            Applicant(
                application.id,
                bidder.party_id,
                bidder.name,
                application.received_at,
                files,
                unreadable,
                _members(bidder),
                tuple(
                    findings_of(
                        bidder,
                        [one for one in bidders if one is not bidder],
                        accepted=accepted,
                        prequalified=None,
                        regime=switches.regime,
                    )
                ),
                library[bidder.party_id],
                None if judged is None else judged.passed,
                () if judged is None else tuple(judged.reasons),
            )
        )
    return tuple(told)


@by(Role.TENDEREE, Role.AGENCY)
async def application_library_file(
    tx: Transaction, lot_id: UUID, application_id: UUID, reference: str
) -> tuple[str, bytes]:
    """The scanned paper of an entry that an opened application refers to: its name and bytes."""
    lot, found = await _own_round(tx, lot_id)
    return await library_file_in(tx, lot, found, application_id, reference)


async def library_file_in(
    tx: Transaction, lot: LotRow, found: PrequalificationRow, application_id: UUID, reference: str
) -> tuple[str, bytes]:
    """The paper of an entry that an opened application of a round refers to; the look is kept."""
    application = await _opened_one(tx, found, application_id)
    library = await _library(tx, found, [application])
    for one in library[PartyId(application.applicant_id)]:
        if one.reference == reference and one.seen is not None:
            tx.record(
                ApplicationsRead(
                    lot.id, round=found.round, application_id=application_id, file=reference
                )
            )
            drawer = own_drawer(tx.documents, one.seen.party_id)
            return one.seen.file_name, await drawer.read(one.seen.file_digest)
    raise NotFound("the application refers to no such entry")


@by(Role.TENDEREE, Role.AGENCY)
async def application_file(tx: Transaction, lot_id: UUID, application_id: UUID, name: str) -> bytes:
    """One file of an opened application, for those who review it; each look is recorded."""
    lot, found = await _own_round(tx, lot_id)
    return await file_in(tx, lot, found, application_id, name)


async def file_in(
    tx: Transaction, lot: LotRow, found: PrequalificationRow, application_id: UUID, name: str
) -> bytes:
    """One file of an opened application of a round; each look is recorded."""
    one = await _opened_one(tx, found, application_id)
    secrets = {sealing.BIDDER: (await releases(tx.session, found))[one.id]}

    content = await from_archive(
        tx.documents, archive_of(one), secrets, lambda archive: read_file(archive, name)
    )

    tx.record(ApplicationsRead(lot.id, round=found.round, application_id=one.id, file=name))

    return content


async def _found(tx: Transaction, lot_id: UUID) -> tuple[LotRow, ProjectRow, PrequalificationRow]:
    lot = await tx.session.get(LotRow, lot_id)
    found = None if lot is None else await newest_round(tx.session, lot.id)
    if lot is None or found is None:
        raise NotFound("no such prequalification")
    return lot, await tx.session.get_one(ProjectRow, lot.project_id), found


async def _own_round(tx: Transaction, lot_id: UUID) -> tuple[LotRow, PrequalificationRow]:
    lot, _ = await lots.owned(tx, lot_id)
    found = await newest_round(tx.session, lot.id)
    if found is None:
        raise NotFound("no prequalification of this lot")
    return lot, found


async def _opened_one(
    tx: Transaction, found: PrequalificationRow, application_id: UUID
) -> ApplicationRow:
    """One opened application of a round; `Refused` before the release window is over."""
    await _require_over(tx, found)
    for one in await opened_applications(tx, found):
        if one.id == application_id:
            return one
    raise NotFound("no such opened application")


async def _library(
    tx: Transaction, found: PrequalificationRow, opened: Sequence[ApplicationRow]
) -> dict[PartyId, tuple[EntryReferred, ...]]:
    """What each of these opened applications refers to in its applicant's library."""
    given = await releases(tx.session, found)
    told: dict[PartyId, tuple[str, ...]] = {}
    for one in opened:
        secrets = {sealing.BIDDER: given[one.id]}
        try:
            manifest = await from_archive(tx.documents, archive_of(one), secrets, _manifest)
        except (BrokenSeal, Malformed, NotFound, TooMuch):
            manifest = {}
        told[PartyId(one.applicant_id)] = references_in(manifest)[:REFERENCES_MAX]
    on = beijing_day((await times_of(tx.session, found)).applications_due_at)
    seen = await library_views.entries_referred(tx, told, on=on)
    return {
        party: tuple(
            entry_referred(one, seen.get((party, one)), on=on, applied=True) for one in references
        )
        for party, references in told.items()
    }


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    """What the program that sealed an archive says of it."""
    if MANIFEST in archive.namelist() and archive.getinfo(MANIFEST).file_size > MANIFEST_MAX:
        raise TooMuch("the manifest is too large")
    told = strict_json(read_file(archive, MANIFEST), MANIFEST_MAX)
    return told if isinstance(told, dict) else {}


async def _require_over(tx: Transaction, found: PrequalificationRow) -> None:
    """`Refused` while it must not be known who applied: before the release window is over."""
    phase = await phase_now(tx, found)
    if phase in (Phase.APPLYING, Phase.RELEASING):
        raise Refused(stage_refusals(phase, Phase.REVIEWING))


async def _own(tx: Transaction, found: PrequalificationRow) -> Sequence[OwnApplication]:
    rows = await tx.session.execute(
        select(ApplicationRow, col(ApplicationReleaseRow.released_at))
        .outerjoin(
            ApplicationReleaseRow,
            col(ApplicationReleaseRow.application_id) == col(ApplicationRow.id),
        )
        .where(
            col(ApplicationRow.lot_id) == found.lot_id,
            col(ApplicationRow.round) == found.round,
            col(ApplicationRow.applicant_id) == tx.actor.party,
        )
        .order_by(col(ApplicationRow.seq))
    )
    return [
        OwnApplication(
            row.seq,
            row.withdrawn,
            row.received_at,
            row.payload_size,
            row.digest,
            row.head,
            row.header,
            released_at,
            row.entry_id,
            await receipt_of(tx.session, row.entry_id) is not None,
        )
        for row, released_at in rows.all()
    ]


async def _result(tx: Transaction, found: PrequalificationRow) -> Result | None:
    own = await tx.session.get(QualificationRow, (found.lot_id, found.round, tx.actor.party))
    return None if own is None else Result(own.passed, tuple(own.reasons))


def _addenda(
    found: PrequalificationRow, rows: Sequence[PrequalificationAddendumRow]
) -> tuple[AddendumTold, ...]:
    due_before = [found.applications_due_at, *(row.applications_due_at for row in rows)]
    return tuple(
        AddendumTold(
            row.number,
            row.title,
            row.text,
            row.may_affect,
            tuple(row.documents),
            row.applications_due_at,
            row.applications_due_at != before,
            row.published_at,
            row.digest,
            row.statement,
        )
        for row, before in zip(rows, due_before, strict=False)
    )


async def _ended(tx: Transaction, lot: LotRow) -> str | None:
    if lot.state != LotState.CANCELLED:
        return None
    notice = await tx.session.scalar(
        select(NoticeRow).where(
            col(NoticeRow.lot_id) == lot.id, col(NoticeRow.kind) == "cancellation"
        )
    )
    return "" if notice is None else str(notice.body["reason"])


async def _qualified(tx: Transaction, lot: LotRow, found: PrequalificationRow) -> tuple[str, ...]:
    """Who passed, in the order of their names; nobody is told before the bids lie open."""
    if not was_opened(lot.path):
        return ()
    ids = await tx.session.scalars(
        select(col(QualificationRow.applicant_id)).where(
            col(QualificationRow.lot_id) == lot.id,
            col(QualificationRow.round) == found.round,
            col(QualificationRow.passed),
        )
    )
    return tuple(sorted((await organisation_names(tx.session, ids.all())).values()))


async def _files(
    tx: Transaction, found: PrequalificationRow, application: ApplicationRow
) -> tuple[tuple[tuple[str, int], ...], bool]:
    """The files of an opened application; none where it is no archive that can be read."""
    secrets = {sealing.BIDDER: (await releases(tx.session, found))[application.id]}
    try:
        files = await from_archive(tx.documents, archive_of(application), secrets, list_files)
    except (BrokenSeal, TooMuch):
        return (), True
    return tuple(files), False


def _members(bidder: BidderAtLot) -> tuple[Mapping[str, Any], ...]:
    if bidder.agreement is None:
        return ()
    return tuple(
        {
            "id": str(one.party_id),
            "name": bidder.names.get(one.party_id, str(one.party_id)),
            "part": one.part,
            "grades": dict(one.grades),
            "lead": one.party_id == bidder.agreement.lead,
            "signed": one.party_id in bidder.signers,
        }
        for one in bidder.agreement.members
    )
