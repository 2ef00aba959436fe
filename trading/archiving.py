"""What is kept of a lot, how long, and the package in which it can be kept elsewhere.

A package holds every signed paper and every document of a lot that has ended, and the log's proof
of each entry about it that its reader may know. It needs no platform to be read: each file is
committed to by an entry that stands in the log, or by a file that is, and what nothing commits to
is not in it. Bids are named by their digests; they are too large and too secret to be handed out.
Where each bid security stands follows from payments and bids, and no paper says it; so the sealed
manifest does, as those saw it who took the package.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.archive_commitments import STATEMENT, committed_files
from kernel.crypto.archive_seal import ArchiveSeal
from kernel.crypto.digests import b64u, canonical, instant_text, sha256, unb64u
from kernel.crypto.signing import Envelope
from kernel.errors import NotFound, Outrun, Refused, TooMuch
from kernel.events import Audience
from kernel.identifiers import LotId
from kernel.money import yuan_text
from kernel.statute import Regime
from kernel.store import founding
from kernel.store.journal import Entry, read_view
from kernel.store.opened_views import vouchers
from kernel.store.parties import organisation_names, relying_party
from kernel.store.tables import CredentialRow
from kernel.store.transaction import Transaction
from kernel.store.transparency_log import proofs_of_entries
from kernel.store.views import room
from kernel.working_days import beijing_day
from trading import consortia, holding, lots
from trading.archived_papers import Reach, papers_of, rows_about
from trading.counted_bids import counted_bids
from trading.deposit_views import lot_securities
from trading.events import ArchiveTaken
from trading.handover import switches_for
from trading.holding import HoldTold
from trading.rules.lot_lifecycle import ENDS, LotState, was_closed
from trading.rules.price_talks import prices_are_read_out
from trading.rules.procedures import Offers, Procedure
from trading.rules.record_keeping import (
    RecordClass,
    Term,
    archive_refusals,
    kept_until,
    term_of,
)
from trading.sealed_archives import SealedArchive
from trading.security_facts import is_shown
from trading.tables import (
    AwardRow,
    ContractRow,
    EvidenceFileRow,
    LotRow,
    NoticeRow,
    OpenedBidRow,
    PrequalificationAddendumRow,
    PrequalificationRow,
    ProjectRow,
    SettlementRow,
    TakenReportRow,
    TenderDocumentRow,
)
from trading.talk_records import switches_then

KEEPERS: Final = (Role.TENDEREE, Role.AGENCY, Role.CENTRE_STAFF, Role.SUPERVISOR)
"""Who may look into a lot's archive and take its package."""

AUDIENCE_OF: Final = {
    Role.TENDEREE: Audience.PARTICIPANTS,
    Role.AGENCY: Audience.PARTICIPANTS,
    Role.CENTRE_STAFF: Audience.PUBLIC,
    Role.SUPERVISOR: Audience.SUPERVISORS,
}
"""As which audience each of them sees the lot's entries."""

PACKAGE_MAX: Final = 512 << 20
PAGE: Final = 500
CLASS: Final = RecordClass.TENDER


@dataclass(frozen=True, slots=True)
class ClassKept:
    """A class of records of a lot: its term, and its last day where the lot has ended."""

    record_class: RecordClass
    term: Term
    until: date | None


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what is kept of a lot, and, for supervisors, who ordered that it be kept longer."""

    lot_id: LotId
    name: str
    project_name: str
    procedure: Procedure
    state: LotState
    ended_on: date | None
    classes: tuple[ClassKept, ...]
    holds: tuple[HoldTold, ...]

    @property
    def held(self) -> bool:
        """Whether a legal hold is on it."""
        return any(one.lifted_at is None for one in self.holds)

    def plain(self) -> dict[str, Any]:
        """The keeping as JSON tells it."""
        return {
            "lot": str(self.lot_id),
            "state": str(self.state),
            "ended_on": None if self.ended_on is None else self.ended_on.isoformat(),
            "held": self.held,
            "classes": [
                {
                    "class": str(one.record_class),
                    "years": one.term.years,
                    "article": str(one.term.article),
                    "until": None if one.until is None else one.until.isoformat(),
                }
                for one in self.classes
            ],
            "holds": [
                {
                    "id": str(one.id),
                    "authority": one.authority,
                    "document": one.document,
                    "reason": one.reason,
                    "set_at": instant_text(one.set_at),
                    "lifted_at": None if one.lifted_at is None else instant_text(one.lifted_at),
                    "lifted_because": one.lifted_because,
                }
                for one in self.holds
            ],
        }


@dataclass(frozen=True, slots=True)
class Package:
    """An archive package: its name and its bytes."""

    name: str
    content: bytes
    manifest_digest: bytes


@by(*KEEPERS)
async def keeping(tx: Transaction, lot_id: LotId) -> Keeping:
    """How long what is kept of a published lot; of holds, which may be part of an inquiry, only
    supervisors learn.
    """
    lot, project = await _lot_for(tx, lot_id)
    switches = await switches_for(tx, lot)
    ended_on = await ended_on_day(tx, lot)
    classes = []
    for kind in RecordClass:
        term = term_of(kind, switches.regime)
        until = None if ended_on is None else kept_until(ended_on, term)
        classes.append(ClassKept(kind, term, until))
    supervises = tx.actor.role is Role.SUPERVISOR
    holds = await holding.holds_on(tx, [lot_id]) if supervises else []
    return Keeping(
        lot_id,
        lot.name,
        project.name,
        Procedure(project.procedure),
        LotState(lot.state),
        ended_on,
        tuple(classes),
        tuple(holds),
    )


@by(*KEEPERS)
async def archive_package(tx: Transaction, lot_id: LotId) -> Package:
    """The package of a lot that has ended, as far as its reader may know; taking it is recorded.

    `Outrun` while the witnesses have not seen the lot's last entries yet.
    """
    lot, project = await _lot_for(tx, lot_id)
    ended_on = await ended_on_day(tx, lot)
    refusals = archive_refusals(ended=ended_on is not None)
    if refusals or ended_on is None:
        raise Refused(refusals)
    switches = await switches_for(tx, lot)
    witnesses, quorum = vouchers(tx.settings)
    entries = await _entries(tx, lot_id)
    proofs = await proofs_of_entries(tx.session, [one.id for one in entries], quorum=quorum)
    if len(proofs) < len(entries):
        raise Outrun("the lot's last entries are not witnessed yet; try again in a moment")

    found = dict(await papers_for(tx, lot))
    kept = committed_files(found, [one.record for one in entries])
    files = {path: content for path, content in found.items() if path in kept}
    signer, party = founding.read_keys(tx.settings).log_signer, relying_party(tx.settings)
    numbered = {f"proofs/{number:04d}.tlog-proof": one for number, one in enumerate(entries, 1)}
    until = kept_until(ended_on, term_of(CLASS, switches.regime))
    manifest = canonical(
        {
            "v": "ebid-archive/1",
            "lot": str(lot.id),
            "project": str(project.id),
            "project_code": project.code,
            "project_name": project.name,
            "lot_name": lot.name,
            "state": lot.state,
            "regime": str(switches.regime),
            "reader": str(AUDIENCE_OF[tx.actor.role]),
            "made_at": instant_text(tx.now),
            "ended_on": ended_on.isoformat(),
            "kept_until": until.isoformat(),
            "files": [
                {"path": path, "sha256": b64u(sha256(content)), "size": len(content)}
                for path, content in sorted(files.items())
            ],
            "entries": [
                {"path": path, "id": str(one.id), "kind": one.kind}
                for path, one in numbered.items()
            ],
            "bids": await _bids(tx, lot, switches.regime, ended_on),
            "securities": await _securities(tx, lot),
            "log": signer.vkey,
            "witnesses": list(witnesses),
            "quorum": quorum,
            "signers": await _signers(tx, files),
            "relying_party": {
                "id": party.rp_id,
                "origins": sorted(party.origins),
            },
        }
    )
    seal = ArchiveSeal(signer.name, lot.id, sha256(manifest)).signed(signer)

    tx.record(ArchiveTaken(lot_id, reader=str(tx.actor.role), manifest_digest=sha256(manifest)))

    parts = {
        "manifest.json": manifest,
        "manifest.seal": seal.encode(),
        **{path: proofs[one.id].encode() for path, one in numbered.items()},
        **files,
    }
    if sum(map(len, parts.values())) > PACKAGE_MAX:
        raise TooMuch("the package is too large to be taken in one piece")
    content = await asyncio.to_thread(_zipped, parts)
    return Package(f"archive-{project.code}-{lot.number}.zip", content, sha256(manifest))


# ── for the neighbours in this house ──────────────────────────────────────────────────────────


async def ended_on_day(tx: Transaction, lot: LotRow) -> date | None:
    """The day from which the terms of a lot run: its settlement, its contract, else its end.

    None while the lot has not ended.
    """
    if LotState(lot.state) not in ENDS:
        return None
    ways: list[tuple[Any, Any]] = [
        (SettlementRow, SettlementRow.settled_at),
        (ContractRow, ContractRow.signed_at),
    ]
    if lot.state == LotState.AWARDED:
        ways.append((AwardRow, AwardRow.awarded_at))
    for table, at in ways:
        # Of several awards the last one counts.
        found = await tx.session.scalar(
            select(func.max(col(at))).where(col(table.lot_id) == lot.id)
        )
        if found is not None:
            return beijing_day(found)
    ended_at = await tx.session.scalar(
        select(col(NoticeRow.published_at))
        .where(col(NoticeRow.lot_id) == lot.id)
        .order_by(col(NoticeRow.number).desc())
        .limit(1)
    )
    if LotState(lot.state) is LotState.CANCELLED and ended_at is not None:
        return beijing_day(ended_at)
    due = [one for one in (ended_at, lot.bids_due_at) if one is not None]
    return beijing_day(max(due)) if due else None


async def papers_for(tx: Transaction, lot: LotRow) -> list[tuple[str, bytes]]:
    """Every paper and document of the lot that may be the actor's, by its place in a package."""
    found = await papers_of(tx, lot)
    for one in await rows_about(tx, TenderDocumentRow, lot.id):
        content = await tx.documents.read(one.digest)
        found.append((f"documents/{one.clarification}/{one.name}", content))
    found += await _reports(tx, lot)
    found += await _called_for(tx, lot)
    if Reach.CONCERNED.lets(tx.actor.role, closed=was_closed(lot.path)):
        found += await _files_sent(tx, lot)
        found += await _agreements(tx, lot)
    return found


# ── what a package is made of ─────────────────────────────────────────────────────────────────


async def _lot_for(tx: Transaction, lot_id: LotId) -> tuple[LotRow, ProjectRow]:
    if tx.actor.role in (Role.TENDEREE, Role.AGENCY):
        lot, project = await lots.owned(tx, lot_id)
    else:
        lot = await lots.hold(tx, lot_id)
        project = await tx.session.get_one(ProjectRow, lot.project_id)
    if lot.published_at is None:
        raise NotFound("no such lot")
    return lot, project


async def _entries(tx: Transaction, lot_id: LotId) -> list[Entry]:
    """Every entry about the lot that this reader may know, in the order of its room."""
    view, found = room(lot_id, AUDIENCE_OF[tx.actor.role]), list[Entry]()
    while page := await read_view(
        tx.session, view, after=found[-1].number if found else 0, limit=PAGE
    ):
        found += page
    return found


async def _called_for(tx: Transaction, lot: LotRow) -> list[tuple[str, bytes]]:
    """The documents that the notices and addenda of a prequalification name."""
    found = []
    for table in (PrequalificationRow, PrequalificationAddendumRow):
        for one in await rows_about(tx, table, lot.id):
            for file in one.documents:
                content = await tx.documents.read(unb64u(file["sha256"], 32))
                found.append((f"prequalification/{one.round}/documents/{file['name']}", content))
    return found


async def _files_sent(tx: Transaction, lot: LotRow) -> list[tuple[str, bytes]]:
    """The files that objections, complaints, answers in talks and annulments name, by digest."""
    return [
        (f"files/{one.digest.hex()}/{one.name}", await tx.documents.read(one.digest))
        for one in await rows_about(tx, EvidenceFileRow, lot.id)
    ]


async def _agreements(tx: Transaction, lot: LotRow) -> list[tuple[str, bytes]]:
    """The agreement of each consortium, as it lay in the bid that was opened."""
    bids = {bid.id: bid for bid in await counted_bids(tx.session, lot.id)}
    found = []
    for one in await rows_about(tx, OpenedBidRow, lot.id):
        envelope = next((part for part in bids[one.bid_id].envelopes if part.kind == "bid"), None)
        if one.members and envelope is not None:
            archive = SealedArchive(envelope.header, envelope.payload_size, envelope.parts)
            secrets = {name: unb64u(secret, 32) for name, secret in one.secrets["bid"].items()}
            raw = await consortia.agreement_inside(tx.documents, archive, secrets)
            found.append((f"bids/{one.bid_id}/agreement.json", raw or b""))
    return found


async def _reports(tx: Transaction, lot: LotRow) -> list[tuple[str, bytes]]:
    """The committee's reports; after talks they hold what every supplier asked for, and of an only
    supplier how its price was agreed, which is none of the centre's business.
    """
    switches = await switches_then(tx, lot)
    told_to_all = prices_are_read_out(switches) and switches.offers is not Offers.AGREED
    if tx.actor.role is Role.CENTRE_STAFF and not told_to_all:
        return []
    return [
        (f"evaluation/report-{one.round}.json", await tx.documents.read(one.report_digest))
        for one in await rows_about(tx, TakenReportRow, lot.id)
    ]


async def _bids(
    tx: Transaction, lot: LotRow, regime: Regime, ended_on: date
) -> list[dict[str, Any]]:
    """The bids that counted, by their digests; nothing where a lot ended before it was closed."""
    if not was_closed(lot.path):
        return []
    bids = await counted_bids(tx.session, lot.id)
    names = await organisation_names(tx.session, {bid.bidder_id for bid in bids})
    until = kept_until(ended_on, term_of(RecordClass.BIDS_OF_OTHERS, regime))
    return [
        {
            "bid": str(bid.id),
            "bidder": names[bid.bidder_id],
            "kept_until": until.isoformat(),
            "envelopes": [
                {"kind": one.kind, "size": one.payload_size, "root": b64u(one.payload_root)}
                for one in bid.envelopes
            ],
        }
        for bid in bids
    ]


async def _securities(tx: Transaction, lot: LotRow) -> list[dict[str, Any]]:
    """Where the security of each bid stands; nothing where the bids never lay open."""
    if not is_shown(lot):
        return []
    told = (await lot_securities(tx, LotId(lot.id))).securities
    return [
        {
            "bidder": one.bidder,
            "reference": one.reference,
            "state": str(one.state),
            "paid": yuan_text(one.paid),
            "held": yuan_text(one.held),
            "returned": yuan_text(one.returned),
            "interest": yuan_text(one.interest),
            "returned_at": None if one.returned_at is None else instant_text(one.returned_at),
            "guarantee": None if one.guarantee is None else str(one.guarantee.form),
            "kept_for": one.forfeited_for,
            "kept_under": one.forfeited_under,
        }
        for one in told
    ]


async def _signers(tx: Transaction, files: Mapping[str, bytes]) -> dict[str, str]:
    """The public keys of those who signed the package's statements, by key id."""
    keyids = {
        one.keyid
        for path, content in files.items()
        if path.endswith(STATEMENT)
        for one in Envelope.from_bytes(content, max_bytes=PACKAGE_MAX).signatures
    }
    rows = await tx.session.scalars(
        select(CredentialRow).where(col(CredentialRow.keyid).in_(keyids))
    )
    return {row.keyid: b64u(row.public_key) for row in rows}


def _zipped(parts: dict[str, bytes]) -> bytes:
    """One archive of these files, the same bytes whenever it is made."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(parts.items()):
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), content)
    return sink.getvalue()
