"""The prequalification desk: the call for applications, the applications, their review, its result.

Everybody reads the call. Who applied is seen by the tenderee's side alone, once it must review;
what became of an application is told to its applicant alone.
"""

from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from kernel.crypto.digests import b64, b64u, instant_text
from kernel.errors import NotFound
from kernel.identifiers import LotId
from kernel.store.transaction import Transaction
from trading import (
    award_views,
    complaint_views,
    notice_board,
    prequalification_views,
    prequalifying,
)
from trading.award_views import ObjectionTold
from trading.prequalification_views import AddendumTold, Applicant, Line, OwnApplication, Seen
from trading.rules.library_entries import KIND_NAMES
from trading.rules.lot_lifecycle import LotState
from trading.rules.objection_window import OF_PREQUALIFICATION
from trading.rules.prequalification import PHASE_NAMES, Phase
from web import lot_course
from web.lot_course import Step
from web.pages import render
from web.places import Place
from web.region_names import region_name
from web.request_scope import Act, ActRoute, Signed, read_body

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
FILE_MAX: Final = 8 << 20


# ── the call ──────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/prequalifications")
async def get_prequalifications(tx: Act) -> dict[str, Any]:
    """Every call for applications, the newest first."""
    found = await prequalification_views.prequalifications(tx)
    return {"prequalifications": [_line_told(one) for one in found]}


@router.get("/api/v1/lots/{lot_id}/prequalification/draft")
async def get_draft(tx: Act, lot_id: UUID) -> JSONResponse:
    """The next prequalification notice as far as it is known, to be completed and signed."""
    return JSONResponse(await prequalifying.notice_paper(tx, lot_id), headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/prequalification-files", status_code=201)
async def post_file(request: Request, tx: Act, lot_id: UUID) -> dict[str, str]:
    """Keep a file that the prequalification notice is going to name."""
    content = await read_body(request, max_bytes=FILE_MAX)
    return {"sha256": b64u(await prequalifying.keep_file(tx, lot_id, content))}


@router.post("/api/v1/lots/{lot_id}/prequalification", status_code=201)
async def announce(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Call for applications by a signed notice; from then on only who passes may bid."""
    done = await prequalifying.announce(tx, lot_id, raw)
    return {"round": done.round, "digest": b64u(done.digest)}


@router.post("/api/v1/lots/{lot_id}/prequalification/addenda", status_code=201)
async def amend(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Change or clarify the documents by a signed addendum; the deadline moves where it must."""
    done = await prequalifying.amend(tx, lot_id, raw)
    return {
        "number": done.number,
        "applications_due_at": instant_text(done.applications_due_at),
    }


@router.get("/api/v1/lots/{lot_id}/prequalification")
async def get_prequalification(tx: Act, lot_id: UUID) -> JSONResponse:
    """The call and where it stands; an applicant also sees its own applications and result."""
    found = await prequalification_views.prequalification(tx, lot_id)
    return JSONResponse(_told(found), headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/prequalification/documents/{name}")
async def get_document(tx: Act, lot_id: UUID, name: str) -> Response:
    """One file of the prequalification documents, free of charge and for anybody."""
    file, content = await prequalification_views.document(tx, lot_id, name)
    return attachment(content, str(file["name"]))


@router.get("/api/v1/lots/{lot_id}/application-package")
async def application_package(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """Everything that sealing an application offline takes; public, so nothing follows from it."""
    found = await prequalification_views.prequalification(tx, lot_id)
    return {
        "v": "sunbid-application-package/1",
        "project": str(found.project_id),
        "lot": str(lot_id),
        "lot_name": found.name,
        "notice": b64(found.statement),
        "addenda": [b64(one.statement) for one in found.addenda],
        "consortia": found.accepts_consortia,
    }


# ── applications ──────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/applications", status_code=201)
async def apply(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Submit a sealed application, replace it, or take it back; its receipt follows."""
    done = await prequalifying.submit_application(tx, lot_id, raw)
    return {
        "entry_id": str(done.entry_id),
        "seq": done.seq,
        "withdrawn": done.withdrawn,
        "received_at": instant_text(done.received_at),
        "link": f"/api/v1/receipts/{done.entry_id}",
    }


@router.post("/api/v1/lots/{lot_id}/applications/release", status_code=201)
async def release(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Open one's own application for the review, inside the window."""
    await prequalifying.release(tx, lot_id, raw)
    return {"released_at": instant_text(tx.now)}


# ── the review ────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/lots/{lot_id}/applications")
async def get_applications(tx: Act, lot_id: UUID) -> JSONResponse:
    """The opened applications, for those who review them."""
    found = await prequalification_views.applicants(tx, lot_id)
    return JSONResponse({"applicants": [applicant_told(one) for one in found]}, headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/applications/{application_id}/file")
async def get_application_file(
    tx: Act, lot_id: UUID, application_id: UUID, name: str = ""
) -> Response:
    """One file of an opened application, as an attachment."""
    content = await prequalification_views.application_file(tx, lot_id, application_id, name)
    return attachment(content, name.rsplit("/", maxsplit=1)[-1])


@router.get("/api/v1/lots/{lot_id}/applications/{application_id}/library/{reference}")
async def get_application_library_file(
    tx: Act, lot_id: UUID, application_id: UUID, reference: str
) -> Response:
    """The scanned paper of an entry that an opened application refers to, as an attachment."""
    name, content = await prequalification_views.application_library_file(
        tx, lot_id, application_id, reference
    )
    return attachment(content, name)


@router.post("/api/v1/lots/{lot_id}/prequalification/review", status_code=201)
async def review(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Judge every opened application by the published conditions; each applicant is told."""
    done = await prequalifying.review(tx, lot_id, raw)
    return {"passed": done.passed, "enough": done.enough}


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/prequalifications", response_class=HTMLResponse, include_in_schema=False)
async def list_page(request: Request, tx: Act) -> HTMLResponse:
    """Every call for applications."""
    return render(
        request,
        "prequalification_desk/list.html",
        lines=await prequalification_views.prequalifications(tx),
        now=tx.now,
    )


@router.get("/prequalifications/{lot_id}", response_class=HTMLResponse, include_in_schema=False)
async def notice_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """One call for applications, with what its reader may do now."""
    found = await prequalification_views.prequalification(tx, lot_id)
    return render(
        request,
        "prequalification_desk/notice.html",
        found=found,
        phases=Phase,
        published=found.lot_state not in (LotState.DRAFT, LotState.CANCELLED),
        objectable=[
            one
            for one in await award_views.objectable(tx, LotId(lot_id))
            if one.about in OF_PREQUALIFICATION
        ],
        objections=await _objections(tx, lot_id),
        complaints=await complaint_views.complaints_about(tx, LotId(lot_id)),
        signer=notice_board.signed_by(found.statement),
        bidder_id=tx.actor.party_id,
        role=tx.actor.role,
        now=tx.now,
    )


@router.get(
    "/desk/lots/{lot_id}/prequalification", response_class=HTMLResponse, include_in_schema=False
)
async def desk_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The tenderee's desk: to call for applications, and to review them."""
    draft = await notice_board.draft(tx, lot_id)
    try:
        found = await prequalification_views.prequalification(tx, lot_id)
    except NotFound:
        found = None
    calling = draft.line.state is LotState.DRAFT and (found is None or found.phase is Phase.FAILED)
    amending = found is not None and found.phase is Phase.APPLYING and found.ended is None
    reviewing = found is not None and found.phase not in (Phase.APPLYING, Phase.RELEASING)
    course = None
    if found is not None and found.phase is Phase.REVIEWING and found.committee_due:
        course = await lot_course.review_course_of(tx, LotId(lot_id), found.round)
    steps = () if course is None else course.steps
    return render(
        request,
        "prequalification_desk/desk.html",
        draft=draft,
        found=found,
        phases=Phase,
        amending=amending,
        kinds={str(kind): words for kind, words in KIND_NAMES.items()},
        paper=await prequalifying.notice_paper(tx, lot_id) if calling else None,
        objections=[] if found is None else await _objections(tx, lot_id),
        line=draft.line,
        course=course,
        steps=[str(step) for step in steps],
        draw_form=await lot_course.draw_proposed(tx, course)
        if course is not None and Step.ANNOUNCE_DRAW in steps
        else None,
        committee_form=await lot_course.committee_proposed(tx, course)
        if course is not None and {Step.CONVENE, Step.SEAT_SUCCESSORS} & set(steps)
        else None,
        region_name=region_name,
        applicants=await prequalification_views.applicants(tx, lot_id) if reviewing else (),
        now=tx.now,
    )


# ── how it is told ────────────────────────────────────────────────────────────────────────────


async def _objections(tx: Transaction, lot_id: UUID) -> list[ObjectionTold]:
    """The objections to the prequalification of a lot."""
    found = await award_views.objections_to(tx, LotId(lot_id))
    return [one for one in found if one.about in OF_PREQUALIFICATION]


def attachment(content: bytes, name: str) -> Response:
    """What others made is never run as a page of ours."""
    shown = quote(name, safe="")
    return Response(
        content,
        media_type="application/octet-stream",
        headers={
            **NO_STORE,
            "Content-Disposition": f"attachment; filename*=UTF-8''{shown}",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _line_told(one: Line) -> dict[str, Any]:
    return {
        "lot": str(one.lot_id),
        "name": one.name,
        "project_code": one.project_code,
        "tenderee": one.tenderee,
        "round": one.round,
        "phase": one.phase,
        "phase_name": PHASE_NAMES[one.phase],
        "ended": one.ended,
        "published_at": instant_text(one.published_at),
        "applications_due_at": instant_text(one.applications_due_at),
    }


def _told(found: Seen) -> dict[str, Any]:
    told = {
        "lot": str(found.lot_id),
        "project": str(found.project_id),
        "project_code": found.project_code,
        "tenderee": found.tenderee,
        "name": found.name,
        "round": found.round,
        "phase": found.phase,
        "phase_name": PHASE_NAMES[found.phase],
        "ended": found.ended,
        "words": dict(found.words),
        "accepts_consortia": found.accepts_consortia,
        "conditions": [dict(one) for one in found.conditions],
        "documents": [dict(one) for one in found.documents],
        "addenda": [_addendum_told(one) for one in found.addenda],
        "published_at": instant_text(found.published_at),
        "documents_until": instant_text(found.documents_until),
        "applications_due_at": instant_text(found.applications_due_at),
        "window_until": instant_text(found.window_until),
        "digest": b64u(found.digest),
        "statement": b64(found.statement),
        "suspended_for": list(found.brakes),
        "committee_due": found.committee_due,
        "qualified": list(found.qualified),
        "own": [_own_told(one) for one in found.own],
        "result": None,
    }
    if found.result is not None:
        reasons = [dict(one) for one in found.result.reasons]
        told["result"] = {"passed": found.result.passed, "reasons": reasons}
    return told


def _addendum_told(one: AddendumTold) -> dict[str, Any]:
    return {
        "number": one.number,
        "title": one.title,
        "text": one.text,
        "may_affect": one.may_affect,
        "documents": [dict(file) for file in one.documents],
        "applications_due_at": instant_text(one.applications_due_at),
        "moved": one.moved,
        "published_at": instant_text(one.published_at),
        "digest": b64u(one.digest),
        "statement": b64(one.statement),
    }


def _own_told(one: OwnApplication) -> dict[str, Any]:
    return {
        "seq": one.seq,
        "withdrawn": one.withdrawn,
        "received_at": instant_text(one.received_at),
        "payload_size": one.payload_size,
        "digest": b64u(one.digest),
        "head": b64u(one.head),
        "header": b64(one.header),
        "released_at": None if one.released_at is None else instant_text(one.released_at),
        "entry_id": str(one.entry_id),
        "receipt": one.receipt,
    }


def applicant_told(one: Applicant) -> dict[str, Any]:
    """An opened application, as those who review it are told of it."""
    return {
        "application": str(one.application_id),
        "applicant": str(one.party_id),
        "name": one.name,
        "received_at": instant_text(one.received_at),
        "files": [{"name": name, "size": size} for name, size in one.files],
        "unreadable": one.unreadable,
        "members": [dict(member) for member in one.members],
        "findings": [finding.as_json() for finding in one.findings],
        "library": [entry.plain() for entry in one.library],
        "passed": one.passed,
        "reasons": [dict(reason) for reason in one.reasons],
    }
