"""What is kept behind a notice: its versions, what changed between them, and how it ended."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from kernel.crypto.digests import instant_text
from kernel.money import yuan_text
from trading import document_versions, endings, notice_board
from trading.endings import EndedLot, Ending
from trading.notice_board import Search
from trading.rules.changed_terms import TERM_NAMES
from trading.rules.document_changes import PLACE_NAMES
from trading.rules.version_difference import Answer, Difference, KeptFile, Segment, Version
from web.pages import render
from web.places import Place
from web.region_names import region_name
from web.request_scope import Act, ActRoute
from web.routes.public_hall import line_told

router = Place(route_class=ActRoute)

VERSION_MAX: Final = 10_000
Number = Annotated[int, Path(ge=1, le=VERSION_MAX)]


class EndedAsked(BaseModel):
    """Which of the lots that ended a reader looks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")] = ""
    region: Annotated[str, Field(pattern=r"^[0-9]{0,6}$")] = ""
    page: Annotated[int, Field(ge=1, le=10_000)] = 1

    def search(self) -> Search:
        """The same as the notice board asks it."""
        return Search(self.q, region=self.region, page=self.page)


@router.get("/notices/{lot_id}/diff/{old}..{new}", response_class=HTMLResponse)
async def difference_page(
    request: Request, tx: Act, lot_id: UUID, old: Number, new: Number
) -> HTMLResponse:
    """Two versions of the tender documents side by side."""
    found = await document_versions.compared(tx, lot_id, old, new)
    notice = await notice_board.notice(tx, lot_id)
    return render(
        request,
        "notice_archive/difference.html",
        procedure=notice.line.procedure,
        notice=notice,
        found=found,
        versions=await document_versions.versions(tx, lot_id),
        places=PLACE_NAMES,
        now=tx.now,
    )


@router.get("/notices/{lot_id}/termination", response_class=HTMLResponse)
async def termination_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The notice that ended the tender: why, what is given back, and what becomes of the bids."""
    found = await endings.ending(tx, lot_id)
    notice = await notice_board.notice(tx, lot_id)
    return render(
        request,
        "notice_archive/termination.html",
        procedure=notice.line.procedure,
        notice=notice,
        ending=found,
        signer=notice_board.signed_by(found.statement),
        now=tx.now,
    )


@router.get("/terminations", response_class=HTMLResponse)
async def terminations_page(
    request: Request, tx: Act, asked: Annotated[EndedAsked, Query()]
) -> HTMLResponse:
    """Every lot that failed, was ended or was declared void, with the reason."""
    found, more = await endings.ended_lots(tx, asked.search())
    return render(
        request,
        "notice_archive/terminations.html",
        found=found,
        more=more,
        asked=asked,
        query={"q": asked.q, "region": asked.region},
        region_name=region_name,
        now=tx.now,
    )


# ── for programs ──────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/lots/{lot_id}/versions")
async def get_versions(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """Every version of the tender documents, the first one first."""
    found = await document_versions.versions(tx, lot_id)
    return {"versions": [_version_told(one) for one in found]}


@router.get("/api/v1/lots/{lot_id}/versions/{old}..{new}")
async def get_difference(tx: Act, lot_id: UUID, old: Number, new: Number) -> dict[str, Any]:
    """Everything in which a later version differs from an earlier one."""
    return _difference_told(await document_versions.compared(tx, lot_id, old, new))


@router.get("/api/v1/terminations")
async def get_terminations(tx: Act, asked: Annotated[EndedAsked, Query()]) -> dict[str, Any]:
    """The lots that ended without an award, the newest end first."""
    found, more = await endings.ended_lots(tx, asked.search())
    return {"terminations": [_ended_told(one) for one in found], "more": more}


@router.get("/api/v1/lots/{lot_id}/termination")
async def get_termination(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """How the tender was ended; 404 for one that was not."""
    return _ending_told(lot_id, await endings.ending(tx, lot_id))


# ── how answers are told ──────────────────────────────────────────────────────────────────────


def _version_told(one: Version) -> dict[str, Any]:
    return {
        "version": one.number,
        "notice": one.notice,
        "title": one.title,
        "text": one.text,
        "published_at": instant_text(one.published_at),
        "may_affect_bids": one.may_affect_bids,
        "words": dict(one.words),
        "terms": one.terms.told(),
        "documents": [{"name": name, **_file_told(file)} for name, file in one.files.items()],
        "answers": [_answer_told(answer) for answer in one.answers],
        "documents_until": instant_text(one.documents_until),
        "bids_due_at": instant_text(one.bids_due_at),
    }


def _difference_told(found: Difference) -> dict[str, Any]:
    return {
        "from": found.old.number,
        "to": found.new.number,
        "may_affect_bids": found.may_affect_bids,
        "words": [
            {
                "place": one.place,
                "label": PLACE_NAMES.get(one.place, one.place),
                "old": one.old,
                "new": one.new,
                "segments": [{"edit": str(part.edit), "text": part.text} for part in one.segments],
            }
            for one in found.words
        ],
        "terms": [
            {
                "term": one.term,
                "label": TERM_NAMES[one.term],
                "old": one.old,
                "new": one.new,
                "segments": _segments_told(one.segments),
                "scheme": [
                    {"part": part.title, "old": part.old, "new": part.new} for part in one.scheme
                ],
            }
            for one in found.terms
        ],
        "documents": [
            {
                "name": one.name,
                "old": None if one.old is None else _file_told(one.old),
                "new": _file_told(one.new),
            }
            for one in found.files
        ],
        "contents": [
            {
                "name": one.name,
                "parts": [
                    {
                        "kind": part.kind,
                        "number": part.number,
                        "title": part.title,
                        "old": part.old,
                        "new": part.new,
                        "segments": _segments_told(part.segments),
                    }
                    for part in one.parts
                ],
            }
            for one in found.contents
        ],
        "times": [
            {
                "what": one.what,
                "old": instant_text(one.old),
                "new": instant_text(one.new),
                "days": one.days,
            }
            for one in found.times
        ],
        "answers": [_answer_told(answer) for answer in found.answers],
        "notices": [
            {"version": one.number, "notice": one.notice, "title": one.title, "text": one.text}
            for one in found.notices
        ],
    }


def _segments_told(segments: tuple[Segment, ...]) -> list[dict[str, str]]:
    return [{"edit": str(one.edit), "text": one.text} for one in segments]


def _file_told(file: KeptFile) -> dict[str, Any]:
    return {"sha256": file.digest.hex(), "size": file.size}


def _answer_told(one: Answer) -> dict[str, str]:
    return {"question": one.question, "answer": one.answer}


def _ending_told(lot_id: UUID, found: Ending) -> dict[str, Any]:
    return {
        "notice": found.notice,
        "reason": found.reason,
        "ended_at": instant_text(found.ended_at),
        "ended_in": str(found.ended_in),
        "article": str(found.article),
        "returns": {
            "article": str(found.return_article),
            "promises": [str(one) for one in found.promises],
            "bid_security": yuan_text(found.bid_security),
            "due_at": _instant(found.return_due_at),
        },
        "bids_read_out": found.read_out,
        "hash": found.digest.hex(),
        "statement": f"/api/v1/lots/{lot_id}/notices/{found.notice}",
    }


def _ended_told(one: EndedLot) -> dict[str, Any]:
    return {
        "lot": line_told(one.line),
        "ended_at": instant_text(one.ended_at),
        "ended_in": str(one.ended_in),
        "reason": one.reason,
        "article": one.article,
        "noticed": one.noticed,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)
