"""What of a lot's papers would stand in its archive: those the log commits to before a reader."""

from __future__ import annotations

from uuid import UUID

from kernel.crypto.archive_commitments import committed_files
from kernel.store.journal import read_view
from kernel.store.transaction import Store, transaction
from kernel.store.views import room
from tests.tenders import Player
from trading.archiving import AUDIENCE_OF, papers_for
from trading.tables import LotRow


async def archived(store: Store, who: Player, lot_id: UUID) -> frozenset[str]:
    """The names of the papers that this reader would get; all entries are sequenced by now."""
    async with transaction(store, actor=who.actor) as tx:
        papers = dict(await papers_for(tx, await tx.session.get_one(LotRow, lot_id)))
        view = room(lot_id, AUDIENCE_OF[who.actor.role])
        entries = await read_view(tx.session, view, after=0, limit=500)
    return committed_files(papers, [one.record for one in entries])
