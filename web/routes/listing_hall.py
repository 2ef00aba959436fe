"""The listing hall: what is listed, the price as it rises, and who won.

Everybody may watch. Bidders stand here as drawn numbers until the deal; a bidder registers,
names prices and says that it goes on by statements of its own key. The instant of a price is taken
when its last byte is there, before anything else is done.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict

from kernel.access import Role
from kernel.crypto.digests import b64u, canonical, instant_text
from kernel.errors import NotPermitted
from kernel.identifiers import ListingId
from kernel.money import yuan_text
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import (
    entrusting,
    interrupting,
    listing,
    listing_securities,
    listing_views,
    settling_listings,
)
from trading.listing_securities import ListingSecurityTold
from trading.reception import Reception
from trading.rules.listing_interruption import DECIDED, GROUND_NAMES, OrderKind
from trading.rules.listing_mandate import LISTING_ACT_NAMES
from trading.rules.listing_protocol import (
    ASSET_NAMES,
    LISTING_DAYS,
    NOTICE_DAYS,
    SECURITY_SHARE,
    Asset,
)
from trading.rules.listing_security import LISTING_CAUSE_NAMES
from web.pages import render
from web.places import Place
from web.problems import WrongMediaType
from web.region_names import region_name
from web.request_scope import DSSE, Act, ActRoute, Signed, actor_of, read_body

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
QUOTE_MAX: Final = 1 << 16
KEEPERS: Final = frozenset({Role.CENTRE_STAFF, Role.SUPERVISOR})
"""Who sees the securities of every listing that has ended."""
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
            "suspended": one.suspended,
            "undone": None if one.undone is None else str(one.undone),
            "registered": one.own,
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
async def post_registration(tx: Act, listing_id: UUID, raw: Signed) -> dict[str, Any]:
    """Register as a bidder; the number under which to bid, and the one under which to pay."""
    done = await listing.register(tx, ListingId(listing_id), raw)
    return {"bidder_number": done.number, "payment_reference": done.reference}


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
    """Sign the deal's confirmation, as the seller, for it by its letter, or as the winner."""
    return {"complete": await listing.sign_deal(tx, ListingId(listing_id), raw)}


@router.get("/api/v1/listings/{listing_id}/deal")
async def get_deal(tx: Act, listing_id: UUID) -> JSONResponse:
    """The deal's confirmation as both sides signed it, with the keys that check it."""
    made = await listing_views.confirmation(tx, ListingId(listing_id))
    told = {"deal": made.deal, "statements": made.statements, "signers": made.signers}
    return JSONResponse(told, headers=NO_STORE)


@router.post("/api/v1/listings/{listing_id}/suspension", status_code=204)
async def post_suspension(tx: Act, listing_id: UUID, raw: Signed) -> None:
    """Suspend a listing on a ground that the law knows, or by a decision that is named."""
    await interrupting.interrupt(tx, ListingId(listing_id), OrderKind.SUSPEND, raw)


@router.post("/api/v1/listings/{listing_id}/resumption", status_code=204)
async def post_resumption(tx: Act, listing_id: UUID, raw: Signed) -> None:
    """Let a suspended listing go on; every moment to come is as far off as it was."""
    await interrupting.interrupt(tx, ListingId(listing_id), OrderKind.RESUME, raw)


@router.post("/api/v1/listings/{listing_id}/termination", status_code=204)
async def post_termination(tx: Act, listing_id: UUID, raw: Signed) -> None:
    """End a listing before its time; securities go back to everybody."""
    await interrupting.interrupt(tx, ListingId(listing_id), OrderKind.TERMINATE, raw)


@router.post("/api/v1/listings/{listing_id}/voiding", status_code=204)
async def post_voiding(tx: Act, listing_id: UUID, raw: Signed) -> None:
    """Record a decision by which the result of a listing is void."""
    await interrupting.void_result(tx, ListingId(listing_id), raw)


@router.get("/api/v1/listings/{listing_id}/securities")
async def get_securities(tx: Act, listing_id: UUID) -> JSONResponse:
    """The securities of an ended listing; refused while it runs."""
    found = await listing_securities.listing_securities(tx, ListingId(listing_id))
    told = [
        {
            "reference": one.reference,
            "bidder_number": one.bidder_number,
            "bidder": one.bidder or None,
            "state": str(one.standing.state),
            "held": yuan_text(one.standing.facts.held),
            "due_at": None if one.standing.due is None else instant_text(one.standing.due.due_at),
            "overdue": one.overdue,
        }
        for one in found
    ]
    return JSONResponse({"securities": told}, headers=NO_STORE)


@router.post("/api/v1/listings/{listing_id}/forfeiture", status_code=201)
async def post_forfeiture(tx: Act, listing_id: UUID, raw: Signed) -> dict[str, str]:
    """Keep the deposit of a winner who did not sign the deal in time, which falls through."""
    done = await settling_listings.keep_security(tx, ListingId(listing_id), raw)
    return {"amount": yuan_text(done.amount), "article": done.article}


@router.get("/api/v1/listing-letters")
async def get_letters(tx: Act) -> JSONResponse:
    """The letters for listings that the acting organisation signed or was given."""
    found = await entrusting.letters(tx)
    return JSONResponse({"letters": [one.plain() for one in found]}, headers=NO_STORE)


@router.post("/api/v1/listing-letters", status_code=201)
async def post_letter(tx: Act, raw: Signed) -> dict[str, str]:
    """Sign what an agency may do for the listing of a code, which need not exist yet."""
    return {"id": str(await entrusting.entrust(tx, raw))}


@router.post("/api/v1/listing-letters/{letter_id}/end", status_code=204)
async def post_letter_end(tx: Act, letter_id: UUID, raw: Signed) -> None:
    """End a letter before its time."""
    await entrusting.end_entrustment(tx, letter_id, raw)


async def _arrived(request: Request) -> tuple[bytes, datetime]:
    """Read the body to its end, then the clock, and nothing else before."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != DSSE:
        raise WrongMediaType(f"send the signed statement as {DSSE}")
    raw = await read_body(request, max_bytes=QUOTE_MAX)
    counter: Reception = request.app.state.reception
    return raw, await counter.clock.stamp()


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
async def new_listing_page(request: Request, tx: Act, again: UUID | None = None) -> HTMLResponse:
    """The form by which a seller announces a listing, or its agency for it; perhaps once more."""
    by = await listing.may_announce(tx)
    earlier = None if again is None else await listing_views.listing(tx, ListingId(again))
    return render(
        request,
        "listing_hall/listing_form.html",
        by=by,
        earlier=earlier,
        letters=[one for one in await entrusting.letters(tx) if one.counts],
        assets=ASSET_NAMES,
        price_text=yuan_text,
        notice_days=NOTICE_DAYS,
        listing_days=LISTING_DAYS,
        security_percent=int(SECURITY_SHARE * 100),
        now=tx.now,
    )


@router.get("/listings/letters", response_class=HTMLResponse, include_in_schema=False)
async def letters_page(request: Request, tx: Act) -> HTMLResponse:
    """The letters by which sellers entrust their listings to agencies."""
    return render(
        request,
        "listing_hall/letters.html",
        letters=await entrusting.letters(tx),
        agencies=await entrusting.agencies(tx),
        acts=LISTING_ACT_NAMES,
        today=beijing_day(tx.now),
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
    securities: tuple[ListingSecurityTold, ...] = ()
    if seen.ended_at is not None and (seen.acts or tx.actor.role in KEEPERS):
        securities = await listing_securities.listing_securities(tx, ListingId(listing_id))
    return render(
        request,
        template,
        seen=seen,
        asset=ASSET_NAMES[Asset(seen.asset)],
        securities=securities,
        causes=LISTING_CAUSE_NAMES,
        grounds=GROUND_NAMES,
        decided=sorted(DECIDED),
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
