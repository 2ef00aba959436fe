"""What carries messages out of the house: a mail server, and a gateway for texts and calls.

A carrier answers in one of three ways: it is sent, it should be tried again, or this will never
do. Its answer is a code of the protocol and names nobody.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from kernel.crypto.digests import instant_text
from kernel.settings import Settings
from kernel.store.outbox import Channel, Outcome
from kernel.store.trusted_authorities import trusted_authorities
from web import webhook_signing
from web.notification_texts import Letter

PATIENCE_S: Final = 15.0
MAIL_PORTS: Final = {"smtps": 465, "smtp+starttls": 587, "smtp": 25}
NEVER: Final = frozenset({410, 422})
"""The gateway's answers by which trying again is of no use: it is gone, or the number is none."""

Carried = tuple[Outcome, str]
Carrier = Callable[[Letter, datetime], Awaitable[Carried]]


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and as whom."""

    scheme: str
    host: str
    port: int
    sender: str
    site_name: str
    domain: str
    user: str = ""
    password: str = ""

    async def carry(self, letter: Letter, at: datetime) -> Carried:
        """Hand one mail in; the server's own code is the answer."""
        return await asyncio.to_thread(self._hand_in, self._mail(letter, at), letter.address)

    def _mail(self, letter: Letter, at: datetime) -> EmailMessage:
        mail = EmailMessage(policy=SMTP_POLICY)
        local, _, domain = self.sender.partition("@")
        mail["From"] = Address(self.site_name, local, domain)
        mail["To"] = letter.address
        mail["Subject"] = letter.title
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = f"<{letter.id}@{self.domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(letter.text, cte="base64")
        return mail

    def _hand_in(self, mail: EmailMessage, address: str) -> Carried:
        try:
            with self._line() as line:
                if self.scheme == "smtp+starttls":
                    line.starttls(context=ssl.create_default_context())
                if self.user:
                    line.login(self.user, self.password)
                line.send_message(mail, from_addr=self.sender, to_addrs=[address])
        except smtplib.SMTPRecipientsRefused as refused:
            ((code, _),) = refused.recipients.values()
            return _by_code(code)
        except smtplib.SMTPResponseException as refused:
            # A sign-in that is turned down is the operator's to mend, and not this mail's end.
            if isinstance(refused, smtplib.SMTPAuthenticationError):
                return Outcome.LATER, f"smtp {refused.smtp_code}"
            return _by_code(refused.smtp_code)
        except (smtplib.SMTPException, OSError) as error:
            return Outcome.LATER, type(error).__name__
        return Outcome.SENT, "smtp 250"

    def _line(self) -> smtplib.SMTP:
        if self.scheme == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=PATIENCE_S, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=PATIENCE_S)


def _by_code(code: int) -> Carried:
    return (Outcome.REFUSED if code >= 500 else Outcome.LATER), f"smtp {code}"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A program that sends texts and makes calls; it is asked by signed webhooks."""

    url: str
    secrets: tuple[bytes, ...]

    async def carry(self, letter: Letter, at: datetime) -> Carried:
        """Ask for one text or call; the HTTP status is the answer."""
        body = json.dumps(
            {
                "type": f"{letter.channel}.requested",
                "timestamp": instant_text(letter.written_at),
                "data": {
                    "to": letter.address,
                    "template": letter.template,
                    "filled": dict(letter.filled),
                    "text": letter.text,
                    "url": letter.link,
                },
            },
            ensure_ascii=False,
        ).encode()
        headers = webhook_signing.signed_headers(str(letter.id), body, self.secrets, at=at)
        headers["content-type"] = "application/json"
        try:
            async with httpx.AsyncClient(
                timeout=PATIENCE_S, verify=trusted_authorities(), follow_redirects=False
            ) as client:
                answer = await client.post(self.url, content=body, headers=headers)
        except httpx.HTTPError as error:
            return Outcome.LATER, type(error).__name__
        if answer.is_success:
            return Outcome.SENT, f"http {answer.status_code}"
        outcome = Outcome.REFUSED if answer.status_code in NEVER else Outcome.LATER
        return outcome, f"http {answer.status_code}"


async def shown_only(letter: Letter, at: datetime) -> Carried:
    """What a demonstration does where nothing is set up: its outbox page shows the message."""
    return Outcome.SENT, "demo"


def channels_of(settings: Settings, *, demo: bool) -> frozenset[Channel]:
    """The ways out of the house that this platform has."""
    if demo:
        return frozenset(Channel) - {Channel.INBOX}
    mail = {Channel.EMAIL} if settings.mail_server else set()
    texts = {Channel.SMS, Channel.VOICE} if settings.gateway_url else set()
    return frozenset(mail | texts)


def carriers_of(settings: Settings, *, demo: bool) -> Mapping[Channel, Carrier]:
    """What carries what, as the operator set it up; secrets are read from their files once."""
    carriers: dict[Channel, Carrier] = {}
    if settings.mail_server:
        carriers[Channel.EMAIL] = _mail_server(settings).carry
    if settings.gateway_url:
        lines = _read(settings.gateway_secret_file).split()
        if not lines:
            raise ValueError("the gateway needs a secret: SUNBID_GATEWAY_SECRET_FILE")
        secrets = tuple(webhook_signing.secret_of(line) for line in lines)
        gateway = Gateway(settings.gateway_url, secrets)
        carriers[Channel.SMS] = carriers[Channel.VOICE] = gateway.carry
    if demo:
        for channel in channels_of(settings, demo=True) - carriers.keys():
            carriers[channel] = shown_only
    return carriers


def _mail_server(settings: Settings) -> MailServer:
    parts = urlsplit(settings.mail_server)
    host = urlsplit(settings.origin).hostname or "localhost"
    return MailServer(
        parts.scheme,
        parts.hostname or "",
        parts.port or MAIL_PORTS[parts.scheme],
        settings.mail_from or f"no-reply@{host}",
        settings.site_name,
        host,
        settings.mail_user,
        _read(settings.mail_password_file).strip(),
    )


def _read(file: Path | None) -> str:
    return "" if file is None else file.read_text(encoding="utf-8")
