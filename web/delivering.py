"""Delivers what the outbox owes: claim, carry, note; at least once, and under one id.

The claim is committed before anything leaves and ends by itself, so whoever dies on the way loses
nothing. No line of the log tells of a single delivery: before a close, how many there are is
nobody's to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from kernel.failpoints import failpoint
from kernel.settings import Settings
from kernel.store import contacting, outbox
from kernel.store.clocks import Clock, unshifted_clock
from kernel.store.outbox import Channel, Outcome, Parcel
from kernel.store.signing_in import is_demo
from kernel.store.transaction import Store
from web.carriers import Carried, Carrier, carriers_of
from web.notification_texts import Letter, code_letter, letter_of
from web.notifications import quiet_until

log = structlog.get_logger()

HANDS: Final = 4
"""How many deliveries are under way at once, so that a slow server holds up no other."""

PATIENCE_S: Final = 1.0
FAILED_PATIENCE_S: Final = 5.0


async def deliver(store: Store) -> None:
    """Deliver for ever."""
    async with store.sessions() as session:
        demo = await is_demo(session)
    carriers = carriers_of(store.settings, demo=demo)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(HANDS):
            tasks.create_task(_keep_delivering(store, carriers))


async def _keep_delivering(store: Store, carriers: Mapping[Channel, Carrier]) -> None:
    while True:
        patience = PATIENCE_S
        try:
            while await deliver_once(store, carriers):
                pass
        except Exception:
            log.exception("a delivery failed and is tried again")
            patience = FAILED_PATIENCE_S
        await asyncio.sleep(patience)


async def deliver_once(
    store: Store, carriers: Mapping[Channel, Carrier], *, clock: Clock = unshifted_clock
) -> bool:
    """Carry the delivery that is due first, if there is any; whether there was."""
    async with store.sessions() as session, session.begin():
        now = await clock(session)
        parcel = await outbox.claim(session, now=now)
        if parcel is None:
            return False
        channel = Channel(parcel.delivery.channel)
        told = parcel.notification
        until = quiet_until(channel, must=told is None or told.must, at=now)
        if until is not None:
            outbox.put_off(parcel, until)
            return True

    letter = letter_in(parcel, store.settings)
    carrier = carriers.get(channel)
    answer: Carried
    if letter is None:
        answer = Outcome.LATER, "no_address"
    elif carrier is None:
        answer = Outcome.LATER, "no_carrier"
    else:
        answer = await carrier(letter, now)
    await failpoint("delivery.carried")

    async with store.sessions() as session, session.begin():
        outcome, code = answer
        now, at = await clock(session), await store.clock(session)
        await outbox.note(session, parcel, outcome, code, now=now, at=at)
    return True


def letter_in(parcel: Parcel, settings: Settings) -> Letter | None:
    """The message a parcel holds; None while there is no address it may go to."""
    contact, told, delivery = parcel.contact, parcel.notification, parcel.delivery
    if not contact.sealed or (told is not None and contact.verified_at is None):
        return None
    channel, address = Channel(delivery.channel), contacting.opened(settings, contact)
    if told is None:
        return code_letter(
            contacting.code_of(settings, contact),
            id=delivery.id,
            channel=channel,
            address=address,
            at=contact.kept_at,
            settings=settings,
        )
    return letter_of(
        told.topic,
        told.facts,
        id=delivery.id,
        channel=channel,
        address=address,
        subject_id=told.subject_id,
        posted_at=told.posted_at,
        settings=settings,
    )
