"""The supervision room: every lot as it stands, what holds it up, and the journal as it is written.

A supervisor watches everything that is not sealed. Before a lot's close that is what the public
sees, and no more.
"""

from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy import text

from expert_pool import draw_history
from kernel.events import plain
from kernel.store.journal import Entry, read_view
from kernel.store.transaction import Transaction
from kernel.store.views import SUPERVISORS_FEED
from trading import complaint_views, supervision_views
from web.pages import render
from web.places import Place
from web.region_names import region_name
from web.request_scope import Act

router = Place()

LINES: Final = 60
NO_STORE: Final = {"Cache-Control": "no-store"}


@router.get("/api/v1/supervision")
async def get_oversight(tx: Act) -> JSONResponse:
    """Every lot as it stands, the newest draws and what is overdue, for a supervisor's programs.

    `feed` names the view in which the journal's entries for supervisors are read.
    """
    seen = await supervision_views.oversight(tx)
    told = {
        "lots": plain(seen.lots),
        "by_state": seen.by_state,
        "draws": plain(await draw_history.recent_draws(tx)),
        "overdue_complaints": plain(await complaint_views.overdue_complaints(tx)),
        "feed": SUPERVISORS_FEED,
    }
    return JSONResponse(told, headers=NO_STORE)


@router.get("/supervision", response_class=HTMLResponse, include_in_schema=False)
async def supervision_page(request: Request, tx: Act) -> HTMLResponse:
    """The room as a page that follows the supervisors' feed."""
    return await _rendered(request, tx, "supervision_room/room.html")


@router.get("/supervision/board", response_class=HTMLResponse, include_in_schema=False)
async def supervision_board(request: Request, tx: Act) -> HTMLResponse:
    """The part of the room that changes, fetched again at every entry."""
    return await _rendered(request, tx, "supervision_room/board.html")


async def _rendered(request: Request, tx: Transaction, template: str) -> HTMLResponse:
    seen = await supervision_views.oversight(tx)
    entries = await _newest(tx)
    draws = await draw_history.recent_draws(tx)
    names = {lot.lot_id: lot.name for lot in seen.lots}
    return render(
        request,
        template,
        oversight=seen,
        draws=draws,
        overdue_complaints=await complaint_views.overdue_complaints(tx),
        entries=entries[::-1],
        names=names,
        last=entries[-1].number if entries else 0,
        region_name=region_name,
        now=tx.now,
        live_view=SUPERVISORS_FEED,
    )


async def _newest(tx: Transaction) -> list[Entry]:
    last = await tx.session.scalar(
        text("SELECT max(number) FROM kernel.view_entry WHERE view = :view"),
        {"view": SUPERVISORS_FEED},
    )
    return await read_view(
        tx.session, SUPERVISORS_FEED, after=max(0, (last or 0) - LINES), limit=LINES
    )
