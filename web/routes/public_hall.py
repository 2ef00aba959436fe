"""The public hall: what is tendered, when, by whom, and how it stands; and the platform's clock.

Everything here is for anybody. A draft is not here at all, and before a lot's close no page and no
answer says who takes part in it or how many do.
"""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from kernel.access import PUBLIC, Role
from kernel.clock import monotonic_s
from kernel.crypto.digests import b64u, instant_text
from kernel.identifiers import LotId
from kernel.money import yuan_text
from kernel.store.parties import Organisation
from kernel.store.transaction import transaction
from trading import (
    award_views,
    complaint_views,
    document_versions,
    due_lots,
    notice_board,
    numbering,
    prequalification_views,
    retendering,
    tendering,
)
from trading.notice_board import Found, Notice, NoticeLine, Project, Search, TenderFile, Times
from trading.retendering import Lineage
from trading.rules.document_changes import PLACE_NAMES
from trading.rules.lot_lifecycle import ENDS, LotState
from trading.rules.tender_file import BLOCK_NAMES
from trading.rules.version_difference import difference
from web.pages import render
from web.places import Place
from web.region_names import PROVINCES, region_name
from web.request_scope import DSSE, Act, ActRoute, StoreDep

router = Place(route_class=ActRoute)

SETTLE_PATIENCE_S: Final = 60.0
SETTLE_NAP_S: Final = 0.05
NO_STORE: Final = {"Cache-Control": "no-store"}
COUNT_MAX: Final = 2**31 - 1
Version = Annotated[int | None, Query(ge=1, le=COUNT_MAX)]
SAFE_TYPES: Final = frozenset({"application/pdf", "text/plain", "application/zip"})
"""The media types that are handed out as they were declared; all else is bytes to be saved."""


class ClockAsked(BaseModel):
    """To when the demo's clock is to be moved, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: AwareDatetime
    reason: Annotated[str, Field(min_length=1, max_length=200)] = "演示快进"


class ListAsked(BaseModel):
    """What a reader of the list looks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")] = ""
    stage: Annotated[str, Field(max_length=20)] = ""
    region: Annotated[str, Field(pattern=r"^[0-9]{0,6}$")] = ""
    page: Annotated[int, Field(ge=1, le=10_000)] = 1

    def search(self) -> Search:
        """The same as the notice board asks it."""
        return Search(self.q, self.stage, self.region, self.page)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/", response_class=HTMLResponse)
async def home(request: Request, tx: Act) -> HTMLResponse:
    """What is open, what is being opened, and what has come of it."""
    return render(
        request,
        "public_hall/home.html",
        counts=await notice_board.counts_by_stage(tx),
        stages=await notice_board.newest_by_stage(tx),
        region_name=region_name,
        now=tx.now,
    )


@router.get("/notices", response_class=HTMLResponse)
async def notices_page(
    request: Request, tx: Act, asked: Annotated[ListAsked, Query()]
) -> HTMLResponse:
    """The list of everything published, by words, stage and region."""
    found = await notice_board.search(tx, asked.search())
    return render(
        request,
        "public_hall/notices.html",
        found=found,
        asked=asked,
        query={"q": asked.q, "stage": asked.stage, "region": asked.region},
        stages=list(notice_board.STAGES),
        provinces=PROVINCES,
        region_name=region_name,
        now=tx.now,
    )


@router.get("/notices/{lot_id}", response_class=HTMLResponse)
async def notice_page(request: Request, tx: Act, lot_id: UUID) -> Response:
    """One lot: its notice, times, documents, keys, and what was published since.

    A draft whose bidders are being qualified has the notice of that in its place.
    """
    if await prequalification_views.is_called_draft(tx, lot_id):
        return RedirectResponse(f"/prequalifications/{lot_id}", 303)
    found = await notice_board.notice(tx, lot_id)
    versions = await document_versions.versions(tx, lot_id)
    return render(
        request,
        "public_hall/notice.html",
        procedure=found.line.procedure,
        notice=found,
        versions=versions,
        changed={
            change.place: version.number
            for version in versions[1:]
            for change in difference(versions, version.number - 1, version.number).words
        },
        places=PLACE_NAMES,
        steps=_steps(found, now=tx.now),
        policy=found.policy.document,
        escrow_shares=_escrow_shares(found.policy.document),
        signers={paper.number: notice_board.signed_by(paper.statement) for paper in found.papers},
        region_name=region_name,
        role=tx.actor.role,
        objectable=await award_views.objectable(tx, LotId(lot_id)),
        complaints=await complaint_views.complaints_about(tx, LotId(lot_id)),
        lineage=await retendering.lineage(tx, lot_id),
        may_bid=(
            tx.actor.role is Role.BIDDER
            and found.line.state is LotState.OPEN
            and not found.kept_from
        ),
        ended=found.line.state in ENDS,
        block_names=BLOCK_NAMES,
        now=tx.now,
        live_view=f"{lot_id}/public",
    )


@router.get("/notices/{lot_id}/documents", response_class=HTMLResponse)
async def documents_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The tender documents, for a bidder to take; that this was done is sealed until the close."""
    taken = await tendering.take_documents(tx, lot_id)
    found = await notice_board.notice(tx, lot_id)
    return render(
        request,
        "public_hall/documents.html",
        procedure=found.line.procedure,
        notice=found,
        files=taken.files,
        package_digest=taken.package_digest,
        now=tx.now,
    )


@router.get("/codes/{code}", include_in_schema=False)
async def follow_code(tx: Act, code: str) -> Response:
    """Whoever has a code of a project, a lot or a deal is led to its page."""
    found = await numbering.resolved(tx, code)
    place = f"/projects/{found.project_id}" if found.lot_id is None else f"/notices/{found.lot_id}"
    return RedirectResponse(place, 303)


@router.get("/projects/{project_id}", response_class=HTMLResponse)
async def project_page(request: Request, tx: Act, project_id: UUID) -> HTMLResponse:
    """One project with the lots that this reader may see."""
    found = await notice_board.project(tx, project_id)
    return render(
        request,
        "public_hall/project.html",
        procedure=found.procedure,
        project=found,
        region_name=region_name,
        now=tx.now,
    )


def _steps(found: Notice, *, now: datetime) -> list[dict[str, Any]]:
    """The lot's way as a timeline: what is behind it, where it is, and what comes."""
    times, line = found.times, found.line
    steps: list[dict[str, Any]] = [
        {"key": "published", "at": line.published_at, "state": "done"},
        *(
            {"key": one.kind, "at": one.published_at, "state": "done", "note": one.title}
            for one in found.papers[1:]
        ),
        {"key": "documents", "at": times.documents_until},
        {"key": "deadline", "at": times.bids_due_at},
    ]
    for step in steps:
        step.setdefault("state", "done" if step["at"] <= now else "next")
    stage = _stage_of(line.state)
    if stage == "ended":
        return [*steps, {"key": str(line.state), "at": None, "state": "current"}]
    at = {"opening": times.bids_due_at, "candidates": line.candidates_until}
    behind = list(notice_board.STAGES).index(stage)
    for place, key in enumerate(notice_board.STAGES):
        if key in ("open", "ended"):
            continue
        state = "done" if place < behind or stage == key == "awarded" else "next"
        steps.append({"key": key, "at": at.get(key), "state": state})
        if stage == key != "awarded":
            steps[-1]["state"] = "current"
    if stage == "open":
        next(step for step in steps if step["key"] == "deadline")["state"] = "current"
    return steps


def _stage_of(state: LotState) -> str:
    return next(name for name, states in notice_board.STAGES.items() if state in states)


def _escrow_shares(policy: Any) -> dict[str, int]:
    kids = policy["escrow"].get("keys", [])
    return {holder["kid"]: kids.count(holder["kid"]) for holder in policy["officials"]["keys"]}


# ── for programs ──────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/lots")
async def get_lots(tx: Act, asked: Annotated[ListAsked, Query()]) -> dict[str, Any]:
    """The published lots that match, a page at a time."""
    found = await notice_board.search(tx, asked.search())
    return _found_told(found)


@router.get("/api/v1/lots/{lot_id}")
async def get_lot(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """A published lot with everything that was published about it."""
    found = await notice_board.notice(tx, lot_id)
    return _notice_told(found) | _lineage_told(await retendering.lineage(tx, lot_id))


@router.get("/api/v1/lots/{lot_id}/timetable")
async def get_timetable(tx: Act, lot_id: UUID, version: Version = None) -> Response:
    """The signed timetable: the version in force, or the one asked for."""
    if version is None:
        version = (await notice_board.notice(tx, lot_id)).times.version
    return _statement(await notice_board.timetable_statement(tx, lot_id, version))


@router.get("/api/v1/lots/{lot_id}/opening-policy")
async def get_opening_policy(tx: Act, lot_id: UUID, version: Version = None) -> Response:
    """The signed opening policy, whose payload's hash every envelope carries."""
    if version is None:
        version = (await notice_board.notice(tx, lot_id)).policy.version
    return _statement(await notice_board.policy_statement(tx, lot_id, version))


@router.get("/api/v1/lots/{lot_id}/notices/{number}")
async def get_notice(
    tx: Act, lot_id: UUID, number: Annotated[int, Path(ge=1, le=COUNT_MAX)]
) -> Response:
    """A signed notice: the tender notice is number 1."""
    return _statement(await notice_board.notice_statement(tx, lot_id, number))


@router.get("/api/v1/lots/{lot_id}/documents")
async def get_documents(tx: Act, lot_id: UUID) -> JSONResponse:
    """The tender documents that a bidder takes; sealed until the close."""
    taken = await tendering.take_documents(tx, lot_id)
    return JSONResponse(
        {
            "package_sha256": taken.package_digest.hex(),
            "documents": [_file_told(lot_id, file) for file in taken.files],
        },
        headers=NO_STORE,
    )


@router.get("/api/v1/lots/{lot_id}/documents/{name}")
async def get_document(
    tx: Act,
    lot_id: UUID,
    name: str,
    clarification: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> Response:
    """One file of the tender documents."""
    file, content = await tendering.read_document(tx, lot_id, name, clarification=clarification)
    kind = file.media_type if file.media_type in SAFE_TYPES else "application/octet-stream"
    return Response(
        content,
        media_type=kind,
        headers={
            **NO_STORE,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
            "X-Content-Type-Options": "nosniff",
            "X-SHA256": file.digest.hex(),
        },
    )


@router.get("/api/v1/codes/{code}")
async def get_code(tx: Act, code: str) -> dict[str, Any]:
    """What a code of the data standard stands for (统一交易标识码, 标段编号, 招标项目编号)."""
    found = await numbering.resolved(tx, code)
    return {
        "code": found.code,
        "kind": found.kind,
        "name": found.name,
        "project": str(found.project_id),
        "lot": None if found.lot_id is None else str(found.lot_id),
    }


@router.get("/api/v1/projects/{project_id}")
async def get_project(tx: Act, project_id: UUID) -> dict[str, Any]:
    """One project with the lots that this reader may see."""
    return project_told(await notice_board.project(tx, project_id))


# ── the clock ─────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/clock")
async def get_clock(store: StoreDep, settled: bool = False) -> JSONResponse:
    """The platform's time. With `settled` the answer waits until nothing is due any more."""
    began = monotonic_s()
    calm = await due_lots.is_settled(store)
    while settled and not calm and monotonic_s() - began < SETTLE_PATIENCE_S:
        await asyncio.sleep(SETTLE_NAP_S)
        calm = await due_lots.is_settled(store)
    async with transaction(store, actor=PUBLIC) as tx:
        told = await due_lots.platform_time(tx)
    return JSONResponse(
        {
            "now": instant_text(told.now),
            "offset_s": round(told.offset.total_seconds(), 3),
            "demo": told.demo,
            "settled": calm,
        },
        headers=NO_STORE,
    )


@router.post("/demo/clock")
async def move_clock(tx: Act, asked: ClockAsked) -> dict[str, str]:
    """Move a demo's clock forward, up to the next due act; where it stopped."""
    reached: datetime = await due_lots.jump_clock(tx, asked.to, reason=asked.reason)
    return {"now": instant_text(reached)}


# ── how answers are told ──────────────────────────────────────────────────────────────────────


def _statement(envelope: bytes) -> Response:
    return Response(envelope, media_type=DSSE)


def _found_told(found: Found) -> dict[str, Any]:
    return {
        "lots": [line_told(line) for line in found.lines],
        "total": found.total,
        "page": found.page,
        "pages": found.pages,
        "by_stage": dict(found.by_stage),
        "by_province": dict(found.by_province),
    }


def line_told(line: NoticeLine) -> dict[str, Any]:
    """A lot as lists tell it to programs."""
    return {
        "id": str(line.lot_id),
        "project": str(line.project_id),
        "code": line.project_code,
        "project_name": line.project_name,
        "number": line.number,
        "name": line.name,
        "tenderee": line.tenderee,
        "procedure": str(line.procedure),
        "category": str(line.category),
        "region": line.region_code,
        "state": str(line.state),
        "suspended": line.suspended,
        "ceiling_price": None if line.ceiling_price is None else yuan_text(line.ceiling_price),
        "published_at": _instant(line.published_at),
        "bids_due_at": _instant(line.bids_due_at),
        "release_until": _instant(line.release_until),
        "candidates_until": _instant(line.candidates_until),
    }


def _lineage_told(found: Lineage) -> dict[str, Any]:
    return {
        "replaces": None if found.replaces is None else str(found.replaces[0]),
        "replaced_by": None if found.replaced_by is None else str(found.replaced_by[0]),
    }


def _notice_told(found: Notice) -> dict[str, Any]:
    lot = f"/api/v1/lots/{found.line.lot_id}"
    return {
        **line_told(found.line),
        "tenderee": _party_told(found.tenderee),
        "agency": None if found.agency is None else _party_told(found.agency),
        "funding_source": found.funding_source,
        "contact": dict(found.contact),
        "estimate": yuan_text(found.estimate),
        "bid_security": yuan_text(found.bid_security),
        "security_forms": [str(form) for form in found.security_forms],
        "words": dict(found.words),
        "sheet_fields": list(found.sheet_fields),
        "scheme": dict(found.scheme),
        "documents": [_file_told(found.line.lot_id, file) for file in found.files],
        "timetable": _times_told(found.times),
        "timetables": [_times_told(times) for times in found.timetables],
        "opening_policy": {
            "version": found.policy.version,
            "hash": b64u(found.policy.digest),
            "document": dict(found.policy.document),
        },
        "notices": [
            {
                "number": paper.number,
                "kind": paper.kind,
                "title": paper.title,
                "body": dict(paper.body),
                "hash": b64u(paper.digest),
                "published_at": instant_text(paper.published_at),
                "statement": f"{lot}/notices/{paper.number}",
            }
            for paper in found.papers
        ],
        "suspended_for": list(found.brakes),
        "codes": {"lot": found.lot_code, "deal": found.deal_code},
    }


def _times_told(times: Times) -> dict[str, Any]:
    return {
        "version": times.version,
        "hash": b64u(times.digest),
        "documents_from": instant_text(times.documents_from),
        "documents_until": instant_text(times.documents_until),
        "bids_due_at": instant_text(times.bids_due_at),
        "release_window_s": times.release_window_s,
        "publicity_days": times.publicity_days,
        "validity_days": times.validity_days,
        "recorded_at": instant_text(times.recorded_at),
    }


def _file_told(lot_id: UUID, file: TenderFile) -> dict[str, Any]:
    path = f"/api/v1/lots/{lot_id}/documents/{quote(file.name)}"
    return {
        "name": file.name,
        "sha256": file.digest.hex(),
        "size": file.size,
        "media_type": file.media_type,
        "clarification": file.clarification,
        "href": f"{path}?clarification={file.clarification}" if file.clarification else path,
    }


def project_told(found: Project) -> dict[str, Any]:
    """A project as it is told to programs."""
    return {
        "id": str(found.id),
        "code": found.code,
        "name": found.name,
        "procedure": str(found.procedure),
        "category": str(found.category),
        "industry": found.industry.code,
        "region": found.region_code,
        "funding_source": found.funding_source,
        "tenderee": _party_told(found.tenderee),
        "agency": None if found.agency is None else _party_told(found.agency),
        "authorised": found.authorised,
        "contact": dict(found.contact),
        "codes": {
            "tender_project": found.platform_code,
            "investment": found.investment_code or None,
        },
        "estimate": None if found.estimate is None else yuan_text(found.estimate),
        "catalogue": dict(found.judgement) or None,
        "lots": [line_told(line) for line in found.lots],
    }


def _party_told(party: Organisation) -> dict[str, str]:
    return {"id": str(party.id), "name": party.name, "uscc": party.uscc}


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)
