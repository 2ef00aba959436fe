"""Is this party barred on this day from this act, and by which decision.

The one door to the register: it is asked at registration and at the centre's verification, when an
agency is charged with a project and when it publishes, and at submission, draw, sign-in and award.
An answer cites the decision it rests on, because a bar without a decision is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from blacklist.rules.bar_terms import (
    ACT_NAMES,
    BAR_TERMS,
    Bar,
    BarredAct,
    Misconduct,
    Subject,
    holds,
    reaches,
)
from blacklist.tables import BarRow, DecisionRow, LiftRow
from kernel.access import Role, by
from kernel.identifiers import DecisionId
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    Regime,
    under,
)
from kernel.store.tables import OrganisationRow, PersonRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day

__all__ = [
    "ACT_NAMES",
    "MISCONDUCT_NAMES",
    "BarredAct",
    "Decision",
    "Misconduct",
    "Registered",
    "Standing",
    "Subject",
    "decisions_about",
    "register",
    "standing_of",
    "standing_refusals",
]


MISCONDUCT_NAMES: Final = MappingProxyType(
    {misconduct: term.name for misconduct, term in BAR_TERMS.items()}
)
"""What each misconduct is called."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision that bars, as it is cited; no `ends_on` means for life.

    `recorded_at` is when the platform learned of it, which makes a bar late for what was announced
    before.
    """

    id: DecisionId
    authority: str
    document_number: str
    article: str
    misconduct: Misconduct
    reason: str
    decided_on: date
    starts_on: date
    ends_on: date | None
    recorded_at: datetime

    def __str__(self) -> str:
        until = "永久有效" if self.ends_on is None else f"至{self.ends_on:%Y-%m-%d}"
        return (
            f"{self.authority}{self.document_number}（依据{self.article}），"
            f"自{self.starts_on:%Y-%m-%d}起{until}"
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether someone is barred from an act on a day, and by which decisions."""

    act: BarredAct
    on: date
    decisions: tuple[Decision, ...]

    @property
    def barred(self) -> bool:
        """Whether any decision forbids the act."""
        return bool(self.decisions)


@dataclass(frozen=True, slots=True)
class Registered:
    """One decision as the register shows it, with what it forbids and whether it was lifted."""

    decision: Decision
    subject: Subject
    subject_id: UUID
    name: str
    code: str
    acts: tuple[BarredAct, ...]
    lifted_at: datetime | None
    lift_reason: str
    in_force: bool


@by(*Role)
async def standing_of(
    tx: Transaction,
    *,
    act: BarredAct,
    on: date | datetime,
    party_id: UUID | None = None,
    person_id: UUID | None = None,
    regime: Regime | None = None,
    mandatory: bool = True,
) -> Standing:
    """Whether the party, or the person, is barred from the act on that day in Beijing.

    Where both are given, a decision about either counts. With a `regime`, only decisions that reach
    a procedure of that kind count, since most bars speak of tenders that the law demands.
    """
    day = beijing_day(on) if isinstance(on, datetime) else on
    asked_about = [
        column == subject
        for column, subject in (
            (col(DecisionRow.organisation_id), party_id),
            (col(DecisionRow.person_id), person_id),
        )
        if subject is not None
    ]
    if not asked_about:
        raise ValueError("standing is asked of a party or a person")
    rows = await tx.session.execute(
        select(DecisionRow, BarRow, LiftRow)
        .join(BarRow, col(BarRow.decision_id) == col(DecisionRow.id))
        .outerjoin(LiftRow, col(LiftRow.decision_id) == col(DecisionRow.id))
        .where(col(BarRow.act) == act, or_(*asked_about))
        .order_by(col(DecisionRow.recorded_at), col(DecisionRow.id))
    )
    return Standing(
        act,
        day,
        tuple(
            _decision(decision, bar)
            for decision, bar, lift in rows
            if holds(_bar(bar, lift), act, on=day)
            and (
                regime is None
                or reaches(Misconduct(decision.misconduct), regime=regime, mandatory=mandatory)
            )
        ),
    )


@under(
    BIDDING_LAW[50],
    BIDDING_LAW[53],
    BIDDING_LAW[54],
    BIDDING_LAW[56],
    BIDDING_LAW[60],
    BIDDING_REGULATION[67],
    BIDDING_REGULATION[68],
    BIDDING_REGULATION[71],
    BIDDING_REGULATION[72],
    PROCUREMENT_LAW[77],
    PROCUREMENT_LAW[78],
    PROCUREMENT_REGULATION[73],
    PROCUREMENT_REGULATION[75],
)
def standing_refusals(standing: Standing) -> list[Refusal]:
    """One ground for each decision that forbids the act, citing authority, number and article."""
    return [
        Refusal(
            "barred",
            BAR_TERMS[decision.misconduct].articles[0],
            f"处于禁止{ACT_NAMES[standing.act]}期内：{decision}",
            {
                "decision": str(decision.id),
                "authority": decision.authority,
                "document_number": decision.document_number,
                "article": decision.article,
                "starts_on": decision.starts_on.isoformat(),
                "ends_on": "" if decision.ends_on is None else decision.ends_on.isoformat(),
            },
        )
        for decision in standing.decisions
    ]


@by(*Role)
async def register(tx: Transaction) -> tuple[Registered, ...]:
    """The register: decisions about organisations that bar somebody now or will.

    What has run out or was lifted is shown no longer, since it is no basis for anything any more.
    Supervisors see all of it, and natural persons besides.
    """
    everything = tx.actor.role is Role.SUPERVISOR
    found = await _registered(tx, persons=everything)
    today = beijing_day(tx.now)
    return tuple(
        one
        for one in found
        if everything
        or (
            one.lifted_at is None
            and (one.decision.ends_on is None or one.decision.ends_on >= today)
        )
    )


@by(*Role)
async def decisions_about(tx: Transaction, party_id: UUID) -> tuple[Registered, ...]:
    """The decisions in the register that concern one organisation."""
    return tuple(one for one in await register(tx) if one.subject_id == party_id)


async def _registered(tx: Transaction, *, persons: bool) -> Sequence[Registered]:
    condition = col(DecisionRow.id).is_not(None)
    if not persons:
        condition = col(DecisionRow.organisation_id).is_not(None)
    rows = (
        await tx.session.execute(
            select(
                DecisionRow,
                BarRow,
                LiftRow,
                col(OrganisationRow.name),
                col(OrganisationRow.uscc),
                col(PersonRow.name),
            )
            .join(BarRow, col(BarRow.decision_id) == col(DecisionRow.id))
            .outerjoin(LiftRow, col(LiftRow.decision_id) == col(DecisionRow.id))
            .outerjoin(OrganisationRow, col(OrganisationRow.id) == DecisionRow.organisation_id)
            .outerjoin(PersonRow, col(PersonRow.id) == DecisionRow.person_id)
            .where(condition)
            .order_by(col(DecisionRow.recorded_at).desc(), col(DecisionRow.id), col(BarRow.act))
        )
    ).all()
    found: dict[UUID, Registered] = {}
    today = beijing_day(tx.now)
    for decision, bar, lift, organisation, uscc, person in rows:
        act = BarredAct(bar.act)
        before = found.get(decision.id)
        acts = (act,) if before is None else (*before.acts, act)
        subject_id = decision.organisation_id or decision.person_id
        assert subject_id is not None
        found[decision.id] = Registered(
            _decision(decision, bar),
            Subject.ORGANISATION if decision.organisation_id else Subject.PERSON,
            subject_id,
            organisation or person,
            uscc or "",
            acts,
            None if lift is None else lift.lifted_at,
            "" if lift is None else lift.reason,
            holds(_bar(bar, lift), act, on=today),
        )
    return list(found.values())


def _bar(bar: BarRow, lift: LiftRow | None) -> Bar:
    return Bar(
        BarredAct(bar.act),
        bar.starts_on,
        bar.ends_on,
        None if lift is None else beijing_day(lift.lifted_at),
    )


def _decision(row: DecisionRow, bar: BarRow) -> Decision:
    return Decision(
        DecisionId(row.id),
        row.authority,
        row.document_number,
        row.article,
        Misconduct(row.misconduct),
        row.reason,
        row.decided_on,
        bar.starts_on,
        bar.ends_on,
        row.recorded_at,
    )
