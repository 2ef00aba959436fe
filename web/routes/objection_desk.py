"""The objection desk: who is concerned objects here, and the tenderee answers in its days.

Everybody may read who may object to what and until when. The words of an objection are for those
concerned; who objects stays with the objector until the lot is closed.
"""

from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from kernel.access import Role
from kernel.crypto.digests import b64u, instant_text, unb64u
from kernel.events import plain
from kernel.identifiers import LotId, ObjectionId
from kernel.working_days import beijing_day
from trading import award_views, evidence_files, objecting, remedying
from trading.award_views import ObjectionTold
from trading.petitions import DIGEST_SIZE
from trading.rules.objection_window import OBJECTION_ARTICLES, OF_PREQUALIFICATION
from trading.rules.prequalification import OBJECTION_DAYS
from trading.rules.procedures import Procedure, switches_of
from web.pages import render
from web.petition_shapes import ObjectionDraft
from web.places import Place
from web.request_scope import Act, ActRoute, Signed, read_body

router = Place(route_class=ActRoute)

ALARMED: Final = (Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR)
CONCERNED: Final = (Role.TENDEREE, Role.AGENCY, Role.BIDDER, Role.SUPERVISOR)
NO_STORE: Final = {"Cache-Control": "no-store"}


@router.post("/api/v1/lots/{lot_id}/objections", status_code=201)
async def post_objection(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Object to the documents, the opening or the result, or to a prequalification."""
    raised = await objecting.raise_objection(tx, LotId(lot_id), raw)
    return {
        "id": str(raised.id),
        "about": str(raised.about),
        "answer_due_at": instant_text(raised.answer_due_at),
        "waits": raised.waits,
    }


@router.put("/api/v1/lots/{lot_id}/evidence/{name}", status_code=201)
async def put_evidence(request: Request, tx: Act, lot_id: UUID, name: str) -> dict[str, str]:
    """Keep a file, sent as it is, that an objection or a complaint is going to name."""
    content = await read_body(request, max_bytes=evidence_files.FILE_MAX)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    digest = await evidence_files.keep_evidence(
        tx, LotId(lot_id), name, content, media_type=kind[:100]
    )
    return {"name": name, "file": b64u(digest)}


@router.get("/api/v1/lots/{lot_id}/evidence/{digest}")
async def get_evidence(tx: Act, lot_id: UUID, digest: str) -> Response:
    """A file of the evidence, for whoever may read what names it; never run as a page of ours."""
    found = await evidence_files.evidence_file(tx, LotId(lot_id), unb64u(digest, DIGEST_SIZE))
    shown = quote(found.name)
    return Response(
        found.content,
        media_type="application/octet-stream",
        headers={**NO_STORE, "Content-Disposition": f"attachment; filename*=UTF-8''{shown}"},
    )


@router.get("/api/v1/lots/{lot_id}/objections")
async def get_objections(tx: Act, lot_id: UUID) -> JSONResponse:
    """The objections to a lot, each as far as this reader may see it."""
    seen = await award_views.objections_to(tx, LotId(lot_id))
    return JSONResponse({"objections": [_told(one) for one in seen]}, headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/objections/{objection_id}/answer", status_code=201)
async def post_answer(tx: Act, lot_id: UUID, objection_id: UUID, raw: Signed) -> dict[str, Any]:
    """Answer an objection; the lot goes on, or waits until what follows from it is done."""
    done = await objecting.answer_objection(tx, LotId(lot_id), ObjectionId(objection_id), raw)
    return {
        "id": str(done.id),
        "remedy": str(done.remedy),
        "cautions": [one.as_json() for one in done.cautions],
    }


@router.post("/api/v1/lots/{lot_id}/objections/{objection_id}/return", status_code=204)
async def post_return(tx: Act, lot_id: UUID, objection_id: UUID, raw: Signed) -> None:
    """Send the result back to its committee, as the answer to the objection says."""
    await remedying.return_result(tx, LotId(lot_id), ObjectionId(objection_id), raw)


@router.post("/api/v1/lots/{lot_id}/objections/{objection_id}/withdrawal", status_code=204)
async def post_withdrawal(tx: Act, lot_id: UUID, objection_id: UUID, raw: Signed) -> None:
    """Take an own objection back before it is answered; its brake is released."""
    await objecting.withdraw_objection(tx, LotId(lot_id), ObjectionId(objection_id), raw)


@router.post("/api/v1/lots/{lot_id}/objection-checks")
async def post_objection_check(tx: Act, lot_id: UUID, asked: ObjectionDraft) -> JSONResponse:
    """Every refusal that an objection would meet now; nothing is kept of it."""
    refusals = await objecting.check_objection(tx, LotId(lot_id), asked.said())
    return JSONResponse({"refusals": [one.as_json() for one in refusals]}, headers=NO_STORE)


@router.get("/api/v1/objections")
async def get_objections_at_hand(tx: Act) -> JSONResponse:
    """The objections that concern the actor: to its own lots, its own, or all for a supervisor."""
    found = await award_views.objections_at_hand(tx)
    return JSONResponse({"objections": [_told(one) for one in found]}, headers=NO_STORE)


@router.get("/api/v1/objectable-lots")
async def get_objectable_lots(tx: Act) -> JSONResponse:
    """Where the acting bidder may object now, and to what of it."""
    found = await award_views.objectable_lots(tx)
    return JSONResponse({"lots": plain(found)}, headers=NO_STORE)


@router.get("/api/v1/overdue-answers")
async def get_overdue_answers(tx: Act) -> JSONResponse:
    """Objections that were not answered in their days, for their owner and the supervisors."""
    found = await award_views.overdue_answers(tx)
    return JSONResponse({"objections": [_told(one) for one in found]}, headers=NO_STORE)


@router.get("/objections", response_class=HTMLResponse, include_in_schema=False)
async def desk_page(request: Request, tx: Act) -> HTMLResponse:
    """The desk: what waits for an answer, what may be objected to, and how it works."""
    concerned = tx.actor.role in CONCERNED
    objectable = await award_views.objectable_lots(tx) if tx.actor.role is Role.BIDDER else ()
    return render(
        request,
        "objection_desk/desk.html",
        objections=await award_views.objections_at_hand(tx) if concerned else (),
        objectable=objectable,
        overdue=await award_views.overdue_answers(tx) if tx.actor.role in ALARMED else (),
        concerned=concerned,
        tendering=switches_of(Procedure.OPEN_TENDER_MANDATORY, on=beijing_day(tx.now)),
        procurement=switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=beijing_day(tx.now)),
        articles={str(kind): article for kind, article in OBJECTION_ARTICLES.items()},
        beforehand=OF_PREQUALIFICATION,
        prequalification_days=OBJECTION_DAYS,
        now=tx.now,
    )


def _told(one: ObjectionTold) -> dict[str, Any]:
    told = plain(one)
    assert isinstance(told, dict)
    return told
