"""Evaluation sites and their workstations: registered by their keepers, each seat by its own key.

At the door the keeper's staff compare a member's identity document with the name they are told for
that one seat, and only inside the window for which the committee was called. They learn names of
nobody who sits elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlmodel import col, select

from evaluation import committees
from evaluation.committees import CommitteeFile
from evaluation.events import MemberAdmitted, SeatRegistered, SiteRegistered
from evaluation.tables import CommitteeRow, MemberRow, SeatRow, SiteRow
from kernel.access import Role, by
from kernel.crypto.digests import Malformed, unb64u
from kernel.crypto.signing import loaded_public_key, p256_keyid
from kernel.crypto.statement_kinds import read_statement
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import SeatId, SiteId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, CONDUCT_OPINIONS, E_BIDDING_MEASURES, under
from kernel.store.clocks import unshifted_clock
from kernel.store.parties import (
    only_signer,
    relying_party,
    require_about,
    require_verified,
    take_part,
)
from kernel.store.tables import PersonRow
from kernel.store.transaction import Transaction

SEATS_MAX: Final = 500
PUBLIC_KEY_SIZE: Final = 65


@dataclass(frozen=True, slots=True)
class Site:
    """An evaluation site as anyone may know it."""

    id: SiteId
    name: str
    region_code: str
    keeper_id: UUID
    seats: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A member expected at a seat, as the staff of that site may know it."""

    committee_id: UUID
    seat_id: SeatId
    seat: int
    person: str
    """Whose identity document is to be compared; empty outside the window."""

    window_from: datetime
    window_until: datetime
    admitted_at: datetime | None
    signed_in_at: datetime | None
    present: bool


@by(Role.SITE_ADMINISTRATOR)
async def register_site(tx: Transaction, *, name: str, region_code: str) -> SiteId:
    """Register a site that the acting trading centre keeps."""
    own = await require_verified(tx)
    if not name.strip() or len(name) > 100:
        raise Malformed("a site's name has 1 to 100 characters")

    site_id = SiteId(random_id())
    tx.session.add(
        SiteRow(
            id=site_id,
            name=name.strip(),
            region_code=region_code,
            keeper_id=own.id,
            registered_at=tx.now,
        )
    )

    tx.record(SiteRegistered(site_id, name.strip(), region_code, own.id))

    return site_id


@by(Role.SITE_ADMINISTRATOR)
async def register_seat(tx: Transaction, site_id: SiteId, raw: bytes) -> SeatId:
    """Register a workstation by a statement that its own key signed.

    `Outrun` where the number or the key is taken, `BrokenSeal` where the key did not sign.
    """
    site = await own_site(tx, site_id)
    envelope, said = read_statement(raw, "seat")
    require_about(said, site=site.id)
    public_key = unb64u(said["public_key"], PUBLIC_KEY_SIZE)
    loaded_public_key(public_key)
    keyid = p256_keyid(public_key)
    only_signer(envelope, {keyid: public_key}, relying_party=relying_party(tx.settings))
    number = said["number"]
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= SEATS_MAX:
        raise Malformed(f"seats are numbered from 1 to {SEATS_MAX}")
    taken = await tx.session.scalar(
        select(SeatRow.id).where(
            ((col(SeatRow.site_id) == site.id) & (col(SeatRow.number) == number))
            | (col(SeatRow.keyid) == keyid)
        )
    )
    if taken is not None:
        raise Outrun("a seat with this number or this key is registered already")

    seat_id = SeatId(random_id())
    tx.session.add(
        SeatRow(
            id=seat_id,
            site_id=site.id,
            number=number,
            keyid=keyid,
            public_key=public_key,
            registered_at=tx.now,
        )
    )

    tx.record(SeatRegistered(site.id, seat_id, number, keyid))

    return seat_id


@by(*Role)
async def sites(tx: Transaction) -> list[Site]:
    """Every site, with how many seats it has."""
    rows = await tx.session.execute(
        select(SiteRow, SeatRow.id)
        .outerjoin(SeatRow, col(SeatRow.site_id) == col(SiteRow.id))
        .order_by(col(SiteRow.registered_at), col(SiteRow.id))
    )
    counted: dict[UUID, tuple[SiteRow, int]] = {}
    for site, seat in rows:
        counted[site.id] = (site, counted.get(site.id, (site, 0))[1] + (seat is not None))
    return [
        Site(SiteId(site.id), site.name, site.region_code, site.keeper_id, seats)
        for site, seats in counted.values()
    ]


@by(Role.SITE_ADMINISTRATOR)
async def arrivals(tx: Transaction, site_id: SiteId) -> list[Arrival]:
    """Who is expected at the seats of an own site: names inside the window, seats before it."""
    await own_site(tx, site_id)
    now = await unshifted_clock(tx.session)
    rows = await tx.session.execute(
        select(MemberRow, CommitteeRow, SeatRow, PersonRow)
        .join(CommitteeRow, col(CommitteeRow.id) == col(MemberRow.committee_id))
        .join(SeatRow, col(SeatRow.id) == col(MemberRow.seat_id))
        .join(PersonRow, col(PersonRow.id) == col(MemberRow.person_id))
        .where(
            col(MemberRow.site_id) == site_id,
            col(MemberRow.left_at).is_(None),
            col(CommitteeRow.closed_at).is_(None),
        )
        .order_by(col(CommitteeRow.window_from), col(SeatRow.number))
    )
    return [
        Arrival(
            committee.id,
            SeatId(seat.id),
            seat.number,
            person.name if committee.window_from <= tx.now < committee.window_until else "",
            committee.window_from,
            committee.window_until,
            member.admitted_at,
            member.signed_in_at,
            member.lease_until is not None and now < member.lease_until,
        )
        for member, committee, seat, person in rows
    ]


@by(Role.SITE_ADMINISTRATOR)
async def admit(tx: Transaction, site_id: SiteId, committee_id: UUID, seat_id: SeatId) -> None:
    """Note that the staff compared the identity of the member expected at this seat.

    `Refused` outside the window, since until it begins nobody at the site knows whom to expect; and
    for whoever acts or sits for that lot in a capacity that does not go with this one.
    """
    site = await own_site(tx, site_id)
    file = await committees.lock(tx, committee_id)
    member = expected_at(file, site_id, seat_id)
    refusals = admission_refusals(
        at=tx.now, window_from=file.row.window_from, window_until=file.row.window_until
    )
    refusals += staff_refusals(
        sat_in_it=any(one.person_id == tx.actor.person for one in file.everyone)
    )
    if refusals:
        raise Refused(refusals)
    await take_part(tx, file.lot_id)

    if member.admitted_at is not None:
        return
    member.admitted_at, member.admitted_by = tx.now, tx.actor.person
    tx.session.add(member)

    seat = await tx.session.get_one(SeatRow, seat_id)
    tx.record(MemberAdmitted(file.lot_id, file.id, member.number, site.name, seat.number))


@under(E_BIDDING_MEASURES[33], CONDUCT_OPINIONS[15], rule="RE-16")
def admission_refusals(
    *, at: datetime, window_from: datetime, window_until: datetime
) -> list[Refusal]:
    """Why nobody is let in now: the window has not begun, or is over."""
    if window_from <= at < window_until:
        return []
    reason = "不在评标时间内，场所工作人员不得核验评标专家身份"
    return [Refusal("outside_window", E_BIDDING_MEASURES[33], reason)]


@under(BIDDING_REGULATION[46], rule=("EX-09", "EX-11"))
def staff_refusals(*, sat_in_it: bool) -> list[Refusal]:
    """Why this person may not let members in: nobody vouches for a committee he was called to."""
    if not sat_in_it:
        return []
    reason = "评标委员会成员不得核验本评标委员会成员的身份"
    return [Refusal("conflicting_capacity", BIDDING_REGULATION[46], reason)]


# ── for the neighbours in this package ────────────────────────────────────────────────────────


def expected_at(file: CommitteeFile, site_id: UUID, seat_id: UUID) -> MemberRow:
    """The member who is to sit at this seat of this site; `NotFound` where nobody is."""
    for one in file.members:
        if (one.site_id, one.seat_id) == (site_id, seat_id):
            return one
    raise NotFound("nobody is expected at this seat")


async def own_site(tx: Transaction, site_id: UUID) -> SiteRow:
    """A site that the acting organisation keeps; `NotFound` for any other."""
    row = await tx.session.get(SiteRow, site_id)
    if row is None or row.keeper_id != tx.actor.party:
        raise NotFound("no such site")
    return row
