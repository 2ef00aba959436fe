"""What is known of the pool's experts, asked for once: their ties, their standing, their duties.

Only this module reads what ties an expert to whom. It answers with codes of grounds; the ties
themselves go nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlmodel import col, select

from blacklist import standing as register
from blacklist.standing import BarredAct, Standing
from expert_pool.rules.eligibility import standing_refusals
from expert_pool.rules.recusal import (
    Concerned,
    ExpertTie,
    ExpertTies,
    TieKind,
    ground_codes,
    recusal_refusals,
)
from expert_pool.tables import ExpertRow, ExpertTieRow
from kernel.access import Role, conflicting
from kernel.identifiers import PersonId
from kernel.statute import Regime
from kernel.store.tables import CapacityRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day

OTHER_DUTY = "other_duty"
"""Left out because the person already acts in the lot in a capacity no expert may hold."""


async def drawable_experts(tx: Transaction) -> Sequence[ExpertRow]:
    """Everybody in the pools who was verified and has not left."""
    rows = await tx.session.scalars(
        select(ExpertRow)
        .where(col(ExpertRow.left_at).is_(None), col(ExpertRow.verified_at).is_not(None))
        .order_by(col(ExpertRow.id))
    )
    return rows.all()


async def exclusion_grounds(
    tx: Transaction,
    experts: Sequence[ExpertRow],
    concerned: Collection[Concerned],
    *,
    lot_id: UUID,
    regime: Regime = Regime.TENDERING,
    mandatory: bool = True,
) -> Mapping[UUID, list[str]]:
    """The codes of every ground on which each expert is left out; empty for who is eligible.

    Of a bar only the code is told: a draw's exclusions are read by its parties, and neither a name
    nor a decision's number may reach them.
    """
    ties = await _ties_of(tx, experts)
    busy = await busy_otherwise(tx, lot_id, [expert.person_id for expert in experts])
    today = beijing_day(tx.now)
    found: dict[UUID, list[str]] = {}
    for expert in experts:
        standing = await draw_standing(tx, expert, regime=regime, mandatory=mandatory)
        refusals = [
            *recusal_refusals(
                ExpertTies(expert.employer_uscc, ties.get(expert.id, ())),
                concerned,
                on=today,
                regime=regime,
            ),
            *standing_refusals(
                verified=expert.verified_at is not None,
                bars=register.standing_refusals(standing),
            ),
        ]
        codes = set(ground_codes(refusals))
        if expert.person_id in busy:
            codes.add(OTHER_DUTY)
        found[expert.id] = sorted(codes)
    return found


async def draw_standing(
    tx: Transaction, expert: ExpertRow, *, regime: Regime, mandatory: bool
) -> Standing:
    """Whether a decision forbids that this expert is drawn today for a procedure of that kind."""
    return await register.standing_of(
        tx,
        act=BarredAct.DRAW,
        on=tx.now,
        person_id=PersonId(expert.person_id),
        regime=regime,
        mandatory=mandatory,
    )


async def busy_otherwise(
    tx: Transaction, lot_id: UUID, people: Collection[UUID]
) -> frozenset[UUID]:
    """Who among the people acts in the lot in a capacity that does not go with an expert's."""
    rows = await tx.session.execute(
        select(col(CapacityRow.person_id), col(CapacityRow.role)).where(
            col(CapacityRow.subject_id) == lot_id, col(CapacityRow.person_id).in_(people)
        )
    )
    return frozenset(person for person, role in rows if conflicting(Role.EXPERT, [Role(role)]))


async def _ties_of(
    tx: Transaction, experts: Sequence[ExpertRow]
) -> Mapping[UUID, tuple[ExpertTie, ...]]:
    rows = await tx.session.scalars(
        select(ExpertTieRow).where(
            col(ExpertTieRow.expert_id).in_([expert.id for expert in experts])
        )
    )
    ties: dict[UUID, list[ExpertTie]] = defaultdict(list)
    for row in rows:
        ties[row.expert_id].append(ExpertTie(row.uscc, TieKind(row.kind), row.ended_on))
    return {expert_id: tuple(found) for expert_id, found in ties.items()}
