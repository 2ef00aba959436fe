"""A tenderee says in a draft how it will choose among the candidates (评定分离).

The method stands in the signed notice from the publication on, for everybody to read; a draft's is
known to its owners alone. What may be named is judged when it is named, and again with the notice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from kernel.access import Role, by
from kernel.errors import Refused
from kernel.refusals import Caution
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import lots
from trading.drafting import clean_text, locked_own_lot, require_draft
from trading.events import AwardMethodNamed
from trading.handover import switches_for
from trading.rules.procedures import Switches
from trading.rules.split_award import (
    FACTORS_MAX,
    SplitAward,
    announcement_cautions,
    announcement_refusals,
    split_in,
)
from trading.tables import LotRow, ProjectRow

BASIS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class MethodTold:
    """A draft's method for its owners, and whether its procedure lets it have one."""

    split: SplitAward | None
    may_split: bool
    needs_basis: bool
    cautions: tuple[Caution, ...]


@by(Role.TENDEREE, Role.AGENCY)
async def name_award_method(tx: Transaction, lot_id: UUID, said: SplitAward | None) -> None:
    """Say how a draft's winner will be chosen among the candidates; None takes it back."""
    lot, project = await locked_own_lot(tx, lot_id)
    switches = await switches_for(tx, lot)
    split = None if said is None else _cleaned(said)

    require_draft(lot)
    refusals = announcement_refusals(
        split, switches, state_funded=project.state_funded, on=beijing_day(tx.now)
    )
    if refusals:
        raise Refused(refusals)

    lot.award_method = None if split is None else split.plain()

    for party_id in filter(None, (project.tenderee_id, project.agency_id)):
        tx.record(
            AwardMethodNamed(
                lot.id,
                addressee_id=party_id,
                method=None if split is None else str(split.method),
            )
        )


@by(Role.TENDEREE, Role.AGENCY)
async def award_method(tx: Transaction, lot_id: UUID) -> MethodTold:
    """How the winner of an own lot is chosen, and whether its procedure leaves that open."""
    lot, project = await lots.owned(tx, lot_id)
    switches = await switches_for(tx, lot)
    return MethodTold(
        split_of(lot),
        switches.may_split_award,
        switches.mandatory and project.state_funded,
        tuple(split_cautions(lot, project, switches)),
    )


# ── for the neighbours in this package ────────────────────────────────────────────────────────


def split_of(lot: LotRow) -> SplitAward | None:
    """The method that a lot names, None where nothing is split."""
    return None if lot.award_method is None else split_in(lot.award_method)


def split_cautions(lot: LotRow, project: ProjectRow, switches: Switches) -> list[Caution]:
    """What is doubtful about a lot's method."""
    return announcement_cautions(split_of(lot), switches, state_funded=project.state_funded)


def _cleaned(said: SplitAward) -> SplitAward:
    """The method without signs that cannot be seen; what is left empty is judged by its article."""
    factors, basis = said.factors.strip(), said.basis.strip()
    return replace(
        said,
        members=said.members if said.is_seated else 0,
        factors=clean_text(factors, at_most=FACTORS_MAX) if factors else "",
        basis=clean_text(basis, at_most=BASIS_MAX) if basis else "",
    )
