"""While tender documents are on offer, and to whom.

They are offered from the first to the last moment that the timetable promises (招标投标法实施条例
16). Whoever has taken them keeps the way to them, since clarifications bring new files until the
end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, under
from kernel.working_days import BEIJING
from trading.rules.lot_lifecycle import LotState


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """Someone asks for the tender documents of a published lot.

    `taken_before` says that the asker already takes part in it.
    """

    asked_at: datetime
    taken_before: bool
    lot_state: LotState
    offered_from: datetime
    offered_until: datetime


@under(BIDDING_REGULATION[16], rule="NO-04")
def offer_refusals(request: DocumentRequest) -> list[Refusal]:
    """Every ground on which the documents are not given out now; the last moment still counts."""
    if request.taken_before:
        return []
    refusals = []
    if request.asked_at < request.offered_from:
        reason = f"招标文件自{_clock(request.offered_from)}起提供"
        refusals.append(Refusal("documents_not_yet", BIDDING_REGULATION[16], reason))
    if request.lot_state is not LotState.OPEN or request.asked_at > request.offered_until:
        reason = f"招标文件提供期限已于{_clock(request.offered_until)}届满"
        refusals.append(Refusal("documents_no_longer", BIDDING_REGULATION[16], reason))
    return refusals


def _clock(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
