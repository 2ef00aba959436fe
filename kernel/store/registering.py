"""Organisations and people come in: registration, verification, members, and the keys they sign by.

Whoever registers signs with the key to be registered, so nobody can enter another's key. A person
already known by an identity number is the same person again; such a person must sign with a key
already known, or else whoever knows a number could become its holder.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import col

from kernel.access import Actor, Role, by
from kernel.crypto.digests import (
    Malformed,
    list_of,
    parse_instant,
    sha256,
    text_of,
    unb64u,
)
from kernel.crypto.signing import loaded_public_key, p256_keyid, verify
from kernel.crypto.statement_kinds import read_statement
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Refused
from kernel.identifiers import PartyId, PersonId, uscc_faults
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.regions import is_region_code
from kernel.statute import E_BIDDING_MEASURES, under
from kernel.store.clocks import unshifted_clock
from kernel.store.database import lock_exclusive
from kernel.store.events import (
    CredentialAdded,
    CredentialRevoked,
    OrganisationRegistered,
    OrganisationVerified,
    PersonJoined,
    PersonLeft,
)
from kernel.store.founding import read_keys
from kernel.store.parties import live_keys, only_signer, relying_party
from kernel.store.tables import (
    CredentialRow,
    MembershipRow,
    OrganisationRow,
    PersonRow,
    SessionRow,
)
from kernel.store.transaction import Store, Transaction, transaction

MEMBERS: Final = tuple(role for role in Role if role not in (Role.PLATFORM, Role.PUBLIC))
"""Every capacity that belongs to people of an organisation."""

ASKED_FOR: Final = frozenset(MEMBERS) - {Role.CENTRE_STAFF}
"""The capacities an organisation can ask for; the centre's own staff are let in by the centre."""

NAME_MAX = 200
IDENTITY_DOCUMENT: Final = re.compile(r"[0-9A-Z]{6,32}")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person who wants to be known, and the key that signed for it."""

    name: str
    identity_document: str
    public_key: bytes

    @property
    def keyid(self) -> str:
        """The id under which this person's statements are signed."""
        return p256_keyid(self.public_key)


@dataclass(frozen=True, slots=True)
class Registration:
    """What an organisation says about itself, signed by its first person."""

    uscc: str
    name: str
    region_code: str
    responsible_person: str
    roles: tuple[Role, ...]
    person: Newcomer
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Membership:
    """What a person says who wants to act for an organisation."""

    organisation_id: PartyId
    roles: tuple[Role, ...]
    person: Newcomer
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Registered:
    """The ids by which a person and an organisation are known from now on."""

    organisation_id: PartyId
    person_id: PersonId


# ── reading what newcomers sign ───────────────────────────────────────────────────────────────


def registration_of(raw: bytes) -> Registration:
    """The registration in these bytes, signed by the key it names."""
    payload, public_key = _self_signed(raw, "registration")
    region = text_of(payload["region"])
    if not is_region_code(region):
        raise Malformed("region: no region of GB/T 2260 has this code", code="region")
    return Registration(
        uscc=text_of(payload["uscc"]),
        name=clean_name(payload["name"]),
        region_code=region,
        responsible_person=clean_name(payload["responsible_person"]),
        roles=roles_of(payload["roles"]),
        person=_newcomer(payload, public_key),
        digest=sha256(raw),
    )


def membership_of(raw: bytes) -> Membership:
    """The request to act for an organisation, signed by the key it names."""
    payload, public_key = _self_signed(raw, "membership")
    return Membership(
        organisation_id=PartyId(id_of(payload["organisation"])),
        roles=roles_of(payload["roles"]),
        person=_newcomer(payload, public_key),
        signed_at=parse_instant(payload["signed_at"]),
    )


def clean_name(value: object) -> str:
    """A name in the normal form, without characters that cannot be seen."""
    name = unicodedata.normalize("NFC", text_of(value)).strip()
    if not 0 < len(name) <= NAME_MAX:
        raise Malformed(f"a name has 1 to {NAME_MAX} characters", code="name")
    if any(unicodedata.category(character)[0] in "C" for character in name) or any(
        unicodedata.category(character) in ("Zl", "Zp") for character in name
    ):
        raise Malformed("a name has no control or invisible characters", code="name")
    return name


def roles_of(value: object) -> tuple[Role, ...]:
    """A list of capacities, each once; `Malformed` where one is unknown."""
    try:
        roles = tuple(Role(text_of(item)) for item in list_of(value, at_most=len(Role)))
    except ValueError:
        raise Malformed("an unknown role", code="role") from None
    if not roles or len(set(roles)) != len(roles):
        raise Malformed("at least one role, and each once", code="role")
    return tuple(sorted(roles))


def id_of(value: object) -> UUID:
    """A UUID in its usual form, or `Malformed`."""
    text = text_of(value)
    try:
        found = UUID(text)
    except ValueError:
        raise Malformed("not an id", code="id") from None
    if str(found) != text:
        raise Malformed("not an id", code="id")
    return found


def identity_hash(pepper: bytes, identity_document: str) -> bytes:
    """What is kept of an identity number: a hash that is useless without the platform's pepper."""
    return hmac.digest(pepper, b"sunbid/identity/1\0" + identity_document.encode(), "sha256")


def _self_signed(raw: bytes, kind: str) -> tuple[dict[str, object], bytes]:
    envelope, said = read_statement(raw, kind)
    public_key = unb64u(said["public_key"])
    loaded_public_key(public_key)
    if len(envelope.signatures) != 1:
        raise BrokenSeal("the statement must carry one signature, the newcomer's")
    verify(envelope, keys={p256_keyid(public_key): public_key})
    return said, public_key


def _newcomer(payload: dict[str, object], public_key: bytes) -> Newcomer:
    number = unicodedata.normalize("NFKC", text_of(payload["identity_document"])).upper()
    number = "".join(number.split()).replace("-", "")
    if not IDENTITY_DOCUMENT.fullmatch(number):
        raise Malformed("identity_document: 6 to 32 letters and digits", code="identity_document")
    return Newcomer(clean_name(payload["person"]), number, public_key)


# ── rules ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class RegistrationFacts:
    """What must be known of a registration before it is let in."""

    uscc: str
    roles: tuple[Role, ...]
    uscc_known: bool
    person_known: bool
    key_is_persons: bool
    key_is_anothers: bool


@under(E_BIDDING_MEASURES[13], E_BIDDING_MEASURES[14], rule="PL-07")
def registration_refusals(facts: RegistrationFacts) -> list[Refusal]:
    """Every ground on which an organisation or its first person is not let in."""
    refusals = []
    faults = uscc_faults(facts.uscc)
    if faults:
        refusals.append(Refusal("uscc_malformed", E_BIDDING_MEASURES[14], "；".join(faults)))
    elif facts.uscc_known:
        refusals.append(
            Refusal("organisation_known", E_BIDDING_MEASURES[14], "该单位已注册，不得重复注册")
        )
    if not set(facts.roles) <= ASKED_FOR:
        refusals.append(
            Refusal("role_not_open", E_BIDDING_MEASURES[13], "该身份由交易中心授予，不能自行申请")
        )
    return refusals + person_refusals(
        person_known=facts.person_known,
        key_is_persons=facts.key_is_persons,
        key_is_anothers=facts.key_is_anothers,
    )


@under(E_BIDDING_MEASURES[13], rule="PL-07")
def person_refusals(
    *, person_known: bool, key_is_persons: bool, key_is_anothers: bool
) -> list[Refusal]:
    """A known person signs with a known key; a key speaks for one person only."""
    if key_is_anothers:
        return [Refusal("key_taken", E_BIDDING_MEASURES[13], "该签名密钥已属他人或已注销")]
    if person_known and not key_is_persons:
        return [
            Refusal(
                "person_known", E_BIDDING_MEASURES[13], "该人员已登记，请使用其已登记的密钥签署"
            )
        ]
    return []


@under(E_BIDDING_MEASURES[13], rule="PL-07")
def consent_refusals(*, signed_at: datetime, ended_at: datetime | None) -> list[Refusal]:
    """A capacity that ended begins again only by a request its person signed afterwards."""
    if ended_at is None or signed_at > ended_at:
        return []
    reason = "该身份已经终止，重新取得须由本人在终止之后另行签署申请"
    return [Refusal("consent_outdated", E_BIDDING_MEASURES[13], reason)]


# ── acts ──────────────────────────────────────────────────────────────────────────────────────


@by(Role.PUBLIC)
async def register(
    tx: Transaction, asked: Registration, *, grounds: Sequence[Refusal] = ()
) -> Registered:
    """Register an organisation with its first person, or a known person's further organisation.

    `grounds` are refusals found elsewhere, such as a bar in force against the organisation.
    """
    await lock_exclusive(tx.session, "registering")
    same_uscc = await tx.session.scalar(
        select(col(OrganisationRow.id)).where(col(OrganisationRow.uscc) == asked.uscc)
    )
    known = await _known(tx, asked.person)

    facts = RegistrationFacts(
        uscc=asked.uscc,
        roles=asked.roles,
        uscc_known=same_uscc is not None,
        person_known=known.person_id is not None,
        key_is_persons=known.key_is_persons,
        key_is_anothers=known.key_is_anothers,
    )
    refusals = [*grounds, *registration_refusals(facts)]
    if refusals:
        raise Refused(refusals)

    organisation_id = PartyId(random_id())
    tx.session.add(
        OrganisationRow(
            id=organisation_id,
            uscc=asked.uscc,
            name=asked.name,
            region_code=asked.region_code,
            responsible_person=asked.responsible_person,
            roles=[str(role) for role in asked.roles],
            registered_at=tx.now,
            registration_digest=asked.digest,
        )
    )
    person_id = await _keep_person(tx, asked.person, known.person_id)
    await _keep_memberships(tx, person_id, organisation_id, asked.roles)

    tx.actor = replace(tx.actor, person_id=person_id, party_id=organisation_id)
    tx.record(
        OrganisationRegistered(
            organisation_id,
            uscc=asked.uscc,
            name=asked.name,
            region_code=asked.region_code,
            roles=tuple(asked.roles),
            registration_digest=asked.digest,
        )
    )
    _record_joined(tx, organisation_id, person_id, asked.roles)

    return Registered(organisation_id, person_id)


@by(Role.CENTRE_STAFF)
async def verify_organisation(
    tx: Transaction, organisation_id: PartyId, *, basis: str, grounds: Sequence[Refusal] = ()
) -> None:
    """Note that the centre checked an organisation's particulars, and on what basis.

    Saying it twice changes nothing. `grounds` are refusals found elsewhere, such as a bar in force
    against the organisation.
    """
    row = await tx.session.get(OrganisationRow, organisation_id, with_for_update=True)
    if row is None:
        raise NotFound("no such organisation")
    if row.verified_at is not None:
        return

    basis = clean_name(basis)
    if grounds:
        raise Refused(grounds)

    row.verified_at = tx.now
    row.verified_by = tx.actor.person

    tx.record(
        OrganisationVerified(
            organisation_id,
            uscc=row.uscc,
            name=row.name,
            region_code=row.region_code,
            roles=tuple(row.roles),
            basis=basis,
        )
    )


@by(*MEMBERS)
async def add_member(
    tx: Transaction, asked: Membership, *, grounds: Sequence[Refusal] = ()
) -> PersonId:
    """Let a person act for the actor's own organisation, in capacities the actor holds there.

    `grounds` are refusals found elsewhere, such as a bar in force against the person.
    """
    if asked.organisation_id != tx.actor.party:
        raise NotFound("no such organisation")
    await lock_exclusive(tx.session, "registering")
    own = await memberships(tx, tx.actor.person, asked.organisation_id)
    known = await _known(tx, asked.person)

    if not set(asked.roles) <= own:
        raise NotPermitted("a member can only share the capacities held in this organisation")
    refusals = [
        *grounds,
        *person_refusals(
            person_known=known.person_id is not None,
            key_is_persons=known.key_is_persons,
            key_is_anothers=known.key_is_anothers,
        ),
        *consent_refusals(
            signed_at=asked.signed_at,
            ended_at=await _last_ended(tx, known.person_id, asked),
        ),
    ]
    if refusals:
        raise Refused(refusals)

    person_id = await _keep_person(tx, asked.person, known.person_id)
    fresh = await _keep_memberships(tx, person_id, asked.organisation_id, asked.roles)

    if fresh:
        _record_joined(tx, asked.organisation_id, person_id, fresh)

    return person_id


@by(*MEMBERS)
async def end_membership(tx: Transaction, person_id: PersonId, role: Role) -> None:
    """End a capacity in the actor's own organisation, and every session that rests on it."""
    party = tx.actor.party
    own = await memberships(tx, tx.actor.person, party)
    row = await tx.session.scalar(
        select(MembershipRow)
        .where(
            col(MembershipRow.person_id) == person_id,
            col(MembershipRow.party_id) == party,
            col(MembershipRow.role) == str(role),
            col(MembershipRow.ended_at).is_(None),
        )
        .with_for_update()
    )
    if row is None:
        raise NotFound("no such membership")
    if role not in own:
        raise NotPermitted("only someone who holds the capacity can end it")

    row.ended_at = tx.now
    await tx.session.execute(
        update(SessionRow)
        .where(
            col(SessionRow.person_id) == person_id,
            col(SessionRow.party_id) == party,
            col(SessionRow.role) == str(role),
            col(SessionRow.ended_at).is_(None),
        )
        .values(ended_at=await unshifted_clock(tx.session))
    )

    tx.record(PersonLeft(party, person_id=person_id, role=str(role), addressee_id=party))


@by(*MEMBERS)
async def add_credential(tx: Transaction, raw: bytes) -> str:
    """Let a further P-256 key speak for the acting person; its key id.

    The statement carries two signatures: by a key the person has, and by the new one.
    """
    envelope, said = read_statement(raw, "credential")
    public_key = unb64u(said["public_key"])
    keyid = p256_keyid(public_key)
    keys = await live_keys(tx.session, tx.actor.person)
    taken = await tx.session.get(CredentialRow, keyid)

    verify(envelope, keys={keyid: public_key})
    others = tuple(one for one in envelope.signatures if one.keyid != keyid)
    by_known_key = replace(envelope, signatures=others)
    only_signer(by_known_key, keys, relying_party=relying_party(tx.settings))
    refusals = person_refusals(
        person_known=False, key_is_persons=False, key_is_anothers=taken is not None
    )
    if refusals:
        raise Refused(refusals)

    keep_credential(tx, tx.actor.person, keyid, kind="p256", public_key=public_key)

    return keyid


def keep_credential(
    tx: Transaction,
    person_id: PersonId,
    keyid: str,
    *,
    kind: str,
    public_key: bytes,
    sign_count: int = 0,
    backed_up: bool = False,
) -> None:
    """Write a credential and its event; whoever calls has seen that the key's holder agreed."""
    tx.session.add(
        CredentialRow(
            keyid=keyid,
            person_id=person_id,
            kind=kind,
            public_key=public_key,
            sign_count=sign_count,
            backed_up=backed_up,
            added_at=tx.now,
        )
    )
    tx.record(CredentialAdded(person_id, keyid=keyid, kind=kind))


@by(*MEMBERS)
async def revoke_credential(tx: Transaction, keyid: str, *, reason: str) -> None:
    """End a key and every session that began with it.

    A person revokes their own; the centre's staff revoke any, when a loss is reported to them.
    """
    row = await tx.session.get(CredentialRow, keyid, with_for_update=True)
    own = row is not None and row.person_id == tx.actor.person
    if row is None or not (own or tx.actor.role is Role.CENTRE_STAFF):
        raise NotFound("no such credential")
    if row.revoked_at is not None:
        return

    reason = clean_name(reason)

    row.revoked_at = tx.now
    await tx.session.execute(
        update(SessionRow)
        .where(col(SessionRow.keyid) == keyid, col(SessionRow.ended_at).is_(None))
        .values(ended_at=await unshifted_clock(tx.session))
    )

    tx.record(CredentialRevoked(PersonId(row.person_id), keyid=keyid, reason=reason))


@by(Role.PUBLIC, *MEMBERS)
async def known_person(tx: Transaction, newcomer: Newcomer) -> PersonId | None:
    """The person this newcomer already is, by identity number and by key; else None.

    Whoever merely knows somebody's number must learn nothing about that person by it.
    """
    known = await _known(tx, newcomer)
    return known.person_id if known.key_is_persons else None


async def memberships(
    tx: Transaction, person_id: PersonId, organisation_id: PartyId
) -> frozenset[Role]:
    """The capacities in which the person may act for the organisation now."""
    rows = await tx.session.scalars(
        select(col(MembershipRow.role)).where(
            col(MembershipRow.person_id) == person_id,
            col(MembershipRow.party_id) == organisation_id,
            col(MembershipRow.ended_at).is_(None),
        )
    )
    return frozenset(Role(role) for role in rows)


# ── the first of all ──────────────────────────────────────────────────────────────────────────


async def is_installed(line: AsyncSession | AsyncConnection) -> bool:
    """Whether there is a centre, whose staff let all others in."""
    found = await line.execute(
        select(col(MembershipRow.id))
        .where(col(MembershipRow.role) == str(Role.CENTRE_STAFF))
        .limit(1)
    )
    return found.first() is not None


async def install_staff(store: Store, asked: Registration) -> Registered:
    """Install the centre with its first person, in the capacities asked for.

    Done once, by the operator at the command line, who owns the database anyway: nobody else could
    let the first person in. The centre counts as verified. `NotPermitted` where there is a centre.
    """
    async with transaction(store, actor=Actor(Role.PLATFORM)) as tx:
        await lock_exclusive(tx.session, "registering")
        if await is_installed(tx.session):
            raise NotPermitted("there is a centre already; its staff let others in")
        if uscc_faults(asked.uscc) or Role.CENTRE_STAFF not in asked.roles:
            raise Malformed("the centre needs its credit code and staff", code="uscc_malformed")
        organisation_id = PartyId(random_id())
        known = await _known(tx, asked.person)
        tx.session.add(
            OrganisationRow(
                id=organisation_id,
                uscc=asked.uscc,
                name=asked.name,
                region_code=asked.region_code,
                responsible_person=asked.responsible_person,
                roles=[str(role) for role in asked.roles],
                registered_at=tx.now,
                registration_digest=asked.digest,
                verified_at=tx.now,
            )
        )
        person_id = await _keep_person(tx, asked.person, known.person_id)
        await _keep_memberships(tx, person_id, organisation_id, asked.roles)
        tx.record(
            OrganisationVerified(
                organisation_id,
                uscc=asked.uscc,
                name=asked.name,
                region_code=asked.region_code,
                roles=tuple(asked.roles),
                basis="installation",
            )
        )
        _record_joined(tx, organisation_id, person_id, asked.roles)
    return Registered(organisation_id, person_id)


# ── within ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Known:
    person_id: PersonId | None
    key_is_persons: bool
    key_is_anothers: bool


async def _known(tx: Transaction, newcomer: Newcomer) -> _Known:
    """Who this is already, by identity number and by key."""
    pepper = read_keys(tx.settings).pepper
    found = await tx.session.scalar(
        select(col(PersonRow.id)).where(
            col(PersonRow.identity_hash) == identity_hash(pepper, newcomer.identity_document)
        )
    )
    credential = await tx.session.get(CredentialRow, newcomer.keyid)
    live = credential is not None and credential.revoked_at is None
    persons = live and credential is not None and credential.person_id == found
    return _Known(
        None if found is None else PersonId(found),
        key_is_persons=persons,
        key_is_anothers=credential is not None and not persons,
    )


async def _last_ended(
    tx: Transaction, person_id: PersonId | None, asked: Membership
) -> datetime | None:
    """When the last of the capacities asked for ended, of those this person had there."""
    found: datetime | None = await tx.session.scalar(
        select(func.max(col(MembershipRow.ended_at))).where(
            col(MembershipRow.person_id) == person_id,
            col(MembershipRow.party_id) == asked.organisation_id,
            col(MembershipRow.role).in_([str(role) for role in asked.roles]),
        )
    )
    return found


async def _keep_person(tx: Transaction, newcomer: Newcomer, known: PersonId | None) -> PersonId:
    if known is not None:
        return known
    person_id = PersonId(random_id())
    tx.session.add(
        PersonRow(
            id=person_id,
            name=newcomer.name,
            identity_hash=identity_hash(read_keys(tx.settings).pepper, newcomer.identity_document),
            registered_at=tx.now,
        )
    )
    # Rows have no relationships, so the order of their inserts is ours to see to.
    await tx.session.flush()
    tx.session.add(
        CredentialRow(
            keyid=newcomer.keyid,
            person_id=person_id,
            kind="p256",
            public_key=newcomer.public_key,
            added_at=tx.now,
        )
    )
    return person_id


async def _keep_memberships(
    tx: Transaction, person_id: PersonId, organisation_id: PartyId, roles: Collection[Role]
) -> tuple[Role, ...]:
    """Write the memberships that are new or had ended; which those were."""
    await tx.session.flush()
    rows = await tx.session.scalars(
        select(MembershipRow).where(
            col(MembershipRow.person_id) == person_id,
            col(MembershipRow.party_id) == organisation_id,
        )
    )
    before = {Role(row.role): row for row in rows}
    fresh = []
    for role in roles:
        row = before.get(role)
        if row is None:
            row = MembershipRow(
                id=random_id(),
                person_id=person_id,
                party_id=organisation_id,
                role=str(role),
                since=tx.now,
            )
            tx.session.add(row)
        elif row.ended_at is None:
            continue
        else:
            row.since, row.ended_at = tx.now, None
        fresh.append(role)
    return tuple(fresh)


def _record_joined(
    tx: Transaction, organisation_id: PartyId, person_id: PersonId, roles: Sequence[Role]
) -> None:
    tx.record(
        PersonJoined(
            organisation_id,
            person_id=person_id,
            roles=tuple(roles),
            addressee_id=organisation_id,
        )
    )
