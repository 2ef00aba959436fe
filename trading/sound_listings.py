"""Whether what is stored of listings agrees with itself, with the journal and with its commitment.

Prices rise by steps, each from an admitted bidder and told as it was taken; a listing that has
ended was won by its last price, above a reserve that is the one committed to. Whoever was let in
had paid by then, and of what was paid no more is back or kept than there was.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto.digests import instant_text
from kernel.money import yuan_text
from kernel.store.journal import records_of_kinds
from trading.listing import commitment_to, pauses_in
from trading.rules.listing_interruption import moved

_LISTINGS = text(
    "SELECT l.id, l.code, l.phase, l.starting_price, l.step, l.ends_at, l.winner_id, l.price,"
    " l.reserve_commitment, l.pauses, l.paused_at, r.reserve, r.nonce FROM trading.listing l"
    " LEFT JOIN trading.listing_reserve r ON r.listing_id = l.id"
)
_QUOTES = text(
    "SELECT q.listing_id, q.number, q.bidder_id, q.price, q.received_at, q.phase,"
    " b.number AS bidder_number, a.arrived_at FROM trading.listing_quote q"
    " LEFT JOIN trading.listing_bidder b"
    "  ON b.listing_id = q.listing_id AND b.bidder_id = q.bidder_id"
    " LEFT JOIN trading.listing_admission a"
    "  ON a.listing_id = q.listing_id AND a.bidder_id = q.bidder_id"
    " ORDER BY q.listing_id, q.number"
)


_MONEY = text(
    "SELECT c.listing_id, b.number, l.security, a.paid AS admitted,"
    " (SELECT coalesce(sum(n.amount), 0) FROM trading.bank_line n"
    "  WHERE n.reference = c.reference) AS came,"
    " (SELECT coalesce(sum(n.amount), 0) FROM trading.bank_line n"
    "  WHERE n.reference = c.reference AND n.received_at <= a.arrived_at) AS came_by_then,"
    " (SELECT coalesce(sum(g.principal), 0) FROM trading.listing_return g"
    "  WHERE g.listing_id = c.listing_id AND g.bidder_id = c.bidder_id) AS went,"
    " coalesce(k.amount, 0) AS kept"
    " FROM trading.listing_account c JOIN trading.listing l ON l.id = c.listing_id"
    " LEFT JOIN trading.listing_bidder b"
    "  ON b.listing_id = c.listing_id AND b.bidder_id = c.bidder_id"
    " LEFT JOIN trading.listing_admission a"
    "  ON a.listing_id = c.listing_id AND a.bidder_id = c.bidder_id"
    " LEFT JOIN trading.listing_keeping k"
    "  ON k.listing_id = c.listing_id AND k.bidder_id = c.bidder_id"
)


async def listing_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of listings, their prices and their ends."""
    told = await _told(connection)
    quotes: dict[str, list[RowMapping]] = defaultdict(list)
    for quote in (await connection.execute(_QUOTES)).mappings():
        quotes[str(quote["listing_id"])].append(quote)
    faults = []
    for money in (await connection.execute(_MONEY)).mappings():
        faults += _money_faults(money)
    for listing in (await connection.execute(_LISTINGS)).mappings():
        id = str(listing["id"])
        faults += _price_faults(listing, quotes[id], told["ListingQuoted"][id])
        faults += _end_faults(listing, quotes[id], told["ListingEnded"][id])
        if len(told["ListingTerminated"][id]) != (listing["phase"] == "terminated"):
            faults.append(f"the early end of listing {id} is told otherwise than it came")
    return faults


async def _told(connection: AsyncConnection) -> dict[str, dict[str, list[dict[str, Any]]]]:
    told: dict[str, dict[str, list[dict[str, Any]]]] = {
        kind: defaultdict(list) for kind in ("ListingQuoted", "ListingEnded", "ListingTerminated")
    }
    for record in (await records_of_kinds(connection, list(told))).values():
        entry = json.loads(record)
        told[entry["kind"]][entry["subject"]].append(entry["facts"])
    return told


def _money_faults(one: RowMapping) -> list[str]:
    name, faults = f"number {one['number']} of listing {one['listing_id']}", []
    if one["number"] is None:
        faults.append(f"somebody pays for listing {one['listing_id']} and is no bidder of it")
    if one["admitted"] is not None and one["came_by_then"] < one["security"]:
        faults.append(f"{name} was let in and had not paid")
    if one["went"] + one["kept"] > one["came"]:
        faults.append(f"more is gone of the security of {name} than came")
    return faults


def _price_faults(
    listing: RowMapping, quotes: list[RowMapping], told: list[dict[str, Any]]
) -> list[str]:
    faults, least = [], listing["starting_price"]
    pauses = pauses_in(listing["pauses"], listing["paused_at"])
    ends_at = moved(listing["ends_at"], pauses)
    for place, quote in enumerate(quotes, start=1):
        name = f"price {quote['number']} of listing {listing['id']}"
        if quote["number"] != place or quote["price"] < least:
            faults.append(f"{name} is not a step above the one before it")
        if quote["arrived_at"] is None:
            faults.append(f"{name} is from nobody who was admitted")
        if quote["phase"] == "listed" and quote["received_at"] >= ends_at:
            faults.append(f"{name} came after the end")
        if any(pause.holds(quote["received_at"]) for pause in pauses):
            faults.append(f"{name} came while the listing stood still")
        least = quote["price"] + listing["step"]
    kept = [
        (one["number"], one["bidder_number"], one["price"], instant_text(one["received_at"]))
        for one in quotes
    ]
    shown = [
        (one["number"], one["bidder_number"], one["price"], one["received_at"])
        for one in sorted(told, key=lambda one: int(one["number"]))
    ]
    if shown != [(number, who, yuan_text(price), at) for number, who, price, at in kept]:
        faults.append(f"the journal tells the prices of listing {listing['id']} otherwise")
    return faults


def _end_faults(
    listing: RowMapping, quotes: list[RowMapping], told: list[dict[str, Any]]
) -> list[str]:
    name, faults = f"listing {listing['id']}", []
    reserve, commitment = listing["reserve"], listing["reserve_commitment"]
    if (reserve is None) is not (commitment is None) or (
        reserve is not None
        and commitment_to(listing["code"], reserve, listing["nonce"]) != commitment
    ):
        faults.append(f"the reserve of {name} is not the one committed to")
    if len(told) != (listing["phase"] in ("sold", "unsold")):
        faults.append(f"the end of {name} is told otherwise than it came")
    if listing["phase"] != "sold":
        return faults
    last = quotes[-1] if quotes else None
    if last is None or (listing["winner_id"], listing["price"]) != (
        last["bidder_id"],
        last["price"],
    ):
        faults.append(f"{name} was not won by its highest price")
    elif reserve is not None and last["price"] < reserve:
        faults.append(f"{name} was dealt below its reserve")
    ends = [(str(one["winner_id"]), one["price"]) for one in told]
    if ends != [(str(listing["winner_id"]), yuan_text(listing["price"]))]:
        faults.append(f"the journal tells the deal of {name} otherwise")
    return faults
