"""Whether what is stored of invitations agrees with the signed notice and with the journal.

The invited of a published lot are those that its notice commits to and those who were told, they
are the ones that the seed draws where one did, and nobody else ever bid.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto.digests import b64u
from kernel.store.journal import records_of_kinds
from trading.rules.invited_bidders import drawn_first, invited_commitment

_INVITATIONS: Final = text(
    "SELECT i.lot_id, i.salt, i.seed, n.body ->> 'invited' AS committed,"
    " (SELECT array_agg(e.party_id ORDER BY e.place) FROM trading.invitee e"
    "  WHERE e.lot_id = i.lot_id) AS listed,"
    " (SELECT array_agg(e.party_id ORDER BY e.place) FROM trading.invitee e"
    "  WHERE e.lot_id = i.lot_id AND e.invited) AS invited,"
    " (SELECT array_agg(DISTINCT b.bidder_id) FROM trading.bid b WHERE b.lot_id = i.lot_id)"
    " AS bidders"
    " FROM trading.invitation i JOIN trading.lot l ON l.id = i.lot_id"
    " JOIN trading.notice n ON n.lot_id = i.lot_id AND n.number = 1"
    " WHERE l.published_at IS NOT NULL"
)
_UNLISTED: Final = text(
    "SELECT n.lot_id FROM trading.notice n WHERE n.number = 1 AND n.body ? 'invited'"
    " AND NOT EXISTS (SELECT 1 FROM trading.invitation i WHERE i.lot_id = n.lot_id)"
)


async def invitation_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of invitations."""
    told: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for record in (await records_of_kinds(connection, ["BidderInvited"])).values():
        entry = json.loads(record)
        told[UUID(entry["subject"])].add(UUID(entry["facts"]["addressee_id"]))
    rows = (await connection.execute(_INVITATIONS)).all()
    faults = [
        f"lot {row.lot_id} was by invitation, and of nobody is it kept that he was invited"
        for row in await connection.execute(_UNLISTED)
    ]
    for row in rows:
        faults += _faults_of(row, told[row.lot_id])
    return faults


def _faults_of(row: Any, told: set[UUID]) -> list[str]:
    invited, lot = row.invited or [], row.lot_id
    faults = []
    if row.committed != b64u(invited_commitment(row.salt, invited)):
        faults.append(f"the invited of lot {lot} are not those of its notice")
    if set(invited) != told:
        faults.append(f"the invited of lot {lot} are not those who were told")
    if row.seed is not None:
        drawn = drawn_first(row.listed or [], row.seed, count=len(invited))
        if set(drawn) != set(invited):
            faults.append(f"the invited of lot {lot} are not those whom its seed draws")
    if set(row.bidders or []) - set(invited):
        faults.append(f"somebody bid for lot {lot} who was not invited")
    return faults
