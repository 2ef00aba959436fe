"""The papers of a lot that is tendered again, held against those of the lot that it follows.

What is tendered again begins with the newest papers, as clarifications and modifications left
them. Papers that a complaint found unlawful must first be mended: the same may not be published
twice (招标投标法实施条例 23).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.refusals import Refusal
from kernel.store.transaction import Transaction
from trading.composing import ComposedFile, published_file
from trading.document_versions import told_versions
from trading.notice_board import TenderFile, tender_files
from trading.rules.changed_terms import Terms
from trading.rules.complaint_window import ComplaintAbout, Verdict
from trading.rules.procedures import SecurityForm, Switches
from trading.rules.tender_ending import retender_refusals
from trading.rules.tender_file import FILE_NAME
from trading.tables import ComplaintDecisionRow, ComplaintRow, LotRow, RetenderRow

_QUOTED_MAX: Final = 120


async def newest_words(tx: Transaction, lot: LotRow) -> dict[str, str]:
    """The owner's words of a published lot's notice, as they were last changed."""
    newest = (await told_versions(tx, lot.id))[-1].words
    return {place: newest.get(place, text) for place, text in lot.notice.items()}


async def newest_files(tx: Transaction, lot_id: UUID) -> tuple[TenderFile, ...]:
    """Each uploaded document of a published lot in its newest version; not the file of blocks."""
    newest = {file.name: file for file in await tender_files(tx, lot_id) if file.name != FILE_NAME}
    return tuple(newest.values())


async def unmended_grounds(
    tx: Transaction,
    draft: LotRow,
    switches: Switches,
    *,
    uploaded: Sequence[TenderFile],
    composed: ComposedFile | None,
) -> list[Refusal]:
    """Why a draft that tenders a lot again may not be published: its papers were found unlawful."""
    follows = await tx.session.get(RetenderRow, draft.id)
    if follows is None:
        return []
    found = await _found_unlawful(tx, follows.replaces_id)
    if found is None:
        return []
    voided = await tx.session.get_one(LotRow, follows.replaces_id)

    changed = (
        _terms(draft) != _terms(voided)
        or draft.notice != await newest_words(tx, voided)
        or _contents(uploaded) != _contents(await newest_files(tx, voided.id))
        or (composed is not None and composed.document != await published_file(tx, voided.id))
    )
    return retender_refusals(voided_for=found[:_QUOTED_MAX], changed=changed, switches=switches)


async def _found_unlawful(tx: Transaction, lot_id: UUID) -> str | None:
    """What a decision found when it declared a tender void over its documents."""
    found: str | None = await tx.session.scalar(
        select(col(ComplaintDecisionRow.facts))
        .join(ComplaintRow, col(ComplaintRow.id) == col(ComplaintDecisionRow.complaint_id))
        .where(
            col(ComplaintRow.lot_id) == lot_id,
            col(ComplaintRow.about) == ComplaintAbout.DOCUMENTS,
            col(ComplaintDecisionRow.verdict) == Verdict.UPHELD_VOID,
        )
        .order_by(col(ComplaintDecisionRow.decided_at))
        .limit(1)
    )
    return found


def _terms(lot: LotRow) -> Terms:
    return Terms(
        lot.ceiling_price,
        lot.bid_security,
        tuple(SecurityForm(form) for form in lot.security_forms),
        tuple(lot.sheet_fields),
        lot.scheme_digest,
    )


def _contents(files: Sequence[TenderFile]) -> dict[str, bytes]:
    return {file.name: file.digest for file in files}
