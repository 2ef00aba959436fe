"""A lot that comes back to its committee is evaluated anew by the same people.

Where a complaint is upheld and correction is ordered, the report that stood is set aside and kept;
sheets and votes stand until their authors change them with reasons, and the next report is another
version under which all sign anew. The window is prolonged by whoever tenders.
"""

from __future__ import annotations

from uuid import UUID

from evaluation import committees
from evaluation.rules.report_contents import SetAsideGround
from evaluation.rules.session_protocol import Phase, Reopened
from kernel.access import Role, by
from kernel.store.clocks import unshifted_clock
from kernel.store.transaction import Transaction


@by(Role.PLATFORM)
async def reopen(tx: Transaction, lot_id: UUID) -> bool:
    """Open the evaluation of a lot again that came back; whether there was one to open."""
    found = await committees.find_of_lot(tx, lot_id)
    if found is None:
        return False
    file = await committees.lock(tx, found.id)
    if file.row.phase != Phase.CLOSED:
        return False

    await committees.set_report_aside(tx, file, SetAsideGround.RETURNED)
    await committees.step_on(tx, file, Reopened(await unshifted_clock(tx.session)))
    file.row.closed_at = None

    return True
