"""The archive room: how long what is kept of a lot, who ordered it kept longer, and the package.

Owners, the centre and supervisors look in; each takes with him what he may know anyway. Holds are
the supervisor's, and what a person was is forgotten by the centre at that person's wish.
"""

from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kernel.identifiers import HoldId, LibraryEntryId, LotId, PersonId
from kernel.statute import Regime
from trading import archiving, forgetting, holding
from trading.archived_papers import LEFT_OUT
from trading.rules.record_keeping import CLASS_NAMES, RecordClass, term_of
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed
from web.routes.tender_desk import readable

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}


class ErasureAsked(BaseModel):
    """On what basis a person is forgotten."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    basis: Annotated[
        str, Field(min_length=1, max_length=forgetting.BASIS_MAX), AfterValidator(readable)
    ]


@router.get("/api/v1/retention")
async def get_retention() -> dict[str, Any]:
    """How many years each class of records is kept, by which article; null: until its purpose is
    over."""
    terms = [(regime, kind, term_of(kind, regime)) for regime in _REGIMES for kind in RecordClass]
    return {
        "classes": [
            {
                "class": str(kind),
                "name": CLASS_NAMES[kind],
                "regime": str(regime),
                "years": term.years,
                "article": str(term.article),
            }
            for regime, kind, term in terms
        ]
    }


_REGIMES: Final = (Regime.TENDERING, Regime.PROCUREMENT)


@router.get("/api/v1/lots/{lot_id}/keeping")
async def get_keeping(tx: Act, lot_id: UUID) -> JSONResponse:
    """How long what is kept of a lot, and the legal holds on it."""
    found = await archiving.keeping(tx, LotId(lot_id))
    return JSONResponse(found.plain(), headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/archive")
async def get_archive(tx: Act, lot_id: UUID) -> Response:
    """The archive package of a lot that has ended, as a zip file that `sunbid verify archive`
    checks."""
    package = await archiving.archive_package(tx, LotId(lot_id))
    name = quote(package.name, safe="")
    return Response(
        package.content,
        media_type="application/zip",
        headers={**NO_STORE, "Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )


@router.post("/api/v1/lots/{lot_id}/holds", status_code=201)
async def post_hold(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, str]:
    """Order that nothing of a lot be erased."""
    return {"id": str(await holding.set_hold(tx, LotId(lot_id), raw))}


@router.post("/api/v1/lots/{lot_id}/holds/{hold_id}/end", status_code=204)
async def post_hold_end(tx: Act, lot_id: UUID, hold_id: UUID, raw: Signed) -> None:
    """Lift a legal hold."""
    await holding.lift_hold(tx, LotId(lot_id), HoldId(hold_id), raw)


@router.post("/api/v1/people/{person_id}/erasure")
async def post_person_erasure(tx: Act, person_id: UUID, asked: ErasureAsked) -> dict[str, int]:
    """Erase who a person was, once nothing keeps it; how many entries no longer say who acted."""
    done = await forgetting.forget_person(tx, PersonId(person_id), basis=asked.basis)
    return {"entries": done}


@router.post("/api/v1/library/{entry_id}/erasure", status_code=204)
async def post_entry_erasure(tx: Act, entry_id: UUID) -> None:
    """Erase what an own library entry said, and its paper, once nothing keeps it."""
    await forgetting.erase_entry(tx, LibraryEntryId(entry_id))


@router.get("/lots/{lot_id}/archive", response_class=HTMLResponse, include_in_schema=False)
async def archive_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The archive of one lot as a page, with what this reader may do."""
    found = await archiving.keeping(tx, LotId(lot_id))
    return render(
        request,
        "archive_room/archive.html",
        procedure=found.procedure,
        keeping=found,
        class_names=CLASS_NAMES,
        left_out=[one.why for one in LEFT_OUT],
        role=tx.actor.role,
        now=tx.now,
    )
