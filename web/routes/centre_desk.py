"""The centre's desk: staff let organisations and experts in, and note that a call stayed silent.

Calls are told by their place in a list. Who was called is nobody's to know, the centre's neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy import select
from sqlmodel import col

from expert_pool import draw_history, pool_views
from expert_pool.calling import PendingCall
from expert_pool.draw_history import DrawLine
from expert_pool.pool_views import ApplicationTold
from kernel.crypto.digests import instant_text
from kernel.events import plain
from kernel.store.tables import OrganisationRow
from kernel.store.transaction import Transaction
from trading import library_views
from web.pages import render
from web.places import Place
from web.region_names import region_name
from web.request_scope import Act, ActRoute
from web.routes.expert_desk import lot_name

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
WAITING_MAX: Final = 200
LATELY_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class WaitingCalls:
    """The calls of one draw that wait for an answer."""

    draw: DrawLine
    lot_name: str
    calls: Sequence[PendingCall]


@router.get("/api/v1/experts/waiting")
async def get_applicants(tx: Act) -> JSONResponse:
    """The experts who wait to be verified in one's own pool."""
    told = [_application_told(one) for one in await pool_views.applicants(tx)]
    return JSONResponse({"experts": told}, headers=NO_STORE)


@router.get("/api/v1/calls/waiting")
async def get_waiting_calls(tx: Act) -> JSONResponse:
    """The calls that wait for an answer, draw by draw; who was called is told to nobody."""
    told = [
        {
            "draw": str(one.draw.id),
            "lot": str(one.draw.lot_id),
            "lot_name": one.lot_name,
            "calls": plain(one.calls),
        }
        for one in await _waiting_calls(tx)
    ]
    return JSONResponse({"draws": told}, headers=NO_STORE)


@router.get("/centre", response_class=HTMLResponse, include_in_schema=False)
async def centre_page(request: Request, tx: Act) -> HTMLResponse:
    """Everything that waits for the centre's staff."""
    applicants = await pool_views.applicants(tx)
    return render(
        request,
        "centre_desk/desk.html",
        organisations=await _waiting_organisations(tx),
        verified=await _verified_lately(tx),
        applicants=applicants,
        enrolled=await pool_views.lately_verified(tx),
        waiting=await _waiting_calls(tx),
        entries_waiting=await library_views.waiting_count(tx),
        region_name=region_name,
        now=tx.now,
    )


async def _waiting_organisations(tx: Transaction) -> list[OrganisationRow]:
    rows = await tx.session.scalars(
        select(OrganisationRow)
        .where(col(OrganisationRow.verified_at).is_(None))
        .order_by(col(OrganisationRow.registered_at), col(OrganisationRow.id))
        .limit(WAITING_MAX)
    )
    return list(rows)


async def _verified_lately(tx: Transaction) -> list[OrganisationRow]:
    rows = await tx.session.scalars(
        select(OrganisationRow)
        .where(col(OrganisationRow.verified_at).is_not(None))
        .order_by(col(OrganisationRow.verified_at).desc(), col(OrganisationRow.id))
        .limit(LATELY_MAX)
    )
    return list(rows)


async def _waiting_calls(tx: Transaction) -> list[WaitingCalls]:
    return [
        WaitingCalls(draw, await lot_name(tx, draw.lot_id), calls)
        for draw, calls in await draw_history.waiting_calls(tx)
    ]


def _application_told(one: ApplicationTold) -> dict[str, Any]:
    return {
        "id": str(one.expert_id),
        "name": one.name,
        "region": one.region_code,
        "employer": one.employer,
        "employer_uscc": one.employer_uscc,
        "specialisms": list(one.specialisms),
        "title": one.title,
        "years": one.years,
        "born_on": one.born_on.isoformat(),
        "healthy": one.healthy,
        "enrolled_at": instant_text(one.enrolled_at),
    }
