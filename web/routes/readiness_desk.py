"""The readiness desk: a lot's owners look over what its opening needs (T-05).

Only they come in. It reads the published papers, the owners' own question board and the age of the
log; whether anybody bids is not read, so that the page is the same either way until the deadline.
"""

from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse

from kernel.crypto.digests import instant_text
from kernel.identifiers import LotId
from kernel.store.transaction import Transaction
from trading import notice_board, questioning
from trading.notice_board import Notice
from trading.rules.opening_readiness import Looked, Prepared, is_near, readiness
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute
from web.routes.status_board import Board, board_of

router = Place(route_class=ActRoute)


@router.get("/desk/lots/{lot_id}/readiness", response_class=HTMLResponse)
async def readiness_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The list of checks, each with where it is put in order."""
    found, prepared, looked = await _looked_over(tx, lot_id)
    return render(
        request,
        "readiness_desk/readiness.html",
        procedure=found.line.procedure,
        notice=found,
        prepared=prepared,
        looked=looked,
        near=is_near(prepared, now=tx.now),
        machinery=await board_of(request),
        now=tx.now,
    )


@router.get("/api/v1/lots/{lot_id}/readiness")
async def get_readiness(request: Request, tx: Act, lot_id: UUID) -> JSONResponse:
    """The same for programs."""
    _, prepared, looked = await _looked_over(tx, lot_id)
    machinery: Board = await board_of(request)
    told: dict[str, Any] = {
        "bids_due_at": instant_text(prepared.bids_due_at),
        "near": is_near(prepared, now=tx.now),
        "checks": {str(one.check): one.well for one in looked},
        "machinery": {part.key: part.works for part in machinery.parts},
    }
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


async def _looked_over(
    tx: Transaction, lot_id: UUID
) -> tuple[Notice, Prepared, tuple[Looked, ...]]:
    await notice_board.draft(tx, lot_id)
    found = await notice_board.notice(tx, lot_id)
    board = await questioning.board(tx, LotId(lot_id))
    officials: Any = found.policy.document["officials"]
    prepared = Prepared(
        found.times.bids_due_at,
        found.line.suspended,
        sum(1 for one in board.desk or () if one.notice is None),
        len(officials["keys"]),
        officials["t"],
    )
    return found, prepared, readiness(prepared, now=tx.now, calendar=tx.settings.calendar)
