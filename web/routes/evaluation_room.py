"""The evaluation room: a committee convened, seated, reading, voting, scoring and signing.

What a member does here reaches nobody before the committee's own rules let it. Nothing of the room
is ever kept by a cache.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from evaluation import (
    attending,
    convening,
    examining,
    prolonging,
    qualifying,
    reporting,
    reviewing,
    room_views,
    scoring,
)
from evaluation.convening import CommitteeRequest, Convened
from evaluation.reviewing import Proposal
from evaluation.room_views import Room
from evaluation.rules.rejection_grounds import GROUNDS, RejectionGround, grounds_of
from evaluation.rules.report_contents import SigningState
from evaluation.rules.score_arithmetic import decimal_of
from evaluation.scoring import MarkEdit, OwnMarks, SavedCell
from kernel.access import Role
from kernel.crypto.digests import b64u, instant_text, unb64, unb64u
from kernel.errors import NotFound, Refused
from kernel.events import Audience, plain
from kernel.identifiers import BidId, CommitteeId, LotId, PersonId, SiteId
from kernel.money import yuan_text
from kernel.refusals import Refusal
from kernel.statute import Regime
from kernel.store.journal import last_number
from kernel.store.transaction import Transaction
from kernel.store.views import room as view_of
from trading import handover
from trading.handover import BidSecurity, EntryReferred, OpenedBid
from trading.rules.library_entries import KIND_NAMES
from trading.rules.lot_lifecycle import ENDS
from trading.rules.sheet_fields import references_in
from web.evaluation_papers import evaluation_papers
from web.log_proofs import proofs_of
from web.pages import render
from web.places import Place
from web.request_scope import Act, ActRoute, Signed

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
MEMBERS: Final = (Role.EXPERT, Role.OWNER_REPRESENTATIVE)
OWNERS: Final = (Role.TENDEREE, Role.AGENCY)
TEXT_SHOWN_MAX: Final = 200_000
TEXTS: Final = (".txt", ".csv", ".md", ".json", ".xml")

ShortText = Annotated[str, Field(max_length=100)]
B64Statement = Annotated[str, Field(max_length=200_000)]


class Asked(BaseModel):
    """What is asked of the room, and nothing beside."""

    model_config = ConfigDict(extra="forbid")


class CommitteeAsked(Asked):
    """A committee to be formed: where each region's experts sit, and who speaks for the owner."""

    host_site: UUID
    placement: Annotated[dict[str, UUID], Field(max_length=50)]
    representatives: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()


class SuccessorsAsked(Asked):
    """Who is to speak for the tenderee in the place of one of its people who left."""

    representatives: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()


class SignInAsked(Asked):
    """The member's declaration and the seat's word for it, each the bytes of a statement."""

    declaration: B64Statement
    presence: B64Statement


class WithdrawalAsked(Asked):
    """Why a member steps aside."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class TimeAsked(Asked):
    """Why the time for the evaluation does not suffice."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class ExtensionAsked(Asked):
    """How much longer the evaluation may take, in minutes."""

    minutes: Annotated[int, Field(ge=1, le=10_000)]


class RejectionAsked(Asked):
    """A bid to be rejected: on which ground, and where it shows."""

    bid: UUID
    ground: RejectionGround
    page: ShortText
    words: Annotated[str, Field(max_length=2000)]
    below_cost: bool = False
    asked: bool = False


class VoteAsked(Asked):
    """A vote."""

    in_favour: bool


class MarkAsked(Asked):
    """A mark for one cell; a score is a text, so that nothing makes a float of it."""

    edit_id: UUID
    score: Annotated[str, Field(max_length=30)] | None
    base_version: Annotated[int, Field(ge=0, le=2**31 - 1)]
    band: Annotated[str, Field(max_length=40)] | None = None


class RevealAsked(Asked):
    """A sheet, as it was committed to, and the nonce."""

    sheet: dict[str, Any]
    nonce: Annotated[str, Field(max_length=64)]


class ReportAsked(Asked):
    """The committee's view of the competition, where it owes one."""

    argued: Annotated[str, Field(max_length=5000)] = ""


# ── forming ───────────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/committee", status_code=201)
async def post_committee(tx: Act, lot_id: UUID, asked: CommitteeAsked) -> dict[str, Any]:
    """Form the lot's committee."""
    return _convened(await convening.convene(tx, _request(lot_id, asked, None)))


@router.post("/api/v1/lots/{lot_id}/prequalification/committee", status_code=201)
async def post_review_committee(tx: Act, lot_id: UUID, asked: CommitteeAsked) -> dict[str, Any]:
    """Form the committee that reviews the applications for a lot's prequalification."""
    round = await handover.own_round(tx, lot_id)
    return _convened(await convening.convene(tx, _request(lot_id, asked, round)))


@router.post("/api/v1/committees/{committee_id}/successors")
async def post_successors(
    tx: Act, committee_id: UUID, asked: SuccessorsAsked | None = None
) -> dict[str, int]:
    """Seat successors in the place of members who left."""
    named = () if asked is None else tuple(PersonId(one) for one in asked.representatives)
    seated = await convening.seat_successors(tx, CommitteeId(committee_id), representatives=named)
    return {"seated": seated}


# ── attending ─────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/committees")
async def get_committees(tx: Act) -> JSONResponse:
    """For whoever tenders its own committees at work, without names; for a supervisor every one."""
    if tx.actor.role in OWNERS:
        own = await prolonging.own_committees(tx)
        told = plain([one for one in own if one.lot_state not in ENDS])
    else:
        told = plain(await room_views.supervised_rooms(tx))
    return JSONResponse({"committees": told}, headers=NO_STORE)


@router.get("/api/v1/committees/mine")
async def get_own_committees(tx: Act) -> JSONResponse:
    """Where and when the acting person is expected, and whether a candidate is to be examined."""
    found = await attending.summonses(tx)
    examined = await examining.waiting(tx)
    return JSONResponse(
        {
            "committees": [
                {
                    "committee_id": str(one.committee_id),
                    "site": one.site,
                    "region": one.region_code,
                    "seat": one.seat,
                    "seat_id": str(one.seat_id),
                    "window": {
                        "from": instant_text(one.window_from),
                        "until": instant_text(one.window_until),
                    },
                    "signed_in": one.signed_in,
                    "closed": one.closed,
                    "examination_waits": one.committee_id in examined,
                }
                for one in found
            ]
        },
        headers=NO_STORE,
    )


@router.get("/api/v1/committees/{committee_id}/parties")
async def get_parties(tx: Act, committee_id: UUID) -> JSONResponse:
    """To whom a member must have no ties."""
    found = await attending.parties_concerned(tx, CommitteeId(committee_id))
    return JSONResponse(
        {
            "parties": [
                {"name": one.name, "uscc": one.uscc, "capacity": one.capacity} for one in found
            ]
        },
        headers=NO_STORE,
    )


@router.post("/api/v1/committees/{committee_id}/sign-ins", status_code=204)
async def post_sign_in(tx: Act, committee_id: UUID, asked: SignInAsked) -> None:
    """Sit down, or be identified anew."""
    await attending.sign_in(
        tx, CommitteeId(committee_id), unb64(asked.declaration), unb64(asked.presence)
    )


@router.post("/api/v1/committees/{committee_id}/leases")
async def post_lease(tx: Act, committee_id: UUID, raw: Signed) -> JSONResponse:
    """The seat says that its line stands."""
    until = await attending.renew(tx, CommitteeId(committee_id), raw)
    return JSONResponse({"until": instant_text(until)}, headers=NO_STORE)


@router.delete("/api/v1/committees/{committee_id}/leases/mine", status_code=204)
async def delete_lease(tx: Act, committee_id: UUID) -> None:
    """Get up from one's seat."""
    await attending.leave_seat(tx, CommitteeId(committee_id))


@router.post("/api/v1/committees/{committee_id}/withdrawals", status_code=204)
async def post_withdrawal(tx: Act, committee_id: UUID, asked: WithdrawalAsked) -> None:
    """Step aside for good."""
    await attending.withdraw(tx, CommitteeId(committee_id), asked.reason)


@router.post("/api/v1/committees/{committee_id}/time-requests", status_code=201)
async def post_time_request(tx: Act, committee_id: UUID, asked: TimeAsked) -> dict[str, int]:
    """Say that the evaluation needs more time than its window gives."""
    return {"asking": await prolonging.ask_for_time(tx, CommitteeId(committee_id), asked.reason)}


@router.post("/api/v1/committees/{committee_id}/extensions", status_code=201)
async def post_extension(tx: Act, committee_id: UUID, asked: ExtensionAsked) -> dict[str, str]:
    """Prolong the window in which the evaluation is held."""
    until = await prolonging.extend_window(
        tx, CommitteeId(committee_id), more=timedelta(minutes=asked.minutes)
    )
    return {"window_until": instant_text(until)}


@router.get("/api/v1/committees/{committee_id}")
async def get_room(tx: Act, committee_id: UUID) -> JSONResponse:
    """The room: how far everybody is, and nothing of what anybody gave."""
    seen = await room_views.room(tx, CommitteeId(committee_id))
    return JSONResponse(seen.plain(), headers=NO_STORE)


# ── reading and rejecting ─────────────────────────────────────────────────────────────────────


@router.get("/api/v1/committees/{committee_id}/bids")
async def get_bids(tx: Act, committee_id: UUID) -> JSONResponse:
    """The bids before the committee."""
    found = await reviewing.bids(tx, CommitteeId(committee_id))
    return JSONResponse(
        {
            "bids": [
                {
                    "bid_id": str(one.bid_id),
                    "code": one.code,
                    "name": one.name,
                    "price": f"{one.price:f}",
                    "sheet": one.sheet,
                }
                for one in found
            ]
        },
        headers=NO_STORE,
    )


@router.get("/api/v1/committees/{committee_id}/securities")
async def get_securities(tx: Act, committee_id: UUID) -> JSONResponse:
    """The securities of the bids before the committee, and what is doubtful about each."""
    found = await reviewing.securities(tx, CommitteeId(committee_id))
    return JSONResponse(
        {
            "securities": [
                {
                    "bid_id": str(one.bid_id),
                    "code": one.code,
                    "state": one.state,
                    "asked": yuan_text(one.asked),
                    "paid_in_time": yuan_text(one.paid_in_time),
                    "guaranteed": one.guaranteed,
                    "cautions": [caution.as_json() for caution in one.cautions],
                }
                for one in found
            ]
        },
        headers=NO_STORE,
    )


@router.get("/api/v1/committees/{committee_id}/consortia")
async def get_consortia(tx: Act, committee_id: UUID) -> JSONResponse:
    """Who bids by each bid, with what the law holds against it as one of a consortium."""
    found = await reviewing.consortia(tx, CommitteeId(committee_id))
    told = [
        {
            "bid_id": str(one.bid_id),
            "name": one.name,
            "members": [
                {
                    "name": member.name,
                    "part": member.part,
                    "grades": dict(member.grades),
                    "leads": member.leads,
                    "signed": member.signed,
                }
                for member in one.members
            ],
            "grades": dict(one.grades),
            "findings": [finding.as_json() for finding in one.findings],
        }
        for one in found
    ]
    return JSONResponse({"bidders": told}, headers=NO_STORE)


@router.get("/api/v1/committees/{committee_id}/bids/{bid_id}/files")
async def get_files(tx: Act, committee_id: UUID, bid_id: UUID) -> JSONResponse:
    """The files of a bid."""
    found = await reviewing.files(tx, CommitteeId(committee_id), BidId(bid_id))
    return JSONResponse(
        {"files": [{"name": name, "size": size} for name, size in found]}, headers=NO_STORE
    )


@router.get("/api/v1/committees/{committee_id}/bids/{bid_id}/library")
async def get_bid_library(tx: Act, committee_id: UUID, bid_id: UUID) -> JSONResponse:
    """The licences and performances that a bid refers to, with what speaks against each."""
    found = await reviewing.library(tx, CommitteeId(committee_id))
    if BidId(bid_id) not in found:
        raise NotFound("no such opened bid")
    told = [one.plain() for one in found[BidId(bid_id)]]
    return JSONResponse({"library": told}, headers=NO_STORE)


@router.get("/api/v1/committees/{committee_id}/bids/{bid_id}/library/{reference}")
async def get_bid_library_file(
    tx: Act, committee_id: UUID, bid_id: UUID, reference: str
) -> Response:
    """The scanned paper of one of them, as an attachment."""
    name, content = await reviewing.read_library(
        tx, CommitteeId(committee_id), BidId(bid_id), reference
    )
    return Response(
        content,
        media_type="application/octet-stream",
        headers={
            **NO_STORE,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        },
    )


@router.get("/api/v1/committees/{committee_id}/bids/{bid_id}/file")
async def get_file(tx: Act, committee_id: UUID, bid_id: UUID, name: str = "") -> Response:
    """One file of a bid, as an attachment: what a bidder made is never run as a page of ours."""
    content = await reviewing.read(tx, CommitteeId(committee_id), BidId(bid_id), name)
    shown = quote(name.rsplit("/", maxsplit=1)[-1], safe="")
    return Response(
        content,
        media_type="application/octet-stream",
        headers={**NO_STORE, "Content-Disposition": f"attachment; filename*=UTF-8''{shown}"},
    )


@router.post("/api/v1/committees/{committee_id}/rejections", status_code=201)
async def post_rejection(tx: Act, committee_id: UUID, said: RejectionAsked) -> dict[str, str]:
    """Propose to reject a bid."""
    rejection_id = await reviewing.propose_rejection(
        tx,
        CommitteeId(committee_id),
        Proposal(BidId(said.bid), said.ground, said.page, said.words, said.below_cost, said.asked),
    )
    return {"id": str(rejection_id)}


@router.post("/api/v1/committees/{committee_id}/rejections/{rejection_id}/votes")
async def post_vote(
    tx: Act, committee_id: UUID, rejection_id: UUID, said: VoteAsked
) -> dict[str, str]:
    """Vote on a rejection."""
    decided = await reviewing.vote(
        tx, CommitteeId(committee_id), rejection_id, in_favour=said.in_favour
    )
    return {"outcome": decided}


# ── scoring ───────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/committees/{committee_id}/marks")
async def get_marks(tx: Act, committee_id: UUID) -> JSONResponse:
    """The acting member's own marks, and nobody else's."""
    own = await scoring.own_marks(tx, CommitteeId(committee_id))
    return JSONResponse(_marks_told(own), headers=NO_STORE)


@router.put("/api/v1/committees/{committee_id}/bids/{bid_id}/marks/{item}")
async def put_mark(
    tx: Act, committee_id: UUID, bid_id: UUID, item: str, asked: MarkAsked
) -> JSONResponse:
    """Save one mark; sent again it changes nothing."""
    score: Decimal | None = None if asked.score is None else decimal_of(asked.score)
    saved = await scoring.save_mark(
        tx,
        CommitteeId(committee_id),
        MarkEdit(asked.edit_id, BidId(bid_id), item, score, asked.base_version, asked.band),
    )
    return JSONResponse({**_cell_told(saved), "saved": saved.saved}, headers=NO_STORE)


@router.post("/api/v1/committees/{committee_id}/commitments", status_code=201)
async def post_commitment(tx: Act, committee_id: UUID, raw: Signed) -> dict[str, int]:
    """Commit to a sheet that nobody has seen."""
    return {"round": await scoring.commit(tx, CommitteeId(committee_id), raw)}


@router.post("/api/v1/committees/{committee_id}/reveals", status_code=204)
async def post_reveal(tx: Act, committee_id: UUID, shown: RevealAsked) -> None:
    """Show a sheet, once everybody has committed."""
    await scoring.reveal(tx, CommitteeId(committee_id), shown.sheet, unb64u(shown.nonce))


# ── the report ────────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/committees/{committee_id}/report", status_code=201)
async def post_report(tx: Act, committee_id: UUID, asked: ReportAsked) -> dict[str, str]:
    """Compute the report."""
    digest = await reporting.compile_report(tx, CommitteeId(committee_id), argued=asked.argued)
    return {"report": b64u(digest)}


@router.get("/api/v1/committees/{committee_id}/report")
async def get_report(tx: Act, committee_id: UUID) -> Response:
    """The report's bytes, as members sign their digest."""
    content = await reporting.report(tx, CommitteeId(committee_id))
    return Response(content, media_type="application/json", headers=NO_STORE)


@router.post("/api/v1/committees/{committee_id}/report/signatures")
async def post_signature(tx: Act, committee_id: UUID, raw: Signed) -> dict[str, Any]:
    """Sign the report, dissent, or refuse; the last answer hands it back."""
    return _signing_told(await qualifying.sign(tx, CommitteeId(committee_id), raw))


@router.get("/api/v1/committees/{committee_id}/set-aside-reports/{version}")
async def get_set_aside_report(
    tx: Act, committee_id: UUID, version: Annotated[int, Path(ge=1, le=10_000)]
) -> JSONResponse:
    """A report that came to nothing, with every answer to it, once the committee is done."""
    told = await room_views.set_aside_report(tx, CommitteeId(committee_id), version)
    return JSONResponse(told, headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/evaluation-record")
async def get_record(tx: Act, lot_id: UUID) -> JSONResponse:
    """Everything that re-derives an evaluation, as `sunbid verify evaluation` reads it."""
    told = await evaluation_papers(tx, LotId(lot_id))
    proofs = await proofs_of(tx, told.entries)
    if set(proofs) != set(told.entries):
        raise NotFound("the witnesses have not signed yet")
    return JSONResponse(
        {**told.bundle, "proofs": proofs},
        headers={
            **NO_STORE,
            "Content-Disposition": 'attachment; filename="evaluation-record.json"',
        },
    )


@router.get("/api/v1/lots/{lot_id}/committee-members")
async def get_member_names(tx: Act, lot_id: UUID) -> JSONResponse:
    """Who sat in the committee, once the winner is determined."""
    return JSONResponse(
        {"members": await room_views.member_names(tx, LotId(lot_id))}, headers=NO_STORE
    )


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/evaluation", response_class=HTMLResponse, include_in_schema=False)
async def rooms_page(request: Request, tx: Act) -> HTMLResponse:
    """Where one is expected; for the supervisor every room, for whoever tenders the time of its own
    committees; for others why they may not enter."""
    supervised = await room_views.supervised_rooms(tx) if _supervises(tx) else []
    own = await prolonging.own_committees(tx) if tx.actor.role in OWNERS else []
    return render(
        request,
        "evaluation_room/rooms.html",
        summonses=await attending.summonses(tx) if tx.actor.role in MEMBERS else (),
        examining=await examining.waiting(tx) if tx.actor.role in MEMBERS else (),
        own=[one for one in own if one.lot_state not in ENDS],
        rooms=supervised,
        own_party=tx.actor.party_id,
        now=tx.now,
    )


@router.get("/evaluation/{committee_id}", response_class=HTMLResponse, include_in_schema=False)
async def room_page(
    request: Request,
    tx: Act,
    committee_id: UUID,
    bid: UUID | None = None,
    file: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """The room as a member works in it, or as the supervisor sees it; one in which applications are
    reviewed is another.
    """
    seen = await room_views.room(tx, CommitteeId(committee_id))
    if seen.review_round is not None:
        return RedirectResponse(f"/reviews/{committee_id}", 303)
    desk = _Desk() if seen.own_number is None else await _desk(tx, seen, bid, file)
    audience = Audience.SUPERVISORS if _supervises(tx) else Audience.COMMITTEE
    view = view_of(seen.lot_id, audience)
    after = await last_number(tx.session, view)
    page = render(
        request,
        "evaluation_room/room.html",
        procedure=seen.procedure,
        own_party=tx.actor.party_id,
        room=seen,
        live_view=view,
        after=after,
        now=tx.now,
        bid_names=_bid_names(desk, seen),
        **desk.told(seen),
    )
    page.headers.update(NO_STORE)
    return page


@router.get(
    "/evaluation/{committee_id}/consortia", response_class=HTMLResponse, include_in_schema=False
)
async def consortia_page(request: Request, tx: Act, committee_id: UUID) -> HTMLResponse:
    """The consortia among the bidders and what is found of them, for the committee at its seats."""
    found = await reviewing.consortia(tx, CommitteeId(committee_id))
    seen = await room_views.room(tx, CommitteeId(committee_id))
    page = render(
        request,
        "evaluation_room/consortia.html",
        procedure=seen.procedure,
        room=seen,
        bidders=found,
        now=tx.now,
    )
    page.headers.update(NO_STORE)
    return page


@router.get(
    "/evaluation/{committee_id}/board", response_class=HTMLResponse, include_in_schema=False
)
async def room_board(request: Request, tx: Act, committee_id: UUID) -> HTMLResponse:
    """The part of the room that changes, fetched again whenever something happens."""
    seen = await room_views.room(tx, CommitteeId(committee_id))
    desk = _Desk() if seen.own_number is None else await _desk(tx, seen, None, None)
    page = render(
        request,
        "evaluation_room/board.html",
        procedure=seen.procedure,
        room=seen,
        now=tx.now,
        bid_names=_bid_names(desk, seen),
    )
    page.headers.update(NO_STORE)
    return page


@dataclass(slots=True)
class _Desk:
    """What lies before a member: as much as may be read and filled in at this instant."""

    bids: tuple[OpenedBid, ...] = ()
    securities: tuple[BidSecurity, ...] = ()
    own: OwnMarks | None = None
    turned_away: list[Refusal] = field(default_factory=list)
    shown: OpenedBid | None = None
    marking: UUID | None = None
    """The bid whose marks are filled in; that goes on while nobody reads."""

    files: list[tuple[str, int]] = field(default_factory=list)
    file: str | None = None
    text: str | None = None
    regime: Regime = Regime.TENDERING
    talks: bool = False
    """Whether its procedure has talks."""

    library: tuple[EntryReferred, ...] = ()

    def told(self, room: Room) -> dict[str, Any]:
        """The desk as the page's template reads it."""
        cells = {} if self.own is None else {(str(c.bid_id), c.item): c for c in self.own.cells}
        marked = Counter(bid for (bid, _), cell in cells.items() if cell.score is not None)
        return {
            "bids": self.bids,
            "securities": {one.bid_id: one for one in self.securities},
            "own": self.own,
            "turned_away": [one.as_json() for one in self.turned_away],
            "shown": self.shown,
            "marking": None if self.marking is None else str(self.marking),
            "files": self.files,
            "library": self.library,
            "talks": self.talks,
            "kinds": {str(kind): words for kind, words in KIND_NAMES.items()},
            "file": self.file,
            "text": self.text,
            "items": [] if self.own is None else self.own.scheme.get("items", []),
            "cells": {cell: _cell_told(one) for cell, one in cells.items()},
            "marked": marked,
            "rejected": {str(m.bid_id) for m in room.motions if m.outcome == "carried"},
            "grounds": [
                (one, str(GROUNDS[one][0]), GROUNDS[one][1]) for one in grounds_of(self.regime)
            ],
        }


async def _desk(tx: Transaction, room: Room, bid: UUID | None, file: str | None) -> _Desk:
    brief = await handover.lot_brief(tx, room.lot_id)
    desk = _Desk(regime=brief.regime, talks=brief.prices_confidential)
    try:
        desk.own = await scoring.own_marks(tx, room.committee_id)
        desk.marking = bid if bid in desk.own.bids else None
        desk.bids = await reviewing.bids(tx, room.committee_id)
        desk.securities = await reviewing.securities(tx, room.committee_id)
    except Refused as refused:
        desk.turned_away = list(refused.refusals)
        return desk
    desk.shown = next((one for one in desk.bids if one.bid_id == bid), None)
    if bid is not None and desk.shown is None:
        raise NotFound("no such opened bid")
    if desk.shown is None:
        return desk
    desk.files = await reviewing.files(tx, room.committee_id, desk.shown.bid_id)
    if references_in(desk.shown.sheet):
        found = await reviewing.library(tx, room.committee_id)
        desk.library = found[desk.shown.bid_id]
    if file is not None:
        desk.file = file
        if file.lower().endswith(TEXTS):
            content = await reviewing.read(tx, room.committee_id, desk.shown.bid_id, file)
            desk.text = _text(content)[:TEXT_SHOWN_MAX]
        elif file not in {name for name, _ in desk.files}:
            raise NotFound("the bid has no such file")
    return desk


def _text(content: bytes) -> str:
    """What a text file says: in UTF-8, or else in the national encoding."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030", errors="replace")


def _bid_names(desk: _Desk, room: Room) -> dict[str, str]:
    """What each bid of a motion is called; nothing while bids may not be read."""
    return {str(one.bid_id): one.name for one in desk.bids}


def _request(lot_id: UUID, asked: CommitteeAsked, review_round: int | None) -> CommitteeRequest:
    return CommitteeRequest(
        LotId(lot_id),
        SiteId(asked.host_site),
        {region: SiteId(site) for region, site in asked.placement.items()},
        tuple(PersonId(one) for one in asked.representatives),
        review_round,
    )


def _convened(told: Convened) -> dict[str, Any]:
    return {
        "committee_id": str(told.committee_id),
        "cautions": [one.as_json() for one in told.cautions],
    }


def _supervises(tx: Transaction) -> bool:
    return tx.actor.role is Role.SUPERVISOR


# ── how the above is told ─────────────────────────────────────────────────────────────────────


def _cell_told(cell: SavedCell) -> dict[str, Any]:
    return {
        "bid": str(cell.bid_id),
        "item": cell.item,
        "score": None if cell.score is None else f"{cell.score.normalize():f}",
        "version": cell.version,
    }


def _marks_told(own: OwnMarks) -> dict[str, Any]:
    return {
        "member": str(own.member_id),
        "scheme": own.scheme,
        "bids": [str(one) for one in own.bids],
        "cells": [_cell_told(one) for one in own.cells],
        "rounds": [
            {
                "round": one.round,
                "commitment": b64u(one.commitment),
                "reason": one.reason,
                "revealed": one.revealed,
            }
            for one in own.rounds
        ],
    }


def _signing_told(state: SigningState) -> dict[str, Any]:
    return {
        "complete": state.is_complete(),
        "adopted": state.is_adopted(),
        "positions": {str(member): position for member, position in state.positions.items()},
    }
