"""An expert applies to a pool, is verified, declares what ties him to others, and leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlmodel import col, select

from expert_pool.events import ExpertEnrolled, ExpertLeft, ExpertVerified
from expert_pool.rules.eligibility import (
    ExpertFacts,
    Title,
    enrolment_cautions,
    enrolment_refusals,
)
from expert_pool.rules.recusal import TieKind
from expert_pool.tables import ExpertRow, ExpertTieRow
from kernel.access import Role, by
from kernel.consents import Purpose
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import ExpertId, PartyId, PersonId
from kernel.randomness import random_id
from kernel.refusals import Caution
from kernel.store import consenting
from kernel.store.parties import organisation
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day


@dataclass(frozen=True, slots=True)
class Tie:
    """What ties an expert to an organisation, and when it ended, if it did."""

    uscc: str
    kind: TieKind
    ended_on: date | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """What an expert says of himself."""

    pool_id: PartyId
    region_code: str
    employer: str
    employer_uscc: str
    specialisms: tuple[str, ...]
    title: Title
    years: int
    born_on: date
    healthy: bool
    ties: tuple[Tie, ...] = ()

    @property
    def facts(self) -> ExpertFacts:
        """What the rules judge."""
        return ExpertFacts(
            self.specialisms, self.title, self.years, self.born_on, healthy=self.healthy
        )


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An application that was taken in, and what is doubtful about it."""

    expert_id: ExpertId
    cautions: tuple[Caution, ...]


@by(Role.EXPERT)
async def enrol(tx: Transaction, application: Application) -> Enrolled:
    """Apply to a pool; nobody is drawn before the pool's keeper has verified him.

    What is declared of health needs a consent of its own.
    """
    pool = await organisation(tx, application.pool_id)
    today = beijing_day(tx.now)

    refusals = enrolment_refusals(application.facts, on=today)
    if Role.CENTRE_STAFF not in pool.roles:
        raise NotFound("that organisation keeps no pool")
    if await _row_of(tx, tx.actor.person) is not None:
        raise Outrun("you are in a pool already")
    if refusals:
        raise Refused(refusals)
    await consenting.require_consent(tx, Purpose.EXPERT_HEALTH)

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
    _add_ties(tx, expert_id, application.ties)

    tx.record(
        ExpertEnrolled(
            expert_id, application.pool_id, application.region_code, application.specialisms
        )
    )

    cautions = enrolment_cautions(application.facts, on=today)
    return Enrolled(expert_id, tuple(cautions))


@by(Role.CENTRE_STAFF)
async def verify_expert(tx: Transaction, expert_id: ExpertId) -> None:
    """The pool's keeper has checked what the expert said of himself; again changes nothing."""
    row = await tx.session.get(ExpertRow, expert_id)
    if row is None or row.pool_id != tx.actor.party:
        raise NotFound("no such expert in your pool")

    if row.verified_at is not None:
        return

    row.verified_at, row.verified_by = tx.now, tx.actor.person
    tx.session.add(row)

    tx.record(ExpertVerified(expert_id, row.pool_id))


@by(Role.EXPERT)
async def declare_ties(tx: Transaction, ties: Sequence[Tie]) -> None:
    """Declare further ties; only a draw reads them, and none is ever taken back.

    Nothing is recorded for others: whom an expert is tied to concerns nobody but the draw.
    """
    row = await own_row(tx)

    _add_ties(tx, ExpertId(row.id), ties)


@by(Role.EXPERT)
async def leave(tx: Transaction) -> None:
    """Leave the pool: never drawn again; what was done stays on record."""
    row = await own_row(tx)

    row.left_at = tx.now
    tx.session.add(row)

    tx.record(ExpertLeft(row.id, row.pool_id))


@by(Role.PLATFORM)
async def forget_health(tx: Transaction, person_id: PersonId) -> None:
    """Erase what an expert declared of his health once his consent is gone; he leaves the pool."""
    _forget(tx, await _row_of(tx, person_id))


@by(Role.EXPERT)
async def owes_consent(tx: Transaction) -> bool:
    """Whether the acting expert's declaration of health is kept without a consent that stands.

    Whoever enrolled before consents were kept is asked for his.
    """
    row = await _row_of(tx, tx.actor.person)
    if row is None or row.healthy is None:
        return False
    return not await consenting.consents_to(tx, Purpose.EXPERT_HEALTH)


@by(Role.EXPERT)
async def withhold_consent(tx: Transaction) -> None:
    """Do not consent: the declaration of health is erased at once, and its expert leaves the pool.

    One that was given is withdrawn in the register instead.
    """
    row = await _row_of(tx, tx.actor.person)
    if row is None or row.healthy is None or not await owes_consent(tx):
        raise NotFound("no consent is asked of you")

    _forget(tx, row)


async def own_row(tx: Transaction, *, left_too: bool = False) -> ExpertRow:
    """The acting expert's row; `NotFound` where the person is in no pool, or has left it."""
    row = await _row_of(tx, tx.actor.person)
    if row is None or (row.left_at is not None and not left_too):
        raise NotFound("you are in no pool")
    return row


async def _row_of(tx: Transaction, person_id: UUID) -> ExpertRow | None:
    found = await tx.session.scalars(select(ExpertRow).where(col(ExpertRow.person_id) == person_id))
    return found.first()


def _forget(tx: Transaction, row: ExpertRow | None) -> None:
    if row is None or row.healthy is None:
        return
    row.healthy = None
    if row.left_at is None:
        row.left_at = tx.now
        tx.record(ExpertLeft(row.id, row.pool_id))
    tx.session.add(row)


def _add_ties(tx: Transaction, expert_id: ExpertId, ties: Sequence[Tie]) -> None:
    tx.session.add_all(
        ExpertTieRow(
            id=random_id(),
            expert_id=expert_id,
            uscc=tie.uscc,
            kind=tie.kind,
            ended_on=tie.ended_on,
            declared_at=tx.now,
        )
        for tie in ties
    )
