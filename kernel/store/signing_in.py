"""Signing in and out: challenges, sessions, and what a session's token stands for.

A person signs a fresh challenge together with the capacity and the organisation to act for. The
token handed out is stored as its hash only. Sessions end at the desk, with their credential, with
the membership they rest on, when idle, and after half a day; all of that is judged here, on the
server, by the unshifted clock, so that a token alone is worth nothing once the row says no.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import col

from kernel.access import Actor, Role, by
from kernel.crypto.digests import Malformed, b64u, sha256, text_of, unb64u
from kernel.crypto.signing import p256_keyid
from kernel.crypto.statement_kinds import read_statement
from kernel.errors import BrokenSeal, NotFound, NotPermitted, NotSignedIn, Refused
from kernel.identifiers import PartyId, PersonId, SessionId
from kernel.randomness import random_bytes, random_id
from kernel.settings import Settings
from kernel.store.clocks import unshifted_clock
from kernel.store.events import ExpertSignedIn, ExpertSignedOut, SignedIn, SignedOut
from kernel.store.parties import only_signer, own_origins, relying_party, verification_refusals
from kernel.store.registering import MEMBERS, id_of, keep_credential, memberships
from kernel.store.tables import (
    ChallengeRow,
    CredentialRow,
    MembershipRow,
    OrganisationRow,
    PersonRow,
    SessionRow,
)
from kernel.store.transaction import Store, Transaction

CHALLENGE_LIFE: Final = timedelta(minutes=2)
CHALLENGE_SIZE: Final = 32
TOKEN_SIZE: Final = 32
SEEN_EVERY: Final = timedelta(minutes=1)
"""A session's last use is written at most this often; it counts for the idle limit only."""

OPEN_TO_UNVERIFIED: Final = frozenset({Role.TENDEREE, Role.AGENCY, Role.BIDDER})
"""Market bodies may look round as soon as they have registered (电子招标投标办法 9, 54); whatever
they then do that has effect asks for their verification."""


class Purpose(StrEnum):
    """What a challenge is good for."""

    SIGN_IN = "sign_in"
    PASSKEY_REGISTRATION = "passkey_registration"
    PASSKEY_SIGN_IN = "passkey_sign_in"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Challenge:
    """Fresh bytes to be signed once, before they expire."""

    nonce: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has just begun; the token is known to its holder alone."""

    token: str
    actor: Actor
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """How long a session lasts yet, and whether using it makes that longer."""

    lasts: timedelta
    prolongable: bool


@dataclass(frozen=True, slots=True)
class Capacity:
    """A capacity a person may choose at sign-in."""

    person_id: PersonId
    person: str
    organisation_id: PartyId
    organisation: str
    role: Role


# ── challenges ────────────────────────────────────────────────────────────────────────────────


@by(Role.PUBLIC)
async def ask_to_sign_in(tx: Transaction) -> Challenge:
    """A challenge for whoever wants to sign in by a key."""
    return await issue_challenge(tx, Purpose.SIGN_IN)


async def issue_challenge(
    tx: Transaction,
    purpose: Purpose,
    *,
    person_id: UUID | None = None,
    keyid: str | None = None,
) -> Challenge:
    """A fresh challenge; those that have expired are swept away on the way."""
    now = await unshifted_clock(tx.session)
    await tx.session.execute(delete(ChallengeRow).where(col(ChallengeRow.expires_at) < now))
    challenge = Challenge(random_bytes(CHALLENGE_SIZE), now + CHALLENGE_LIFE)
    tx.session.add(
        ChallengeRow(
            nonce=challenge.nonce,
            purpose=str(purpose),
            person_id=person_id,
            keyid=keyid,
            expires_at=challenge.expires_at,
        )
    )
    return challenge


async def spend_challenge(tx: Transaction, nonce: bytes, purpose: Purpose) -> ChallengeRow:
    """Use a challenge up; `NotSignedIn` where it was never given, has expired or was used."""
    row: ChallengeRow | None = await tx.session.scalar(
        delete(ChallengeRow)
        .where(
            col(ChallengeRow.nonce) == nonce,
            col(ChallengeRow.purpose) == str(purpose),
            col(ChallengeRow.expires_at) > await unshifted_clock(tx.session),
        )
        .returning(ChallengeRow)
    )
    if row is None:
        raise NotSignedIn("the challenge is unknown, used or expired")
    return row


# ── signing in ────────────────────────────────────────────────────────────────────────────────


@by(Role.PUBLIC)
async def sign_in(tx: Transaction, raw: bytes) -> Session:
    """Begin a session from a signed challenge that names the capacity and the organisation."""
    envelope, said = read_statement(raw, "sign-in")
    await spend_challenge(tx, unb64u(said["challenge"], CHALLENGE_SIZE), Purpose.SIGN_IN)
    credential = await tx.session.get(CredentialRow, envelope.signatures[0].keyid)

    if text_of(said["origin"]) not in own_origins(tx.settings):
        raise BrokenSeal("signed for another platform")
    if credential is None or credential.revoked_at is not None:
        raise NotSignedIn("no such credential")
    only_signer(
        envelope,
        {credential.keyid: credential.public_key},
        relying_party=relying_party(tx.settings),
    )

    return await begin_session(
        tx,
        PersonId(credential.person_id),
        PartyId(id_of(said["organisation"])),
        role_of(said["role"]),
        keyid=credential.keyid,
    )


async def begin_session(
    tx: Transaction,
    person_id: PersonId,
    organisation_id: PartyId,
    role: Role,
    *,
    keyid: str | None,
) -> Session:
    """A session for a person whose key was just checked; from here on `tx` acts for that person.

    `NotPermitted` where the person has no such capacity there; `Refused` where the capacity needs
    an organisation the centre has verified.
    """
    if role not in await memberships(tx, person_id, organisation_id):
        raise NotPermitted("no such capacity in that organisation")
    organisation = await tx.session.get_one(OrganisationRow, organisation_id)

    if role not in OPEN_TO_UNVERIFIED:
        refusals = verification_refusals(verified=organisation.verified_at is not None)
        if refusals:
            raise Refused(refusals)

    token = random_bytes(TOKEN_SIZE)
    session_id = SessionId(random_id())
    now = await unshifted_clock(tx.session)
    tx.session.add(
        SessionRow(
            id=session_id,
            token_hash=sha256(token),
            person_id=person_id,
            party_id=organisation_id,
            role=str(role),
            keyid=keyid,
            begun_at=now,
            seen_at=now,
        )
    )

    tx.actor = Actor(role, person_id, organisation_id, session_id, tx.actor.address)
    key = keyid or "demo"
    if role is Role.EXPERT:
        tx.record(ExpertSignedIn(organisation_id, person_id=person_id, keyid=key))
    else:
        tx.record(SignedIn(organisation_id, person_id=person_id, role=str(role), keyid=key))

    return Session(b64u(token), tx.actor, now + timedelta(hours=tx.settings.session_hours))


@by(*MEMBERS)
async def sign_out(tx: Transaction) -> None:
    """End the session in which this is said."""
    await tx.session.execute(
        update(SessionRow)
        .where(col(SessionRow.id) == tx.actor.session_id, col(SessionRow.ended_at).is_(None))
        .values(ended_at=await unshifted_clock(tx.session))
    )
    _record_end(tx)


@by(*MEMBERS)
async def sign_out_everywhere(tx: Transaction) -> int:
    """End every session of the acting person; how many there were."""
    rows = await tx.session.execute(
        update(SessionRow)
        .where(
            col(SessionRow.person_id) == tx.actor.person,
            col(SessionRow.ended_at).is_(None),
        )
        .values(ended_at=await unshifted_clock(tx.session))
        .returning(col(SessionRow.id))
    )
    _record_end(tx)
    return len(rows.all())


def role_of(value: object) -> Role:
    """A capacity that people have, or `Malformed`."""
    try:
        role = Role(text_of(value))
    except ValueError:
        raise Malformed("an unknown role", code="role") from None
    if role not in MEMBERS:
        raise Malformed("a role nobody can take", code="role")
    return role


# ── sessions ──────────────────────────────────────────────────────────────────────────────────

_LIVE = (
    " FROM kernel.session s JOIN kernel.membership m ON m.person_id = s.person_id"
    " AND m.party_id = s.party_id AND m.role = s.role AND m.ended_at IS NULL"
    " LEFT JOIN kernel.credential c ON c.keyid = s.keyid"
    " WHERE s.ended_at IS NULL AND c.revoked_at IS NULL"
    " AND s.begun_at > clock_timestamp() - CAST(:longest AS interval)"
    " AND s.seen_at > clock_timestamp() - CAST(:idle AS interval)"
)
_BY_TOKEN = text(
    "SELECT s.id, s.person_id, s.party_id, s.role,"
    " s.seen_at < clock_timestamp() - CAST(:seen_every AS interval) AS seen_long_ago"
    + _LIVE
    + " AND s.token_hash = :token"
)
_LEFT = text(
    "SELECT s.seen_at + CAST(:idle AS interval) - clock_timestamp() AS idle_left,"
    " s.begun_at + CAST(:longest AS interval) - clock_timestamp() AS longest_left"
    + _LIVE
    + " AND s.token_hash = :token"
)
_BY_ID = text("SELECT s.id" + _LIVE + " AND s.id = :id")
_SEEN = text("UPDATE kernel.session SET seen_at = clock_timestamp() WHERE id = :id")


async def actor_behind(store: Store, token: str, *, address: str) -> Actor | None:
    """For whom a token speaks now, or None where its session is over or never was.

    Being asked counts as use, so a session that acts does not become idle.
    """
    try:
        token_hash = sha256(unb64u(token, TOKEN_SIZE))
    except Malformed:
        return None
    async with _at_once(store) as line:
        asked = {"token": token_hash, "seen_every": SEEN_EVERY, **_limits(store.settings)}
        row = (await line.execute(_BY_TOKEN, asked)).first()
        if row is None:
            return None
        if row.seen_long_ago:
            await line.execute(_SEEN, {"id": row.id})
    return Actor(
        Role(row.role), PersonId(row.person_id), PartyId(row.party_id), SessionId(row.id), address
    )


async def time_left(store: Store, token: str) -> TimeLeft | None:
    """How long a token's session lasts if nothing more is done; asking does not count as use.

    None where the session is over or never was.
    """
    try:
        token_hash = sha256(unb64u(token, TOKEN_SIZE))
    except Malformed:
        return None
    async with _at_once(store) as line:
        found = await line.execute(_LEFT, {"token": token_hash, **_limits(store.settings)})
        row = found.first()
    if row is None:
        return None
    return TimeLeft(min(row.idle_left, row.longest_left), row.idle_left < row.longest_left)


async def session_lives(store: Store, session_id: SessionId) -> bool:
    """Whether the session still holds; asking does not count as use."""
    async with _at_once(store) as line:
        found = await line.execute(_BY_ID, {"id": session_id, **_limits(store.settings)})
        return found.first() is not None


@asynccontextmanager
async def _at_once(store: Store) -> AsyncIterator[AsyncConnection]:
    """A line on which each statement is a transaction: two trips fewer for every request."""
    async with store.sessions() as session:
        yield await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})


def _limits(settings: Settings) -> dict[str, object]:
    return {
        "longest": timedelta(hours=settings.session_hours),
        "idle": timedelta(minutes=settings.session_idle_min),
    }


async def capacities(session: AsyncSession, *, person_id: UUID | None = None) -> list[Capacity]:
    """Every capacity that can be chosen at sign-in: of one person, or of everybody for a demo."""
    query = (
        select(PersonRow, OrganisationRow, col(MembershipRow.role))
        .join(MembershipRow, col(MembershipRow.person_id) == col(PersonRow.id))
        .join(OrganisationRow, col(OrganisationRow.id) == col(MembershipRow.party_id))
        .where(col(MembershipRow.ended_at).is_(None))
        .order_by(col(MembershipRow.role), col(MembershipRow.since), col(OrganisationRow.name))
    )
    if person_id is not None:
        query = query.where(col(PersonRow.id) == person_id)
    return [
        Capacity(
            PersonId(person.id),
            person.name,
            PartyId(organisation.id),
            organisation.name,
            Role(role),
        )
        for person, organisation, role in await session.execute(query)
        if organisation.verified_at is not None or Role(role) in OPEN_TO_UNVERIFIED
    ]


# ── demo databases only ───────────────────────────────────────────────────────────────────────


async def is_demo(session: AsyncSession) -> bool:
    """Whether this database was founded as a demo."""
    row = await session.execute(text("SELECT demo FROM kernel.platform"))
    return bool(row.scalar_one())


@by(Role.PUBLIC)
async def sign_in_for_show(
    tx: Transaction,
    person_id: PersonId,
    organisation_id: PartyId,
    role: Role,
    *,
    public_key: bytes | None = None,
) -> Session:
    """Begin a session as anybody, in a demo database only; `NotFound` everywhere else.

    With a public key, made by the browser a moment ago, the person can sign in that browser too.
    """
    if not await is_demo(tx.session):
        raise NotFound("no such page")

    session = await begin_session(tx, person_id, organisation_id, role, keyid=None)

    if public_key is not None:
        keyid = p256_keyid(public_key)
        known = await tx.session.get(CredentialRow, keyid)
        if known is None:
            keep_credential(tx, person_id, keyid, kind="p256", public_key=public_key)
        elif known.person_id != person_id or known.revoked_at is not None:
            raise BrokenSeal("the browser's key is somebody else's")

    return session


def _record_end(tx: Transaction) -> None:
    if tx.actor.role is Role.EXPERT:
        tx.record(ExpertSignedOut(tx.actor.party, person_id=tx.actor.person))
    else:
        tx.record(SignedOut(tx.actor.party, person_id=tx.actor.person, role=str(tx.actor.role)))
