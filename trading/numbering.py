"""Projects, lots and deals get the codes of the data standard, and codes lead back to them.

A project's code begins with the investment project it is a part of (17 characters) and a serial of
three; a lot's adds three more. The middle of a project's code is drawn at random, so that nobody
can count from two published codes what was prepared between them. A deal's unified code
(统一交易标识码) is given when its lot is published, with a serial of the day and a check character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound
from kernel.identifiers import LotId, ProjectId, is_unified_deal_code, unified_deal_code
from kernel.randomness import random_bytes
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.industries import deal_kind
from trading.rules.procedures import Procedure, switches_of
from trading.tables import LotRow, ProjectRow

SERIALS: Final = 10**8

_NEXT_SERIAL = text(
    "INSERT INTO trading.deal_count (stem, last) VALUES (:stem, 1)"
    " ON CONFLICT (stem) DO UPDATE SET last = trading.deal_count.last + 1 RETURNING last"
)


@dataclass(frozen=True, slots=True)
class Coded:
    """What a code stands for: a deal, a lot, a tender project or an investment project."""

    kind: str
    code: str
    project_id: ProjectId
    lot_id: LotId | None
    name: str


async def platform_code(tx: Transaction, project: ProjectRow) -> str:
    """The code of a project that is being entered: the next of its investment project, or new."""
    if project.investment_code:
        last = await tx.session.scalar(
            select(func.max(col(ProjectRow.platform_code))).where(
                col(ProjectRow.tenderee_id) == project.tenderee_id,
                col(ProjectRow.investment_code) == project.investment_code,
            )
        )
        if last is not None and int(last[17:]) < 999:
            return f"{last[:17]}{int(last[17:]) + 1:03d}"
    kind = _kind_of(tx, project)
    while True:
        stem = f"{kind}{project.region_code}{int.from_bytes(random_bytes(8)) % SERIALS:08d}"
        taken = await tx.session.scalar(
            select(col(ProjectRow.id)).where(col(ProjectRow.platform_code).startswith(stem))
        )
        if taken is None:
            return f"{stem}001"


def lot_code(project: ProjectRow, lot: LotRow) -> str | None:
    """The code of a lot (标段编号), where its project has one."""
    return None if project.platform_code is None else f"{project.platform_code}{lot.number:03d}"


async def deal_code(tx: Transaction, project: ProjectRow) -> str:
    """The next unified code of the day for a lot that is being published."""
    kind, on = _kind_of(tx, project), beijing_day(tx.now)
    uscc = tx.settings.site_uscc
    serial = await tx.session.scalar(_NEXT_SERIAL, {"stem": f"{kind}-{uscc}-{on:%Y%m%d}"})
    assert serial is not None
    return unified_deal_code(kind=kind, platform_uscc=uscc, on=on, serial=serial)


def _kind_of(tx: Transaction, project: ProjectRow) -> str:
    switches = switches_of(Procedure(project.procedure), on=beijing_day(tx.now))
    return deal_kind(project.industry, switches)


@by(*Role)
async def resolved(tx: Transaction, code: str) -> Coded:
    """What a code stands for, as far as anything of it is published; `Malformed` where the check
    character does not fit.
    """
    if re.fullmatch(r"[A-Z][0-9]{2}-.{30,40}", code):
        if not is_unified_deal_code(code):
            raise Malformed("the check character does not fit the code", code="deal_code")
        row = await _published(tx, col(LotRow.deal_code) == code)
        return _coded("deal", code, *row, with_lot=True)
    if not re.fullmatch(r"[A-Z][0-9]{16}(?:[0-9]{3}){0,2}", code):
        raise Malformed("no code of a project, a lot or a deal has this form", code="deal_code")
    project = col(ProjectRow.platform_code)
    if len(code) == 23:
        row = await _published(tx, project == code[:20], col(LotRow.number) == int(code[20:]))
        return _coded("lot", code, *row, with_lot=True)
    if len(code) == 20:
        return _coded("tender_project", code, *await _published(tx, project == code))
    return _coded("project", code, *await _published(tx, project.startswith(code)))


async def _published(tx: Transaction, *conditions: object) -> tuple[ProjectRow, LotRow]:
    row = (
        await tx.session.execute(
            select(ProjectRow, LotRow)
            .join(LotRow, col(LotRow.project_id) == col(ProjectRow.id))
            .where(col(LotRow.published_at).is_not(None), *conditions)  # type: ignore[arg-type]  # columns
            .order_by(col(ProjectRow.platform_code), col(LotRow.number))
            .limit(1)
        )
    ).first()
    if row is None:
        raise NotFound("nothing published has this code")
    project, lot = row
    return project, lot


def _coded(
    kind: str, code: str, project: ProjectRow, lot: LotRow, *, with_lot: bool = False
) -> Coded:
    name = f"{project.name} {lot.name}" if with_lot else project.name
    lot_id: UUID | None = lot.id if with_lot else None
    return Coded(kind, code, ProjectId(project.id), None if lot_id is None else LotId(lot_id), name)
