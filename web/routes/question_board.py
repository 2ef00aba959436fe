"""The question board: whoever means to bid asks, and everybody reads the answers at once.

Who asked stands nowhere on it, not even for the tenderee before the lot is closed. An answer is
part of a signed clarification and appears with it, for everybody at the same moment.
"""

from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse

from kernel.access import Role
from kernel.crypto.digests import instant_text
from kernel.identifiers import LotId
from kernel.working_days import beijing_day
from trading import document_versions, notice_board, questioning, tendering
from trading.questioning import Board
from trading.rules.procedures import switches_of
from trading.rules.question_window import secrecy_article
from trading.rules.version_difference import Version
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed
from web.routes.tender_desk import clarification_form

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}


@router.post("/api/v1/lots/{lot_id}/questions", status_code=201)
async def post_question(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, str]:
    """Ask about the tender documents; who asked is told to nobody."""
    asked = await questioning.ask_question(tx, LotId(lot_id), raw)
    return {"id": str(asked.id), "asked_at": instant_text(asked.asked_at)}


@router.get("/api/v1/lots/{lot_id}/questions")
async def get_questions(tx: Act, lot_id: UUID) -> JSONResponse:
    """The published answers; besides, a bidder's own questions, and the desk's for those it is."""
    found = await questioning.board(tx, LotId(lot_id))
    versions = await document_versions.versions(tx, lot_id)
    return JSONResponse(_board_told(found, versions), headers=NO_STORE)


@router.get("/notices/{lot_id}/questions", response_class=HTMLResponse)
async def board_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The board: what was answered, what one asked oneself, and what waits for an answer."""
    found = await notice_board.notice(tx, lot_id)
    board = await questioning.board(tx, LotId(lot_id))
    versions = await document_versions.versions(tx, lot_id)
    answering = board.desk is not None and board.takes_answers
    published_at = found.line.published_at
    assert published_at is not None
    switches = switches_of(found.line.procedure, on=beijing_day(published_at))
    return render(
        request,
        "question_board/board.html",
        procedure=found.line.procedure,
        notice=found,
        board=board,
        versions=versions,
        waiting=[one for one in board.desk or () if one.notice is None],
        done=[one for one in board.desk or () if one.notice is not None],
        switches=switches,
        secrecy=secrecy_article(switches),
        asks=tx.actor.role is Role.BIDDER,
        role=tx.actor.role,
        now=tx.now,
        form=clarification_form(
            found, versions, earliest=await tendering.deadline_for_changes(tx, lot_id)
        )
        if answering
        else None,
    )


def _board_told(found: Board, versions: tuple[Version, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "until": instant_text(found.until),
        "takes_questions": found.takes_questions,
        "answers": [
            {
                "notice": version.notice,
                "version": version.number,
                "published_at": instant_text(version.published_at),
                "question": one.question,
                "answer": one.answer,
            }
            for version in versions
            for one in version.answers
        ],
        "own": [
            {
                "id": str(one.id),
                "words": one.words,
                "asked_at": instant_text(one.asked_at),
                "notice": one.notice,
            }
            for one in found.own
        ],
    }
    if found.desk is not None:
        told["desk"] = [
            {"id": str(one.id), "words": one.words, "notice": one.notice, "asker": one.asker}
            for one in found.desk
        ]
    return told
