"""A tenderee, or its agency, writes the tender file of a lot, block by block, from a standard text.

A file nobody has touched is the standard text of the lot's category and law, with the gaps filled
that the draft already answers. It is seen by the draft's owners alone until the lot is published;
then its canonical bytes stand among the tender documents, whose digests the signed notice states.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, canonical, sha256, strict_json
from kernel.errors import NotFound, Outrun
from kernel.money import yuan_text
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import lots
from trading.drafting import clean_text, locked_own_lot, require_draft
from trading.events import TenderFileEdited
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure, switches_of
from trading.rules.tender_file import (
    FILE_NAME,
    BillItem,
    Block,
    FileTerms,
    TenderDocument,
    parse_tender_file,
    tender_file_document,
)
from trading.rules.tender_templates import begun, in_order, template_for
from trading.tables import LotRow, ProjectRow, TenderDocumentRow, TenderFileRow

ANSWER_MAX: Final = 2000
JSON: Final = "application/json"
FILE_MAX: Final = 8 << 20

FILED: Final = frozenset(
    {
        Procedure.OPEN_TENDER_MANDATORY,
        Procedure.OPEN_TENDER_VOLUNTARY,
        Procedure.INVITED_TENDER_MANDATORY,
        Procedure.INVITED_TENDER_VOLUNTARY,
        Procedure.PROCUREMENT_OPEN_TENDER,
        Procedure.PROCUREMENT_INVITED_TENDER,
    }
)
"""The procedures that are tenders, and whose lots are published with a tender file of blocks."""


@dataclass(frozen=True)
class ComposedFile:
    """A draft's tender file as it stands, and what is answered to findings in its words.

    `told` is the document (`ebid-tender-file/1`). `revision` is 0 while it is the standard text
    that nobody has touched.
    """

    lot_id: UUID
    revision: int
    told: Mapping[str, object]
    answers: Mapping[str, str]

    @functools.cached_property
    def document(self) -> TenderDocument:
        """The file as the rules read it."""
        return parse_tender_file(self.told)

    def tried(self, document: object) -> ComposedFile:
        """The same with another document in the file's place; `Malformed` where that is none."""
        if not isinstance(document, dict):
            raise Malformed("a tender file is a JSON object", code="version")
        done = replace(self, told=document)
        return done

    @functools.cached_property
    def content(self) -> bytes:
        """The file's canonical bytes, whose digest the notice states."""
        return canonical(self.told)


@by(Role.TENDEREE, Role.AGENCY)
async def own_file(tx: Transaction, lot_id: UUID) -> ComposedFile:
    """The tender file of a draft, for its owners; `NotFound` where the procedure has none."""
    lot, project = await lots.owned(tx, lot_id)
    found = await composed_file(tx, lot, project)
    if found is None or lot.published_at is not None:
        raise NotFound("the lot has no tender file in preparation")
    return found


async def composed_file(tx: Transaction, lot: LotRow, project: ProjectRow) -> ComposedFile | None:
    """The tender file as it stands; None where the procedure is no tender."""
    if Procedure(project.procedure) not in FILED:
        return None
    row = await tx.session.get(TenderFileRow, lot.id)
    if row is not None:
        return ComposedFile(lot.id, row.revision, row.document, row.answers)
    regime = switches_of(Procedure(project.procedure), on=beijing_day(tx.now)).regime
    template = template_for(WorkKind(project.category), regime, on=beijing_day(tx.now))
    file = begun(template, _known(lot, project))
    return ComposedFile(lot.id, 0, tender_file_document(file), {})


def _known(lot: LotRow, project: ProjectRow) -> dict[str, str]:
    """What the draft already answers of a standard text's gaps."""
    words = lot.notice
    known = {
        "项目名称": f"{project.name} {lot.name}",
        "资金来源": project.funding_source,
        "实施地点": words.get("place", ""),
        "内容与规模": "，".join(filter(None, (words.get("content"), words.get("scale")))),
        "实施时间": words.get("schedule", ""),
        "评标方法": words.get("evaluation_method", ""),
        "投标有效期": str(lot.plan.get("validity_days", "")),
        "投标保证金": yuan_text(lot.bid_security),
    }
    if words.get("consortium"):
        known["是否接受联合体"] = "不接受" if "不接受" in words["consortium"] else "接受"
    return {gap: value for gap, value in known.items() if value}


async def published_file(tx: Transaction, lot_id: UUID) -> TenderDocument | None:
    """The newest tender file of a published lot; None where it was published without one."""
    digest = await tx.session.scalar(
        select(col(TenderDocumentRow.digest))
        .where(col(TenderDocumentRow.lot_id) == lot_id, col(TenderDocumentRow.name) == FILE_NAME)
        .order_by(col(TenderDocumentRow.clarification).desc())
        .limit(1)
    )
    if digest is None:
        return None
    return parse_tender_file(json.loads(await tx.documents.read(digest)))


async def require_readable(tx: Transaction, project: ProjectRow, digest: bytes) -> None:
    """A kept file can take the published tender file's place; `Malformed` where it cannot."""
    if Procedure(project.procedure) not in FILED:
        raise Malformed("the procedure has no tender file of blocks", code="file_name")
    parse_tender_file(strict_json(await tx.documents.read(digest), FILE_MAX))


# ── writing ───────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def replace_file(
    tx: Transaction, lot_id: UUID, document: object, *, revision: int | None = None
) -> ComposedFile:
    """Put a whole file in place of the draft's; answers to findings that are gone mean nothing."""
    return await _edited(tx, lot_id, lambda _: document, revision=revision)


@by(Role.TENDEREE, Role.AGENCY)
async def write_block(
    tx: Transaction, lot_id: UUID, block: Block, *, of: str = "", revision: int | None = None
) -> ComposedFile:
    """Write a block, in place of the one numbered `of`, or of its own number, or as a new one."""

    def written(found: ComposedFile) -> object:
        file = found.document
        numbers = {one.number for one in file.blocks}
        if of and of not in numbers:
            raise NotFound("no such block")
        if block.number != of and of and block.number in numbers:
            raise Malformed("two blocks have one number", code="number_twice")
        kept = (one for one in file.blocks if one.number not in (of, block.number))
        return tender_file_document(replace(file, blocks=in_order((*kept, block))))

    return await _edited(tx, lot_id, written, revision=revision)


@by(Role.TENDEREE, Role.AGENCY)
async def remove_block(
    tx: Transaction, lot_id: UUID, number: str, *, revision: int | None = None
) -> ComposedFile:
    """Take a block out of the file."""

    def without(found: ComposedFile) -> object:
        file = found.document
        kept = tuple(one for one in file.blocks if one.number != number)
        if len(kept) == len(file.blocks):
            raise NotFound("no such block")
        return tender_file_document(replace(file, blocks=kept))

    return await _edited(tx, lot_id, without, revision=revision)


@by(Role.TENDEREE, Role.AGENCY)
async def write_figures(
    tx: Transaction,
    lot_id: UUID,
    bill: tuple[BillItem, ...],
    terms: FileTerms,
    *,
    revision: int | None = None,
) -> ComposedFile:
    """Write the list of quantities and the file's figures."""

    def refigured(found: ComposedFile) -> object:
        return tender_file_document(replace(found.document, bill=bill, terms=terms))

    return await _edited(tx, lot_id, refigured, revision=revision)


@by(Role.TENDEREE, Role.AGENCY)
async def answer_finding(tx: Transaction, lot_id: UUID, key: str, answer: str) -> ComposedFile:
    """Say why a condition that was found in the words is lawful; an empty answer takes it back.

    The answer is published in the signed notice, for everybody to read.
    """
    said = clean_text(answer, at_most=ANSWER_MAX) if answer.strip() else ""

    def answered(answers: Mapping[str, str]) -> dict[str, str]:
        kept = {one: words for one, words in answers.items() if one != key}
        return {**kept, key: said} if said else kept

    return await _edited(tx, lot_id, lambda found: found.told, answers=answered)


async def _edited(
    tx: Transaction,
    lot_id: UUID,
    change: Callable[[ComposedFile], object],
    *,
    revision: int | None = None,
    answers: Callable[[Mapping[str, str]], dict[str, str]] = dict,
) -> ComposedFile:
    """Change a draft's file; `Outrun` where it is not the revision that was looked at."""
    lot, project = await locked_own_lot(tx, lot_id)
    found = await composed_file(tx, lot, project)

    if found is None:
        raise NotFound("the procedure has no tender file")
    require_draft(lot)
    if revision is not None and revision != found.revision:
        raise Outrun(f"the tender file is at revision {found.revision}")

    # Read by the parser and written anew, so that nothing is kept that could not be published.
    document = tender_file_document(parse_tender_file(change(found)))
    done = ComposedFile(lot.id, found.revision + 1, document, answers(found.answers))
    await tx.session.merge(
        TenderFileRow(
            lot_id=lot.id,
            document=document,
            answers=dict(done.answers),
            revision=done.revision,
            edited_by=tx.actor.person,
            edited_at=tx.now,
        )
    )

    tx.record(
        TenderFileEdited(
            lot.id,
            addressee_id=tx.actor.party,
            revision=done.revision,
            file_digest=sha256(done.content),
        )
    )

    return done


async def keep_published(tx: Transaction, lot: LotRow, file: ComposedFile) -> None:
    """Put the file among the documents of a lot that is being published."""
    content = file.content
    tx.session.add(
        TenderDocumentRow(
            lot_id=lot.id,
            name=FILE_NAME,
            clarification=0,
            digest=await tx.documents.keep(content),
            size=len(content),
            media_type=JSON,
            added_at=tx.now,
        )
    )
