"""A real mail server and a real gateway on this machine, and people who can be reached.

Both may be told to turn things down, as the ones out there do.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select
from sqlmodel import col
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kernel.consents import Purpose, text_digest
from kernel.settings import Settings
from kernel.store import consenting, contacting
from kernel.store.clocks import Clock, hand_clock, unshifted_clock
from kernel.store.contacting import ContactKind
from kernel.store.outbox import Channel
from kernel.store.tables import ContactRow, DeliveryAttemptRow, DeliveryRow
from kernel.store.transaction import Store, transaction
from tests.log_story import served_plainly
from tests.tenders import Player
from web import reactions, webhook_signing
from web.carriers import Carrier, carriers_of
from web.delivering import deliver_once
from web.posting import post_notifications

OLD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW_SECRET = "whsec_" + "bmV3" * 10
BEIJING = ZoneInfo("Asia/Shanghai")


@dataclass(slots=True)
class Mailbox:
    """What a mail server took in, and how it answers the next recipients."""

    mails: list[EmailMessage] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  # the name the mail server calls it by
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # the name the mail server calls it by
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = cast(bytes, envelope.content)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
        return "250 OK"


@dataclass(slots=True)
class Exchange:
    """What a gateway was asked for, and how it answers the next requests."""

    secrets: list[bytes] = field(default_factory=lambda: [webhook_signing.secret_of(OLD_SECRET)])
    answers: list[int] = field(default_factory=list)
    asked: list[tuple[Mapping[str, str], dict[str, Any]]] = field(default_factory=list)
    at: datetime | None = None

    async def take(self, request: Request) -> Response:
        body = await request.body()
        assert self.at is not None
        if not webhook_signing.is_signed(request.headers, body, self.secrets, at=self.at):
            return Response(status_code=401)
        self.asked.append((dict(request.headers), json.loads(body)))
        return Response(status_code=self.answers.pop(0) if self.answers else 202)

    @property
    def texts(self) -> list[str]:
        return [one["data"]["text"] for _, one in self.asked if one["type"] == "sms.requested"]


@dataclass(slots=True)
class PostOffice:
    """Both of them, what leads to them, and the time by which deliveries are due."""

    store: Store
    mailbox: Mailbox
    exchange: Exchange
    settings: Settings
    carriers: Mapping[Channel, Carrier]
    now: datetime

    @property
    def clock(self) -> Clock:
        return hand_clock(self.now)

    def later(self, wait: timedelta) -> None:
        self.now += wait
        self.exchange.at = self.now

    async def deliver(self, rounds: int = 50) -> int:
        """Deliver what is due now; how often something was."""
        count = 0
        while count < rounds and await deliver_once(self.store, self.carriers, clock=self.clock):
            count += 1
        return count

    async def rows(self) -> list[DeliveryRow]:
        async with self.store.sessions() as session:
            found = await session.scalars(select(DeliveryRow).order_by(col(DeliveryRow.channel)))
            return list(found)

    async def attempts(self) -> list[tuple[int, str, str]]:
        async with self.store.sessions() as session:
            found = await session.scalars(
                select(DeliveryAttemptRow).order_by(
                    col(DeliveryAttemptRow.delivery_id), col(DeliveryAttemptRow.number)
                )
            )
            return [(row.number, row.outcome, row.answer) for row in found]


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[Mailbox, int]]:
    """A mail server under a free port."""
    loop, mailbox = asyncio.get_running_loop(), Mailbox()
    server = await loop.create_server(
        lambda: SMTP(mailbox, loop=loop, hostname="mail.test"), "127.0.0.1", 0
    )
    try:
        yield mailbox, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def gateway() -> AsyncIterator[tuple[Exchange, str]]:
    """A gateway for texts and calls under a free port."""
    exchange = Exchange()
    app = Starlette(routes=[Route("/messages", exchange.take, methods=["POST"])])
    async with served_plainly(app) as address:
        yield exchange, f"{address}/messages"


@asynccontextmanager
async def a_post_office(store: Store, folder: Path) -> AsyncIterator[PostOffice]:
    """A mail server and a gateway, on a morning that is not over yet."""
    secret = folder / "gateway.secret"
    secret.write_text(f"{OLD_SECRET}\n")
    async with mail_server() as (mailbox, port), gateway() as (exchange, url):
        settings = store.settings.model_copy(
            update={
                "mail_server": f"smtp://127.0.0.1:{port}",
                "gateway_url": url,
                "gateway_secret_file": secret,
            }
        )
        async with store.sessions() as session:
            real = await unshifted_clock(session)
        tomorrow = real.astimezone(BEIJING).date() + timedelta(days=1)
        now = datetime.combine(tomorrow, time(10), BEIJING)
        exchange.at = now
        carriers = carriers_of(settings, demo=False)
        yield PostOffice(store, mailbox, exchange, settings, carriers, now)


async def reachable(store: Store, who: Player, **addresses: str) -> None:
    """The player gives these addresses and types every code back."""
    for kind, address in addresses.items():
        async with transaction(store, actor=who.actor) as tx:
            await consenting.give_consent(tx, Purpose.CALLS, text_digest(Purpose.CALLS))
            await contacting.keep_contact(tx, ContactKind(kind), address)
        async with transaction(store, actor=who.actor) as tx:
            code = contacting.code_of(store.settings, await contact_row(store, who, kind))
            assert await contacting.verify_contact(tx, ContactKind(kind), code)
    async with store.sessions() as session, session.begin():
        # What the codes went out by is no part of any story but their own.
        for row in await session.scalars(
            select(DeliveryRow).where(col(DeliveryRow.notification_id).is_(None))
        ):
            await session.delete(row)


async def contact_row(store: Store, who: Player, kind: str) -> ContactRow:
    async with store.sessions() as session:
        return (
            await session.scalars(
                select(ContactRow).where(
                    col(ContactRow.person_id) == who.person,
                    col(ContactRow.party_id) == who.party,
                    col(ContactRow.kind) == kind,
                )
            )
        ).one()


async def told(store: Store) -> None:
    """Everything the journal has positions for is told to whom it concerns."""
    kinds = {
        event.__name__
        for event, several in reactions.REACTIONS.items()
        if post_notifications in several
    }
    while await reactions.react_once(store, post_notifications, kinds):
        pass
