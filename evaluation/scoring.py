"""Scoring alone: marks saved one by one, committed to as a sheet, revealed when all have committed.

What a member fills in is seen by nobody else. What it commits to is known to the platform by its
digest alone until every member has committed; sheet and nonce stay with the seat until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select

from evaluation import committees, reviewing
from evaluation.committees import CommitteeFile
from evaluation.events import ScoresCommitted, ScoresRevealed
from evaluation.rules.rejection_grounds import rejected_bids
from evaluation.rules.scheme_document import parse_scheme
from evaluation.rules.score_commitment import (
    NONCE_SIZE,
    ChangeGround,
    Mark,
    NextRound,
    ScoreSheet,
    SheetChange,
    change_refusals,
    check_reveal,
    parse_sheet,
    recommitment_refusals,
    reveal_refusals,
    sheet_document,
    sheet_refusals,
)
from evaluation.rules.score_scheme import ScoreScheme, score_refusals
from evaluation.rules.session_protocol import Cell, Conflict, ScoreEdit, merge_edit
from evaluation.tables import (
    DraftScoreRow,
    MemberRow,
    ReportRow,
    ScoreEditRow,
    SheetRow,
    SignatureRow,
)
from kernel.access import Role, by
from kernel.crypto.digests import Malformed, count_of, text_of, unb64u
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import BidId, CommitteeId
from kernel.randomness import random_id
from kernel.store.database import lock_exclusive
from kernel.store.parties import live_keys, verified_statement
from kernel.store.transaction import Transaction
from trading import handover

REASON_MAX: Final = 500
SCORE_MAX: Final = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class MarkEdit:
    """A mark as a seat sends it: for which cell, upon which version, under an id of its own."""

    edit_id: UUID
    bid_id: BidId
    item: str
    score: Decimal | None
    base_version: int
    band: str | None = None


@dataclass(frozen=True, slots=True)
class SavedCell:
    """A cell as it stands now; `saved` is false where it was changed since the edit was made."""

    bid_id: BidId
    item: str
    score: Decimal | None
    version: int
    saved: bool = True


@dataclass(frozen=True, slots=True)
class OwnRound:
    """A sheet the acting member committed to."""

    round: int
    commitment: bytes
    reason: str
    revealed: bool


@dataclass(frozen=True, slots=True)
class OwnMarks:
    """A member's own marks so far, and what it committed to."""

    member_id: UUID
    scheme: dict[str, Any]
    bids: tuple[BidId, ...]
    """The bids that are to be marked: those not rejected."""

    cells: tuple[SavedCell, ...]
    rounds: tuple[OwnRound, ...]


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def save_mark(tx: Transaction, committee_id: CommitteeId, edit: MarkEdit) -> SavedCell:
    """Merge one edit of the acting member's own sheet.

    An edit sent twice changes nothing; one made upon another version than the present one is not
    merged, and the answer shows what stands there. `Refused` where the mark is outside its band.
    """
    file = await committees.hold(tx, committee_id)
    member = await committees.at_work(tx, file, alone=True)
    scheme = await scheme_of(tx, file)
    if edit.bid_id not in await _bids_before(tx, file):
        raise NotFound("no such opened bid")
    if edit.score is not None and not -SCORE_MAX < edit.score < SCORE_MAX:
        raise Malformed("a mark has at most four digits before the point")

    refusals = score_refusals(scheme, edit.item, edit.score or Decimal(0), band=edit.band)
    if edit.score is None:
        refusals = [one for one in refusals if one.code == "unknown_item"]
    if refusals:
        raise Refused(refusals)

    await lock_exclusive(tx.session, f"marks:{member.id}")
    known = await tx.session.get(ScoreEditRow, edit.edit_id)
    if known is not None and known.member_id != member.id:
        raise Outrun("this edit is known already")
    key = (member.id, edit.bid_id, edit.item)
    row = await tx.session.get(DraftScoreRow, key, populate_existing=True)
    cell = Cell(
        0 if row is None else row.version,
        None if row is None else row.score,
        frozenset() if known is None else frozenset({edit.edit_id}),
    )
    merged = merge_edit(cell, ScoreEdit(edit.edit_id, edit.base_version, edit.score))
    if isinstance(merged, Conflict) or merged.repeated:
        saved = not isinstance(merged, Conflict)
        return SavedCell(edit.bid_id, edit.item, cell.score, cell.version, saved=saved)
    row = row or DraftScoreRow(
        member_id=member.id,
        bid_id=edit.bid_id,
        item=edit.item,
        version=0,
        edit_id=edit.edit_id,
        saved_at=tx.now,
    )
    row.score, row.version = merged.cell.score, merged.cell.version
    row.edit_id, row.saved_at = edit.edit_id, tx.now
    tx.session.add(row)
    tx.session.add(
        ScoreEditRow(
            edit_id=edit.edit_id,
            member_id=member.id,
            bid_id=edit.bid_id,
            item=edit.item,
            score=edit.score,
            base_version=edit.base_version,
            edited_at=tx.now,
        )
    )

    return SavedCell(edit.bid_id, edit.item, merged.cell.score, merged.cell.version)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def own_marks(tx: Transaction, committee_id: CommitteeId) -> OwnMarks:
    """What the acting member has filled in and committed to; nobody else can ask for it."""
    file = await committees.hold(tx, committee_id)
    member = await committees.at_work(tx, file, alone=True)
    sheets = await committees.sheets_of(tx, [member.id])
    return OwnMarks(
        member.id,
        (await committees.brief_of(tx, file)).scheme,
        tuple(BidId(UUID(one)) for one in await valid_bids(tx, file)),
        tuple(await _cells(tx, member)),
        tuple(
            OwnRound(one.round, one.commitment, one.reason, one.revealed_at is not None)
            for one in sheets[member.id]
        ),
    )


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def commit(tx: Transaction, committee_id: CommitteeId, raw: bytes) -> int:
    """Commit to a sheet by a signed statement; which round it is.

    The first one needs every mark filled in. One after that needs a reason; it is refused without.
    """
    file = await committees.lock(tx, committee_id)
    member = await committees.at_work(tx, file)
    brief = await committees.brief_of(tx, file)
    statement = await verified_statement(
        tx, raw, "scores-commit", committee=file.id, member=member.id
    )
    said = statement.payload
    commitment = unb64u(said["commitment"], 32)
    number, reason = count_of(said["round"]), text_of(said.get("reason", "")).strip()
    ground = _ground(said.get("ground"))
    if len(reason) > REASON_MAX:
        raise Malformed(f"a reason has at most {REASON_MAX} characters")
    sheets = await committees.sheets_of(tx, file.member_ids)
    mine = sheets[member.id]

    if mine:
        refusals = recommitment_refusals(
            NextRound(
                before=mine[-1].round,
                round=number,
                reason=reason,
                totals_known=committees.all_revealed(sheets),
                report_signed=await _report_is_signed(tx, file),
                ground=ground,
            ),
            regime=brief.regime,
        )
    else:
        if number != 1 or reason:
            raise Malformed("a member's first sheet is round 1 and has no reason")
        refusals = sheet_refusals(
            ScoreSheet(file.id, member.id, 1, await _marks(tx, file, member)),
            await scheme_of(tx, file),
            bids=await valid_bids(tx, file),
            regime=brief.regime,
        )
    refusals += await handover.last_prices_due(tx, file.lot_id)
    if refusals:
        raise Refused(refusals)

    keys = await live_keys(tx.session, tx.actor.person)
    entry_id = tx.record(
        ScoresCommitted(file.lot_id, file.id, member.number, number, commitment, reason)
    )
    tx.session.add(
        SheetRow(
            id=random_id(),
            member_id=member.id,
            round=number,
            commitment=commitment,
            statement=raw,
            keyid=statement.keyid,
            public_key=keys[statement.keyid],
            committed_at=tx.now,
            committed_entry=entry_id,
            reason=reason,
            ground=ground,
        )
    )
    # A report that stood on the earlier sheets stands no more.
    await _discard_report(tx, file)

    return number


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def reveal(tx: Transaction, committee_id: CommitteeId, sheet: object, nonce: bytes) -> None:
    """Show a sheet one committed to, when everybody has committed.

    `BrokenSeal` where it is not the sheet committed to. A sheet that the law refuses stays
    unrevealed; the member commits to a right one, with its reason.
    """
    file = await committees.lock(tx, committee_id)
    member = await committees.at_work(tx, file)
    brief = await committees.brief_of(tx, file)
    told = parse_sheet(sheet)
    if len(nonce) != NONCE_SIZE:
        raise Malformed(f"a nonce has {NONCE_SIZE} bytes")
    sheets = await committees.sheets_of(tx, file.member_ids)
    row = next((one for one in sheets[member.id] if one.round == told.round), None)
    if row is None or (told.committee, told.expert) != (file.id, member.id):
        raise NotFound("no such sheet was committed to")
    if row.revealed_at is not None:
        raise Outrun("the sheet is revealed already")
    before = sheets[member.id][told.round - 2] if told.round > 1 else None

    committed = [one for one, rows in sheets.items() if rows]
    refusals = reveal_refusals(
        committee_members=file.member_ids, committed=committed, regime=brief.regime
    )
    if refusals:
        raise Refused(refusals)
    check_reveal(told, nonce, row.commitment)
    # What a later round has replaced need not be right any more, only be what was committed to.
    if row is sheets[member.id][-1]:
        marked = {one.bid for one in told.marks}
        opened = {str(one) for one in await _bids_before(tx, file)}
        refusals = sheet_refusals(
            told,
            await scheme_of(tx, file),
            # Marks on a bid that was rejected after they were given may stand.
            bids={*await valid_bids(tx, file), *(marked & opened)},
            regime=brief.regime,
        )
    if before is not None and before.scores is None:
        raise Outrun("the earlier sheet is revealed first")
    if before is not None:
        change = SheetChange(parse_sheet(before.scores), told, row.reason)
        refusals += [
            one
            for one in change_refusals(change, regime=brief.regime)
            if one.code in ("not_own_sheet", "nothing_changed")
        ]
    if refusals:
        raise Refused(refusals)

    row.nonce, row.scores, row.revealed_at = nonce, sheet_document(told), tx.now
    row.revealed_entry = tx.record(
        ScoresRevealed(file.lot_id, file.id, member.number, row.round, row.commitment)
    )
    tx.session.add(row)


# ── for the neighbours in this package ────────────────────────────────────────────────────────


async def scheme_of(tx: Transaction, file: CommitteeFile) -> ScoreScheme:
    """The scheme that was published with the lot."""
    return parse_scheme((await committees.brief_of(tx, file)).scheme)


async def valid_bids(tx: Transaction, file: CommitteeFile) -> list[str]:
    """The opened bids that the committee has not rejected, by id."""
    rejected = rejected_bids(await reviewing.motions_of(tx, file), file.member_ids)
    return [str(one) for one in await _bids_before(tx, file) if str(one) not in rejected]


# ── what the above is made of ─────────────────────────────────────────────────────────────────


async def _bids_before(tx: Transaction, file: CommitteeFile) -> list[BidId]:
    return list(await handover.bids_to_evaluate(tx, file.lot_id))


async def _cells(tx: Transaction, member: MemberRow) -> list[SavedCell]:
    rows: Sequence[DraftScoreRow] = (
        await tx.session.scalars(
            select(DraftScoreRow)
            .where(DraftScoreRow.member_id == member.id)
            .order_by(col(DraftScoreRow.bid_id), col(DraftScoreRow.item))
        )
    ).all()
    return [SavedCell(BidId(row.bid_id), row.item, row.score, row.version) for row in rows]


async def _marks(tx: Transaction, file: CommitteeFile, member: MemberRow) -> tuple[Mark, ...]:
    due = set(await valid_bids(tx, file))
    return tuple(
        Mark(str(cell.bid_id), cell.item, cell.score)
        for cell in await _cells(tx, member)
        if cell.score is not None and str(cell.bid_id) in due
    )


async def _report_is_signed(tx: Transaction, file: CommitteeFile) -> bool:
    report = await tx.session.get(ReportRow, file.id)
    if report is None:
        return False
    found = await tx.session.scalar(
        select(SignatureRow.member_id).where(
            SignatureRow.committee_id == file.id, SignatureRow.report_digest == report.digest
        )
    )
    return found is not None


async def _discard_report(tx: Transaction, file: CommitteeFile) -> None:
    report = await tx.session.get(ReportRow, file.id)
    if report is not None:
        await tx.session.delete(report)


def _ground(value: object) -> ChangeGround | None:
    if value is None:
        return None
    try:
        return ChangeGround(text_of(value))
    except ValueError:
        raise Malformed("the law knows no such ground for a change") from None
