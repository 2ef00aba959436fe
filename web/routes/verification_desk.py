"""The verification desk: whoever holds a paper asks here whether this platform issued it so."""

from typing import Annotated, Any, Final

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, JSONResponse

from kernel.errors import NotFound
from kernel.events import plain
from trading import contract_views
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
NUMBER_MAX: Final = 250
Number = Annotated[str, Query(max_length=NUMBER_MAX)]


@router.get("/api/v1/verification")
async def verify_paper(tx: Act, number: Number) -> JSONResponse:
    """The paper with this number: what it says, and whether its signatures hold."""
    found = await contract_views.paper_numbered(tx, number)
    if found is None:
        raise NotFound("no paper with this number was issued here")
    told: Any = plain(found)
    return JSONResponse(
        {**told, "holds": found.holds, "in_force": found.in_force}, headers=NO_STORE
    )


@router.get("/verify", response_class=HTMLResponse, include_in_schema=False)
async def verification_page(request: Request, tx: Act, number: Number = "") -> HTMLResponse:
    """The desk as a page: a number in, a paper out."""
    asked = number.strip()
    found = await contract_views.paper_numbered(tx, asked) if asked else None
    return render(request, "verification_desk/desk.html", asked=asked, paper=found, now=tx.now)
