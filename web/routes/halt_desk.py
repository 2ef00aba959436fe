"""Where a supervisor orders a lot to stand still, and the centre says that a fault stops it."""

from typing import Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse

from kernel.events import plain
from kernel.identifiers import LotId
from trading import halting
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}


@router.post("/api/v1/lots/{lot_id}/halts/order", status_code=204)
async def post_order(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """Order as a supervisor that the lot stands still, or that it goes on."""
    await halting.order_lot(tx, LotId(lot_id), raw)


@router.post("/api/v1/lots/{lot_id}/halts/fault", status_code=204)
async def post_fault(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """Say for the centre that a fault halts the lot, or that it is mended."""
    await halting.halt_for_fault(tx, LotId(lot_id), raw)


@router.get("/api/v1/lots/{lot_id}/halts")
async def get_halts(tx: Act, lot_id: UUID) -> JSONResponse:
    """Every order and every word on a fault about the lot."""
    return JSONResponse(plain(await halting.halts_of(tx, LotId(lot_id))), headers=NO_STORE)


@router.get("/lots/{lot_id}/halts", response_class=HTMLResponse, include_in_schema=False)
async def halts_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The same as a page, with what its reader may do now."""
    seen = await halting.halts_of(tx, LotId(lot_id))
    return render(request, "halt_desk/halts.html", procedure=seen.procedure, seen=seen, now=tx.now)
