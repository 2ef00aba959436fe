"""The register: who is barred, from what, until when, and by which decision.

Anybody may read what concerns organisations. Supervisors record decisions here, and their lifting,
with statements they sign.
"""

from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy import select
from sqlmodel import col

from blacklist import sanctioning
from blacklist.standing import ACT_NAMES, MISCONDUCT_NAMES, Registered, Subject, register
from kernel.access import Role
from kernel.crypto.digests import instant_text
from kernel.store.tables import OrganisationRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)


@router.post("/api/v1/decisions", status_code=201)
async def post_decision(tx: Act, raw: Signed) -> dict[str, str]:
    """Record a decision that bars somebody."""
    return {"id": str(await sanctioning.bar(tx, raw))}


@router.post("/api/v1/decisions/{decision_id}/lift", status_code=204)
async def post_lift(tx: Act, decision_id: UUID, raw: Signed) -> None:
    """Record that a decision's bars are lifted."""
    await sanctioning.lift(tx, decision_id, raw)


@router.get("/api/v1/decisions")
async def get_decisions(tx: Act) -> JSONResponse:
    """The register as programs read it."""
    return JSONResponse(
        {"decisions": [_told(one) for one in await register(tx)]},
        headers={"Cache-Control": "no-cache"},
    )


@router.get("/bars", response_class=HTMLResponse)
async def bars_page(request: Request, tx: Act) -> HTMLResponse:
    """The register as a page; supervisors find the forms below it."""
    supervises = tx.actor.role is Role.SUPERVISOR
    return render(
        request,
        "blacklist_register/register.html",
        decisions=await register(tx),
        act_names=ACT_NAMES,
        misconduct_names=MISCONDUCT_NAMES,
        organisations=await _organisations(tx) if supervises else [],
        supervises=supervises,
        today=beijing_day(tx.now),
        now=tx.now,
    )


async def _organisations(tx: Transaction) -> list[tuple[str, str]]:
    rows = await tx.session.execute(
        select(col(OrganisationRow.id), col(OrganisationRow.name), col(OrganisationRow.uscc))
        .order_by(col(OrganisationRow.name))
        .limit(500)
    )
    return [(str(id), f"{name}（{uscc}）") for id, name, uscc in rows]


def _told(one: Registered) -> dict[str, Any]:
    return {
        "id": str(one.decision.id),
        "subject": {
            "kind": str(one.subject),
            "id": str(one.subject_id),
            "name": one.name,
            **({"uscc": one.code} if one.subject is Subject.ORGANISATION else {}),
        },
        "authority": one.decision.authority,
        "document_number": one.decision.document_number,
        "article": one.decision.article,
        "misconduct": str(one.decision.misconduct),
        "reason": one.decision.reason,
        "acts": [str(act) for act in one.acts],
        "decided_on": one.decision.decided_on.isoformat(),
        "starts_on": one.decision.starts_on.isoformat(),
        "ends_on": None if one.decision.ends_on is None else one.decision.ends_on.isoformat(),
        "recorded_at": instant_text(one.decision.recorded_at),
        "lifted_at": None if one.lifted_at is None else instant_text(one.lifted_at),
        "in_force": one.in_force,
    }
