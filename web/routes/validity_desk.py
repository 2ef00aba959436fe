"""Where all who bid are asked to stay bound longer, and answer; everybody reads what was asked."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Request
from fastapi.responses import HTMLResponse, JSONResponse

from kernel.crypto.digests import instant_text
from kernel.events import plain
from kernel.identifiers import LotId
from trading import extending
from trading.performing import NUMBER_MAX
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
Number = Annotated[int, Path(ge=1, le=NUMBER_MAX)]


@router.post("/api/v1/lots/{lot_id}/validity-extensions", status_code=201)
async def post_request(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Ask all who bid to stay bound for more days from the deadline."""
    done = await extending.ask_extension(tx, LotId(lot_id), raw)
    return {
        "number": done.number,
        "valid_until": instant_text(done.valid_until),
        "cautions": [one.as_json() for one in done.cautions],
    }


@router.post("/api/v1/lots/{lot_id}/validity-extensions/{number}/answer", status_code=201)
async def post_answer(tx: Act, lot_id: UUID, number: Number, raw: Signed) -> dict[str, str]:
    """Agree to stay bound longer, or refuse and leave with the security."""
    return {"reply": str(await extending.answer_extension(tx, LotId(lot_id), number, raw))}


@router.get("/api/v1/lots/{lot_id}/validity")
async def get_validity(tx: Act, lot_id: UUID) -> JSONResponse:
    """Until when bids bind, and what was asked; the answers for owners and supervisors."""
    return JSONResponse(plain(await extending.validity_course(tx, LotId(lot_id))), headers=NO_STORE)


@router.get("/lots/{lot_id}/validity", response_class=HTMLResponse, include_in_schema=False)
async def validity_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The same as a page, with what its reader may do now."""
    seen = await extending.validity_course(tx, LotId(lot_id))
    return render(
        request,
        "validity_desk/lot.html",
        procedure=seen.procedure,
        seen=seen,
        now=tx.now,
    )
