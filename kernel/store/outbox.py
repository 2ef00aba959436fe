"""The outbox: what people must be told, posted in the transaction of the act that is told of.

A notification is posted once for each circle of people, who find it in their inbox at once; each
way out of the house has a delivery of its own, tried again and again until it is settled. Both ids
follow from what is told to whom, so posting twice tells once, and a delivery that is repeated after
a crash carries the same id.

It lives here because more than one floor posts (a draw calls its experts, the web tells those
concerned in a lot), and because it would be the same whatever was traded: what is told, to whom and
by which channels is handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kernel.access import Actor, Role, by
from kernel.errors import NotFound
from kernel.identifiers import EntryId, PartyId, PersonId
from kernel.store.clocks import unshifted_clock
from kernel.store.registering import MEMBERS
from kernel.store.tables import (
    ContactRow,
    DeliveryAttemptRow,
    DeliveryRow,
    MembershipRow,
    MutedRow,
    NotificationReadRow,
    NotificationRow,
)
from kernel.store.transaction import Transaction

UNREAD_MAX: Final = 99
PAGE_SIZE: Final = 20

LEASE: Final = timedelta(seconds=90)
"""How long whoever claimed a delivery has it for himself; then it is due again."""

RETRY_AFTER: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The waits between tries that Standard Webhooks suggests: about three days and a half."""

FALL_BACK_AFTER: Final = 2
"""After so many failed tries of what must be delivered, another way is taken besides."""


class Channel(StrEnum):
    """The ways to reach people."""

    INBOX = "inbox"
    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"


REACHES: Final[Mapping[Channel, str]] = MappingProxyType(
    {Channel.EMAIL: "email", Channel.SMS: "mobile", Channel.VOICE: "mobile"}
)
"""The kind of contact each way out of the house leads to."""

FALLBACKS: Final[Mapping[Channel, tuple[tuple[Channel, str], ...]]] = MappingProxyType(
    {Channel.SMS: ((Channel.VOICE, "mobile"), (Channel.SMS, "second_mobile"))}
)
"""Where a message that must arrive goes besides when a channel fails: by what, to which contact."""


class DeliveryState(StrEnum):
    """How a delivery stands."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class Outcome(StrEnum):
    """What came of one try."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Message:
    """What is told: the topic, about what, whether it must arrive, and by which channels."""

    topic: str
    subject_id: UUID
    must: bool
    channels: tuple[Channel, ...]
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is told: an organisation in one capacity, or one person who acts in it."""

    party_id: PartyId
    role: Role
    person_id: PersonId | None = None


@dataclass(frozen=True, slots=True)
class DeliverySeen:
    """How one way out of the house stands."""

    channel: Channel
    state: DeliveryState
    fallback: bool
    tries: int
    due_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification as its readers see it."""

    id: UUID
    topic: str
    subject_id: UUID
    facts: Mapping[str, Any]
    must: bool
    party_id: PartyId
    role: Role
    posted_at: datetime
    read: bool
    deliveries: tuple[DeliverySeen, ...]


@dataclass(frozen=True, slots=True)
class Inbox:
    """One page of what an actor was told, the newest first."""

    notifications: tuple[Notification, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that was claimed, with all it takes to carry it."""

    delivery: DeliveryRow
    contact: ContactRow
    notification: NotificationRow | None


# ── posting ───────────────────────────────────────────────────────────────────────────────────


async def post(
    tx: Transaction, entry_id: EntryId, message: Message, recipients: Iterable[Recipient]
) -> None:
    """Tell each of these of an entry, in this transaction; who was told already is told no more."""
    due_at = await unshifted_clock(tx.session)
    for recipient in recipients:
        whom = f"{recipient.party_id}/{recipient.role}/{recipient.person_id or ''}"
        notification_id = uuid5(entry_id, f"{message.topic}/{whom}")
        new = await tx.session.scalar(
            insert(NotificationRow)
            .values(
                id=notification_id,
                entry_id=entry_id,
                topic=message.topic,
                subject_id=message.subject_id,
                facts=dict(message.facts),
                must=message.must,
                party_id=recipient.party_id,
                role=str(recipient.role),
                person_id=recipient.person_id,
                posted_at=tx.now,
            )
            .on_conflict_do_nothing()
            .returning(col(NotificationRow.id))
        )
        if new is not None:
            await _send_out(tx, notification_id, message, recipient, due_at)


async def post_code(tx: Transaction, contact_id: UUID, channel: Channel) -> None:
    """Send the code of a contact to it; codes that were on their way there go no further."""
    older = await tx.session.scalars(
        select(DeliveryRow).where(
            col(DeliveryRow.contact_id) == contact_id,
            col(DeliveryRow.notification_id).is_(None),
            col(DeliveryRow.state) == DeliveryState.WAITING,
        )
    )
    now = await unshifted_clock(tx.session)
    count = await tx.session.scalar(
        select(func.count()).where(
            col(DeliveryRow.contact_id) == contact_id, col(DeliveryRow.notification_id).is_(None)
        )
    )
    for row in older:
        row.state, row.due_at, row.settled_at = DeliveryState.FAILED, None, tx.now
    tx.session.add(
        DeliveryRow(
            id=uuid5(contact_id, f"code/{count}"),
            contact_id=contact_id,
            channel=channel,
            due_at=now,
        )
    )


async def _send_out(
    tx: Transaction,
    notification_id: UUID,
    message: Message,
    recipient: Recipient,
    due_at: datetime,
) -> None:
    ways = {REACHES[one]: one for one in message.channels if one in REACHES}
    for contact in await _contacts_of(tx, recipient, ways.keys()):
        channel = ways[contact.kind]
        if not message.must and await _is_muted(tx, contact, message.topic, channel):
            continue
        tx.session.add(_delivery(notification_id, channel, contact.id, due_at))


def _delivery(
    notification_id: UUID,
    channel: Channel,
    contact_id: UUID,
    due_at: datetime,
    *,
    fallback: bool = False,
) -> DeliveryRow:
    return DeliveryRow(
        id=uuid5(notification_id, f"{channel}/{contact_id}"),
        notification_id=notification_id,
        contact_id=contact_id,
        channel=channel,
        fallback=fallback,
        due_at=due_at,
    )


async def _contacts_of(
    tx: Transaction, recipient: Recipient, kinds: Collection[str]
) -> Sequence[ContactRow]:
    """The verified contacts of everybody who acts there in that capacity now."""
    asked = (
        select(ContactRow)
        .join(
            MembershipRow,
            (col(MembershipRow.person_id) == col(ContactRow.person_id))
            & (col(MembershipRow.party_id) == col(ContactRow.party_id)),
        )
        .where(
            col(ContactRow.party_id) == recipient.party_id,
            col(ContactRow.kind).in_(kinds),
            col(ContactRow.verified_at).is_not(None),
            col(MembershipRow.role) == str(recipient.role),
            col(MembershipRow.ended_at).is_(None),
        )
        .order_by(col(ContactRow.id))
    )
    if recipient.person_id is not None:
        asked = asked.where(col(ContactRow.person_id) == recipient.person_id)
    return (await tx.session.scalars(asked)).all()


async def _is_muted(tx: Transaction, contact: ContactRow, topic: str, channel: Channel) -> bool:
    key = (contact.person_id, contact.party_id, topic, str(channel))
    return await tx.session.get(MutedRow, key) is not None


# ── reading ───────────────────────────────────────────────────────────────────────────────────


@by(*MEMBERS)
async def inbox(tx: Transaction, *, page: int = 1, unread_only: bool = False) -> Inbox:
    """What the actor was told in the capacity he acts in, the newest first."""
    mine = _is_for(tx.actor)
    if unread_only:
        mine &= ~_is_read_by(tx.actor.person)
    total = int(await tx.session.scalar(select(func.count()).where(mine)) or 0)
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(page, 1), pages)
    rows = (
        await tx.session.execute(
            select(NotificationRow, _is_read_by(tx.actor.person))
            .where(mine)
            .order_by(col(NotificationRow.posted_at).desc(), col(NotificationRow.id))
            .offset((page - 1) * PAGE_SIZE)
            .limit(PAGE_SIZE)
        )
    ).all()
    ways = await _deliveries_of(tx.session, [row.id for row, _ in rows], tx.actor.person)
    found = tuple(_seen(row, bool(read), ways.get(row.id, ())) for row, read in rows)
    return Inbox(found, total, page, pages)


@by(*MEMBERS)
async def mark_read(tx: Transaction, notification_id: UUID | None = None) -> None:
    """Note that the acting person has read one notification, or all of them."""
    mine = _is_for(tx.actor)
    if notification_id is not None:
        mine &= col(NotificationRow.id) == notification_id
    ids = (await tx.session.scalars(select(col(NotificationRow.id)).where(mine))).all()
    if notification_id is not None and not ids:
        raise NotFound("no such notification")

    if ids:
        values = [
            {"notification_id": id, "person_id": tx.actor.person, "read_at": tx.now} for id in ids
        ]
        await tx.session.execute(
            insert(NotificationReadRow).values(values).on_conflict_do_nothing()
        )


@by(*MEMBERS)
async def muted(tx: Transaction) -> frozenset[tuple[str, str]]:
    """The topics and channels the acting person does not want to hear of and by."""
    rows = await tx.session.scalars(
        select(MutedRow).where(
            col(MutedRow.person_id) == tx.actor.person, col(MutedRow.party_id) == tx.actor.party
        )
    )
    return frozenset((row.topic, row.channel) for row in rows)


@by(*MEMBERS)
async def mute(tx: Transaction, wanted: Collection[tuple[str, str]]) -> None:
    """Let these topics and channels be silent for the acting person, and no others."""
    present = {
        (row.topic, row.channel): row
        for row in await tx.session.scalars(
            select(MutedRow).where(
                col(MutedRow.person_id) == tx.actor.person,
                col(MutedRow.party_id) == tx.actor.party,
            )
        )
    }

    for key, row in present.items():
        if key not in wanted:
            await tx.session.delete(row)
    for topic, channel in set(wanted) - present.keys():
        tx.session.add(
            MutedRow(
                person_id=tx.actor.person, party_id=tx.actor.party, topic=topic, channel=channel
            )
        )


async def unread(session: AsyncSession, actor: Actor) -> int:
    """How much waits unread for an actor, counted no further than anybody needs to know."""
    waiting = (
        select(col(NotificationRow.id))
        .where(_is_for(actor), ~_is_read_by(actor.person))
        .limit(UNREAD_MAX + 1)
        .subquery()
    )
    return int(await session.scalar(select(func.count()).select_from(waiting)) or 0)


async def told_about(session: AsyncSession, subject_id: UUID) -> tuple[Notification, ...]:
    """Everything that anybody was told about a subject; whoever asks judges who may see it."""
    rows = (
        await session.scalars(
            select(NotificationRow)
            .where(col(NotificationRow.subject_id) == subject_id)
            .order_by(col(NotificationRow.posted_at).desc(), col(NotificationRow.id))
        )
    ).all()
    ids = [row.id for row in rows]
    read = set(
        await session.scalars(
            select(col(NotificationReadRow.notification_id)).where(
                col(NotificationReadRow.notification_id).in_(ids)
            )
        )
    )
    ways = await _deliveries_of(session, ids)
    return tuple(_seen(row, row.id in read, ways.get(row.id, ())) for row in rows)


def _is_for(actor: Actor) -> ColumnElement[bool]:
    return (
        (col(NotificationRow.party_id) == actor.party)
        & (col(NotificationRow.role) == str(actor.role))
        & or_(
            col(NotificationRow.person_id).is_(None),
            col(NotificationRow.person_id) == actor.person,
        )
    )


def _is_read_by(person_id: PersonId) -> ColumnElement[bool]:
    return (
        select(1)
        .where(
            col(NotificationReadRow.notification_id) == col(NotificationRow.id),
            col(NotificationReadRow.person_id) == person_id,
        )
        .correlate(NotificationRow)
        .exists()
    )


def _seen(row: NotificationRow, read: bool, deliveries: Sequence[DeliverySeen]) -> Notification:
    return Notification(
        row.id,
        row.topic,
        row.subject_id,
        row.facts,
        row.must,
        PartyId(row.party_id),
        Role(row.role),
        row.posted_at,
        read,
        tuple(deliveries),
    )


async def _deliveries_of(
    session: AsyncSession, ids: Collection[UUID], person_id: PersonId | None = None
) -> dict[UUID, list[DeliverySeen]]:
    """How the ways out of the house stand; with a person, those to that person's own contacts."""
    asked = (
        select(DeliveryRow)
        .where(col(DeliveryRow.notification_id).in_(ids))
        .order_by(col(DeliveryRow.fallback), col(DeliveryRow.channel), col(DeliveryRow.id))
    )
    if person_id is not None:
        asked = asked.join(ContactRow, col(ContactRow.id) == col(DeliveryRow.contact_id)).where(
            col(ContactRow.person_id) == person_id
        )
    found: dict[UUID, list[DeliverySeen]] = {}
    for row in await session.scalars(asked):
        assert row.notification_id is not None
        seen = DeliverySeen(
            Channel(row.channel),
            DeliveryState(row.state),
            row.fallback,
            row.tries,
            row.due_at,
            row.settled_at,
        )
        found.setdefault(row.notification_id, []).append(seen)
    return found


# ── carrying ──────────────────────────────────────────────────────────────────────────────────


async def claim(session: AsyncSession, *, now: datetime) -> Parcel | None:
    """The next delivery that is due, for the caller alone until its lease ends; None without one.

    The claim is committed before anything is carried. Who dies with it loses nothing: it is due
    again, and goes out a second time under the same id.
    """
    row = await session.scalar(
        select(DeliveryRow)
        .where(col(DeliveryRow.due_at) <= now)
        .order_by(col(DeliveryRow.due_at), col(DeliveryRow.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    row.tries += 1
    row.due_at = now + LEASE
    contact = await session.get_one(ContactRow, row.contact_id)
    notification = None
    if row.notification_id is not None:
        notification = await session.get_one(NotificationRow, row.notification_id)
    return Parcel(row, contact, notification)


def put_off(parcel: Parcel, until: datetime) -> None:
    """Let a delivery that was just claimed wait until an instant; this was no try."""
    parcel.delivery.tries -= 1
    parcel.delivery.due_at = until


async def note(
    session: AsyncSession,
    parcel: Parcel,
    outcome: Outcome,
    answer: str,
    *,
    now: datetime,
    at: datetime,
) -> None:
    """Note what came of a try: settled, to be tried again, or given up.

    Where something that must arrive keeps failing, it takes another way besides. `now` is of the
    unshifted clock, by which tries are due; `at` is of the platform's, which people are shown.
    """
    row = await _still_claimed(session, parcel)
    if row is None:
        return
    session.add(
        DeliveryAttemptRow(
            delivery_id=row.id, number=row.tries, outcome=outcome, answer=answer, tried_at=at
        )
    )
    if outcome is Outcome.SENT:
        row.state, row.due_at, row.settled_at = DeliveryState.SENT, None, at
        return
    given_up = outcome is Outcome.REFUSED or row.tries > len(RETRY_AFTER)
    if given_up:
        row.state, row.due_at, row.settled_at = DeliveryState.FAILED, None, at
    else:
        row.due_at = now + RETRY_AFTER[row.tries - 1]
    told = parcel.notification
    if told is not None and told.must and (given_up or row.tries >= FALL_BACK_AFTER):
        await _fall_back(session, row, parcel.contact, told.id, now)


async def _still_claimed(session: AsyncSession, parcel: Parcel) -> DeliveryRow | None:
    """The delivery, unless its lease ended and somebody else claimed or settled it meanwhile."""
    row = await session.get_one(DeliveryRow, parcel.delivery.id, with_for_update=True)
    mine = row.tries == parcel.delivery.tries and row.state == DeliveryState.WAITING
    return row if mine else None


async def _fall_back(
    session: AsyncSession,
    row: DeliveryRow,
    contact: ContactRow,
    notification_id: UUID,
    now: datetime,
) -> None:
    if row.fallback:
        return
    for channel, kind in FALLBACKS.get(Channel(row.channel), ()):
        other = await session.scalar(
            select(ContactRow).where(
                col(ContactRow.person_id) == contact.person_id,
                col(ContactRow.party_id) == contact.party_id,
                col(ContactRow.kind) == kind,
                col(ContactRow.verified_at).is_not(None),
            )
        )
        if other is None:
            continue
        made = _delivery(notification_id, channel, other.id, now, fallback=True)
        if await session.get(DeliveryRow, made.id) is None:
            session.add(made)
