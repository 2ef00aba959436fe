"""The files that an objection, a complaint, an annulment, an answer in talks or a doubt about a
candidate brings.

A file is kept before the statement that names it is signed. Until then it is its sender's alone;
afterwards whoever may read the evidence may read the file, and for everybody else there is none.
What an answer in talks brings is read by the group alone, through its own door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, unb64u
from kernel.errors import NotFound, TooMuch
from kernel.identifiers import LotId
from kernel.store.parties import require_verified
from kernel.store.transaction import Transaction
from trading import award_views, complaint_views, lots, objecting, rechecking
from trading.drafting import file_name
from trading.tables import EvidenceFileRow, LotRow

FILE_MAX: Final = 8 << 20
FILES_MAX: Final = 40
"""How many files one organisation may keep for one lot, over all its objections and complaints."""

ANYONE: Final = tuple(Role)


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file as it was sent."""

    name: str
    media_type: str
    content: bytes


@by(Role.BIDDER, Role.TENDEREE, Role.AGENCY)
async def keep_evidence(
    tx: Transaction, lot_id: LotId, name: str, content: bytes, *, media_type: str
) -> bytes:
    """Keep a file that is going to be named by what its sender signs; its digest.

    The same file again changes nothing. `TooMuch` beyond `FILES_MAX` for this lot.
    """
    objecting.require_public(await tx.session.get(LotRow, lot_id))
    if tx.actor.role is not Role.BIDDER:
        await lots.owned(tx, lot_id)
    await require_verified(tx)
    name = file_name(name)
    if not content:
        raise Malformed("an empty file", code="file_empty")
    digest = await tx.documents.keep(content)
    if await tx.session.get(EvidenceFileRow, (lot_id, tx.actor.party, digest)) is not None:
        return digest
    kept = await tx.session.scalar(
        select(func.count())
        .select_from(EvidenceFileRow)
        .where(
            col(EvidenceFileRow.lot_id) == lot_id,
            col(EvidenceFileRow.party_id) == tx.actor.party,
        )
    )
    if (kept or 0) >= FILES_MAX:
        raise TooMuch(f"an organisation keeps at most {FILES_MAX} files of evidence for a lot")

    tx.session.add(
        EvidenceFileRow(
            lot_id=lot_id,
            party_id=tx.actor.party,
            digest=digest,
            name=name,
            media_type=media_type,
            size=len(content),
            kept_by=tx.actor.person,
            kept_at=tx.now,
        )
    )

    return digest


@by(*ANYONE)
async def evidence_file(tx: Transaction, lot_id: LotId, digest: bytes) -> EvidenceFile:
    """A file of the evidence; `NotFound` for whoever may not read what names it."""
    rows = (
        await tx.session.scalars(
            select(EvidenceFileRow)
            .where(col(EvidenceFileRow.lot_id) == lot_id, col(EvidenceFileRow.digest) == digest)
            .order_by(col(EvidenceFileRow.kept_at))
        )
    ).all()
    if not rows:
        raise NotFound("no such file")
    own = [row for row in rows if row.party_id == tx.actor.party_id]
    if not own and digest not in await _readable(tx, lot_id):
        raise NotFound("no such file")
    row = (own or list(rows))[0]
    return EvidenceFile(row.name, row.media_type, await tx.documents.read(digest))


async def _readable(tx: Transaction, lot_id: LotId) -> frozenset[bytes]:
    """The digests in all evidence about this lot that the actor may read."""
    objections = await award_views.objections_to(tx, lot_id)
    complaints = await complaint_views.complaints_about(tx, lot_id)
    told = [
        *(one.evidence or () for one in objections),
        *(one.evidence or () for one in complaints),
        *(one.evidence or () for one in await award_views.fallen_awards(tx, lot_id)),
        *(one.evidence or () for one in await rechecking.rechecks_told(tx, lot_id)),
    ]
    return frozenset(unb64u(item["file"]) for items in told for item in items if "file" in item)
