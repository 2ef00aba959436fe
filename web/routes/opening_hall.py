"""The opening hall: everyone sees the same table at the same moment; bidders release here."""

from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from kernel.crypto.digests import b64, b64u, instant_text, unb64u
from kernel.identifiers import LotId
from kernel.store.transaction import Transaction
from trading import opening, opening_views
from trading.rules.objection_outcome import ObjectionOutcome
from web.log_proofs import proofs_of
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)


class Words(BaseModel):
    """What somebody says in the hall."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    words: str = Field(min_length=1, max_length=2000)


class Answer(Words):
    """What is answered in the hall, and whether the objection stands."""

    outcome: ObjectionOutcome


@router.get("/api/v1/openings")
async def get_halls(tx: Act) -> JSONResponse:
    """Every opening there is or will be, the latest first; who bids is told in none of them."""
    told = [
        {
            "lot": str(one.lot_id),
            "name": one.lot_name,
            "project_name": one.project_name,
            "procedure": str(one.procedure),
            "state": one.state,
            "bids_due_at": None if one.bids_due_at is None else instant_text(one.bids_due_at),
            "brakes": list(one.brakes),
        }
        for one in await opening_views.halls(tx)
    ]
    return JSONResponse({"openings": told}, headers={"Cache-Control": "no-store"})


@router.get("/api/v1/lots/{lot_id}/opening")
async def opening_state(tx: Act, lot_id: UUID) -> JSONResponse:
    """How far the opening is, for anyone; no price before everything is open."""
    state = await opening_views.hall(tx, LotId(lot_id))
    return JSONResponse(state.plain(), headers={"Cache-Control": "no-store"})


@router.post("/api/v1/lots/{lot_id}/releases", status_code=204)
async def release(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """A bidder releases its own secrets inside the window."""
    await opening.release(tx, LotId(lot_id), raw)


@router.get("/api/v1/lots/{lot_id}/own-headers")
async def own_headers(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """A bidder's own envelopes' headers, from which its program unwraps its secrets."""
    headers = await opening_views.own_headers(tx, LotId(lot_id))
    return {"headers": [{"envelope": kind, "bytes": b64(header)} for kind, header in headers]}


@router.post("/api/v1/lots/{lot_id}/fallbacks", status_code=204)
async def fallback(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """The host's or the supervisor's signature under the fallback."""
    await opening.agree_fallback(tx, LotId(lot_id), raw)


@router.post("/api/v1/lots/{lot_id}/opening-objections", status_code=201)
async def object_on_the_spot(tx: Act, lot_id: UUID, said: Words) -> dict[str, str]:
    """Raise an objection to the opening."""
    return {"id": str(await opening.object_on_the_spot(tx, LotId(lot_id), said.words))}


@router.post("/api/v1/lots/{lot_id}/opening-objections/{objection_id}/answer", status_code=204)
async def answer_on_the_spot(tx: Act, lot_id: UUID, objection_id: UUID, said: Answer) -> None:
    """Answer an objection to the opening, and say whether it stands."""
    await opening.answer_on_the_spot(
        tx, LotId(lot_id), objection_id, said.words, outcome=said.outcome
    )


@router.get("/api/v1/lots/{lot_id}/opening-record/draft")
async def record_draft(tx: Act, lot_id: UUID) -> Response:
    """The record's bytes, for its host to sign."""
    content = await opening.draft_record(tx, LotId(lot_id))
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.post("/api/v1/lots/{lot_id}/opening-record", status_code=204)
async def sign_record(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """The host signs the record and thereby publishes it."""
    await opening.sign_record(tx, LotId(lot_id), raw)


@router.get("/api/v1/lots/{lot_id}/opening-record")
async def record_bundle(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """The published record with everything that is needed to check it.

    `proofs` holds those of its `entries` that the witnesses have signed for by now: minutes after
    the signature, all of them.
    """
    bundle = await opening_views.published_record(tx, LotId(lot_id))
    told: dict[str, Any] = {
        "record": b64(bundle.record),
        "policy": b64(bundle.policy),
        "timetable": b64(bundle.timetable),
        "entries": {name: str(entry) for name, entry in bundle.entries.items()},
        "proofs": await proofs_of(tx, bundle.entries),
        "signers": {keyid: b64u(key) for keyid, key in bundle.signers.items()},
        "sheets": [b64u(head) for head in bundle.sheets],
    }
    if bundle.relying_party is not None:
        origins = sorted(bundle.relying_party.origins)
        told["relying_party"] = {"id": bundle.relying_party.rp_id, "origins": origins}
    return told


@router.get("/api/v1/lots/{lot_id}/sheets/{head}")
async def sheet_container(tx: Act, lot_id: UUID, head: str) -> Response:
    """The sealed sheet of an opened bid, so that anyone can open it again."""
    content = await opening_views.sealed_sheet(tx, LotId(lot_id), unb64u(head, 32))
    return Response(content, media_type="application/octet-stream")


@router.get("/openings/{lot_id}", response_class=HTMLResponse)
async def hall_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The hall as a page."""
    return render(request, "opening_hall/hall.html", **await _seen(tx, LotId(lot_id)))


@router.get("/openings/{lot_id}/board", response_class=HTMLResponse)
async def hall_board(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The part of the hall that changes, fetched again whenever something happens."""
    return render(request, "opening_hall/board.html", **await _seen(tx, LotId(lot_id)))


async def _seen(tx: Transaction, lot_id: LotId) -> dict[str, Any]:
    hall = await opening_views.hall(tx, lot_id)
    return {
        "procedure": hall.procedure,
        "hall": hall,
        "own": await opening_views.own_part(tx, lot_id),
        "own_capacity": str(tx.actor.role),
        "own_party": tx.actor.party_id,
        "now": tx.now,
        "live_view": f"{lot_id}/public",
    }


@router.get("/openings", response_class=HTMLResponse)
async def halls_page(request: Request, tx: Act) -> HTMLResponse:
    """Every opening there is or will be."""
    return render(
        request, "opening_hall/halls.html", halls=await opening_views.halls(tx), now=tx.now
    )
