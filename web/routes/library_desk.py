"""The library desk: an organisation enters its licences and performances, the centre compares them.

An entry is a statement its person signs; the paper behind it is sent first and named by its digest.
Nobody but its organisation and the centre sees an entry, until an opened bid refers to it.
"""

from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kernel.crypto.digests import b64u
from kernel.identifiers import LibraryEntryId
from kernel.store.parties import organisation
from kernel.working_days import beijing_day
from trading import library, library_views
from trading.library import Made
from trading.library_views import EntrySeen
from trading.rules.library_entries import ANNOUNCED_BEFORE, KIND_NAMES, EntryKind
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed, read_body
from web.routes.tender_desk import readable

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
Words = Annotated[str, Field(min_length=1, max_length=library.BASIS_MAX), AfterValidator(readable)]


class VerdictAsked(BaseModel):
    """Whether an entry holds, and on what basis."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    holds: bool
    basis: Words


class WithdrawalAsked(BaseModel):
    """Why an entry is not used any more."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: Words


# ── for programs ──────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/library")
async def get_library(tx: Act) -> JSONResponse:
    """One's own licences and performances, and the contracts on this platform."""
    found = await library_views.own_library(tx)
    told = {
        "entries": [one.plain() for one in found.entries],
        "contracts": [one.plain() for one in found.performances],
    }
    return JSONResponse(told, headers=NO_STORE)


@router.post("/api/v1/library/files", status_code=201)
async def post_entry_file(request: Request, tx: Act) -> dict[str, str]:
    """Keep a scanned paper that an entry is going to name; PDF, PNG or JPEG, up to 8 MiB."""
    content = await read_body(request, max_bytes=library.FILE_MAX)
    return {"sha256": b64u(await library.keep_entry_file(tx, content))}


@router.post("/api/v1/library/licences", status_code=201)
async def post_licence(tx: Act, raw: Signed) -> dict[str, str]:
    """Enter a licence; it waits for the centre."""
    return _made_told(await library.enter_licence(tx, raw))


@router.post("/api/v1/library/performances", status_code=201)
async def post_performance(tx: Act, raw: Signed) -> dict[str, str]:
    """Enter a performance elsewhere; it waits for the centre."""
    return _made_told(await library.enter_performance(tx, raw))


@router.post("/api/v1/library/{entry_id}/withdrawal", status_code=204)
async def post_entry_withdrawal(tx: Act, entry_id: UUID, asked: WithdrawalAsked) -> None:
    """Take an own entry out of use for good."""
    await library.withdraw_entry(tx, LibraryEntryId(entry_id), reason=asked.reason)


@router.get("/api/v1/library/{entry_id}/file")
async def get_entry_file(tx: Act, entry_id: UUID) -> Response:
    """The scanned paper of an entry, as an attachment, for its holder and the centre."""
    seen, content = await library_views.read_entry_file(tx, LibraryEntryId(entry_id))
    name = quote(seen.file_name, safe="")
    return Response(
        content,
        media_type=seen.media_type,
        headers={**NO_STORE, "Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )


@router.get("/api/v1/library-entries/waiting")
async def get_waiting_entries(tx: Act) -> JSONResponse:
    """What waits for the centre to compare it, the oldest first."""
    found = await library_views.waiting_entries(tx)
    told = [{"organisation_name": name, **one.plain()} for name, one in found]
    return JSONResponse({"entries": told}, headers=NO_STORE)


@router.post("/api/v1/library/{entry_id}/verdict", status_code=204)
async def post_verdict(tx: Act, entry_id: UUID, asked: VerdictAsked) -> None:
    """Note whether an entry holds, compared with its papers."""
    await library.judge_entry(tx, LibraryEntryId(entry_id), holds=asked.holds, basis=asked.basis)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/library", response_class=HTMLResponse, include_in_schema=False)
async def library_page(request: Request, tx: Act) -> HTMLResponse:
    """One's own library, with what may be entered, replaced and withdrawn."""
    found = await library_views.own_library(tx)
    return render(
        request,
        "library_desk/library.html",
        organisation=await organisation(tx, tx.actor.party),
        entries=found.entries,
        contracts=found.performances,
        ending=[one for one in found.entries if _ends_soon(one)],
        kinds=_kinds(),
        replaceable=[one for one in found.entries if one.state in library.KEPT_ABREAST],
        today=beijing_day(tx.now),
        now=tx.now,
    )


@router.get("/centre/library", response_class=HTMLResponse, include_in_schema=False)
async def verification_page(request: Request, tx: Act) -> HTMLResponse:
    """What waits for the centre to compare it with its papers."""
    waiting = await library_views.waiting_entries(tx)
    return render(
        request, "library_desk/verification.html", waiting=waiting, kinds=_kinds(), now=tx.now
    )


def _kinds() -> dict[str, tuple[str, str]]:
    return {str(kind): KIND_NAMES[kind] for kind in EntryKind}


def _ends_soon(one: EntrySeen) -> bool:
    left = one.days_left
    return one.state == "verified" and left is not None and 0 <= left <= max(ANNOUNCED_BEFORE)


def _made_told(made: Made) -> dict[str, str]:
    return {
        "id": str(made.id),
        "digest": b64u(made.digest),
        "reference": library_views.reference_of(made.digest),
    }
