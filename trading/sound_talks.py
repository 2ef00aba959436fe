"""Whether what is stored of talks and last prices agrees with itself and with the journal.

Last prices were handed in before their deadline and opened after it, inside the window, by nobody
who was not asked; each opened one is the one that its supplier committed to; every one has its
entry, which says the same; turns count from one without a gap; and the price that a report ranked
is the last one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto.digests import b64u, parse_instant
from kernel.store.journal import records_by_id
from trading.rules.price_talks import Pause, moved_by, price_commitment
from trading.talk_records import pauses_since

_FAULTS: Final = (
    (
        "what was opened for lot {} is not the last price that was handed in",
        "SELECT o.lot_id FROM trading.last_price_opening o WHERE o.seq <>"
        " (SELECT coalesce(max(p.seq), 0) FROM trading.last_price p"
        "  WHERE (p.lot_id, p.bidder_id) = (o.lot_id, o.bidder_id))",
    ),
    (
        "the last prices of a supplier of lot {} are not numbered from one without a gap",
        "SELECT p.lot_id FROM trading.last_price p GROUP BY p.lot_id, p.bidder_id"
        " HAVING max(p.seq) <> count(*)",
    ),
    (
        "the turns of a supplier in the talks of lot {} have a gap",
        "SELECT t.lot_id FROM trading.talk t GROUP BY t.lot_id, t.bidder_id"
        " HAVING max(t.turn) <> count(*)",
    ),
    (
        "something was talked about or changed in lot {} after last prices were asked for",
        "SELECT c.lot_id FROM trading.last_price_call c WHERE EXISTS (SELECT 1 FROM trading.talk t"
        "  WHERE t.lot_id = c.lot_id AND t.held_at > c.called_at)"
        " OR EXISTS (SELECT 1 FROM trading.demand_change d"
        "  WHERE d.lot_id = c.lot_id AND d.confirmed_at > c.called_at)",
    ),
    (
        "the report on lot {} ranks another price than the last one",
        "SELECT r.lot_id FROM trading.ranked_bid r JOIN trading.last_price_call c"
        " ON c.lot_id = r.lot_id WHERE r.price IS DISTINCT FROM"
        " (SELECT o.price FROM trading.last_price_opening o"
        "  WHERE (o.lot_id, o.bidder_id) = (r.lot_id, r.bidder_id))",
    ),
)
_TIMES: Final = text(
    "SELECT c.lot_id, c.called_at, c.due_at, c.window_until, p.handed_in_at, o.opened_at,"
    " jsonb_exists(c.asked, CAST(p.bidder_id AS text)) AS asked"
    " FROM trading.last_price_call c JOIN trading.last_price p ON p.lot_id = c.lot_id"
    " LEFT JOIN trading.last_price_opening o"
    " ON (o.lot_id, o.bidder_id, o.seq) = (p.lot_id, p.bidder_id, p.seq)"
)
_PRICES: Final = text(
    "SELECT p.lot_id, p.bidder_id, p.seq, p.commitment, p.digest, p.handed_in_at, p.entry_id,"
    " o.price, o.salt FROM trading.last_price p LEFT JOIN trading.last_price_opening o"
    " ON (o.lot_id, o.bidder_id, o.seq) = (p.lot_id, p.bidder_id, p.seq)"
)


async def talk_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of talks and last prices."""
    faults = [
        words.format(found)
        for words, query in _FAULTS
        for found in sorted(map(str, (await connection.execute(text(query))).scalars()))
    ]
    faults += await _time_faults(connection)
    rows = (await connection.execute(_PRICES)).all()
    records = await records_by_id(connection, [one.entry_id for one in rows])
    for row in rows:
        faults += _faults_of(row, json.loads(records.get(row.entry_id, b"{}")))
    return faults


async def _time_faults(connection: AsyncConnection) -> list[str]:
    """Last prices that were handed in or opened at another time, what stood still not counted."""
    faults = []
    pauses: dict[UUID, list[Pause]] = {}
    for row in (await connection.execute(_TIMES)).all():
        if row.lot_id not in pauses:
            found = await pauses_since(connection, row.lot_id, row.called_at)
            pauses[row.lot_id] = [one.pause for one in found]
        moved = partial(_moved, pauses[row.lot_id])
        in_time = row.called_at <= row.handed_in_at < moved(row.due_at, by=row.handed_in_at)
        if not (row.asked and in_time):
            faults.append(
                f"a last price for lot {row.lot_id} was not handed in before its deadline by one"
                " who was asked"
            )
        at = row.opened_at
        if at is not None and not moved(row.due_at, by=at) <= at < moved(row.window_until, by=at):
            faults.append(f"a last price for lot {row.lot_id} was opened outside the window")
    return faults


def _moved(pauses: Sequence[Pause], moment: datetime, *, by: datetime) -> datetime:
    before = [one for one in pauses if one.until is not None and one.until <= by]
    return moved_by(moment, before, now=by)


def _faults_of(row: Any, entry: dict[str, Any]) -> list[str]:
    facts = entry.get("facts", {})
    said = (
        entry.get("kind"),
        entry.get("subject"),
        facts.get("addressee_id"),
        facts.get("seq"),
        facts.get("commitment"),
        facts.get("statement_digest"),
    )
    kept = (
        "LastPriceHandedIn",
        str(row.lot_id),
        str(row.bidder_id),
        row.seq,
        b64u(row.commitment),
        b64u(row.digest),
    )
    faults = []
    if said != kept or parse_instant(facts["received_at"]) != row.handed_in_at:
        faults.append(f"the journal tells a last price for lot {row.lot_id} otherwise")
    if row.price is not None and row.commitment != price_commitment(
        row.lot_id, row.bidder_id, row.salt, row.price
    ):
        faults.append(f"a last price for lot {row.lot_id} is not the one committed to")
    return faults
