"""How people say where they can be reached, show that the address is theirs, and take it back.

An address is personal data: it is kept sealed under a key of its own, and shown to its owner in
part. Nothing goes to an address before its owner has typed back a code that was sent there.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from sqlmodel import col

from kernel.access import by
from kernel.consents import Purpose
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound, TooMuch
from kernel.randomness import random_bytes, random_id
from kernel.settings import Settings
from kernel.store import consenting, outbox
from kernel.store.clocks import unshifted_clock
from kernel.store.database import lock_exclusive
from kernel.store.events import ContactForgotten, ContactVerified
from kernel.store.founding import read_keys
from kernel.store.outbox import Channel
from kernel.store.registering import MEMBERS
from kernel.store.tables import ContactRow
from kernel.store.transaction import Transaction

CODE_LIFE: Final = timedelta(minutes=15)
CODE_TRIES: Final = 5
CODE_EVERY: Final = timedelta(minutes=1)
CODES_A_DAY: Final = 5
DAY: Final = timedelta(days=1)

ADDRESS_MAX: Final = 254
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")
_ABROAD: Final = re.compile(r"\+[1-9][0-9]{7,14}")


class ContactKind(StrEnum):
    """The addresses a person can give: mail, a mobile, and a second one to fall back on."""

    EMAIL = "email"
    MOBILE = "mobile"
    SECOND_MOBILE = "second_mobile"


CODE_CHANNEL: Final[Mapping[ContactKind, Channel]] = MappingProxyType(
    {
        ContactKind.EMAIL: Channel.EMAIL,
        ContactKind.MOBILE: Channel.SMS,
        ContactKind.SECOND_MOBILE: Channel.SMS,
    }
)
"""How the code reaches each kind of address."""


@dataclass(frozen=True, slots=True)
class Contact:
    """An address as its owner sees it: in part, and whether it is shown to be his."""

    kind: ContactKind
    shown: str
    kept_at: datetime
    verified_at: datetime | None


@by(*MEMBERS)
async def own_contacts(tx: Transaction) -> tuple[Contact, ...]:
    """Where the acting person can be reached for the acting organisation."""
    rows = await tx.session.scalars(
        select(ContactRow).where(
            col(ContactRow.person_id) == tx.actor.person,
            col(ContactRow.party_id) == tx.actor.party,
            col(ContactRow.sealed) != b"",
        )
    )
    found = {
        row.kind: Contact(
            ContactKind(row.kind),
            masked(opened(tx.settings, row)),
            row.kept_at,
            row.verified_at,
        )
        for row in rows
    }
    return tuple(found[kind] for kind in ContactKind if kind in found)


@by(*MEMBERS)
async def keep_contact(tx: Transaction, kind: ContactKind, address: str) -> None:
    """Keep an address, unverified, and send a code there; a mobile only with consent to calls.

    How often is bounded, for the one who gets the codes may be somebody else.
    """
    given = plain_address(kind, address)
    if kind is not ContactKind.EMAIL:
        await consenting.require_consent(tx, Purpose.CALLS)
    await lock_exclusive(tx.session, f"contact:{tx.actor.person}/{tx.actor.party}")
    row = await _own_row(tx, kind)
    now = await unshifted_clock(tx.session)
    codes_today = 0
    if row is not None:
        within_a_day = now < row.code_asked_at + DAY
        codes_today = row.codes_today if within_a_day else 0
        if now < row.code_asked_at + CODE_EVERY:
            wait = row.code_asked_at + CODE_EVERY - now
            raise TooMuch("a code was sent there just now", retry_after=wait)
        if codes_today >= CODES_A_DAY:
            wait = row.code_asked_at + DAY - now
            raise TooMuch("no more codes today", retry_after=wait)

    if row is None:
        row = ContactRow(
            id=random_id(),
            person_id=tx.actor.person,
            party_id=tx.actor.party,
            kind=kind,
            salt=b"",
            sealed=b"",
            kept_at=tx.now,
            code_salt=b"",
            code_asked_at=now,
        )
        tx.session.add(row)
    row.salt = random_bytes(32)
    row.sealed = _sealed(tx.settings, row, given)
    row.kept_at, row.verified_at = tx.now, None
    row.code_salt, row.code_tries = random_bytes(32), 0
    row.code_asked_at, row.codes_today = now, codes_today + 1
    await tx.session.flush()
    await outbox.post_code(tx, row.id, CODE_CHANNEL[kind])


@by(*MEMBERS)
async def verify_contact(tx: Transaction, kind: ContactKind, code: str) -> bool:
    """Whether this is the code that was sent there; then the address is the person's.

    A wrong one is counted, so the answer is told and not raised.
    """
    await lock_exclusive(tx.session, f"contact:{tx.actor.person}/{tx.actor.party}")
    row = await _own_row(tx, kind)
    if row is None or not row.sealed:
        raise NotFound("no such contact")
    now = await unshifted_clock(tx.session)

    late = now >= row.code_asked_at + CODE_LIFE
    right = hmac.compare_digest(code_of(tx.settings, row).encode(), code.encode())
    if late or row.code_tries >= CODE_TRIES or not right:
        row.code_tries += 1
        return False

    row.verified_at, row.code_salt, row.code_tries = tx.now, b"", CODE_TRIES

    tx.record(ContactVerified(tx.actor.person, kind=kind))

    return True


@by(*MEMBERS)
async def forget_contact(tx: Transaction, kind: ContactKind) -> None:
    """Erase an address; how many codes were sent today stays, so that it cannot be undone so."""
    row = await _own_row(tx, kind)
    if row is None or not row.sealed:
        raise NotFound("no such contact")

    row.salt = row.sealed = row.code_salt = b""
    row.verified_at, row.code_tries = None, CODE_TRIES

    tx.record(ContactForgotten(tx.actor.person, kind=kind))


# ── addresses ─────────────────────────────────────────────────────────────────────────────────


def plain_address(kind: ContactKind, address: str) -> str:
    """The address in the one form it is kept in; `Malformed` where it can be none."""
    text = address.strip()
    if len(text) > ADDRESS_MAX:
        raise Malformed("the address is too long", code="address")
    if kind is ContactKind.EMAIL:
        if not _EMAIL.fullmatch(text):
            raise Malformed("this is no e-mail address", code="address")
        local, _, domain = text.rpartition("@")
        return f"{local}@{domain.lower()}"
    digits = re.sub(r"[ -]", "", text)
    if _MOBILE.fullmatch(digits):
        return f"+86{digits}"
    if not _ABROAD.fullmatch(digits):
        raise Malformed("this is no mobile number", code="address")
    return digits


def masked(address: str) -> str:
    """As much of an address as its owner needs to know it by: `138****5678`, `w***@x.cn`."""
    if "@" in address:
        local, _, domain = address.partition("@")
        return f"{local[:1]}***@{domain}"
    number = address.removeprefix("+86")
    return f"{number[:3]}****{number[-4:]}"


def opened(settings: Settings, row: ContactRow) -> str:
    """The address itself, for whoever carries something there."""
    box = AESGCM(_key(settings, b"address", row.salt))
    return box.decrypt(row.sealed[:12], row.sealed[12:], row.id.bytes).decode()


def code_of(settings: Settings, row: ContactRow) -> str:
    """The six digits that were sent to a contact last; nothing of them is stored."""
    digest = _key(settings, b"code", row.code_salt + row.id.bytes)
    return f"{int.from_bytes(digest[:8], 'big') % 1_000_000:06d}"


def _sealed(settings: Settings, row: ContactRow, address: str) -> bytes:
    nonce = random_bytes(12)
    box = AESGCM(_key(settings, b"address", row.salt))
    return nonce + box.encrypt(nonce, address.encode(), row.id.bytes)


def _key(settings: Settings, purpose: bytes, salt: bytes) -> bytes:
    label = b"sunbid/contact/" + purpose + b"/1\0"
    return hmac.digest(read_keys(settings).pepper, label + salt, "sha256")


async def _own_row(tx: Transaction, kind: ContactKind) -> ContactRow | None:
    found: ContactRow | None = await tx.session.scalar(
        select(ContactRow)
        .where(
            col(ContactRow.person_id) == tx.actor.person,
            col(ContactRow.party_id) == tx.actor.party,
            col(ContactRow.kind) == str(kind),
        )
        .with_for_update()
    )
    return found
