"""The bid desk: a bidder sends sealed envelopes, submits, replaces or withdraws, gets receipts.

Whatever is said here concerns the asking bidder alone. Nobody else is told that a bidder was here:
what is not one's own is not there, in the same words as what never was.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from kernel.access import Actor, Role
from kernel.crypto.digests import (
    Malformed,
    b64,
    b64u,
    canonical,
    instant_text,
    sha256,
    unb64,
)
from kernel.crypto.envelope_header import HEADER_MAX_BYTES
from kernel.crypto.sealing import PART_SIZE
from kernel.crypto.statement_kinds import payload_type
from kernel.errors import NotPermitted
from kernel.identifiers import LotId
from kernel.randomness import random_bytes
from kernel.store import founding
from kernel.store.transaction import Store, transaction
from trading import (
    bidding,
    depositing,
    document_versions,
    inviting,
    negotiating,
    notice_board,
    reception,
    uploading,
)
from trading.bidding import Answer, OwnBid
from trading.reception import Reception
from trading.rules.consortium_agreement import consortia_accepted
from trading.rules.lot_lifecycle import LotState
from trading.uploading import Announcement, UploadState, part_count
from web.pages import render
from web.places import Place
from web.problems import BadRequest, WrongMediaType
from web.request_scope import DSSE, Act, ActRoute, StoreDep, actor_of, read_body, store_of

SUBMISSION_MAX: Final = 1 << 20
PART_NUMBER_MAX: Final = 2**31 - 1
NO_STORE: Final = {"Cache-Control": "no-store"}
RETRY_SOON: Final = {"Retry-After": "1", **NO_STORE}
_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_DIGEST: Final = re.compile(r"sha-256=:([A-Za-z0-9+/=]{44}):")


@asynccontextmanager
async def _open_counter(app: FastAPI) -> AsyncIterator[None]:
    store: Store = app.state.store
    async with reception.opened(store) as counter:
        app.state.reception = counter
        yield


router = Place(route_class=ActRoute, lifespan=_open_counter)


# ── what a request brings ─────────────────────────────────────────────────────────────────────


class UploadAsked(BaseModel):
    """An envelope's payload as it is announced: its size, and the SHA-256 of each part in hex."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    envelope: Annotated[str, Field(max_length=20)]
    size: Annotated[int, Field(ge=1, lt=1 << 53)]
    parts: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...],
        Field(min_length=1, max_length=4096, strict=False),
    ]

    def announcement(self) -> Announcement:
        """The same as the upload takes it."""
        return Announcement(
            self.envelope, self.size, tuple(bytes.fromhex(part) for part in self.parts)
        )


@dataclass(frozen=True, slots=True)
class Arrival:
    """A submission's bytes, and the instant at which the last of them was there."""

    raw: bytes
    at: datetime
    counter: Reception


async def _arrived(request: Request) -> Arrival:
    """Read the body to its end, then the clock, and nothing else before."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != DSSE:
        raise WrongMediaType(f"send the signed statement as {DSSE}")
    raw = await read_body(request, max_bytes=SUBMISSION_MAX)
    counter: Reception = request.app.state.reception
    return Arrival(raw, await counter.clock.stamp(), counter)


Arrived = Annotated[Arrival, Depends(_arrived)]


async def _bidder(request: Request) -> Actor:
    actor = await actor_of(request)
    if actor.role is not Role.BIDDER:
        raise NotPermitted("only a bidder does this")
    return actor


def _key(request: Request) -> str:
    """The bidder's idempotency key; without one every request is one of its own."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return b64u(random_bytes(24))
    if not _KEY.fullmatch(key):
        raise BadRequest("an Idempotency-Key has 1 to 128 visible characters", code="key")
    return key


# ── uploads ───────────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/uploads", status_code=201)
async def open_upload(tx: Act, lot_id: UUID, asked: UploadAsked) -> dict[str, Any]:
    """Announce an envelope's payload; the same announcement again finds the same upload."""
    return _upload_told(await uploading.open_upload(tx, lot_id, asked.announcement()))


@router.get("/api/v1/lots/{lot_id}/uploads")
async def own_uploads(tx: Act, lot_id: UUID) -> JSONResponse:
    """The bidder's own uploads to a lot that no bid refers to yet."""
    found = await uploading.own_uploads(tx, lot_id)
    return JSONResponse({"uploads": [_upload_told(one) for one in found]}, headers=NO_STORE)


@router.get("/api/v1/uploads/{upload_id}")
async def upload_state(tx: Act, upload_id: UUID) -> JSONResponse:
    """How far an own upload is, and which parts are missing, counted from 0."""
    state = await uploading.upload_state(tx, upload_id)
    return JSONResponse(_upload_told(state), headers=NO_STORE)


@router.put("/api/v1/uploads/{upload_id}/header")
async def put_header(request: Request, store: StoreDep, upload_id: UUID) -> dict[str, Any]:
    """Send the envelope's header, from its first byte to the one before the payload."""
    actor = await _bidder(request)
    header = await read_body(request, max_bytes=HEADER_MAX_BYTES)
    async with transaction(store, actor=actor) as tx:
        state = await uploading.keep_header(tx, upload_id, header)
    return await _completed(store, state)


@router.put("/api/v1/uploads/{upload_id}/parts/{number}")
async def put_part(
    request: Request,
    store: StoreDep,
    upload_id: UUID,
    number: Annotated[int, Path(ge=0, le=PART_NUMBER_MAX)],
) -> dict[str, Any]:
    """Send one part, in any order and as often as needed."""
    actor = await _bidder(request)
    async with transaction(store, actor=actor) as tx:
        # Nobody sends eight megabytes to be told that there is no such upload.
        await uploading.upload_state(tx, upload_id)
    content = await read_body(request, max_bytes=PART_SIZE)
    _check_transport(request, content)
    async with transaction(store, actor=actor) as tx:
        state = await uploading.keep_part(tx, upload_id, number, content)
    return await _completed(store, state)


@router.delete("/api/v1/uploads/{upload_id}", status_code=204)
async def discard_upload(tx: Act, upload_id: UUID) -> None:
    """Give up an upload that no bid refers to."""
    await uploading.upload_state(tx, upload_id)
    await uploading.discard_upload(tx, upload_id)


def _check_transport(request: Request, content: bytes) -> None:
    """What the sender says of the bytes it sent must be true of those that came (RFC 9530)."""
    claimed = request.headers.get("content-digest")
    named = request.headers.get("x-part-sha256")
    digest = sha256(content)
    if claimed is not None:
        found = _DIGEST.fullmatch(claimed.strip())
        if found is None:
            raise Malformed("Content-Digest is not of the form sha-256=:…:", code="digest_header")
        if unb64(found[1]) != digest:
            raise Malformed("the part was altered on its way", code="wrong_digest")
    if named is not None and named.strip().lower() != digest.hex():
        raise Malformed("the part was altered on its way", code="wrong_digest")


async def _completed(store: Store, state: UploadState) -> dict[str, Any]:
    """The upload's state; one that is complete is read through at once, so that submitting it is
    quick.
    """
    if not state.missing:
        await uploading.assemble(store, state.id)
    return _upload_told(state)


def _upload_told(state: UploadState) -> dict[str, Any]:
    return {
        "upload_id": str(state.id),
        "lot": str(state.lot_id),
        "envelope": state.envelope,
        "size": state.payload_size,
        "part_size": PART_SIZE,
        "parts": part_count(state.payload_size),
        "missing": list(state.missing),
        "head": None if state.head is None else b64u(state.head),
        "complete": state.is_complete,
    }


# ── submissions ───────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/bids", status_code=201)
async def submit_bid(arrived: Arrived, request: Request, lot_id: UUID) -> JSONResponse:
    """Submit, replace or withdraw: 201 with the receipt, or 202 with a signed promise of it."""
    actor = await actor_of(request)
    if actor.role is not Role.BIDDER:
        raise NotPermitted("only a bidder submits bids")
    store = store_of(request)
    answer = await bidding.submit(
        store,
        arrived.counter,
        actor,
        lot_id,
        arrived.raw,
        key=_key(request),
        received_at=arrived.at,
    )
    return await _answered(store, actor, lot_id, answer)


@router.get("/api/v1/lots/{lot_id}/submissions/{submission_id}")
async def submission(request: Request, lot_id: UUID, submission_id: UUID) -> JSONResponse:
    """What became of an own submission: the same answer as the submission itself is given."""
    actor = await actor_of(request)
    store = store_of(request)
    async with transaction(store, actor=actor) as tx:
        await bidding.own_intent(tx, lot_id, submission_id)
    counter: Reception = request.app.state.reception
    answer = await bidding.answer_of(store, counter, submission_id)
    return await _answered(store, actor, lot_id, answer)


@router.get("/api/v1/bids/mine")
async def get_lots_bid_for(tx: Act) -> JSONResponse:
    """The lots to which the bidder has submitted, each with its newest submission, newest first.

    `talking` says that the lot is being talked about with the bidder now.
    """
    found = await bidding.lots_bid_for(tx)
    talking = await negotiating.lots_in_talks(tx)
    told = [
        {
            "lot": str(lot.id),
            "name": lot.name,
            "state": str(lot.state),
            "suspended": lot.suspended,
            "bids_due_at": None if lot.bids_due_at is None else instant_text(lot.bids_due_at),
            "talking": lot.id in talking,
            "bid": _bid_told(bid),
        }
        for lot, bid in found
    ]
    return JSONResponse({"lots": told}, headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/bids/mine")
async def own_bids(tx: Act, lot_id: UUID) -> JSONResponse:
    """The bidder's own submissions to a lot, and what its next one must say.

    `bound` says by which version of the documents the standing bid was made, and whether it is old.
    """
    found = await bidding.own_bids(tx, lot_id)
    bound = await document_versions.own_bound(tx, lot_id)
    last = found[-1] if found else None
    told = {
        "bids": [_bid_told(one) for one in found],
        "next": {
            "seq": 1 if last is None else last.seq + 1,
            "replaces": None if last is None else b64u(last.submission),
        },
        "bound": None
        if bound is None
        else {
            "made_under": bound.made_under.number,
            "current": bound.current.number,
            "is_old": bound.is_old,
        },
    }
    return JSONResponse(told, headers=NO_STORE)


@router.get("/api/v1/receipts/{entry_id}")
async def receipt(tx: Act, entry_id: UUID, witnessed: Annotated[bool, Query()] = False) -> Response:
    """A receipt's bytes as they were first written (C2SP tlog-proof); 202 while it is on its way.

    The witnessed one proves the same by a checkpoint that the quorum of witnesses cosigned.
    """
    proof = await bidding.own_receipt(tx, entry_id, witnessed=witnessed)
    if proof is None:
        return JSONResponse({"entry_id": str(entry_id)}, 202, headers=RETRY_SOON)
    name = f"{entry_id}{'.witnessed' if witnessed else ''}.tlog-proof"
    return PlainTextResponse(
        proof,
        headers={"Content-Disposition": f'attachment; filename="{name}"', **NO_STORE},
    )


@router.get("/api/v1/lots/{lot_id}/sealing-package")
async def sealing_package(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """Everything that sealing a bid offline takes: the signed policy and times, and the sheet.

    It is public and asked for by anybody, so nothing follows from having it.
    """
    found = await notice_board.notice(tx, lot_id)
    version = found.times.version
    policy = await notice_board.policy_statement(tx, lot_id, found.policy.version)
    timetable = await notice_board.timetable_statement(tx, lot_id, version)
    return {
        "v": "sunbid-package/1",
        "project": str(found.line.project_id),
        "project_name": found.line.project_name,
        "lot": str(lot_id),
        "lot_name": found.line.name,
        "policy": b64(policy),
        "timetable": b64(timetable),
        "sheet_fields": [dict(one) for one in found.sheet_fields],
        "consortia": consortia_accepted(found.words.get("consortium", "")),
    }


async def _answered(store: Store, actor: Actor, lot_id: UUID, answer: Answer) -> JSONResponse:
    told: dict[str, Any] = {
        "submission_id": str(answer.intent_id),
        "submission": b64u(answer.submission),
        "received_at": instant_text(answer.received_at),
    }
    judgement = answer.judgement
    if judgement is not None:
        told["entry_id"] = str(judgement.entry_id)
        told["outcome"] = str(judgement.outcome)
        told["cautions"] = list(judgement.cautions)
        if answer.receipt is not None:
            told["receipt"] = answer.receipt
            return JSONResponse(told, 201, headers=NO_STORE)
    told["link"] = f"/api/v1/lots/{lot_id}/submissions/{answer.intent_id}"
    told["promise"] = await _promise(store, actor, lot_id, answer)
    return JSONResponse(told, 202, headers={"Location": told["link"], **RETRY_SOON})


async def _promise(store: Store, actor: Actor, lot_id: UUID, answer: Answer) -> str:
    """The platform's signature that these bytes arrived at that instant; the receipt follows."""
    async with store.sessions() as session:
        now = await store.clock(session)
    said = {
        "v": "ebid-promise/1",
        "lot": str(lot_id),
        "bidder": str(actor.party),
        "submission": b64u(answer.submission),
        "received_at": instant_text(answer.received_at),
        "signed_at": instant_text(now),
    }
    key = founding.read_keys(store.settings).platform_key
    return key.sign(payload_type("promise"), canonical(said)).to_bytes().decode()


def _bid_told(bid: OwnBid) -> dict[str, Any]:
    return {
        "seq": bid.seq,
        "withdrawn": bid.withdrawn,
        "received_at": instant_text(bid.received_at),
        "entry_id": str(bid.entry_id),
        "submission": b64u(bid.submission),
        "envelopes": [{"envelope": kind, "payload_size": size} for kind, size in bid.envelopes],
        "receipt": bid.receipt is not None,
        "witnessed": bid.witnessed,
    }


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/bids", response_class=HTMLResponse)
async def bids_page(request: Request, tx: Act) -> HTMLResponse:
    """The lots to which the bidder has submitted, newest first."""
    return render(
        request,
        "bid_desk/bids.html",
        rows=await bidding.lots_bid_for(tx),
        invitations=await inviting.own_invitations(tx),
        talking=await negotiating.lots_in_talks(tx),
        now=tx.now,
    )


@router.get("/lots/{lot_id}/bid", response_class=HTMLResponse)
async def bid_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """One lot's bid desk: the time left, how to seal, what was submitted, the receipts."""
    bids = await bidding.own_bids(tx, lot_id)
    found = await notice_board.notice(tx, lot_id)
    return render(
        request,
        "bid_desk/desk.html",
        procedure=found.line.procedure,
        notice=found,
        bids=bids,
        uploads=await uploading.own_uploads(tx, lot_id),
        standing=bids[-1] if bids and not bids[-1].withdrawn else None,
        bound=await document_versions.own_bound(tx, lot_id),
        standing_security=(await depositing.own_security(tx, LotId(lot_id)))[1],
        replaces=b64u(bids[-1].submission) if bids else "",
        open=found.line.state is LotState.OPEN and not found.line.suspended,
        bidder_id=tx.actor.party,
        now=tx.now,
    )
