"""A supervisor puts a decision on record that bars somebody, and another that lifts the bar.

The decision is an authority's; what the supervisor signs is that it was taken, where it can be
found, and what it says. The platform checks that it could lawfully say so, and lets it work at
every gate from then on.

A decision is recorded about an organisation or a person the platform knows. One who registers only
afterwards is met at the verification: a decision recorded until then stops the centre from noting
an organisation as verified, and unverified organisations can do nothing.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from blacklist.events import BarLifted, PartyBarred, PersonBarLifted, PersonBarred
from blacklist.rules.bar_terms import (
    BarDecision,
    BarredAct,
    Misconduct,
    Subject,
    decision_refusals,
    lift_refusals,
)
from blacklist.tables import BarRow, DecisionRow, LiftRow
from kernel.access import Role, by
from kernel.crypto.digests import Malformed, list_of, members, text_of
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import DecisionId
from kernel.randomness import random_id
from kernel.store.database import lock_exclusive
from kernel.store.parties import verified_statement
from kernel.store.registering import id_of
from kernel.store.tables import OrganisationRow, PersonRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day

WORDS_MAX = 2000


@by(Role.SUPERVISOR)
async def bar(tx: Transaction, raw: bytes) -> DecisionId:
    """Record a decision that bars an organisation or a person; its id here."""
    statement = await verified_statement(tx, raw, "bar")
    subject, subject_id, decision = _decision_in(statement.payload, on=beijing_day(tx.now))
    await lock_exclusive(tx.session, f"standing:{subject_id}")
    kind = OrganisationRow if subject is Subject.ORGANISATION else PersonRow
    if await tx.session.get(kind, subject_id) is None:
        raise NotFound("no such organisation or person")
    column = (
        DecisionRow.organisation_id if subject is Subject.ORGANISATION else DecisionRow.person_id
    )
    known = await tx.session.scalar(
        select(col(DecisionRow.id)).where(
            col(column) == subject_id,
            col(DecisionRow.authority) == decision.authority,
            col(DecisionRow.document_number) == decision.document_number,
        )
    )

    refusals = decision_refusals(decision)
    if refusals:
        raise Refused(refusals)
    if known is not None:
        raise Outrun("this decision is on record already")

    row = DecisionRow(
        id=random_id(),
        organisation_id=subject_id if subject is Subject.ORGANISATION else None,
        person_id=subject_id if subject is Subject.PERSON else None,
        authority=decision.authority,
        document_number=decision.document_number,
        article=decision.article,
        misconduct=decision.misconduct,
        reason=decision.reason,
        decided_on=decision.decided_on,
        statement=statement.envelope,
        recorded_by=tx.actor.person,
        recorded_at=tx.now,
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.session.add_all(
        BarRow(
            decision_id=row.id,
            act=act,
            starts_on=decision.starts_on,
            ends_on=decision.ends_on,
        )
        for act in decision.acts
    )

    barred = PartyBarred if subject is Subject.ORGANISATION else PersonBarred
    tx.record(
        barred(
            subject_id,
            decision_id=row.id,
            authority=decision.authority,
            document_number=decision.document_number,
            article=decision.article,
            acts=tuple(sorted(decision.acts)),
            starts_on=decision.starts_on,
            ends_on=decision.ends_on,
            statement_digest=statement.digest,
        )
    )

    return DecisionId(row.id)


@by(Role.SUPERVISOR)
async def lift(tx: Transaction, decision_id: UUID, raw: bytes) -> None:
    """Record that a decision's bars are lifted, from today on."""
    statement = await verified_statement(tx, raw, "lift", decision=decision_id)
    decision = await tx.session.get(DecisionRow, decision_id)
    if decision is None:
        raise NotFound("no such decision")
    subject_id = decision.organisation_id or decision.person_id
    assert subject_id is not None
    await lock_exclusive(tx.session, f"standing:{subject_id}")
    lifted = await tx.session.get(LiftRow, decision_id)
    authority, number, reason = (
        _words(statement.payload, key) for key in ("authority", "document_number", "reason")
    )

    refusals = lift_refusals(
        authority=authority,
        document_number=number,
        reason=reason,
        lifted_already=lifted is not None,
    )
    if refusals:
        raise Refused(refusals)

    tx.session.add(
        LiftRow(
            decision_id=decision_id,
            authority=authority,
            document_number=number,
            reason=reason,
            statement=statement.envelope,
            lifted_by=tx.actor.person,
            lifted_at=tx.now,
        )
    )

    event = BarLifted if decision.organisation_id is not None else PersonBarLifted
    tx.record(
        event(
            subject_id,
            decision_id=decision_id,
            authority=authority,
            document_number=number,
            reason=reason,
            statement_digest=statement.digest,
        )
    )


def _decision_in(found: dict[str, Any], *, on: date) -> tuple[Subject, UUID, BarDecision]:
    """Whom a bar statement concerns, and what it says; `Malformed` where it makes no sense."""
    named = members(found["subject"], (), optional=("organisation", "person"))
    if len(named) != 1:
        raise Malformed("a bar concerns one organisation or one person")
    ((kind, subject_id),) = named.items()
    subject = Subject(kind)
    try:
        misconduct = Misconduct(text_of(found["misconduct"]))
        acts = frozenset(
            BarredAct(text_of(act)) for act in list_of(found["acts"], at_most=len(BarredAct))
        )
    except ValueError:
        raise Malformed("an unknown act or misconduct") from None
    return (
        subject,
        id_of(subject_id),
        BarDecision(
            authority=_words(found, "authority"),
            document_number=_words(found, "document_number"),
            article=_words(found, "article"),
            reason=_words(found, "reason"),
            misconduct=misconduct,
            subject=subject,
            acts=acts,
            decided_on=_day(found["decided_on"]),
            starts_on=_day(found["starts_on"]),
            ends_on=None if found["ends_on"] is None else _day(found["ends_on"]),
            recorded_on=on,
        ),
    )


def _words(found: dict[str, Any], key: str) -> str:
    words = text_of(found[key]).strip()
    if len(words) > WORDS_MAX:
        raise Malformed(f"{key}: at most {WORDS_MAX} characters")
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in words):
        raise Malformed(f"{key}: no control characters")
    return words


def _day(value: object) -> date:
    text = text_of(value)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Malformed("a day is written as 2026-03-02") from None
    if day.isoformat() != text:
        raise Malformed("a day is written as 2026-03-02")
    return day
