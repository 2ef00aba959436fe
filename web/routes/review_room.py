"""The review room: the committee that reviews applications reads, judges and reports here.

It is entered, kept and left like the evaluation room, and nothing of it is kept by a cache either.
"""

from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from evaluation import qualifying, room_views
from evaluation.qualifying import ReviewDesk
from evaluation.rules.qualification_votes import PAGE_MAX, REASON_MAX
from kernel.crypto.digests import b64u
from kernel.errors import NotFound, Refused
from kernel.identifiers import CommitteeId
from trading.rules.library_entries import KIND_NAMES
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed
from web.routes.prequalification_desk import applicant_told, attachment

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}


@router.get("/api/v1/committees/{committee_id}/applications")
async def get_applications(tx: Act, committee_id: UUID) -> JSONResponse:
    """The applications before the committee, its conditions, and what the member said of them."""
    found = await qualifying.desk(tx, CommitteeId(committee_id))
    return JSONResponse(
        {
            "member": str(found.member_id),
            "conditions": [{"id": id, "name": name} for id, name in found.conditions],
            "applicants": [applicant_told(one) for one in found.applications],
            "own": [one.told() for one in found.own.values()],
            "given": found.given,
            "members": found.members,
        },
        headers=NO_STORE,
    )


@router.get("/api/v1/committees/{committee_id}/applications/{application_id}/file")
async def get_application_file(
    tx: Act, committee_id: UUID, application_id: UUID, name: str = ""
) -> Response:
    """One file of an application before the committee, as an attachment."""
    content = await qualifying.read(tx, CommitteeId(committee_id), application_id, name)
    return attachment(content, name.rsplit("/", maxsplit=1)[-1])


@router.get("/api/v1/committees/{committee_id}/applications/{application_id}/library/{reference}")
async def get_application_paper(
    tx: Act, committee_id: UUID, application_id: UUID, reference: str
) -> Response:
    """The scanned paper of an entry that an application refers to, as an attachment."""
    name, content = await qualifying.read_paper(
        tx, CommitteeId(committee_id), application_id, reference
    )
    return attachment(content, name)


@router.post("/api/v1/committees/{committee_id}/findings", status_code=201)
async def post_findings(tx: Act, committee_id: UUID, raw: Signed) -> dict[str, int]:
    """Say what one finds of every application under every condition."""
    return {"given": await qualifying.give_opinions(tx, CommitteeId(committee_id), raw)}


@router.post("/api/v1/committees/{committee_id}/review-report", status_code=201)
async def post_report(tx: Act, committee_id: UUID) -> dict[str, str]:
    """Put the report together, once every member has given its findings."""
    return {"report": b64u(await qualifying.compile_review(tx, CommitteeId(committee_id)))}


@router.get("/reviews/{committee_id}", response_class=HTMLResponse, include_in_schema=False)
async def room_page(request: Request, tx: Act, committee_id: UUID) -> HTMLResponse:
    """The room as a member works in it, or as the supervisor sees it."""
    seen = await room_views.room(tx, CommitteeId(committee_id))
    if seen.review_round is None:
        raise NotFound("no such review")
    desk: ReviewDesk | None = None
    turned_away: list[dict[str, Any]] = []
    if seen.own_number is not None:
        try:
            desk = await qualifying.desk(tx, CommitteeId(committee_id))
        except Refused as refused:
            turned_away = [one.as_json() for one in refused.refusals]
    page = render(
        request,
        "evaluation_room/review.html",
        room=seen,
        desk=desk,
        turned_away=turned_away,
        own_party=tx.actor.party_id,
        kinds={str(kind): words for kind, words in KIND_NAMES.items()},
        reason_max=REASON_MAX,
        page_max=PAGE_MAX,
        now=tx.now,
    )
    page.headers.update(NO_STORE)
    return page
