"""A tenderee says by a signed letter what an agency may do for it, for which lots, until when.

A tenderee who names an agency when it enters a project entrusts all of it; from the first letter on
the newest letter counts, and ending it leaves the agency with nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, b64u, instant_text, list_of, text_of
from kernel.errors import NotFound, Refused
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW
from kernel.store.parties import Statement, verified_statement
from kernel.store.registering import id_of
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import lots
from trading.events import AgencyAuthorityEnded
from trading.rules.agency_scope import AgencyAct, AgencyScope, agency_refusals, letter_refusals
from trading.tables import AuthorityEndRow, AuthorityLetterRow, LotRow, ProjectRow

LOTS_MAX: Final = 500
REASON_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class LetterTold:
    """The letter that counts, as its two sides see it."""

    number: int
    scope: AgencyScope
    signed_at: datetime
    ended_at: datetime | None
    reason: str
    digest: bytes

    def plain(self) -> dict[str, Any]:
        """The letter as JSON tells it."""
        until = self.scope.until
        return {
            "number": self.number,
            "lots": sorted(str(one) for one in self.scope.lots),
            "acts": sorted(str(one) for one in self.scope.acts),
            "until": None if until is None else until.isoformat(),
            "signed_at": instant_text(self.signed_at),
            "ended_at": None if self.ended_at is None else instant_text(self.ended_at),
            "reason": self.reason,
            "digest": b64u(self.digest),
        }


async def keep_letter(
    tx: Transaction, project: ProjectRow, agency_id: UUID, statement: Statement
) -> None:
    """Keep a signed letter as its project's newest; `Refused` where it says nothing usable."""
    found = await tx.session.get(AuthorityLetterRow, statement.digest)
    if found is not None:
        return
    scope = scope_in(statement.payload)
    own = await tx.session.scalars(
        select(col(LotRow.id)).where(col(LotRow.project_id) == project.id)
    )
    refusals = letter_refusals(scope, today=beijing_day(tx.now), own_lots=frozenset(own))
    if refusals:
        raise Refused(refusals)
    last = await tx.session.scalar(
        select(func.max(AuthorityLetterRow.number)).where(
            col(AuthorityLetterRow.project_id) == project.id
        )
    )
    tx.session.add(
        AuthorityLetterRow(
            digest=statement.digest,
            project_id=project.id,
            number=(last or 0) + 1,
            agency_id=agency_id,
            lots=sorted(scope.lots),
            acts=sorted(scope.acts),
            last_day=scope.until,
            statement=statement.envelope,
            signed_by=tx.actor.person,
            signed_at=tx.now,
        )
    )


@by(Role.TENDEREE)
async def end_authority(tx: Transaction, project_id: UUID, raw: bytes) -> None:
    """End the letter that counts; the agency may do nothing more until there is a new one."""
    project = await tx.session.get(ProjectRow, project_id, with_for_update=True)
    if project is None or not lots.owns(tx, project) or project.agency_id is None:
        raise NotFound("no such project with an agency")
    statement = await verified_statement(
        tx, raw, "authorisation-end", project=project.id, agency=project.agency_id
    )
    letter = await _newest(tx, project.id)
    reason = text_of(statement.payload["reason"]).strip()
    if not 0 < len(reason) <= REASON_MAX:
        raise Malformed("a reason was expected", code="reason", faults={"reason": "请填写理由"})

    if letter is None:
        words = "该项目没有已签署的授权委托书"
        raise Refused([Refusal("no_letter", BIDDING_LAW[15], words)])
    if await _end_of(tx, letter) is not None:
        return

    tx.session.add(
        AuthorityEndRow(
            digest=statement.digest,
            letter=letter.digest,
            reason=reason,
            statement=raw,
            ended_by=tx.actor.person,
            ended_at=tx.now,
        )
    )
    project.authorised_at = None

    tx.record(
        AgencyAuthorityEnded(
            project.id,
            addressee_id=project.agency_id,
            agency_id=project.agency_id,
            statement_digest=statement.digest,
        )
    )


@by(Role.TENDEREE, Role.AGENCY)
async def letter_of(tx: Transaction, project_id: UUID) -> LetterTold | None:
    """The newest letter of an own project; None where the tenderee signed none."""
    project = await tx.session.get(ProjectRow, project_id)
    if project is None or not lots.owns(tx, project):
        raise NotFound("no such project")
    letter = await _newest(tx, project_id)
    if letter is None:
        return None
    end = await _end_of(tx, letter)
    return LetterTold(
        letter.number,
        _scope_of(letter, end),
        letter.signed_at,
        None if end is None else end.ended_at,
        "" if end is None else end.reason,
        letter.digest,
    )


async def grounds_against(
    tx: Transaction, project: ProjectRow, act: AgencyAct, lot_id: UUID | None
) -> list[Refusal]:
    """Why the actor, where it is the project's agency, may not do this; nothing for others."""
    if tx.actor.role is not Role.AGENCY:
        return []
    letter = await _newest(tx, project.id)
    scope = None if project.authorised_at is None else AgencyScope()
    if letter is not None:
        scope = _scope_of(letter, await _end_of(tx, letter))
    return agency_refusals(scope, act, lot_id, on=beijing_day(tx.now))


async def require_scope(
    tx: Transaction, project: ProjectRow, act: AgencyAct, lot_id: UUID | None
) -> None:
    """`Refused` where the actor is an agency that may not do this for its tenderee."""
    refusals = await grounds_against(tx, project, act, lot_id)
    if refusals:
        raise Refused(refusals)


def scope_in(said: Mapping[str, Any]) -> AgencyScope:
    """How far a letter reaches; what it leaves out, it does not limit."""
    try:
        told = said.get("lots", [])
        named = [id_of(one) for one in list_of(told, at_most=LOTS_MAX)]
        asked = said.get("acts", list(AgencyAct))
        acts = frozenset(AgencyAct(text_of(one)) for one in list_of(asked, at_most=len(AgencyAct)))
        until = None if said.get("until") is None else date.fromisoformat(text_of(said["until"]))
    except ValueError:
        raise Malformed("lots, acts and a day were expected", code="letter") from None
    return AgencyScope(frozenset(named), acts, until)


def _scope_of(letter: AuthorityLetterRow, end: AuthorityEndRow | None) -> AgencyScope:
    acts = frozenset(AgencyAct(one) for one in letter.acts)
    return AgencyScope(frozenset(letter.lots), acts, letter.last_day, ended=end is not None)


async def _newest(tx: Transaction, project_id: UUID) -> AuthorityLetterRow | None:
    found: AuthorityLetterRow | None = await tx.session.scalar(
        select(AuthorityLetterRow)
        .where(col(AuthorityLetterRow.project_id) == project_id)
        .order_by(col(AuthorityLetterRow.number).desc())
        .limit(1)
    )
    return found


async def _end_of(tx: Transaction, letter: AuthorityLetterRow) -> AuthorityEndRow | None:
    found: AuthorityEndRow | None = await tx.session.scalar(
        select(AuthorityEndRow).where(col(AuthorityEndRow.letter) == letter.digest)
    )
    return found
