"""A project is placed in the trading catalogue when it is entered, each lot when it is published.

Whether something must be tendered depends on what else its tenderee puts up, so a project is judged
together with its siblings. An agency is told of those siblings only that it prepares itself or that
are published: what another agency drafts for the same tenderee is no business of its own. The
tenderee sees all of them, and judges with all of them when it authorises the agency.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role
from kernel.money import yuan_text
from kernel.refusals import Caution, Refusal
from kernel.store.database import lock_exclusive
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.loaded_catalogue import catalogue_of
from trading.rules.lot_lifecycle import LotState
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure, switches_of
from trading.rules.procurement_methods import (
    MethodClaim,
    MethodGround,
    case_cautions,
    case_refusals,
)
from trading.rules.trading_catalogue import (
    OPEN_METHODS,
    Exemption,
    InvitationGround,
    ProjectScope,
    Sibling,
    estimate_refusals,
    exemption_refusals,
    method_refusals,
    placed,
    reaches_open_tender,
    scope_cautions,
    scope_refusals,
    splitting_refusals,
)
from trading.tables import LotRow, ProjectRow

UNNAMED_WINDOW: Final = timedelta(days=365)
"""How far apart two projects may be entered and count as one whole, where none names the whole."""

GONE: Final = frozenset({LotState.CANCELLED, LotState.FAILED})


@dataclass(frozen=True, slots=True)
class CatalogueFacts:
    """What decides whether a project must be tendered, besides category, region and procedure.

    Amounts are in yuan, `estimate` of the largest single contract. `investment_code` names the
    investment project that this is a part of (投资项目统一代码). Projects of one tenderee and
    category that name none and are entered within a year are taken for parts of one whole.
    """

    estimate: Decimal | None = None
    total_investment: Decimal = Decimal(0)
    budget_funds: Decimal = Decimal(0)
    foreign_funds: bool = False
    infrastructure: bool = False
    exemption: Exemption | None = None
    exemption_document: str = ""
    invitation_ground: InvitationGround | None = None
    invitation_document: str = ""
    procurement_exception: str = ""
    method_ground: MethodGround | None = None
    method_document: str = ""
    first_contract: Decimal | None = None
    investment_code: str = ""

    def kept(self) -> dict[str, Any]:
        """The facts that a project's row keeps in its scope."""
        return {
            "total_investment": yuan_text(self.total_investment),
            "budget_funds": yuan_text(self.budget_funds),
            "foreign_funds": self.foreign_funds,
            "infrastructure": self.infrastructure,
            "exemption": None if self.exemption is None else str(self.exemption),
            "exemption_document": self.exemption_document,
            "invitation_ground": (
                None if self.invitation_ground is None else str(self.invitation_ground)
            ),
            "invitation_document": self.invitation_document,
            "procurement_exception": self.procurement_exception,
            "method_ground": None if self.method_ground is None else str(self.method_ground),
            "method_document": self.method_document,
            "first_contract": (
                None if self.first_contract is None else yuan_text(self.first_contract)
            ),
        }


async def lock_siblings(tx: Transaction, project: ProjectRow) -> None:
    """Let nobody else place a project of this tenderee until this transaction ends."""
    await lock_exclusive(tx.session, f"catalogue:{project.tenderee_id}")


async def scope_of(tx: Transaction, project: ProjectRow) -> ProjectScope:
    """The project with its siblings, as the catalogue judges it today."""
    return _scope(tx, project, project.estimate, await siblings_of(tx, project))


async def lot_scope(tx: Transaction, project: ProjectRow, lot: LotRow) -> ProjectScope:
    """One lot as the single contract it becomes, with all that may be a piece of the same whole."""
    if _procedure(project) in OPEN_METHODS:
        return _scope(tx, project, lot.estimate, ())
    rows = await tx.session.scalars(
        select(LotRow)
        .where(
            col(LotRow.project_id) == project.id,
            col(LotRow.id) != lot.id,
            col(LotRow.state).not_in(GONE),
        )
        .order_by(col(LotRow.number))
    )
    beside = tuple(
        Sibling(f"{project.code}-{row.number}", row.name, row.estimate, _procedure(project))
        for row in rows
    )
    return _scope(tx, project, lot.estimate, (*beside, *await siblings_of(tx, project)))


def _scope(
    tx: Transaction,
    project: ProjectRow,
    estimate: Decimal | None,
    siblings: tuple[Sibling, ...],
) -> ProjectScope:
    kept = project.scope
    return ProjectScope(
        kind=WorkKind(project.category),
        region_code=project.region_code,
        procedure=_procedure(project),
        estimate=estimate or Decimal(0),
        on=beijing_day(tx.now),
        budget_funds=Decimal(kept.get("budget_funds", 0)),
        total_investment=Decimal(kept.get("total_investment", 0)),
        state_controlled=project.state_funded,
        foreign_funds=kept.get("foreign_funds", False),
        infrastructure=kept.get("infrastructure", False),
        exemption=Exemption(kept["exemption"]) if kept.get("exemption") else None,
        exemption_document=kept.get("exemption_document", ""),
        invitation_ground=(
            InvitationGround(kept["invitation_ground"]) if kept.get("invitation_ground") else None
        ),
        invitation_document=kept.get("invitation_document", ""),
        procurement_exception=kept.get("procurement_exception", ""),
        method_ground=(MethodGround(kept["method_ground"]) if kept.get("method_ground") else None),
        method_document=kept.get("method_document", ""),
        first_contract=Decimal(kept["first_contract"]) if kept.get("first_contract") else None,
        siblings=siblings,
    )


async def siblings_of(tx: Transaction, project: ProjectRow) -> tuple[Sibling, ...]:
    """The tenderee's other projects that may be pieces of the same whole, as far as the actor may
    know of them; one whose lots are all given up or failed counts no more.

    What is tendered openly under the strictest law evades nothing: it is judged alone.
    """
    if _procedure(project) in OPEN_METHODS:
        return ()
    others = await tx.session.scalars(
        select(ProjectRow)
        .where(
            col(ProjectRow.tenderee_id) == project.tenderee_id,
            col(ProjectRow.category) == project.category,
            col(ProjectRow.investment_code) == project.investment_code,
            col(ProjectRow.id) != project.id,
        )
        .order_by(col(ProjectRow.created_at))
    )
    found = {one.id: one for one in others if _one_whole(tx, project, one)}
    parts = defaultdict(list)
    for lot in await tx.session.scalars(select(LotRow).where(col(LotRow.project_id).in_(found))):
        parts[lot.project_id].append(lot)
    siblings = []
    for other in found.values():
        lots = parts[other.id]
        standing = [lot for lot in lots if LotState(lot.state) not in GONE]
        known = _knows(tx, other) or any(lot.published_at for lot in lots)
        if known and (standing or not lots):
            drafted = sum((lot.estimate for lot in standing), Decimal(0))
            estimate = max(other.estimate or Decimal(0), drafted)
            siblings.append(Sibling(other.code, other.name, estimate, _procedure(other)))
    return tuple(siblings)


def _knows(tx: Transaction, other: ProjectRow) -> bool:
    """Whether the actor may know of this project before anything of it is published."""
    if tx.actor.role is Role.TENDEREE:
        return other.tenderee_id == tx.actor.party_id
    return other.agency_id is not None and other.agency_id == tx.actor.party_id


def _one_whole(tx: Transaction, one: ProjectRow, other: ProjectRow) -> bool:
    """Whether two projects of one tenderee and category count as parts of one whole.

    Where no investment project is named, only such are taken together as both escape an open
    tender: a purchase beside a large open tender is not presumed to be a piece of it.
    """
    own, others = (
        switches_of(_procedure(project), on=beijing_day(tx.now)).regime for project in (one, other)
    )
    if own is not others:
        return False
    if one.investment_code:
        return True
    return (
        _procedure(other) not in OPEN_METHODS
        and abs(one.created_at - other.created_at) <= UNNAMED_WINDOW
    )


def _procedure(project: ProjectRow) -> Procedure:
    return Procedure(project.procedure)


def catalogue_grounds(tx: Transaction, scope: ProjectScope, *, stated: bool) -> Iterator[Refusal]:
    """Every ground on which a project may not be entered, or a lot not published, as it is."""
    lines = catalogue_of(tx.settings)
    yield from estimate_refusals(scope, stated=stated)
    yield from scope_refusals(scope, lines)
    yield from splitting_refusals(scope, lines)
    yield from method_refusals(scope, lines)
    yield from exemption_refusals(scope)
    yield from case_refusals(scope.procedure, _claim(scope))


def catalogue_cautions(tx: Transaction, scope: ProjectScope) -> list[Caution]:
    """What is doubtful about where the project stands."""
    return [
        *scope_cautions(scope, catalogue_of(tx.settings)),
        *case_cautions(scope.procedure, _claim(scope)),
    ]


async def is_large(tx: Transaction, project: ProjectRow, lot: LotRow) -> bool:
    """Whether a lot is large enough for an open tender (达到公开招标数额标准)."""
    return reaches_open_tender(await lot_scope(tx, project, lot), catalogue_of(tx.settings))


def _claim(scope: ProjectScope) -> MethodClaim:
    return MethodClaim(
        scope.method_ground,
        scope.method_document,
        amount=scope.estimate,
        first_contract=scope.first_contract,
        of_goods=scope.kind is WorkKind.GOODS,
    )


def judgement_of(tx: Transaction, scope: ProjectScope, *, stated: bool) -> dict[str, Any]:
    """The judgement with its reasons, for the project's page and for programs."""
    if not stated:
        return {
            "judged_on": scope.on.isoformat(),
            "must_tender": None,
            "article": None,
            "siblings": [],
            "why": ["登记时没有载明估算价，按照所选择的招标方式适用法律"],
        }
    placing = placed(scope, catalogue_of(tx.settings))
    line = placing.line
    return {
        "judged_on": scope.on.isoformat(),
        "must_tender": placing.must_tender,
        "line": None if line is None else line.code,
        "line_name": None if line is None else line.name,
        "article": None if line is None else str(line.article),
        "amount": None if placing.amount is None else yuan_text(placing.amount),
        "estimate": yuan_text(scope.estimate),
        "together": yuan_text(scope.together),
        "siblings": [
            {"code": one.code, "name": one.name, "estimate": yuan_text(one.estimate)}
            for one in scope.siblings
        ],
        "why": list(placing.why),
        "cautions": [one.as_json() for one in catalogue_cautions(tx, scope)],
    }
