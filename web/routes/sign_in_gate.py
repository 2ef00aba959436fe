"""The gate: where organisations register, people sign in by key or passkey, and leave again.

Programs get a token to send as bearer; pages get the same session as a cookie no script can read.
Which of the two is decided by the request itself: only a browser says that it is our own page.
"""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Form, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import col

from blacklist.standing import BarredAct, standing_of, standing_refusals
from kernel.access import Role
from kernel.crypto.digests import b64u, instant_text, unb64u
from kernel.errors import NotFound, NotPermitted, NotSignedIn
from kernel.identifiers import PartyId, PersonId
from kernel.refusals import Refusal
from kernel.store import passkeys, registering, signing_in
from kernel.store.parties import ROLE_NAMES, Organisation, organisation, organisations_by_id
from kernel.store.registering import Newcomer, Registered
from kernel.store.signing_in import Capacity, Session
from kernel.store.tables import CredentialRow, MembershipRow, OrganisationRow, PersonRow
from kernel.store.transaction import Transaction
from web.call_limit import limited
from web.pages import render
from web.places import Place
from web.request_scope import (
    COOKIE,
    Act,
    ActorDep,
    ActRoute,
    Signed,
    StoreDep,
    Visit,
    bearer_of,
    cookie_of,
)

router = Place(route_class=ActRoute)

Limited: Final = [Depends(limited)]
NO_STORE: Final = {"Cache-Control": "no-store"}
COLLEAGUES_MAX: Final = 200
SEES_UNVERIFIED: Final = frozenset({Role.CENTRE_STAFF, Role.SUPERVISOR})


class Asked(BaseModel):
    """A request body; members it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class VerificationAsked(Asked):
    """On what basis the centre verified an organisation."""

    basis: Annotated[str, Field(min_length=1, max_length=registering.NAME_MAX)]


class RevocationAsked(Asked):
    """Which key is to speak no longer, and why."""

    keyid: Annotated[str, Field(min_length=1, max_length=1500)]
    reason: Annotated[str, Field(min_length=1, max_length=registering.NAME_MAX)]


class PasskeyAnswer(Asked):
    """What `navigator.credentials` answered, as its `toJSON` writes it."""

    credential: dict[str, Any]


class ChoiceAsked(Asked):
    """Which capacity a recognised person takes."""

    ticket: Annotated[str, Field(min_length=43, max_length=43)]
    organisation: UUID
    role: Role


# ── organisations and people ──────────────────────────────────────────────────────────────────


@router.post("/api/v1/registrations", status_code=201, dependencies=Limited)
async def post_registration(raw: Signed, tx: Visit) -> JSONResponse:
    """Register an organisation with its first person, by a statement its key signed."""
    asked = registering.registration_of(raw)
    grounds = await _grounds_against(tx, asked.person)
    return _told(await registering.register(tx, asked, grounds=grounds))


@router.post("/api/v1/people", status_code=201)
async def post_person(raw: Signed, tx: Act) -> JSONResponse:
    """Let a person act for one's own organisation, by a statement that person's key signed."""
    own = tx.actor.party
    asked = registering.membership_of(raw)
    if asked.organisation_id != own:
        raise NotFound("no such organisation")
    grounds = await _grounds_against(tx, asked.person)
    person_id = await registering.add_member(tx, asked, grounds=grounds)
    return _told(Registered(asked.organisation_id, person_id))


async def _grounds_against(tx: Transaction, newcomer: Newcomer) -> list[Refusal]:
    """The bars in force that keep this person from being registered anywhere."""
    person_id = await registering.known_person(tx, newcomer)
    if person_id is None:
        return []
    standing = await standing_of(tx, act=BarredAct.REGISTRATION, on=tx.now, person_id=person_id)
    return standing_refusals(standing)


@router.delete("/api/v1/people/{person_id}/roles/{role}", status_code=204)
async def delete_role(person_id: UUID, role: Role, tx: Act) -> None:
    """End a person's capacity in one's own organisation."""
    await registering.end_membership(tx, PersonId(person_id), role)


@router.get("/api/v1/organisations")
async def get_organisations(
    tx: Act, verified: bool = True, limit: Annotated[int, Query(ge=1, le=200)] = 200
) -> dict[str, list[dict[str, object]]]:
    """The verified organisations; for the centre and supervisors also those that wait for it."""
    if not verified and tx.actor.role not in SEES_UNVERIFIED:
        raise NotPermitted("organisations that wait are the centre's and supervisors' to see")
    state = col(OrganisationRow.verified_at)
    rows = await tx.session.scalars(
        select(OrganisationRow)
        .where(state.is_not(None) if verified else state.is_(None))
        .order_by(col(OrganisationRow.name), col(OrganisationRow.id))
        .limit(limit)
    )
    found = [await organisation(tx, row.id) for row in rows]
    return {"organisations": [_organisation_told(one) for one in found]}


@router.get("/api/v1/organisations/{organisation_id}")
async def get_organisation(organisation_id: UUID, tx: Act) -> dict[str, object]:
    """One organisation; an unverified one is seen by itself, the centre and supervisors."""
    found = await organisation(tx, organisation_id)
    own = tx.actor.party_id == found.id
    if not (found.verified or own or tx.actor.role in SEES_UNVERIFIED):
        raise NotFound("no such organisation")
    return _organisation_told(found)


@router.post("/api/v1/organisations/{organisation_id}/verification")
async def post_verification(
    organisation_id: UUID, asked: VerificationAsked, tx: Act
) -> dict[str, object]:
    """Note that the centre verified an organisation."""
    standing = await standing_of(
        tx, act=BarredAct.REGISTRATION, on=tx.now, party_id=organisation_id
    )
    await registering.verify_organisation(
        tx, PartyId(organisation_id), basis=asked.basis, grounds=standing_refusals(standing)
    )
    return _organisation_told(await organisation(tx, organisation_id))


# ── keys ──────────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/credentials")
async def get_credentials(tx: Act) -> dict[str, list[dict[str, object]]]:
    """One's own keys, those that were revoked included."""
    rows = await tx.session.scalars(
        select(CredentialRow)
        .where(col(CredentialRow.person_id) == tx.actor.person)
        .order_by(col(CredentialRow.added_at), col(CredentialRow.keyid))
    )
    return {
        "credentials": [
            {
                "keyid": row.keyid,
                "kind": row.kind,
                "backed_up": row.backed_up,
                "added_at": instant_text(row.added_at),
                "revoked_at": _instant_or_none(row.revoked_at),
            }
            for row in rows
        ]
    }


@router.post("/api/v1/credentials", status_code=201)
async def post_credential(raw: Signed, tx: Act) -> dict[str, str]:
    """Add a key, by a statement that a present key and the new one signed."""
    return {"keyid": await registering.add_credential(tx, raw)}


@router.post("/api/v1/credentials/revocations", status_code=204)
async def post_revocation(asked: RevocationAsked, tx: Act) -> None:
    """Revoke a key; every session that began with it ends."""
    await registering.revoke_credential(tx, asked.keyid, reason=asked.reason)


# ── signing in and out ────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/challenges", status_code=201, dependencies=Limited)
async def post_challenge(tx: Visit) -> JSONResponse:
    """A fresh challenge to be signed within two minutes."""
    challenge = await signing_in.ask_to_sign_in(tx)
    return JSONResponse(
        {
            "challenge": b64u(challenge.nonce),
            "expires_at": instant_text(challenge.expires_at),
            "origin": tx.settings.origin,
        },
        status_code=201,
        headers=NO_STORE,
    )


@router.post("/api/v1/sessions", status_code=201, dependencies=Limited)
async def post_session(request: Request, raw: Signed, tx: Visit) -> JSONResponse:
    """Sign in with a signed challenge."""
    return _session_told(request, await signing_in.sign_in(tx, raw))


@router.get("/api/v1/sessions/current")
async def get_current_session(actor: ActorDep, tx: Act) -> JSONResponse:
    """For whom and in which capacity one is signed in."""
    if actor.session_id is None:
        raise NotSignedIn("nobody is signed in")
    person = await tx.session.get_one(PersonRow, actor.person)
    own = await organisation(tx, actor.party)
    return JSONResponse(
        {
            "person": {"id": str(person.id), "name": person.name},
            "organisation": _organisation_told(own),
            "role": str(actor.role),
        },
        headers=NO_STORE,
    )


@router.get("/api/v1/sessions/current/time-left")
async def get_time_left(request: Request, store: StoreDep) -> JSONResponse:
    """For how many seconds the session lasts yet, and whether using it makes that longer.

    Asking does not count as use, so a page that only lies open does not keep its session.
    """
    token = bearer_of(request) or cookie_of(request)
    left = None if token is None else await signing_in.time_left(store, token)
    if left is None:
        raise NotSignedIn("the session has ended")
    told = {"seconds": int(left.lasts.total_seconds()), "prolongable": left.prolongable}
    return JSONResponse(told, headers=NO_STORE)


@router.delete("/api/v1/sessions/current", status_code=204)
async def delete_current_session(tx: Act) -> Response:
    """Sign out here."""
    await signing_in.sign_out(tx)
    return _signed_out(Response(status_code=204))


@router.delete("/api/v1/sessions")
async def delete_sessions(tx: Act) -> Response:
    """Sign out everywhere."""
    ended = await signing_in.sign_out_everywhere(tx)
    return _signed_out(JSONResponse({"ended": ended}))


# ── passkeys ──────────────────────────────────────────────────────────────────────────────────


@router.post("/api/v1/passkeys/registration-options")
async def post_passkey_registration_options(tx: Act) -> JSONResponse:
    """What the browser needs in order to make a passkey."""
    return JSONResponse(await passkeys.registration_options(tx), headers=NO_STORE)


@router.post("/api/v1/passkeys/registrations", status_code=201)
async def post_passkey_registration(asked: PasskeyAnswer, tx: Act) -> dict[str, str]:
    """Keep the passkey the browser made."""
    return {"keyid": await passkeys.add_passkey(tx, asked.credential)}


@router.post("/api/v1/passkeys/sign-in-options", dependencies=Limited)
async def post_passkey_sign_in_options(tx: Visit) -> JSONResponse:
    """What the browser needs in order to ask a passkey."""
    return JSONResponse(await passkeys.sign_in_options(tx), headers=NO_STORE)


@router.post("/api/v1/passkeys/sign-ins", dependencies=Limited)
async def post_passkey_sign_in(asked: PasskeyAnswer, tx: Visit) -> JSONResponse:
    """Whom the passkey speaks for, and the capacities to choose from."""
    choice = await passkeys.recognise(tx, asked.credential)
    return JSONResponse(
        {
            "ticket": b64u(choice.ticket),
            "capacities": [_capacity_told(one) for one in choice.capacities],
        },
        headers=NO_STORE,
    )


@router.post("/api/v1/passkeys/choices", status_code=201, dependencies=Limited)
async def post_passkey_choice(request: Request, asked: ChoiceAsked, tx: Visit) -> JSONResponse:
    """Sign in with the capacity chosen after a passkey answered."""
    session = await passkeys.choose(tx, unb64u(asked.ticket, 32), asked.organisation, asked.role)
    return _session_told(request, session)


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/sign-in", include_in_schema=False)
async def sign_in_page(
    request: Request, actor: ActorDep, store: StoreDep, to: str = "/"
) -> Response:
    """The ways to come in."""
    async with store.sessions() as session:
        demo = await signing_in.is_demo(session)
    return render(
        request,
        "sign_in_gate/sign_in.html",
        actor=actor,
        demo=demo,
        to=own_path(to),
        roles=[(str(role), ROLE_NAMES[role]) for role in registering.MEMBERS],
    )


@router.get("/register", include_in_schema=False)
async def register_page(request: Request, actor: ActorDep) -> Response:
    """The form by which an organisation registers."""
    roles = sorted(registering.ASKED_FOR)
    return render(
        request,
        "sign_in_gate/register.html",
        actor=actor,
        roles=[(str(role), ROLE_NAMES[role]) for role in roles],
    )


@router.get("/account", include_in_schema=False)
async def account_page(request: Request, tx: Act) -> Response:
    """One's own person, capacities and keys."""
    person = await tx.session.get_one(PersonRow, tx.actor.person)
    capacities = await signing_in.capacities(tx.session, person_id=person.id)
    keys = await tx.session.scalars(
        select(CredentialRow)
        .where(col(CredentialRow.person_id) == person.id)
        .order_by(col(CredentialRow.added_at), col(CredentialRow.keyid))
    )
    return render(
        request,
        "sign_in_gate/account.html",
        actor=tx.actor,
        person=person,
        organisation=await organisation(tx, tx.actor.party),
        capacities=capacities,
        own_roles=[str(one.role) for one in capacities if one.organisation_id == tx.actor.party],
        colleagues=await _colleagues(tx),
        credentials=list(keys),
    )


@router.get("/join", include_in_schema=False)
async def join_page(
    request: Request, tx: Act, asked: Annotated[UUID | None, Query(alias="organisation")] = None
) -> Response:
    """The form by which a person asks to act for an organisation that is here already."""
    own = None
    if asked is not None:
        own = (await organisations_by_id(tx, [asked])).get(PartyId(asked))
    if own is not None and not own.verified:
        own = None  # like one that does not exist: nobody learns here who is waiting
    shared = () if own is None else sorted(own.roles & frozenset(registering.MEMBERS))
    return render(
        request,
        "sign_in_gate/join.html",
        own=own,
        roles=[(str(role), ROLE_NAMES[role]) for role in shared],
    )


async def _colleagues(tx: Transaction) -> list[dict[str, object]] | None:
    """Who may act for one's own organisation; None for experts, who are told of no other.

    Experts are on nobody's list: who is in a pool is the keeper's to see, on its own desk.
    """
    if tx.actor.role is Role.EXPERT:
        return None
    rows = await tx.session.execute(
        select(MembershipRow, col(PersonRow.name))
        .join(PersonRow, col(PersonRow.id) == col(MembershipRow.person_id))
        .where(
            col(MembershipRow.party_id) == tx.actor.party,
            col(MembershipRow.ended_at).is_(None),
            col(MembershipRow.role) != str(Role.EXPERT),
        )
        .order_by(col(PersonRow.name), col(MembershipRow.role))
        .limit(COLLEAGUES_MAX)
    )
    return [
        {"person_id": row.person_id, "name": name, "role": row.role, "since": row.since}
        for row, name in rows
    ]


@router.post("/sign-out", include_in_schema=False)
async def sign_out_form(tx: Act) -> Response:
    """Sign out and go home."""
    await signing_in.sign_out(tx)
    return _signed_out(RedirectResponse("/", 303))


@router.get("/demo/sign-in", include_in_schema=False)
async def demo_page(request: Request, actor: ActorDep, store: StoreDep, to: str = "/") -> Response:
    """The role cards of a demo: anybody may be anybody."""
    async with store.sessions() as session:
        if not await signing_in.is_demo(session):
            raise NotFound("no such page")
        found = await signing_in.capacities(session)
    cards: dict[Role, list[Capacity]] = {role: [] for role in registering.MEMBERS}
    for one in found:
        cards[one.role].append(one)
    return render(
        request,
        "sign_in_gate/demo.html",
        actor=actor,
        cards=[(role, people) for role, people in cards.items() if people],
        to=own_path(to),
    )


@router.post("/demo/sign-in", include_in_schema=False)
async def demo_sign_in(
    tx: Visit,
    person: Annotated[UUID, Form()],
    organisation: Annotated[UUID, Form()],
    role: Annotated[Role, Form()],
    public_key: Annotated[str, Form(max_length=100)] = "",
    to: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Become the person of a role card."""
    session = await signing_in.sign_in_for_show(
        tx,
        PersonId(person),
        PartyId(organisation),
        role,
        public_key=unb64u(public_key, 65) if public_key else None,
    )
    answer = RedirectResponse(own_path(to), 303)
    _give_cookie(answer, session)
    return answer


def own_path(to: str) -> str:
    """The path on this site that was asked for, or home: nobody is sent to another site."""
    plain = to.startswith("/") and not to.startswith(("//", "/\\"))
    return to if plain and to.isprintable() else "/"


# ── how answers are told ──────────────────────────────────────────────────────────────────────


def _told(who: Registered) -> JSONResponse:
    return JSONResponse(
        {"organisation_id": str(who.organisation_id), "person_id": str(who.person_id)},
        status_code=201,
    )


def _organisation_told(found: Organisation) -> dict[str, object]:
    return {
        "id": str(found.id),
        "uscc": found.uscc,
        "name": found.name,
        "region": found.region_code,
        "roles": sorted(str(role) for role in found.roles),
        "verified": found.verified,
    }


def _capacity_told(one: Capacity) -> dict[str, str]:
    return {
        "organisation": str(one.organisation_id),
        "organisation_name": one.organisation,
        "role": str(one.role),
        "role_name": ROLE_NAMES[one.role],
    }


def _session_told(request: Request, session: Session) -> JSONResponse:
    """The token for a program; for one of our pages the cookie instead, out of scripts' reach."""
    told = {
        "expires_at": instant_text(session.expires_at),
        "role": str(session.actor.role),
        "organisation_id": str(session.actor.party),
        "person_id": str(session.actor.person),
    }
    if request.headers.get("sec-fetch-site") == "same-origin":
        answer = JSONResponse(told, status_code=201, headers=NO_STORE)
        _give_cookie(answer, session)
        return answer
    return JSONResponse({"token": session.token, **told}, status_code=201, headers=NO_STORE)


def _give_cookie(answer: Response, session: Session) -> None:
    # Without Max-Age it goes with the browser; the session's own end is the server's to judge.
    answer.set_cookie(COOKIE, session.token, path="/", secure=True, httponly=True, samesite="lax")


def _signed_out(answer: Response) -> Response:
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def _instant_or_none(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)
