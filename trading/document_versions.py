"""The tender documents, version by version, told from the signed notices themselves.

Nothing is stored of a version but the notice that made it: the tender notice, and every signed
clarification or modification since.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, strict_json, unb64u
from kernel.errors import NotFound
from kernel.store.transaction import Transaction
from trading import inviting
from trading.composing import FILE_MAX
from trading.rules.changed_terms import Terms, stated_terms, terms_in
from trading.rules.scheme_words import scheme_changes, scheme_lines
from trading.rules.tender_file import parse_tender_file
from trading.rules.version_difference import (
    Answer,
    ChangedContents,
    ChangedFile,
    ChangedTerm,
    Difference,
    KeptFile,
    Version,
    changed_term,
    contents_difference,
    difference,
    version_at,
)
from trading.tables import BidRow, LotRow, NoticeRow, TimetableRow


@dataclass(frozen=True, slots=True)
class Bound:
    """By which version of the documents a standing bid was made, and what came since."""

    made_under: Version
    current: Version
    since: Difference

    @property
    def is_old(self) -> bool:
        """Whether something was published since that may affect how bids are made."""
        return self.since.may_affect_bids


@by(*Role)
async def versions(tx: Transaction, lot_id: UUID) -> tuple[Version, ...]:
    """Every version of a published lot's documents, the first one first.

    Whoever was not invited where others were is told the first version's words, and of no file.
    """
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None or lot.published_at is None:
        raise NotFound("no such lot")
    found = await told_versions(tx, lot_id)
    if await inviting.is_kept_from(tx, lot):
        return (replace(found[0], files={}),)
    return found


@by(*Role)
async def compared(tx: Transaction, lot_id: UUID, old: int, new: int) -> Difference:
    """Two versions of a published lot's documents held side by side; `NotFound` for no such two."""
    found = await versions(tx, lot_id)
    if not 1 <= old < new <= len(found):
        raise NotFound("no such versions")
    between = difference(found, old, new)
    contents = [await _contents(tx, file) for file in between.files]
    return replace(
        between,
        contents=tuple(one for one in contents if one is not None),
        terms=tuple([await _spelt_out(tx, between, one) for one in between.terms]),
    )


async def _spelt_out(tx: Transaction, between: Difference, one: ChangedTerm) -> ChangedTerm:
    """A changed scheme in its own words instead of its digest; every other term as it is."""
    if one.term != "scheme":
        return one
    old, new = [
        None if terms.scheme is None else json.loads(await tx.documents.read(terms.scheme))
        for terms in (between.old.terms, between.new.terms)
    ]
    found = await asyncio.to_thread(changed_term, one.term, scheme_lines(old), scheme_lines(new))
    return replace(found, scheme=scheme_changes(old, new))


def scheme_text(content: bytes) -> str:
    """A scheme as its owners read and write it."""
    return json.dumps(json.loads(content), ensure_ascii=False, indent=2)


async def _contents(tx: Transaction, file: ChangedFile) -> ChangedContents | None:
    """What changed inside a file, where both are tender files of blocks; None for all others."""
    if file.old is None or not file.name.endswith(".json"):
        return None
    try:
        before, after = [
            parse_tender_file(strict_json(await tx.documents.read(one.digest), FILE_MAX))
            for one in (file.old, file.new)
        ]
    except Malformed:
        return None
    return await asyncio.to_thread(contents_difference, file.name, before, after)


@by(Role.BIDDER)
async def own_bound(tx: Transaction, lot_id: UUID) -> Bound | None:
    """By which version the acting bidder's standing bid was made; None where it has none."""
    found = await versions(tx, lot_id)
    bid = await tx.session.scalar(
        select(BidRow)
        .where(col(BidRow.lot_id) == lot_id, col(BidRow.bidder_id) == tx.actor.party)
        .order_by(col(BidRow.seq).desc())
        .limit(1)
    )
    if bid is None or bid.withdrawn:
        return None
    made_under = version_at(found, bid.received_at)
    return Bound(made_under, found[-1], difference(found, made_under.number, len(found)))


async def told_versions(tx: Transaction, lot_id: UUID) -> tuple[Version, ...]:
    """The versions of a lot whose notice is known to be published."""
    notices = (
        await tx.session.scalars(
            select(NoticeRow)
            .where(
                col(NoticeRow.lot_id) == lot_id,
                col(NoticeRow.kind).in_(["tender", "clarification"]),
            )
            .order_by(col(NoticeRow.number))
        )
    ).all()
    timetables = (
        await tx.session.scalars(
            select(TimetableRow)
            .where(col(TimetableRow.lot_id) == lot_id)
            .order_by(col(TimetableRow.version))
        )
    ).all()
    words: dict[str, str] = {}
    files: dict[str, KeptFile] = {}
    terms: Terms | None = None
    found = []
    for place, notice in enumerate(notices):
        body = notice.body
        words = {**words, **_words_in(body)}
        files = {**files, **_files_in(body)}
        terms = _terms_in(body, terms)
        until = notices[place + 1].published_at if place + 1 < len(notices) else None
        times = _times_until(timetables, until)
        found.append(
            Version(
                number=place + 1,
                notice=notice.number,
                title=notice.title,
                text=body.get("text", ""),
                published_at=notice.published_at,
                may_affect_bids=bool(body.get("may_affect_bids", False)),
                words=words,
                files=files,
                answers=_answers_in(notice),
                documents_until=times.documents_until,
                bids_due_at=times.bids_due_at,
                terms=terms,
            )
        )
    return tuple(found)


def _words_in(body: Mapping[str, Any]) -> dict[str, str]:
    return {
        **body.get("words", {}),
        **{change["place"]: change["text"] for change in body.get("changes", [])},
    }


def _terms_in(body: Mapping[str, Any], before: Terms | None) -> Terms:
    if before is None:
        return stated_terms(body)
    return terms_in(body["terms"], before) if "terms" in body else before


def _answers_in(notice: NoticeRow) -> tuple[Answer, ...]:
    if notice.kind != "clarification":
        return ()
    return tuple(Answer(one["question"], one["answer"]) for one in notice.body.get("answers", []))


def _files_in(body: Mapping[str, Any]) -> dict[str, KeptFile]:
    return {
        file["name"]: KeptFile(unb64u(file["sha256"], 32), file["size"])
        for file in body.get("documents", [])
    }


def _times_until(timetables: Sequence[TimetableRow], until: datetime | None) -> TimetableRow:
    """The last timetable in force before the next version was published; now, where none was."""
    before = [one for one in timetables if until is None or one.recorded_at < until]
    return before[-1] if before else timetables[0]
