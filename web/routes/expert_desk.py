"""The expert's desk: experts enrol and answer calls here, and committees are drawn in the open.

Whoever is called learns when, where and for how long. Nobody else learns who was called: in every
answer of this place an expert is a label, or nobody at all.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import select
from sqlmodel import col

from expert_pool import calling, contributing, draw_history, drawing, enrolling, pool_views
from expert_pool.draw_history import DrawLine, DrawView, PartyView, Transcript
from expert_pool.drawing import DrawRequest, Interested
from expert_pool.enrolling import Application, Tie
from expert_pool.pool_views import ApplicationTold
from expert_pool.rules.draw_protocol import DrawState
from expert_pool.rules.eligibility import Title
from expert_pool.rules.recusal import TieKind
from expert_pool.rules.strata import Stratum
from kernel.access import Role
from kernel.crypto.digests import Malformed, b64, b64u, instant_text, unb64u
from kernel.crypto.signing import PrivateKey
from kernel.errors import NotFound
from kernel.events import plain
from kernel.identifiers import DrawId, ExpertId, LotId, PartyId, uscc_faults
from kernel.store.parties import organisation_name
from kernel.store.tables import OrganisationRow
from kernel.store.transaction import Transaction
from trading import handover, prequalification_views
from trading.handover import InterestedParty, LotBrief
from trading.rules.lot_lifecycle import LotState
from web.log_proofs import proofs_of
from web.pages import render
from web.places import Place
from web.problems import BadRequest
from web.region_names import region_name
from web.request_scope import Act, ActRoute, Signed
from web.verifying.draw_transcript import TRANSCRIPT, packed

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
SEALED_STATES: Final = frozenset({LotState.CLOSED, LotState.OPENING})
"""The states of a closed lot in which no bid is open to anybody yet."""

SUPERVISOR_NAME: Final = "supervisor"
STAFF: Final = frozenset({Role.CENTRE_STAFF, Role.SUPERVISOR})
BEFORE_REVEALING: Final = frozenset({DrawState.ANNOUNCED, DrawState.COMMITTING})
TIES_OFFERED: Final = 3
"""How many ties a form has room for at a time."""

Code = Annotated[str, Field(pattern=r"^[1-9][0-9]{5}$")]
Uscc = Annotated[str, Field(min_length=18, max_length=18)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
PartyName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class Asked(BaseModel):
    """A request body; members it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class TieAsked(Asked):
    """What ties an expert to an organisation."""

    uscc: Uscc
    kind: TieKind
    ended_on: date | None = None

    @field_validator("uscc")
    @classmethod
    def _right_code(cls, code: str) -> str:
        return _right_uscc(code)

    def tie(self) -> Tie:
        """The tie as the pool takes it."""
        return Tie(self.uscc, self.kind, self.ended_on)


class TiesAsked(Asked):
    """Further ties of an expert."""

    ties: Annotated[tuple[TieAsked, ...], Field(min_length=1, max_length=200)]


class ApplicationAsked(Asked):
    """What an expert says of himself."""

    pool: UUID
    region: Code
    employer: Name
    employer_uscc: Uscc
    specialisms: Annotated[tuple[str, ...], Field(max_length=20)]
    title: Title
    years: Annotated[int, Field(ge=0, le=80)]
    born_on: date
    healthy: bool
    ties: Annotated[tuple[TieAsked, ...], Field(max_length=200)] = ()

    @field_validator("employer_uscc")
    @classmethod
    def _right_code(cls, code: str) -> str:
        return _right_uscc(code)


class StratumAsked(Asked):
    """One part of a draw."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    specialism: Annotated[str, Field(max_length=7)]
    region: Annotated[str, Field(max_length=6)] = ""
    seats: Annotated[int, Field(ge=1, le=99)]


class PartyAsked(Asked):
    """Who contributes a nonce, under which name."""

    name: PartyName
    organisation: UUID


class WindowAsked(Asked):
    """When the committee is to sit."""

    from_: Annotated[AwareDatetime, Field(alias="from")]
    until: AwareDatetime


class DrawAsked(Asked):
    """A committee's experts to be drawn, and by whom."""

    strata: Annotated[tuple[StratumAsked, ...], Field(max_length=50)]
    parties: Annotated[tuple[PartyAsked, ...], Field(max_length=30)]
    window: WindowAsked
    representatives: Annotated[int, Field(ge=0, le=50)] = 0


class ConfirmationAsked(Asked):
    """Whose share opened as committed."""

    dealer: PartyName


class MisdealingAsked(Asked):
    """Whose share did not open as committed, and the key that shows it."""

    dealer: PartyName
    share_key: Annotated[str, Field(max_length=2000)]


class ShareAsked(Asked):
    """The share kept of a party that vanished."""

    dealer: PartyName
    share: Annotated[str, Field(max_length=100)]


# ── experts ───────────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/experts", status_code=201)
async def post_expert(tx: Act, asked: ApplicationAsked) -> dict[str, Any]:
    """Apply to a pool."""
    told = await enrolling.enrol(
        tx,
        Application(
            pool_id=PartyId(asked.pool),
            region_code=asked.region,
            employer=asked.employer,
            employer_uscc=asked.employer_uscc,
            specialisms=asked.specialisms,
            title=asked.title,
            years=asked.years,
            born_on=asked.born_on,
            healthy=asked.healthy,
            ties=tuple(one.tie() for one in asked.ties),
        ),
    )
    return {
        "expert_id": str(told.expert_id),
        "cautions": [one.as_json() for one in told.cautions],
    }


@router.get("/api/v1/experts/mine")
async def get_own(tx: Act) -> JSONResponse:
    """What one said of oneself when one applied to a pool, and how it stands; null before that."""
    told = plain(await _own_application(tx))
    return JSONResponse({"application": told}, headers=NO_STORE)


@router.post("/api/v1/experts/{expert_id}/verification", status_code=204)
async def post_verification(tx: Act, expert_id: UUID) -> None:
    """The pool's keeper has checked what an expert said."""
    await enrolling.verify_expert(tx, ExpertId(expert_id))


@router.post("/api/v1/experts/mine/ties", status_code=204)
async def post_ties(tx: Act, asked: TiesAsked) -> None:
    """Declare what ties oneself to organisations."""
    await enrolling.declare_ties(tx, [one.tie() for one in asked.ties])


@router.delete("/api/v1/experts/mine/health", status_code=204)
async def delete_health(tx: Act) -> None:
    """Do not consent to the use of one's declaration of health: it is erased, and one leaves."""
    await enrolling.withhold_consent(tx)


@router.delete("/api/v1/experts/mine", status_code=204)
async def delete_own(tx: Act) -> None:
    """Leave the pool."""
    await enrolling.leave(tx)


# ── the draw ──────────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/lots/{lot_id}/draws", status_code=201)
async def post_draw(tx: Act, lot_id: UUID, asked: DrawAsked) -> dict[str, str]:
    """Announce a draw for a closed lot of one's own, with the bidders to be avoided."""
    brief = await handover.own_lot_brief(tx, LotId(lot_id))
    request = _request(asked, brief, await handover.interested(tx, LotId(lot_id)))
    draw_id = await drawing.announce(
        tx, replace(request, bid_opened=brief.state not in SEALED_STATES)
    )
    return {"draw_id": str(draw_id)}


@router.post("/api/v1/lots/{lot_id}/prequalification/draws", status_code=201)
async def post_review_draw(tx: Act, lot_id: UUID, asked: DrawAsked) -> dict[str, str]:
    """Announce a draw of those who review the opened applications for a prequalification."""
    round = await handover.own_round(tx, lot_id)
    brief = await handover.own_review_brief(tx, LotId(lot_id), round)
    interested = await handover.interested_in_review(tx, LotId(lot_id), round)
    applied = {one.organisation_id for one in interested if one.capacity == "bidder"}
    if any(PartyId(one.organisation) in applied for one in asked.parties):
        # A draw is public, and nobody may learn from it who applied.
        raise BadRequest("who applied takes no part in the draw", code="party")
    request = _request(asked, brief, interested)
    draw_id = await drawing.announce(tx, replace(request, review_round=round))
    return {"draw_id": str(draw_id)}


@router.get("/api/v1/draws")
async def get_recent_draws(tx: Act) -> JSONResponse:
    """The newest draws of all lots; whom they drew is told in none of them."""
    lines = await draw_history.recent_draws(tx)
    told = [
        {**_line_told(one), "lot": str(one.lot_id), "lot_name": await lot_name(tx, one.lot_id)}
        for one in lines
    ]
    return JSONResponse({"draws": told}, headers=NO_STORE)


@router.get("/api/v1/lots/{lot_id}/draws")
async def get_draws(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """Every draw of a lot, void ones included."""
    lines = await draw_history.draws_of_lot(tx, LotId(lot_id))
    return {"draws": [_line_told(one) for one in lines]}


@router.get("/api/v1/draws/{draw_id}")
async def get_draw(tx: Act, draw_id: UUID) -> JSONResponse:
    """A draw as it stands, with the proofs that a party's program demands."""
    view = await draw_history.draw_view(tx, DrawId(draw_id))
    wanted = {
        name: entry
        for name, entry in view.entries.items()
        if name in ("close", "announced") or name.startswith("committed/")
    }
    proofs = await proofs_of(tx, wanted)
    return JSONResponse(_draw_told(view) | {"proofs": proofs}, headers=NO_STORE)


@router.post("/api/v1/draws/{draw_id}/commitments", status_code=204)
async def post_commitment(tx: Act, draw_id: UUID, raw: Signed) -> None:
    """A party's commitment to its nonce."""
    await contributing.commit(tx, DrawId(draw_id), raw)


@router.post("/api/v1/draws/{draw_id}/shares", status_code=204)
async def post_shares(tx: Act, draw_id: UUID, raw: Signed) -> None:
    """A party's shares of its nonce for the others."""
    await contributing.deal(tx, DrawId(draw_id), raw)


@router.post("/api/v1/draws/{draw_id}/confirmations", status_code=204)
async def post_confirmation(tx: Act, draw_id: UUID, asked: ConfirmationAsked) -> None:
    """A holder's word that its share opens."""
    await contributing.confirm(tx, DrawId(draw_id), asked.dealer)


@router.post("/api/v1/draws/{draw_id}/misdealings", status_code=204)
async def post_misdealing(tx: Act, draw_id: UUID, asked: MisdealingAsked) -> None:
    """A holder's proof that its share does not open as committed."""
    try:
        key = PrivateKey.from_pem(asked.share_key.encode())
    except ValueError:
        raise Malformed("not a private key") from None
    await contributing.show_misdealt(tx, DrawId(draw_id), asked.dealer, key)


@router.get("/api/v1/draws/{draw_id}/exclusions")
async def get_exclusions(tx: Act, draw_id: UUID) -> JSONResponse:
    """Every label with its grounds, for the supervisor who is to countersign."""
    told = await contributing.exclusions(tx, DrawId(draw_id))
    return JSONResponse({"exclusions": told}, headers=NO_STORE)


@router.post("/api/v1/draws/{draw_id}/countersignature", status_code=204)
async def post_countersignature(tx: Act, draw_id: UUID, raw: Signed) -> None:
    """The supervisor's signature under the exclusions."""
    await contributing.countersign(tx, DrawId(draw_id), raw)


@router.post("/api/v1/draws/{draw_id}/reveals", status_code=204)
async def post_reveal(tx: Act, draw_id: UUID, raw: Signed) -> None:
    """A party's nonce."""
    await contributing.reveal(tx, DrawId(draw_id), raw)


@router.post("/api/v1/draws/{draw_id}/recovered-shares", status_code=204)
async def post_recovered_share(tx: Act, draw_id: UUID, asked: ShareAsked) -> None:
    """A holder's share of a party that vanished."""
    await contributing.give_share(tx, DrawId(draw_id), asked.dealer, unb64u(asked.share))


@router.post("/api/v1/draws/{draw_id}/void", status_code=204)
async def post_void(tx: Act, draw_id: UUID) -> None:
    """Put on record that a draw came to nothing."""
    await drawing.void(tx, DrawId(draw_id))


@router.get("/api/v1/draws/{draw_id}/transcript")
async def get_transcript(tx: Act, draw_id: UUID) -> Response:
    """Everything that re-derives a completed draw, as `sunbid verify draw` reads it."""
    told = await draw_history.transcript(tx, DrawId(draw_id))
    proofs = await proofs_of(tx, told.entries)
    if set(proofs) != set(told.entries):
        raise NotFound("the witnesses have not signed yet")
    return Response(
        packed(_transcript_told(told, proofs)),
        media_type="application/json",
        headers={
            **NO_STORE,
            "Content-Disposition": 'attachment; filename="draw-transcript.json"',
        },
    )


# ── calls ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/draws/{draw_id}/calls")
async def get_pending_calls(tx: Act, draw_id: UUID) -> JSONResponse:
    """The calls that wait for an answer, for the centre's staff; by place, and nobody's."""
    pending = await calling.pending_calls(tx, DrawId(draw_id))
    told = [
        {
            "call": str(one.id),
            "stratum": one.stratum,
            "place": one.place,
            "called_at": instant_text(one.called_at),
            "delivered_at": _instant_or_none(one.delivered_at),
            "answer_by": _instant_or_none(one.answer_by),
        }
        for one in pending
    ]
    return JSONResponse({"calls": told}, headers=NO_STORE)


@router.get("/api/v1/calls/mine")
async def get_own_calls(tx: Act) -> JSONResponse:
    """The acting expert's own calls: when, where and for how long, and what is on record."""
    told = [
        {
            "call": str(one.id),
            "outcome": one.outcome,
            "region": one.region_code,
            "specialism": one.specialism,
            "called_at": instant_text(one.called_at),
            "answer_by": instant_text(one.answer_by),
            "answered_at": _instant_or_none(one.answered_at),
            "reason": one.reason,
            "window": {
                "from": instant_text(one.window_from),
                "until": instant_text(one.window_until),
            },
        }
        for one in await calling.own_calls(tx)
    ]
    return JSONResponse({"calls": told}, headers=NO_STORE)


@router.post("/api/v1/calls/{call_id}/answer")
async def post_answer(tx: Act, call_id: UUID, raw: Signed) -> dict[str, str]:
    """A called expert's signed answer, and what became of the call."""
    return {"outcome": await calling.answer(tx, call_id, raw)}


@router.post("/api/v1/calls/{call_id}/no-answer", status_code=204)
async def post_no_answer(tx: Act, call_id: UUID) -> None:
    """Nobody answered a call that was delivered."""
    await calling.note_no_answer(tx, call_id)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/experts", response_class=HTMLResponse, include_in_schema=False)
async def experts_page(request: Request, tx: Act) -> HTMLResponse:
    """An expert's own calls; for everybody else the draws, and how they are made."""
    own = tx.actor.role is Role.EXPERT
    calls, application = None, None
    if own:
        application = await _own_application(tx)
        calls = [] if application is None else await calling.own_calls(tx)
    lines = [] if own else await draw_history.recent_draws(tx)
    names = {one.lot_id: await lot_name(tx, one.lot_id) for one in lines}
    pools = await _pools(tx) if own else []
    return render(
        request,
        "expert_desk/experts.html",
        calls=calls,
        application=application,
        pools=pools,
        pool_name="" if application is None else await organisation_name(tx, application.pool_id),
        tie_rows=range(TIES_OFFERED),
        draws=lines,
        names=names,
        region_name=region_name,
        now=tx.now,
    )


@router.get("/draws/{draw_id}", response_class=HTMLResponse, include_in_schema=False)
async def draw_page(request: Request, tx: Act, draw_id: UUID) -> HTMLResponse:
    """One draw in the open: every step, and what is still missing."""
    return await _draw_rendered(request, tx, draw_id, "expert_desk/draw.html")


@router.get("/draws/{draw_id}/board", response_class=HTMLResponse, include_in_schema=False)
async def draw_board(request: Request, tx: Act, draw_id: UUID) -> HTMLResponse:
    """The part of a draw's page that changes, fetched again whenever something happens."""
    return await _draw_rendered(request, tx, draw_id, "expert_desk/board.html")


async def _draw_rendered(
    request: Request, tx: Transaction, draw_id: UUID, template: str
) -> HTMLResponse:
    view = await draw_history.draw_view(tx, DrawId(draw_id))
    pending = []
    if tx.actor.role in STAFF and view.state is DrawState.CALLING:
        pending = await calling.pending_calls(tx, DrawId(draw_id))
    own = _own_part(tx, view)
    excluded: list[dict[str, Any]] = []
    if own is not None and own.name == view.told["supervisor"] and _may_countersign(view):
        listed = await contributing.exclusions(tx, DrawId(draw_id))
        excluded = [one for one in listed if one["grounds"]]
    return render(
        request,
        template,
        draw=view,
        lot_name=await lot_name(tx, view.lot_id),
        rounds=await draw_history.draws_of_committee(tx, view.lot_id, view.review_round),
        own=own,
        own_party=tx.actor.party_id,
        todo=None if own is None else _todo(view, own),
        may_countersign=_may_countersign(view),
        excluded=excluded,
        may_void=_may_void(tx, view),
        role=tx.actor.role,
        pending=pending if tx.actor.role in STAFF else None,
        region_name=region_name,
        now=tx.now,
        live_view=f"{view.lot_id}/public",
    )


def _request(
    asked: DrawAsked, brief: LotBrief, interested: Sequence[InterestedParty]
) -> DrawRequest:
    """What is asked for, for a committee of this lot."""
    return DrawRequest(
        lot_id=brief.lot_id,
        strata=tuple(
            Stratum(one.name, one.specialism, one.region, one.seats) for one in asked.strata
        ),
        interested=tuple(Interested(one.uscc, one.capacity) for one in interested),
        parties=_parties_of(asked, brief),
        supervisor=SUPERVISOR_NAME,
        close_entry=brief.close_entry,
        window_from=asked.window.from_,
        window_until=asked.window.until,
        representatives=asked.representatives,
        committee_min=brief.committee_min,
        committee_article=brief.committee_article,
        host_region=brief.region_code,
        regime=brief.regime,
        mandatory=brief.mandatory,
    )


def _own_part(tx: Transaction, view: DrawView) -> PartyView | None:
    """The acting organisation's part in the draw, in a capacity that may contribute."""
    if tx.actor.role not in contributing.PARTY_ROLES:
        return None
    return next((one for one in view.parties if one.organisation_id == tx.actor.party_id), None)


def _may_countersign(view: DrawView) -> bool:
    """Whether the exclusions still wait for the supervisor, and may be signed now."""
    committed = all(one.committed for one in view.parties)
    return view.state is DrawState.COMMITTING and committed and not view.countersigned


def _todo(view: DrawView, own: PartyView) -> str:
    """What a party's own program has to do now, or what it waits for."""
    if view.state not in BEFORE_REVEALING:
        waits = view.state is DrawState.REVEALING
        return ("revealed" if own.revealed else "reveal") if waits else "done"
    if not own.committed:
        return "commit"
    if not all(one.committed for one in view.parties):
        return "await_commitments"
    if not own.dealt:
        return "deal"
    others = [one for one in view.parties if one.name != own.name]
    judged = all(own.name in (*one.confirmed_by, *one.misdealt_to) for one in others)
    return "await_others" if judged else "confirm"


def _may_void(tx: Transaction, view: DrawView) -> bool:
    """Whether nothing is left of the draw but to put on record that it came to nothing."""
    unrecorded = view.state is DrawState.VOID and not view.recorded
    stuck = view.exhausted and view.state is not DrawState.VOID
    return tx.actor.role in contributing.PARTY_ROLES and (unrecorded or stuck)


async def _own_application(tx: Transaction) -> ApplicationTold | None:
    """What the acting expert said of himself; None where he did not apply yet."""
    try:
        return await pool_views.own_application(tx)
    except NotFound:
        return None


async def _pools(tx: Transaction) -> list[tuple[str, str]]:
    """The centres that keep a pool, to apply to."""
    rows = await tx.session.execute(
        select(col(OrganisationRow.id), col(OrganisationRow.name))
        .where(
            col(OrganisationRow.roles).contains([str(Role.CENTRE_STAFF)]),
            col(OrganisationRow.verified_at).is_not(None),
        )
        .order_by(col(OrganisationRow.name))
        .limit(200)
    )
    return [(str(id), name) for id, name in rows]


# ── how things are told ───────────────────────────────────────────────────────────────────────


def _right_uscc(code: str) -> str:
    faults = uscc_faults(code)
    if faults:
        raise ValueError("; ".join(faults))
    return code


def _parties_of(asked: DrawAsked, brief: LotBrief) -> tuple[tuple[str, PartyId], ...]:
    """The parties by name; the lot's own tenderee and agency stand under their own names."""
    parties = tuple((one.name, PartyId(one.organisation)) for one in asked.parties)
    for name, known in (("tenderee", brief.tenderee_id), ("agency", brief.agency_id)):
        if any((one == name) != (party == known) for one, party in parties):
            raise BadRequest(f"{name} is what this lot calls another organisation", code="party")
    return parties


async def lot_name(tx: Transaction, lot_id: LotId) -> str:
    """What a lot is called beside its draw; empty where it cannot be found."""
    try:
        if await prequalification_views.is_called_draft(tx, lot_id):
            return (await prequalification_views.prequalification(tx, lot_id)).name
        brief = await handover.lot_brief(tx, lot_id)
    except NotFound:
        return ""
    return f"{brief.project_name} · {brief.name}"


def _instant_or_none(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)


def _line_told(one: DrawLine) -> dict[str, Any]:
    return {
        "draw": str(one.id),
        "round": one.round,
        "review_round": one.review_round,
        "state": one.state,
        "announced_at": instant_text(one.announced_at),
    }


def _draw_told(view: DrawView) -> dict[str, Any]:
    return {
        "draw": str(view.id),
        "lot": str(view.lot_id),
        "round": view.round,
        "review_round": view.review_round,
        "state": view.state,
        "announcement": b64(view.announcement),
        "announced_at": instant_text(view.announced_at),
        "completed_at": _instant_or_none(view.completed_at),
        "parties": [
            {
                "name": one.name,
                "organisation": str(one.organisation_id),
                "committed": one.committed,
                "dealt": one.dealt,
                "confirmed_by": one.confirmed_by,
                "misdealt_to": one.misdealt_to,
                "revealed": one.revealed,
                "recovered": one.recovered,
                "at_fault": one.at_fault,
            }
            for one in view.parties
        ],
        "shares": [
            {
                "dealer": one.dealer,
                "holder": one.holder,
                "commitment": b64u(one.commitment),
                "ciphertext": b64u(one.ciphertext),
            }
            for one in view.shares
        ],
        "countersigned": view.countersigned,
        "accepted": view.accepted,
        "seats": view.seats,
        "exhausted": view.exhausted,
        "void_reason": view.void_reason,
        "at_fault": view.at_fault,
    }


def _transcript_told(told: Transcript, proofs: dict[str, str]) -> dict[str, Any]:
    return {
        "v": TRANSCRIPT,
        "announcement": b64(told.announcement),
        "keys": {
            "log": told.log_vkey,
            "witnesses": list(told.witnesses),
            "quorum": told.quorum,
            "signers": {keyid: b64u(key) for keyid, key in told.signers.items()},
        },
        "proofs": proofs,
        "pool": list(told.pool),
        "commitments": {name: b64(one) for name, one in told.commitments.items()},
        "countersignature": b64(told.countersignature),
        "nonces": {name: b64u(nonce) for name, nonce in told.nonces.items()},
        "prk": b64u(told.prk),
        "calls": told.calls,
        "left": told.left,
    }
