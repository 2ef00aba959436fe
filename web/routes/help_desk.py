"""The help desk: short guides for each capacity, and where errors are explained.

Nothing here depends on any lot; it is the same for everybody at every time.
"""

from fastapi import Request
from fastapi.responses import HTMLResponse

from kernel.access import Role
from kernel.errors import NotFound
from web.guides import GUIDES
from web.pages import render
from web.places import Place
from web.request_scope import Act

router = Place()


@router.get("/help", response_class=HTMLResponse)
async def help_page(request: Request, tx: Act) -> HTMLResponse:
    """Which guides there are, the reader's own first."""
    own = [tx.actor.role] if tx.actor.role in GUIDES else []
    return render(
        request,
        "help_desk/index.html",
        roles=[*own, *(role for role in GUIDES if role not in own)],
        now=tx.now,
    )


@router.get("/help/{role}", response_class=HTMLResponse)
async def guide_page(request: Request, tx: Act, role: Role) -> HTMLResponse:
    """The guide of one capacity."""
    if role not in GUIDES:
        raise NotFound("no such guide")
    return render(request, "help_desk/guide.html", role=role, steps=GUIDES[role], now=tx.now)
