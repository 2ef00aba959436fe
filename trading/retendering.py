"""A lot that came to nothing is tendered again: a new draft that carries its terms and names it.

The new lot is a draft like any other, with times of its own still to be set; that it follows
another one stands beside it for good, and both notices say so once it is published.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import strict_json
from kernel.errors import Refused
from kernel.identifiers import LotId, ProjectId
from kernel.refusals import Refusal
from kernel.store.transaction import Transaction
from trading import complaining, composing, drafting, lots, mended_papers
from trading.drafting import LotTerms
from trading.rules.complaint_course import retender_refusals
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import SecurityForm
from trading.rules.tender_file import tender_file_document
from trading.tables import LotRow, RetenderRow, TenderDocumentRow


@dataclass(frozen=True, slots=True)
class Lineage:
    """The lot that a lot tenders again, and the published one that tenders it again."""

    replaces: tuple[LotId, str] | None
    replaced_by: tuple[LotId, str] | None


@by(Role.TENDEREE, Role.AGENCY)
async def tender_again(tx: Transaction, lot_id: LotId) -> LotId:
    """Draft a lot that tenders this one again; the draft's id.

    `Refused` while the lot has not come to nothing, and where that was done before.
    """
    await lots.lock(tx, lot_id)
    lot, _ = await lots.owned(tx, lot_id)

    refusals = await _grounds(tx, lot)
    if refusals:
        raise Refused(refusals)

    draft_id = await drafting.draft_lot(tx, ProjectId(lot.project_id), await _terms_of(tx, lot))
    await tx.session.flush()
    draft = await tx.session.get_one(LotRow, draft_id)
    draft.award_method = lot.award_method
    tx.session.add(RetenderRow(lot_id=draft_id, replaces_id=lot_id, begun_at=tx.now))
    for file in await mended_papers.newest_files(tx, lot_id):
        tx.session.add(
            TenderDocumentRow(
                lot_id=draft_id,
                name=file.name,
                digest=file.digest,
                size=file.size,
                media_type=file.media_type,
                added_at=tx.now,
            )
        )
    # The file of blocks is written anew: it stands among the documents once it is published. What
    # was answered to findings in its words has to be answered again.
    document = await composing.published_file(tx, lot_id)
    if document is not None:
        await composing.replace_file(tx, draft_id, tender_file_document(document))

    return draft_id


@by(Role.TENDEREE, Role.AGENCY)
async def may_tender_again(tx: Transaction, lot_id: LotId) -> bool:
    """Whether the own lot has come to nothing and nobody has begun to tender it again."""
    lot, _ = await lots.owned(tx, lot_id)
    return not await _grounds(tx, lot)


@by(*Role)
async def lineage(tx: Transaction, lot_id: UUID) -> Lineage:
    """What a lot follows, and what follows it once that is published."""
    before = await tx.session.execute(
        select(LotRow)
        .join(RetenderRow, col(RetenderRow.replaces_id) == col(LotRow.id))
        .where(col(RetenderRow.lot_id) == lot_id)
    )
    after = await tx.session.execute(
        select(LotRow)
        .join(RetenderRow, col(RetenderRow.lot_id) == col(LotRow.id))
        .where(col(RetenderRow.replaces_id) == lot_id, col(LotRow.published_at).is_not(None))
        .order_by(col(RetenderRow.begun_at).desc())
    )
    return Lineage(_named(before.scalars().first()), _named(after.scalars().first()))


def _named(lot: LotRow | None) -> tuple[LotId, str] | None:
    return None if lot is None else (LotId(lot.id), lot.name)


async def _terms_of(tx: Transaction, lot: LotRow) -> LotTerms:
    assert lot.scheme_digest is not None
    scheme = strict_json(await tx.documents.read(lot.scheme_digest))
    assert isinstance(scheme, dict)
    return LotTerms(
        name=lot.name,
        region_code=lot.region_code,
        estimate=lot.estimate,
        ceiling_price=lot.ceiling_price,
        bid_security=lot.bid_security,
        security_forms=tuple(SecurityForm(form) for form in lot.security_forms),
        scheme=scheme,
        sheet_fields=tuple(lot.sheet_fields),
        notice=await mended_papers.newest_words(tx, lot),
        plan=dict(lot.plan),
        officials_threshold=lot.officials_threshold,
        escrow_threshold=lot.escrow_threshold,
    )


async def is_tendered_again(tx: Transaction, lot_id: UUID) -> bool:
    """Whether somebody has begun to tender a lot again."""
    before = await tx.session.scalar(
        select(func.count())
        .select_from(RetenderRow)
        .join(LotRow, col(LotRow.id) == col(RetenderRow.lot_id))
        .where(
            col(RetenderRow.replaces_id) == lot_id,
            # A draft that was given up tenders nothing again.
            or_(col(LotRow.state) != LotState.CANCELLED, col(LotRow.published_at).is_not(None)),
        )
    )
    return bool(before)


async def _grounds(tx: Transaction, lot: LotRow) -> list[Refusal]:
    return retender_refusals(
        LotState(lot.state),
        published=lot.published_at is not None,
        award_void=await complaining.award_is_void(tx, lot.id),
        again=await is_tendered_again(tx, lot.id),
    )
