"""The complaint desk: who is concerned complains here, and a supervisor decides in its days.

Decisions are for everybody to read. The words of a complaint are for those concerned; who complains
stays with the complainant until the lot is closed.
"""

from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse

from kernel.access import Role
from kernel.crypto.digests import instant_text
from kernel.events import plain
from kernel.identifiers import ComplaintId, LotId
from kernel.working_days import beijing_day
from trading import award_views, complaining, complaint_views
from trading.complaint_views import ComplaintTold
from trading.rules import complaint_window
from trading.rules.complaint_window import ComplaintAbout, Verdict
from web.pages import render
from web.petition_shapes import ComplaintDraft
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
CONCERNED: Final = (Role.TENDEREE, Role.AGENCY, Role.BIDDER, Role.SUPERVISOR)


# ── complaining ───────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/complaints", status_code=201)
async def post_complaint(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Complain to the supervisor about the documents, the opening, the result or any conduct."""
    filed = await complaining.file_complaint(tx, LotId(lot_id), raw)
    return {
        "id": str(filed.id),
        "about": str(filed.about),
        "acceptance_due_at": instant_text(filed.acceptance_due_at),
        "cautions": [one.as_json() for one in filed.cautions],
    }


@router.post("/api/v1/lots/{lot_id}/complaint-checks")
async def post_complaint_check(tx: Act, lot_id: UUID, asked: ComplaintDraft) -> JSONResponse:
    """Every refusal and caution that a complaint would meet now; nothing is kept of it."""
    found = await complaining.check_complaint(tx, LotId(lot_id), asked.said())
    return JSONResponse(
        {
            "refusals": [one.as_json() for one in found.refusals],
            "cautions": [one.as_json() for one in found.cautions],
            "until": None if found.until is None else instant_text(found.until),
            "acceptance_due_at": instant_text(found.acceptance_due_at),
        },
        headers=NO_STORE,
    )


@router.get("/api/v1/lots/{lot_id}/complaints")
async def get_complaints(tx: Act, lot_id: UUID) -> JSONResponse:
    """The complaints about a lot, each as far as this reader may see it."""
    await complaint_views.complainable(tx, LotId(lot_id))
    found = await complaint_views.complaints_about(tx, LotId(lot_id))
    return JSONResponse({"complaints": [_told(one) for one in found]}, headers=NO_STORE)


@router.get("/api/v1/complaints")
async def get_complaints_at_hand(tx: Act) -> JSONResponse:
    """The complaints that concern the reader; for the public, those that were decided."""
    found = await complaint_views.complaints_at_hand(tx)
    return JSONResponse({"complaints": [_told(one) for one in found]}, headers=NO_STORE)


@router.get("/api/v1/complaints/{complaint_id}")
async def get_complaint(tx: Act, complaint_id: UUID) -> JSONResponse:
    """One complaint, as far as this reader may see it."""
    return JSONResponse(_told(await complaint_views.complaint(tx, complaint_id)), headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/complaints/{complaint_id}/withdrawal", status_code=204)
async def post_withdrawal(tx: Act, lot_id: UUID, complaint_id: UUID, raw: Signed) -> None:
    """Take an own complaint back before it is decided."""
    await complaining.withdraw_complaint(tx, LotId(lot_id), ComplaintId(complaint_id), raw)


# ── deciding ──────────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/complaints/{complaint_id}/answer", status_code=201)
async def post_answer(tx: Act, lot_id: UUID, complaint_id: UUID, raw: Signed) -> dict[str, Any]:
    """Take a complaint up, or refuse to with reasons."""
    done = await complaining.answer_complaint(tx, LotId(lot_id), ComplaintId(complaint_id), raw)
    due_at = done.decision_due_at
    return {
        "id": str(done.id),
        "decision_due_at": None if due_at is None else instant_text(due_at),
        "cautions": [one.as_json() for one in done.cautions],
    }


@router.post("/api/v1/lots/{lot_id}/complaints/{complaint_id}/brake", status_code=204)
async def post_brake(tx: Act, lot_id: UUID, complaint_id: UUID, raw: Signed) -> None:
    """Order over a complaint that the lot stands still, or that it goes on."""
    await complaining.brake_lot(tx, LotId(lot_id), ComplaintId(complaint_id), raw)


@router.post("/api/v1/lots/{lot_id}/complaints/{complaint_id}/decision", status_code=201)
async def post_decision(tx: Act, lot_id: UUID, complaint_id: UUID, raw: Signed) -> dict[str, Any]:
    """Decide a complaint; the decision is published among the lot's notices."""
    done = await complaining.decide_complaint(tx, LotId(lot_id), ComplaintId(complaint_id), raw)
    return {
        "id": str(done.id),
        "consequence": str(done.consequence),
        "notice": done.notice_number,
        "cautions": [one.as_json() for one in done.cautions],
    }


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/complaints", response_class=HTMLResponse, include_in_schema=False)
async def desk_page(request: Request, tx: Act) -> HTMLResponse:
    """The desk: complaints at hand and their limits, and every decision."""
    concerned = tx.actor.role in CONCERNED
    overdue = (
        await complaint_views.overdue_complaints(tx) if tx.actor.role is Role.SUPERVISOR else ()
    )
    return render(
        request,
        "complaint_desk/desk.html",
        complaints=await complaint_views.complaints_at_hand(tx),
        overdue=overdue,
        concerned=concerned,
        limits=complaint_window,
        now=tx.now,
    )


@router.get("/complaints/new", response_class=HTMLResponse, include_in_schema=False)
async def form_page(
    request: Request, tx: Act, lot: UUID, about: str = "conduct", objection: UUID | None = None
) -> HTMLResponse:
    """The form of a complaint about one lot, which checks itself while it is filled in."""
    found = await complaint_views.complainable(tx, LotId(lot))
    own = [one for one in await award_views.objections_to(tx, LotId(lot)) if one.may_complain]
    return render(
        request,
        "complaint_desk/form.html",
        procedure=found.procedure,
        lot=found,
        about=about if about in list(ComplaintAbout) else str(ComplaintAbout.CONDUCT),
        objection=objection,
        objections=own,
        bidder=tx.actor.role is Role.BIDDER,
        today=beijing_day(tx.now),
        limits=complaint_window,
        now=tx.now,
    )


@router.get("/complaints/{complaint_id}", response_class=HTMLResponse, include_in_schema=False)
async def case_page(request: Request, tx: Act, complaint_id: UUID) -> HTMLResponse:
    """One complaint: where it stands, what was said, and what can be done about it now."""
    seen = await complaint_views.complaint(tx, complaint_id)
    return render(
        request,
        "complaint_desk/case.html",
        procedure=seen.procedure,
        one=seen,
        verdicts=[one for one in Verdict if one is not Verdict.WITHDRAWN],
        now=tx.now,
    )


def _told(one: ComplaintTold) -> dict[str, Any]:
    told = plain(one)
    assert isinstance(told, dict)
    return told
