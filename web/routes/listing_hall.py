"""The listing hall: what is listed, the price as it rises, and who won.

Everybody may watch. Bidders stand here as drawn numbers until the deal; a bidder registers,
names prices and says that it goes on by statements of its own key. The instant of a price is taken
when its last byte is there, before anything else is done.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from kernel.access import Role
from kernel.crypto.digests import Malformed, b64u, canonical, instant_text
from kernel.errors import NotPermitted
from kernel.identifiers import ListingId
from kernel.money import parse_yuan, yuan_text
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import listing, listing_views
from trading.reception import Reception
from trading.rules.listing_protocol import (
    ASSET_NAMES,
    LISTING_DAYS,
    NOTICE_DAYS,
    SECURITY_SHARE,
    Asset,
)
from web.pages import render
from web.problems import WrongMediaType
from web.region_names import region_name
from web.request_scope import DSSE, Act, ActRoute, Signed, actor_of, read_body

router = APIRouter(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
QUOTE_MAX: Final = 1 << 16
MOMENT: Final = timedelta(microseconds=1)


def _plain(value: object) -> object:
    """JSON that every reader reads alike, so that it has one text of its own."""
    try:
        canonical(value)
    except (TypeError, ValueError) as fault:
        raise ValueError(str(fault)) from None
    return value


Envelope = Annotated[dict[str, Any], BeforeValidator(_plain)]


class ListingAsked(BaseModel):
    """The signed terms, and where there is a reserve the signed reserve that they commit to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listing: Envelope
    reserve: Envelope | None = None


class AdmissionAsked(BaseModel):
    """Whose security arrived when, how much it is, and by which entry of the bank's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bidder_number: Annotated[int, Field(ge=1, le=99_999)]
    paid: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,15})(\.[0-9]{2})?$")]
    arrived_at: AwareDatetime
    reference: Annotated[str, Field(min_length=1, max_length=200)]


# ── for programs ──────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/listings")
async def get_listings(tx: Act) -> JSONResponse:
    """Every listing, those that end next first."""
    found = await listing_views.listings(tx)
    told = [
        {
            "id": str(one.id),
            "code": one.code,
            "title": one.title,
            "asset": str(one.asset),
            "phase": str(one.phase),
            "seller": one.seller,
            "starts_at": instant_text(one.starts_at),
            "ends_at": instant_text(one.ends_at),
            "starting_price": yuan_text(one.starting_price),
            "highest": None if one.highest is None else yuan_text(one.highest),
            "winner": one.winner,
        }
        for one in found
    ]
    return JSONResponse({"listings": told}, headers=NO_STORE)


@router.post("/api/v1/listings", status_code=201)
async def post_listing(tx: Act, asked: ListingAsked) -> dict[str, Any]:
    """Announce a listing by its signed terms; its reserve stays secret until it has ended."""
    reserve = None if asked.reserve is None else canonical(asked.reserve)
    done = await listing.announce(tx, canonical(asked.listing), reserve)
    return {"id": str(done.id), "cautions": [one.as_json() for one in done.cautions]}


@router.get("/api/v1/listings/{listing_id}")
async def get_listing(tx: Act, listing_id: UUID) -> JSONResponse:
    """A listing's terms, its prices in order, its result, and what is the reader's own."""
    seen = await listing_views.listing(tx, ListingId(listing_id))
    return JSONResponse(seen.plain(), headers=NO_STORE)


@router.post("/api/v1/listings/{listing_id}/registrations", status_code=201)
async def post_registration(tx: Act, listing_id: UUID, raw: Signed) -> dict[str, int]:
    """Register as a bidder; the number under which to bid."""
    return {"bidder_number": await listing.register(tx, ListingId(listing_id), raw)}


@router.get("/api/v1/listings/{listing_id}/bidders")
async def get_bidders(tx: Act, listing_id: UUID) -> JSONResponse:
    """Who registered, for the centre's staff who confirm securities."""
    found = await listing_views.registered(tx, ListingId(listing_id))
    told = [
        {
            "bidder_number": one.number,
            "name": one.name,
            "registered_at": instant_text(one.registered_at),
            "paid": None if one.paid is None else yuan_text(one.paid),
            "arrived_at": None if one.arrived_at is None else instant_text(one.arrived_at),
        }
        for one in found
    ]
    return JSONResponse({"bidders": told}, headers=NO_STORE)


@router.post("/api/v1/listings/{listing_id}/admissions", status_code=204)
async def post_admission(tx: Act, listing_id: UUID, asked: AdmissionAsked) -> None:
    """Confirm a bidder's security and qualification, so that it may name prices."""
    await listing.admit(
        tx,
        ListingId(listing_id),
        asked.bidder_number,
        paid=_amount(asked.paid),
        arrived_at=asked.arrived_at,
        reference=asked.reference,
    )


@router.post("/api/v1/listings/{listing_id}/quotes", status_code=201)
async def post_quote(request: Request, listing_id: UUID) -> JSONResponse:
    """Name a price; of two who name the same at one moment, the first that is let in has it."""
    raw, received_at = await _arrived(request)
    actor = await actor_of(request)
    if actor.role is not Role.BIDDER:
        raise NotPermitted("only a bidder does this")
    counter: Reception = request.app.state.reception
    taken = await listing.take_quote(
        counter.intake, actor, ListingId(listing_id), raw, received_at=received_at
    )
    told = {
        "number": taken.number,
        "bidder_number": taken.bidder_number,
        "price": yuan_text(taken.price),
        "received_at": instant_text(taken.received_at),
        "phase": str(taken.phase),
        "phase_ends_at": instant_text(taken.phase_ends_at),
    }
    return JSONResponse(told, 201, headers=NO_STORE)


@router.post("/api/v1/listings/{listing_id}/going-on", status_code=204)
async def post_going_on(tx: Act, listing_id: UUID, raw: Signed) -> None:
    """Say that one goes on, when everybody who named a price is asked."""
    await listing.go_on(tx, ListingId(listing_id), raw)


@router.post("/api/v1/listings/{listing_id}/deal", status_code=201)
async def post_deal(tx: Act, listing_id: UUID, raw: Signed) -> dict[str, bool]:
    """Sign the deal's confirmation, as the seller or as the winner."""
    return {"complete": await listing.sign_deal(tx, ListingId(listing_id), raw)}


@router.get("/api/v1/listings/{listing_id}/deal")
async def get_deal(tx: Act, listing_id: UUID) -> JSONResponse:
    """The deal's confirmation as both sides signed it, with the keys that check it."""
    made = await listing_views.confirmation(tx, ListingId(listing_id))
    told = {"deal": made.deal, "statements": made.statements, "signers": made.signers}
    return JSONResponse(told, headers=NO_STORE)


async def _arrived(request: Request) -> tuple[bytes, datetime]:
    """Read the body to its end, then the clock, and nothing else before."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != DSSE:
        raise WrongMediaType(f"send the signed statement as {DSSE}")
    raw = await read_body(request, max_bytes=QUOTE_MAX)
    counter: Reception = request.app.state.reception
    return raw, await counter.clock.stamp()


def _amount(text: str) -> Decimal:
    try:
        return parse_yuan(text)
    except ValueError as error:
        raise Malformed(str(error), code="amount") from None


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/listings", response_class=HTMLResponse, include_in_schema=False)
async def listings_page(request: Request, tx: Act) -> HTMLResponse:
    """Every listing, those that end next first."""
    return render(
        request,
        "listing_hall/listings.html",
        listings=await listing_views.listings(tx),
        assets=ASSET_NAMES,
        now=tx.now,
    )


@router.get("/listings/new", response_class=HTMLResponse, include_in_schema=False)
async def new_listing_page(request: Request, tx: Act) -> HTMLResponse:
    """The form by which a seller announces a listing."""
    return render(
        request,
        "listing_hall/listing_form.html",
        seller=await listing.may_announce(tx),
        assets=ASSET_NAMES,
        notice_days=NOTICE_DAYS,
        listing_days=LISTING_DAYS,
        security_percent=int(SECURITY_SHARE * 100),
        now=tx.now,
    )


@router.get("/listings/{listing_id}", response_class=HTMLResponse, include_in_schema=False)
async def listing_page(request: Request, tx: Act, listing_id: UUID) -> HTMLResponse:
    """One listing with its price as it rises."""
    return await _rendered(request, tx, listing_id, "listing_hall/listing.html")


@router.get("/listings/{listing_id}/board", response_class=HTMLResponse, include_in_schema=False)
async def listing_board(request: Request, tx: Act, listing_id: UUID) -> HTMLResponse:
    """The part of the page that changes, fetched again whenever something happens."""
    return await _rendered(request, tx, listing_id, "listing_hall/board.html")


async def _rendered(
    request: Request, tx: Transaction, listing_id: UUID, template: str
) -> HTMLResponse:
    seen = await listing_views.listing(tx, ListingId(listing_id))
    bidders: tuple[listing_views.Registered, ...] = ()
    if tx.actor.role is Role.CENTRE_STAFF:
        bidders = await listing_views.registered(tx, ListingId(listing_id))
    return render(
        request,
        template,
        seen=seen,
        asset=ASSET_NAMES[Asset(seen.asset)],
        bidders=bidders,
        region=region_name(seen.region_code),
        due=_due_days(seen),
        price_text=yuan_text,
        digest_text=b64u,
        now=tx.now,
        live_view=f"{listing_id}/public",
    )


def _due_days(seen: listing_views.Seen) -> dict[str, str]:
    """The last days of what follows a deal, each of which ends where the next begins."""
    if seen.after is None:
        return {}
    ends = {
        "returned": seen.after.returned,
        "published": seen.after.published,
        "contract": seen.after.contract,
    }
    return {name: f"{beijing_day(at - MOMENT):%Y-%m-%d}" for name, at in ends.items()}
