"""The people and organisations we know: who they are, what they signed, what they may combine.

Duties are separated by *person*, not by account: one person has one row, however many keys and
organisations, because an identity number is given at registration and only its keyed hash is kept.
What a person once did for a lot stays recorded, and bars every capacity that does not go with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kernel.access import CONFLICTS, Role, conflicting
from kernel.crypto.digests import Malformed, sha256
from kernel.crypto.signing import Envelope, RelyingParty, verify
from kernel.crypto.statement_kinds import STATEMENT_MAX_BYTES, read_statement
from kernel.errors import BrokenSeal, NotFound, Refused
from kernel.identifiers import PartyId, PersonId
from kernel.refusals import Refusal
from kernel.settings import Settings
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, E_BIDDING_MEASURES, Article, under
from kernel.store.database import lock_exclusive
from kernel.store.events import CapacityTaken, ExpertCapacityTaken, SiteCapacityTaken
from kernel.store.tables import CapacityRow, CredentialRow, OrganisationRow
from kernel.store.transaction import Transaction

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

BOUND_BY_NOTHING = frozenset({Role.PUBLIC, Role.PLATFORM})
"""The capacities that are no person's, and so conflict with none."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation as others may know it."""

    id: PartyId
    uscc: str
    name: str
    region_code: str
    roles: frozenset[Role]
    verified: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement whose signature was verified, and the bytes that prove it."""

    kind: str
    payload: dict[str, Any]
    envelope: bytes
    digest: bytes
    keyid: str


@dataclass(frozen=True, slots=True)
class HeldCapacity:
    """In which capacity a person already acted for a subject, and for which organisation."""

    person_id: UUID
    party_id: UUID
    role: Role


# ── organisations ─────────────────────────────────────────────────────────────────────────────


async def organisation(tx: Transaction, organisation_id: UUID) -> Organisation:
    """The organisation with that id; `NotFound` where there is none."""
    row = await tx.session.get(OrganisationRow, organisation_id)
    if row is None:
        raise NotFound("no such organisation")
    return _organisation(row)


async def organisations_by_id(tx: Transaction, ids: Iterable[UUID]) -> dict[PartyId, Organisation]:
    """The organisations with these ids; unknown ids are left out."""
    rows = await tx.session.scalars(
        select(OrganisationRow).where(col(OrganisationRow.id).in_(set(ids)))
    )
    return {PartyId(row.id): _organisation(row) for row in rows}


async def organisation_names(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, str]:
    """The names of the organisations with these ids; unknown ids are left out."""
    rows = await session.execute(
        select(col(OrganisationRow.id), col(OrganisationRow.name)).where(
            col(OrganisationRow.id).in_(set(ids))
        )
    )
    return {id: name for id, name in rows}


async def organisation_name(tx: Transaction, organisation_id: UUID) -> str:
    """The name of one organisation; `NotFound` where there is none."""
    return (await organisation(tx, organisation_id)).name


async def is_verified(tx: Transaction, organisation_id: UUID) -> bool:
    """Whether the centre has verified the organisation."""
    return (await organisation(tx, organisation_id)).verified


async def require_verified(tx: Transaction) -> Organisation:
    """The acting organisation; `Refused` while the centre has not verified it."""
    own = await organisation(tx, tx.actor.party)
    refusals = verification_refusals(verified=own.verified)
    if refusals:
        raise Refused(refusals)
    return own


@under(E_BIDDING_MEASURES[14], rule="PL-07")
def verification_refusals(*, verified: bool) -> list[Refusal]:
    """An organisation acts only after what it first said about itself was verified."""
    if verified:
        return []
    return [
        Refusal(
            "organisation_unverified",
            E_BIDDING_MEASURES[14],
            "单位注册信息尚未经交易中心核验，不能办理此项业务",
        )
    ]


# ── separation of duties ──────────────────────────────────────────────────────────────────────


async def take_part(tx: Transaction, subject_id: UUID) -> None:
    """Note that this person acts for the subject in this capacity, or refuse.

    Every act of a lot calls it. The first act takes a lock for the person and one for the
    organisation, so that two acts at once cannot both slip past each other; later acts only look.
    """
    role = tx.actor.role
    if role in BOUND_BY_NOTHING:
        return
    own = HeldCapacity(tx.actor.person, tx.actor.party, role)
    if own in await _held(tx, subject_id, own):
        return
    for name in sorted((f"{subject_id}/{own.person_id}", f"{subject_id}/{own.party_id}")):
        await lock_exclusive(tx.session, f"capacity:{name}")
    held = await _held(tx, subject_id, own)
    if own in held:
        return

    refusals = capacity_refusals(own, held)
    if refusals:
        raise Refused(refusals)

    tx.session.add(
        CapacityRow(
            subject_id=subject_id,
            person_id=own.person_id,
            role=str(role),
            party_id=own.party_id,
            since=tx.now,
        )
    )

    match role:
        case Role.EXPERT:
            tx.record(ExpertCapacityTaken(subject_id, person_id=own.person_id))
        case Role.SITE_ADMINISTRATOR:
            tx.record(SiteCapacityTaken(subject_id, person_id=own.person_id))
        case _:
            tx.record(CapacityTaken(subject_id, person_id=own.person_id, role=str(role)))


@under(
    BIDDING_REGULATION[13],
    BIDDING_REGULATION[34],
    BIDDING_REGULATION[40, 2],
    BIDDING_REGULATION[46],
    BIDDING_LAW[37],
    E_BIDDING_MEASURES[13],
    E_BIDDING_MEASURES[23],
    rule=("SC-09", "BI-06", "BI-08", "EX-09", "EX-11", "PL-07"),
)
def capacity_refusals(asked: HeldCapacity, held: Collection[HeldCapacity]) -> list[Refusal]:
    """Every ground on which the capacity asked for may not be added to those held.

    Held capacities may be the same person's or the same organisation's. An organisation that bids
    may be nothing else in that lot, whoever acts for it; for all else the person decides.
    """
    refusals: dict[tuple[Role, str], Refusal] = {}
    for other in held:
        same_person = other.person_id == asked.person_id
        same_party = other.party_id == asked.party_id
        if same_person and not same_party and other.role is asked.role:
            refusals[other.role, "elsewhere"] = _two_organisations(asked.role)
        elif same_person and conflicting(asked.role, [other.role]):
            refusals[other.role, "person"] = _clash(asked.role, other.role, "同一人")
        elif same_party and _bids_and_more(asked.role, other.role):
            refusals[other.role, "party"] = _clash(asked.role, other.role, "同一单位")
    return list(refusals.values())


def _bids_and_more(one: Role, other: Role) -> bool:
    return (one is Role.BIDDER and other in CONFLICTS[Role.BIDDER]) or (
        other is Role.BIDDER and one in CONFLICTS[Role.BIDDER]
    )


def _two_organisations(role: Role) -> Refusal:
    if role is Role.BIDDER:
        return Refusal(
            "one_person_for_two_bidders",
            BIDDING_REGULATION[40, 2],
            "同一人不得在同一标段为不同投标人办理投标事宜",
        )
    return Refusal(
        "one_person_for_two_organisations",
        E_BIDDING_MEASURES[13],
        "同一人不得在同一标段代表两个单位行使同一职责",
    )


def _clash(one: Role, other: Role, who: str) -> Refusal:
    return Refusal(
        "conflicting_capacity",
        article_against(one, other),
        f"{who}在本标段已担任{ROLE_NAMES[other]}，不得再担任{ROLE_NAMES[one]}",
    )


def article_against(one: Role, other: Role) -> Article:
    """The article that forbids combining the two capacities in one lot."""
    pair = frozenset({one, other})
    if pair == {Role.BIDDER, Role.AGENCY}:
        return BIDDING_REGULATION[13]
    if Role.BIDDER in pair and pair & {Role.TENDEREE, Role.OWNER_REPRESENTATIVE}:
        return BIDDING_REGULATION[34]
    if pair == {Role.BIDDER, Role.EXPERT}:
        return BIDDING_LAW[37]
    if Role.BIDDER in pair and pair & {Role.CENTRE_STAFF, Role.SITE_ADMINISTRATOR}:
        return E_BIDDING_MEASURES[23]
    if pair & {Role.EXPERT, Role.OWNER_REPRESENTATIVE} and not pair & {Role.CUSTODIAN}:
        return BIDDING_REGULATION[46]
    return E_BIDDING_MEASURES[13]


ROLE_NAMES: Mapping[Role, str] = {
    Role.TENDEREE: "招标人",
    Role.AGENCY: "招标代理",
    Role.BIDDER: "投标人",
    Role.EXPERT: "评标专家",
    Role.OWNER_REPRESENTATIVE: "招标人代表",
    Role.CUSTODIAN: "密钥保管人",
    Role.CENTRE_STAFF: "交易中心工作人员",
    Role.SITE_ADMINISTRATOR: "评标场所管理员",
    Role.SUPERVISOR: "行政监督人员",
    Role.WITNESS: "日志见证人",
    Role.PLATFORM: "平台",
    Role.PUBLIC: "公众",
}


# ── signed statements ─────────────────────────────────────────────────────────────────────────


async def verified_statement(
    tx: Transaction, raw: bytes, kind: str, *, max_bytes: int = STATEMENT_MAX_BYTES, **about: UUID
) -> Statement:
    """The statement in these bytes, signed by one live credential of the acting person.

    `kind` is the short name, such as `submission`; type, version and members follow from it.
    `about` are the ids it must name wherever it names such a thing: `lot=…`, `project=…`.
    `Malformed` where the bytes are no such statement or it is about something else, `BrokenSeal`
    where the signature is not this person's. Repetition is the caller's concern.
    """
    envelope, payload = read_statement(raw, kind, max_bytes=max_bytes)
    require_about(payload, **about)
    keys = await live_keys(tx.session, tx.actor.person)
    keyid = only_signer(envelope, keys, relying_party=relying_party(tx.settings))
    return Statement(kind, payload, raw, sha256(raw), keyid)


def require_about(payload: Mapping[str, object], **about: UUID) -> None:
    """`Malformed` where a statement names another lot, project, … than the one it is sent for."""
    for name, wanted in about.items():
        if payload.get(name, str(wanted)) != str(wanted):
            raise Malformed(f"the statement is about another {name}", code=f"wrong_{name}")


def only_signer(
    envelope: Envelope, keys: Mapping[str, bytes], *, relying_party: RelyingParty
) -> str:
    """The one key that signed; `BrokenSeal` unless there is one signature, by one of `keys`."""
    if len(envelope.signatures) != 1:
        raise BrokenSeal("the statement must carry one signature, the acting person's")
    (keyid,) = verify(envelope, keys=keys, relying_party=relying_party)
    return keyid


async def live_keys(session: AsyncSession, person_id: PersonId) -> dict[str, bytes]:
    """The public keys that speak for the person now, by key id."""
    rows = await session.scalars(
        select(CredentialRow).where(
            col(CredentialRow.person_id) == person_id,
            col(CredentialRow.revoked_at).is_(None),
        )
    )
    return {row.keyid: row.public_key for row in rows}


def relying_party(settings: Settings) -> RelyingParty:
    """For whom passkeys sign on this platform."""
    host = urlsplit(settings.origin).hostname or ""
    return RelyingParty(host, frozenset({settings.origin}))


def own_origins(settings: Settings) -> frozenset[str]:
    """The origins under which programs reach this platform.

    A platform on this machine's loopback has three names; a signature for one is good for all.
    """
    parts = urlsplit(settings.origin)
    host, colon, port = parts.netloc.rpartition(":")
    if not colon or port.endswith("]"):
        host, colon, port = parts.netloc, "", ""
    hosts = LOOPBACK if host in LOOPBACK else {host}
    return frozenset(f"{parts.scheme}://{name}{colon}{port}" for name in hosts)


async def _held(tx: Transaction, subject_id: UUID, asked: HeldCapacity) -> set[HeldCapacity]:
    rows = await tx.session.execute(
        select(col(CapacityRow.person_id), col(CapacityRow.party_id), col(CapacityRow.role)).where(
            col(CapacityRow.subject_id) == subject_id,
            (col(CapacityRow.person_id) == asked.person_id)
            | (col(CapacityRow.party_id) == asked.party_id),
        )
    )
    return {HeldCapacity(person, party, Role(role)) for person, party, role in rows}


def _organisation(row: OrganisationRow) -> Organisation:
    return Organisation(
        PartyId(row.id),
        row.uscc,
        row.name,
        row.region_code,
        frozenset(Role(role) for role in row.roles),
        row.verified_at is not None,
    )
