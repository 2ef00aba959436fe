"""That every bid that came in time is opened.

No bid that arrived before the deadline is left out: each is read out, or there is a reason on
record.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, under


@under(BIDDING_LAW[36], rule="OP-07")
def unopened_refusals(counted: Collection[UUID], outcomes: Collection[UUID]) -> list[Refusal]:
    """Why an opening may not end: a bid that counts has no outcome, or one that does not has."""
    missing, strange = set(counted) - set(outcomes), set(outcomes) - set(counted)
    refusals = []
    if missing:
        reason = f"尚有{len(missing)}份截止前收到的投标文件没有开标结果"
        facts = {"bids": str(len(missing))}
        refusals.append(Refusal("bids_unopened", BIDDING_LAW[36], reason, facts))
    if strange:
        reason = f"有{len(strange)}份不计入的投标文件被开启"
        refusals.append(Refusal("bids_uncounted", BIDDING_LAW[36], reason))
    return refusals
