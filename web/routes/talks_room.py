"""The room where a group talks with suppliers (谈判、磋商), and where each of them answers.

The group and one supplier see what was said between them; all who take part are told of changes of
the demand. Last prices come in sealed, and nothing here tells one before all lie open.
"""

from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from evaluation import conferring, room_views
from kernel.access import Role
from kernel.crypto.digests import instant_text
from kernel.events import Audience, plain
from kernel.identifiers import BidId, CommitteeId, LotId
from kernel.store.journal import last_number
from kernel.store.views import own_acts, room
from trading import negotiating
from trading.handover import TalksTold
from trading.rules.price_talks import OPENING_WINDOW, TIME_TO_PRICE_MIN
from trading.talking import WORDS_MAX
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed
from web.routes.tender_desk import readable

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
Words = Annotated[str, Field(min_length=1, max_length=WORDS_MAX), AfterValidator(readable)]


class Asked(BaseModel):
    """What is asked of the room, and nothing beside."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class TalkAsked(Asked):
    """What is put to one supplier."""

    bid: UUID
    words: Words


class ChangeAsked(Asked):
    """A change of the demand, in the words that all who take part are told."""

    words: Words


class CallAsked(Asked):
    """By when last prices are due."""

    due_at: AwareDatetime


# ── the group ─────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/committees/{committee_id}/talks")
async def get_talks(tx: Act, committee_id: UUID) -> JSONResponse:
    """The talks so far."""
    found = await conferring.talks(tx, CommitteeId(committee_id))
    return JSONResponse(_talks_told(found), headers=NO_STORE)


@router.post("/api/v1/committees/{committee_id}/talks", status_code=201)
async def post_talk(tx: Act, committee_id: UUID, asked: TalkAsked) -> dict[str, int]:
    """Put something to one supplier alone."""
    turn = await conferring.talk(tx, CommitteeId(committee_id), BidId(asked.bid), asked.words)
    return {"turn": turn}


@router.post("/api/v1/committees/{committee_id}/demand-changes", status_code=201)
async def post_change(tx: Act, committee_id: UUID, asked: ChangeAsked) -> dict[str, int]:
    """Confirm a change of the demand; all who take part are told at once."""
    number = await conferring.change_demand(tx, CommitteeId(committee_id), asked.words)
    return {"number": number}


@router.post("/api/v1/committees/{committee_id}/last-price-call", status_code=201)
async def post_call(tx: Act, committee_id: UUID, asked: CallAsked) -> dict[str, Any]:
    """End the talks, and ask all who are left for their last price."""
    cautions = await conferring.call_last_prices(tx, CommitteeId(committee_id), asked.due_at)
    return {"cautions": [one.as_json() for one in cautions]}


@router.get("/api/v1/committees/{committee_id}/talks/files/{digest}")
async def get_refiled(tx: Act, committee_id: UUID, digest: str) -> Response:
    """A file of a response that was handed in anew; never run as a page of ours."""
    found = await conferring.refiled(tx, CommitteeId(committee_id), digest)
    return Response(
        found.content,
        media_type="application/octet-stream",
        headers={
            **NO_STORE,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
        },
    )


@router.get(
    "/evaluation/{committee_id}/talks", response_class=HTMLResponse, include_in_schema=False
)
async def talks_page(request: Request, tx: Act, committee_id: UUID) -> HTMLResponse:
    """The talks, for the group at its seats."""
    found = await conferring.talks(tx, CommitteeId(committee_id))
    seen = await room_views.room(tx, CommitteeId(committee_id))
    view = room(seen.lot_id, Audience.COMMITTEE)
    page = render(
        request,
        "talks_room/group.html",
        procedure=seen.procedure,
        room=seen,
        talks=found,
        rejected={str(one.bid_id) for one in seen.motions if one.outcome == "carried"},
        confirms=tx.actor.role is Role.OWNER_REPRESENTATIVE,
        minutes_min=_minutes(TIME_TO_PRICE_MIN.total_seconds()),
        window=_minutes(OPENING_WINDOW.total_seconds()),
        words_max=WORDS_MAX,
        live_view=view,
        after=await last_number(tx.session, view),
        now=tx.now,
    )
    page.headers.update(NO_STORE)
    return page


# ── a supplier ────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/lots/{lot_id}/talks")
async def get_own_talks(tx: Act, lot_id: UUID) -> JSONResponse:
    """The talks with the acting supplier, and what all who take part were told."""
    return JSONResponse(plain(await negotiating.own_talks(tx, LotId(lot_id))), headers=NO_STORE)


@router.post("/api/v1/lots/{lot_id}/talks/{talk_id}/answer", status_code=204)
async def post_answer(tx: Act, lot_id: UUID, talk_id: UUID, raw: Signed) -> None:
    """Answer what the group put to the acting supplier."""
    await negotiating.answer_talk(tx, LotId(lot_id), talk_id, raw)


@router.post("/api/v1/lots/{lot_id}/talks/leave", status_code=204)
async def post_leave(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """Leave the talks before the last price."""
    await negotiating.leave(tx, LotId(lot_id), raw)


@router.post("/api/v1/lots/{lot_id}/last-prices", status_code=201)
async def post_last_price(tx: Act, lot_id: UUID, raw: Signed) -> dict[str, Any]:
    """Hand in a sealed last price, or a newer one before the deadline; its receipt follows."""
    done = await negotiating.hand_in_last_price(tx, LotId(lot_id), raw)
    return {
        "entry_id": str(done.entry_id),
        "seq": done.seq,
        "received_at": instant_text(done.received_at),
        "link": f"/api/v1/receipts/{done.entry_id}",
    }


@router.post("/api/v1/lots/{lot_id}/last-prices/opening", status_code=204)
async def post_opening(tx: Act, lot_id: UUID, raw: Signed) -> None:
    """Open one's own last price after the deadline, inside the window."""
    await negotiating.open_last_price(tx, LotId(lot_id), raw)


@router.get("/talks/{lot_id}", response_class=HTMLResponse, include_in_schema=False)
async def own_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The same as a page, where the supplier answers, seals its last price, and opens it."""
    seen, view = await negotiating.own_talks(tx, LotId(lot_id)), own_acts(tx.actor.party)
    page = render(
        request,
        "talks_room/supplier.html",
        procedure=seen.procedure,
        seen=seen,
        words_max=WORDS_MAX,
        live_view=view,
        after=await last_number(tx.session, view),
        now=tx.now,
    )
    page.headers.update(NO_STORE)
    return page


# ── how it is told ────────────────────────────────────────────────────────────────────────────


def _talks_told(found: TalksTold) -> dict[str, Any]:
    told = plain(found)
    assert isinstance(told, dict)
    return {**told, "cautions": [one.as_json() for one in found.cautions]}


def _minutes(seconds: float) -> int:
    return int(seconds) // 60
