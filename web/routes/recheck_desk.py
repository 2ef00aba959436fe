"""The recheck desk: a candidate is examined again by the committee that recommended it (条例 56).

Owners ask for it in the award hall, where everybody reads what was found; the committee's members
read and sign here. Nothing of what lies before them is ever kept by a cache.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from evaluation import examining
from kernel.identifiers import CommitteeId, LotId
from trading import rechecking
from trading.rules.award_followup import RECHECK_NAMES
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
Number = Annotated[int, Path(ge=1, le=10_000)]


# ── for programs ──────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/rechecks", status_code=201)
async def post_recheck(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Ask the original committee to examine a candidate again; the lot waits until it has."""
    done = await rechecking.ask_recheck(tx, LotId(lot_id), raw)
    return {"id": str(lot_id), **done.plain()}


@router.get("/api/v1/lots/{lot_id}/rechecks")
async def get_rechecks(tx: Act, lot_id: UUID) -> JSONResponse:
    """The examinations of the lot's candidates, each as far as the reader may see it."""
    found = await rechecking.rechecks_told(tx, LotId(lot_id))
    return JSONResponse({"rechecks": [one.plain() for one in found]}, headers=NO_STORE)


@router.get("/api/v1/committees/{committee_id}/rechecks")
async def get_examinations(tx: Act, committee_id: UUID) -> JSONResponse:
    """The examinations before one's own committee, with the files of the bid while one is open."""
    found = await examining.desk(tx, CommitteeId(committee_id))
    told = [one.plain() for one in found.examinations]
    return JSONResponse({"rechecks": told}, headers=NO_STORE)


@router.post("/api/v1/committees/{committee_id}/rechecks/{number}/opinions", status_code=201)
async def post_opinion(tx: Act, committee_id: UUID, number: Number, raw: Signed) -> dict[str, str]:
    """Say whether the candidate still meets the standards; the majority concludes."""
    found = await examining.give_opinion(tx, CommitteeId(committee_id), number, raw)
    return {"finding": found}


@router.get("/api/v1/committees/{committee_id}/rechecks/{number}/file")
async def get_candidate_file(
    tx: Act,
    committee_id: UUID,
    number: Number,
    name: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """A file of the examined candidate's bid, as an attachment."""
    content = await examining.read_candidate(tx, CommitteeId(committee_id), number, name)
    return _attached(name.rsplit("/", maxsplit=1)[-1], content)


@router.get("/api/v1/committees/{committee_id}/rechecks/{number}/evidence/{digest}")
async def get_recheck_evidence(
    tx: Act, committee_id: UUID, number: Number, digest: str
) -> Response:
    """A file that came with the request, as an attachment."""
    found = await examining.read_evidence(tx, CommitteeId(committee_id), number, digest)
    return _attached(found.name, found.content)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get(
    "/evaluation/{committee_id}/rechecks", response_class=HTMLResponse, include_in_schema=False
)
async def examinations_page(request: Request, tx: Act, committee_id: UUID) -> HTMLResponse:
    """What a member of the committee reads, and where it signs its opinion."""
    page = render(
        request,
        "recheck_desk/desk.html",
        committee_id=committee_id,
        desk=await examining.desk(tx, CommitteeId(committee_id)),
        names=RECHECK_NAMES,
        now=tx.now,
    )
    page.headers.update(NO_STORE)
    return page


def _attached(name: str, content: bytes) -> Response:
    return Response(
        content,
        media_type="application/octet-stream",
        headers={
            **NO_STORE,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        },
    )
