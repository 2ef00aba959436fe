"""An expert applies to a pool, is verified, declares what ties him to others, and leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlmodel import col, select

from expert_pool.events import ExpertEnrolled, ExpertVerified
from expert_pool.rules.eligibility import ExpertFacts, enrolment_refusals
from expert_pool.tables import ExpertRow, ExpertTieRow
from kernel.access import Role, by
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import ExpertId, PartyId
from kernel.randomness import random_id
from kernel.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Tie:
    """What ties an expert to an organisation: a kind of `recusal`, and when it ended, if it did."""

    uscc: str
    kind: str
    ended_on: date | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """What an expert says of himself."""

    pool_id: PartyId
    region_code: str
    employer: str
    employer_uscc: str
    specialisms: tuple[str, ...]
    title: str
    years: int
    born_on: date
    healthy: bool
    ties: tuple[Tie, ...] = ()


@by(Role.EXPERT)
async def enrol(tx: Transaction, application: Application) -> ExpertId:
    """Apply to a pool; nothing can be drawn before the pool's keeper has verified it."""
    present = await tx.session.scalars(
        select(ExpertRow.id).where(ExpertRow.person_id == tx.actor.person)
    )
    if present.first() is not None:
        raise Outrun("you are in a pool already")

    refusals = enrolment_refusals(
        ExpertFacts(
            specialisms=application.specialisms,
            title=application.title,
            years=application.years,
            born_on=application.born_on,
            healthy=application.healthy,
        ),
        on=tx.now.date(),
    )
    if refusals:
        raise Refused(refusals)

    expert_id = ExpertId(random_id())
    tx.session.add(
        ExpertRow(
            id=expert_id,
            person_id=tx.actor.person,
            pool_id=application.pool_id,
            region_code=application.region_code,
            employer=application.employer,
            employer_uscc=application.employer_uscc,
            specialisms=list(application.specialisms),
            title=application.title,
            years=application.years,
            born_on=application.born_on,
            healthy=application.healthy,
            enrolled_at=tx.now,
        )
    )
    await tx.session.flush()
    for tie in application.ties:
        tx.session.add(
            ExpertTieRow(
                id=random_id(),
                expert_id=expert_id,
                uscc=tie.uscc,
                kind=tie.kind,
                ended_on=tie.ended_on,
                declared_at=tx.now,
            )
        )

    tx.record(
        ExpertEnrolled(
            expert_id, application.pool_id, application.region_code, application.specialisms
        )
    )

    return expert_id


@by(Role.CENTRE_STAFF)
async def verify_expert(tx: Transaction, expert_id: ExpertId) -> None:
    """The pool's keeper has checked what the expert said of himself."""
    row = await tx.session.get(ExpertRow, expert_id)
    if row is None or row.pool_id != tx.actor.party:
        raise NotFound("no such expert in your pool")

    if row.verified_at is not None:
        return

    row.verified_at, row.verified_by = tx.now, tx.actor.person
    tx.session.add(row)

    tx.record(ExpertVerified(expert_id, row.pool_id))


@by(Role.EXPERT)
async def leave(tx: Transaction) -> None:
    """Leave the pool: never drawn again; what was done stays on record."""
    row = await own_row(tx)

    row.left_at = tx.now
    tx.session.add(row)


async def own_row(tx: Transaction) -> ExpertRow:
    """The acting expert's row; `NotFound` where the person is in no pool."""
    found = await tx.session.scalars(
        select(ExpertRow).where(
            ExpertRow.person_id == tx.actor.person, col(ExpertRow.left_at).is_(None)
        )
    )
    row = found.first()
    if row is None:
        raise NotFound("you are in no pool")
    return row
