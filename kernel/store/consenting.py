"""People consent to a use of their sensitive data, see what they consented to, and withdraw it.

A consent is a person's own, whomever he acts for. It names the text he was shown; where that text
has changed since, he is asked again. Nobody else is told who consented to what: an expert's consent
would tell that he is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import col

from kernel.access import by
from kernel.consents import TEXTS, Consent, ConsentText, Purpose, consent_refusals, text_digest
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import PersonId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.store.database import lock_exclusive
from kernel.store.events import ConsentGiven, ConsentWithdrawn, ContactForgotten
from kernel.store.registering import MEMBERS
from kernel.store.tables import ConsentRow, ContactRow
from kernel.store.transaction import Transaction

CALLED_AT = ("mobile", "second_mobile")
"""The kinds of address that are called and texted."""


@dataclass(frozen=True, slots=True)
class Given:
    """One consent as its person sees it; `outdated` where the text has changed since."""

    version: int
    given_at: datetime
    withdrawn_at: datetime | None
    outdated: bool


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One use of sensitive data: the text in force, and what the person said, the newest first."""

    purpose: Purpose
    text: ConsentText
    digest: bytes
    given: tuple[Given, ...]

    @property
    def stands(self) -> bool:
        """Whether the person consents now, to the text in force."""
        return bool(self.given) and not (self.given[0].withdrawn_at or self.given[0].outdated)


@by(*MEMBERS)
async def own_consents(tx: Transaction) -> tuple[RegisterLine, ...]:
    """Every use there is, and what the acting person said to each."""
    rows = await tx.session.scalars(
        select(ConsentRow)
        .where(col(ConsentRow.person_id) == tx.actor.person)
        .order_by(col(ConsentRow.given_at).desc())
    )
    said: dict[str, list[ConsentRow]] = {}
    for row in rows:
        said.setdefault(row.purpose, []).append(row)
    return tuple(
        RegisterLine(
            purpose,
            text,
            text_digest(purpose),
            tuple(
                Given(
                    row.version,
                    row.given_at,
                    row.withdrawn_at,
                    row.text_digest != text_digest(purpose),
                )
                for row in said.get(purpose, [])
            ),
        )
        for purpose, text in TEXTS.items()
    )


@by(*MEMBERS)
async def give_consent(tx: Transaction, purpose: Purpose, shown: bytes) -> None:
    """Consent to one use, in the words that were shown; again changes nothing."""
    await lock_exclusive(tx.session, f"consent:{tx.actor.person}")
    row = await _newest(tx, tx.actor.person, purpose)

    if shown != text_digest(purpose):
        raise Outrun("the words have changed since they were shown")
    if row is not None and row.withdrawn_at is None and row.text_digest == shown:
        return

    if row is not None and row.withdrawn_at is None:
        row.withdrawn_at = tx.now
    tx.session.add(
        ConsentRow(
            id=random_id(),
            person_id=tx.actor.person,
            purpose=purpose,
            version=TEXTS[purpose].version,
            text_digest=shown,
            given_at=tx.now,
        )
    )

    tx.record(ConsentGiven(tx.actor.person, purpose=purpose, text_digest=shown))


@by(*MEMBERS)
async def withdraw_consent(tx: Transaction, purpose: Purpose) -> None:
    """Withdraw a consent; mobile numbers go at once where it was for calls.

    What was declared for a pool is erased there as soon as the journal tells of it.
    """
    await lock_exclusive(tx.session, f"consent:{tx.actor.person}")
    row = await _newest(tx, tx.actor.person, purpose)
    if row is None or row.withdrawn_at is not None:
        raise NotFound("no consent to withdraw")

    row.withdrawn_at = tx.now

    tx.record(ConsentWithdrawn(tx.actor.person, purpose=purpose))
    if purpose is Purpose.CALLS:
        await _forget_numbers(tx)


# ── for whoever uses such data ────────────────────────────────────────────────────────────────


async def require_consent(tx: Transaction, purpose: Purpose) -> None:
    """`Refused` unless the acting person consents to this use now, in the words in force."""
    refusals = await _against(tx, purpose)
    if refusals:
        raise Refused(refusals)


async def consents_to(tx: Transaction, purpose: Purpose) -> bool:
    """Whether the acting person consents to this use now, in the words in force."""
    return not await _against(tx, purpose)


async def _against(tx: Transaction, purpose: Purpose) -> Sequence[Refusal]:
    row = await _newest(tx, tx.actor.person, purpose)
    return consent_refusals(None if row is None else _judged(row, purpose))


def _judged(row: ConsentRow, purpose: Purpose) -> Consent:
    """A consent for the rule to judge: one to other words than those in force is none to them."""
    text = TEXTS[purpose]
    return Consent(
        purpose=text.purpose[0],
        necessity_told=text.tells_necessity,
        separate=row.text_digest == text_digest(purpose),
        withdrawn=row.withdrawn_at is not None,
    )


async def _newest(tx: Transaction, person_id: PersonId, purpose: Purpose) -> ConsentRow | None:
    found: ConsentRow | None = await tx.session.scalar(
        select(ConsentRow)
        .where(col(ConsentRow.person_id) == person_id, col(ConsentRow.purpose) == str(purpose))
        .order_by(col(ConsentRow.given_at).desc(), col(ConsentRow.withdrawn_at).is_(None).desc())
        .limit(1)
    )
    return found


async def _forget_numbers(tx: Transaction) -> None:
    """Erase the person's mobile numbers, whomever he gave them for."""
    rows = await tx.session.scalars(
        select(ContactRow)
        .where(
            col(ContactRow.person_id) == tx.actor.person,
            col(ContactRow.kind).in_(CALLED_AT),
            col(ContactRow.sealed) != b"",
        )
        .with_for_update()
    )
    for row in rows:
        row.salt = row.sealed = row.code_salt = b""
        row.verified_at = None
        tx.record(ContactForgotten(tx.actor.person, kind=row.kind))
