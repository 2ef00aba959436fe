"""The site desk: trading centres register their sites and seats, and let members in."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from evaluation import prolonging, replacing, site_keeping
from evaluation.rules.replacement import ABSENCE_GRACE, ReplacementGround
from evaluation.site_keeping import Arrival
from kernel.access import Role
from kernel.crypto.digests import instant_text
from kernel.events import plain
from kernel.identifiers import SeatId, SiteId
from kernel.store.parties import organisation_names
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}


class SiteAsked(BaseModel):
    """A site to be registered."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    region: Annotated[str, Field(pattern=r"^[1-9][0-9]{5}$")]


class AdmissionAsked(BaseModel):
    """A member whose identity was compared, by committee and seat."""

    model_config = ConfigDict(extra="forbid")

    committee: UUID
    seat: UUID


class RemovalAsked(BaseModel):
    """A member to be replaced, by committee and seat: on which ground, and what happened."""

    model_config = ConfigDict(extra="forbid")

    committee: UUID
    seat: UUID
    ground: ReplacementGround
    reason: Annotated[str, Field(min_length=1, max_length=500)]


@router.post("/api/v1/sites", status_code=201)
async def post_site(tx: Act, asked: SiteAsked) -> dict[str, str]:
    """Register a site of one's own centre."""
    site_id = await site_keeping.register_site(tx, name=asked.name, region_code=asked.region)
    return {"site_id": str(site_id)}


@router.get("/api/v1/sites")
async def get_sites(tx: Act) -> dict[str, Any]:
    """Every evaluation site."""
    return {
        "sites": [
            {
                "id": str(one.id),
                "name": one.name,
                "region": one.region_code,
                "keeper": str(one.keeper_id),
                "seats": one.seats,
            }
            for one in await site_keeping.sites(tx)
        ]
    }


@router.post("/api/v1/sites/{site_id}/seats", status_code=201)
async def post_seat(tx: Act, site_id: UUID, raw: Signed) -> dict[str, str]:
    """Register a seat by a statement of its own key."""
    return {"seat_id": str(await site_keeping.register_seat(tx, SiteId(site_id), raw))}


@router.get("/api/v1/sites/{site_id}/arrivals")
async def get_arrivals(tx: Act, site_id: UUID) -> JSONResponse:
    """Who is expected at an own site, seat by seat."""
    found = await site_keeping.arrivals(tx, SiteId(site_id))
    return JSONResponse({"arrivals": [_arrival_told(one) for one in found]}, headers=NO_STORE)


@router.get("/api/v1/sites/{site_id}/committees")
async def get_hosted(tx: Act, site_id: UUID) -> JSONResponse:
    """The committees that an own site hosts and whose window has begun; no lot and no names."""
    found = await prolonging.hosted_committees(tx, SiteId(site_id))
    return JSONResponse({"committees": plain(found)}, headers=NO_STORE)


@router.post("/api/v1/sites/{site_id}/admissions", status_code=204)
async def post_admission(tx: Act, site_id: UUID, asked: AdmissionAsked) -> None:
    """Note that a member's identity was compared at the door."""
    await site_keeping.admit(tx, SiteId(site_id), asked.committee, SeatId(asked.seat))


@router.post("/api/v1/sites/{site_id}/removals", status_code=204)
async def post_removal(tx: Act, site_id: UUID, asked: RemovalAsked) -> None:
    """Note that a member is absent or barred, so that it is replaced."""
    await replacing.remove_member(
        tx,
        SiteId(site_id),
        asked.committee,
        SeatId(asked.seat),
        ground=asked.ground,
        reason=asked.reason,
    )


@router.get("/sites", response_class=HTMLResponse, include_in_schema=False)
async def sites_page(request: Request, tx: Act) -> HTMLResponse:
    """Every site; for a keeper, who is expected at its own."""
    sites = await site_keeping.sites(tx)
    own = [
        one
        for one in sites
        if tx.actor.role is Role.SITE_ADMINISTRATOR and one.keeper_id == tx.actor.party_id
    ]
    return render(
        request,
        "site_desk/sites.html",
        sites=sites,
        keepers=await organisation_names(tx.session, {one.keeper_id for one in sites}),
        own=[
            (
                one,
                await site_keeping.arrivals(tx, one.id),
                await prolonging.hosted_committees(tx, one.id),
            )
            for one in own
        ],
        grace_minutes=int(ABSENCE_GRACE.total_seconds() // 60),
        may_keep=tx.actor.role is Role.SITE_ADMINISTRATOR,
        own_party=tx.actor.party_id,
        now=tx.now,
    )


def _arrival_told(one: Arrival) -> dict[str, Any]:
    return {
        "committee": str(one.committee_id),
        "seat_id": str(one.seat_id),
        "seat": one.seat,
        "person": one.person,
        "window": {
            "from": instant_text(one.window_from),
            "until": instant_text(one.window_until),
        },
        "admitted": one.admitted_at is not None,
        "signed_in": one.signed_in_at is not None,
        "present": one.present,
    }
