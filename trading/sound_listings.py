"""Whether what is stored of listings agrees with itself, with the journal and with its commitment.

Prices rise by steps, each from an admitted bidder and told as it was taken; a listing that has
ended was won by its last price, above a reserve that is the one committed to.
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
from trading.listing import commitment_to

_LISTINGS = text(
    "SELECT l.id, l.code, l.phase, l.starting_price, l.step, l.ends_at, l.winner_id, l.price,"
    " l.reserve_commitment, r.reserve, r.nonce FROM trading.listing l"
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


async def listing_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of listings, their prices and their ends."""
    told = await _told(connection)
    quotes: dict[str, list[RowMapping]] = defaultdict(list)
    for quote in (await connection.execute(_QUOTES)).mappings():
        quotes[str(quote["listing_id"])].append(quote)
    faults = []
    for listing in (await connection.execute(_LISTINGS)).mappings():
        id = str(listing["id"])
        faults += _price_faults(listing, quotes[id], told["ListingQuoted"][id])
        faults += _end_faults(listing, quotes[id], told["ListingEnded"][id])
    return faults


async def _told(connection: AsyncConnection) -> dict[str, dict[str, list[dict[str, Any]]]]:
    told: dict[str, dict[str, list[dict[str, Any]]]] = {
        kind: defaultdict(list) for kind in ("ListingQuoted", "ListingEnded")
    }
    for record in (await records_of_kinds(connection, list(told))).values():
        entry = json.loads(record)
        told[entry["kind"]][entry["subject"]].append(entry["facts"])
    return told


def _price_faults(
    listing: RowMapping, quotes: list[RowMapping], told: list[dict[str, Any]]
) -> list[str]:
    faults, least = [], listing["starting_price"]
    for place, quote in enumerate(quotes, start=1):
        name = f"price {quote['number']} of listing {listing['id']}"
        if quote["number"] != place or quote["price"] < least:
            faults.append(f"{name} is not a step above the one before it")
        if quote["arrived_at"] is None:
            faults.append(f"{name} is from nobody who was admitted")
        if quote["phase"] == "listed" and quote["received_at"] >= listing["ends_at"]:
            faults.append(f"{name} came after the end")
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
