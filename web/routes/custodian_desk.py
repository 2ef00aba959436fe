"""The custodian's desk: keys are registered here, and shares are given when it is time."""

from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from kernel.crypto.digests import b64
from kernel.errors import NotFound
from kernel.identifiers import LotId
from kernel.store.transparency_log import proof_of
from trading import drafting, opening
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)


@router.get("/api/v1/lots/{lot_id}/share-request")
async def share_request(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """What this custodian is asked to open, with the proofs its program demands."""
    asked = await opening.share_request(tx, LotId(lot_id))
    quorum = tx.settings.witness_quorum
    proofs = {
        name: await proof_of(tx.session, entry, quorum=quorum)
        for name, entry in (
            ("close_proof", asked.close_entry),
            ("window_closed_proof", asked.window_closed_entry),
        )
    }
    if None in proofs.values():
        raise NotFound("the witnesses have not signed yet")
    return {
        "policy": b64(asked.policy),
        "timetable": b64(asked.timetable),
        **proofs,
        "headers": [
            {"bid": str(bid_id), "component": component, "bytes": b64(header)}
            for bid_id, component, header in asked.headers
        ],
    }


@router.post("/api/v1/lots/{lot_id}/shares", status_code=204)
async def give_shares(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """The custodian's shares."""
    await opening.give_shares(tx, LotId(lot_id), raw)


@router.get("/custodian", response_class=HTMLResponse)
async def desk(request: Request, tx: Act) -> HTMLResponse:
    """The lots this custodian keeps a key of, and what is to be done for each."""
    return render(
        request,
        "custodian_desk/desk.html",
        assignments=await drafting.own_assignments(tx),
        own_party=tx.actor.party_id,
        now=tx.now,
    )
