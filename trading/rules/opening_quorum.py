"""Whether a lot may be opened at all: three bidders, or it is tendered again.

Counted are bidders, not bids, and each by the bid that stood at the deadline. A bid that was
withdrawn before it counts for nobody. One that is *deemed* withdrawn at the opening, because the
platform failed it, leaves as if it had been withdrawn in time; one that is *revoked* by its own
bidder's fault was there at the deadline and still counts, and whether too little competition is
left is then for the committee to say.
"""

from __future__ import annotations

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONSULTATION_MEASURES,
    E_BIDDING_MEASURES,
    PROCUREMENT_TENDER_MEASURES,
    Severity,
    under,
)
from trading.rules.procedures import Switches


@under(BIDDING_LAW[28], BIDDING_REGULATION[44], PROCUREMENT_TENDER_MEASURES[43], rule="BI-12")
def opening_refusals(bidder_count: int, switches: Switches) -> list[Refusal]:
    """Fewer than three bidders: the lot must not be opened, and must be tendered again."""
    if bidder_count >= switches.bidders_min:
        return []
    if not switches.quorum_binds and bidder_count:
        return []
    if not switches.quorum_binds:
        return [Refusal("no_bidders", switches.principle, "没有供应商递交响应文件")]
    reason = f"投标人少于{switches.bidders_min}个，不得开标，应当重新招标"
    return [
        Refusal("too_few_bidders", switches.quorum_article, reason, {"bidders": str(bidder_count)})
    ]


@under(
    BIDDING_LAW[28],
    BIDDING_REGULATION[44],
    E_BIDDING_MEASURES[31],
    PROCUREMENT_TENDER_MEASURES[43],
    rule="BI-12",
)
def evaluation_refusals(
    bidder_count: int, deemed_withdrawn: int, switches: Switches
) -> list[Refusal]:
    """Fewer than three bidders once those deemed withdrawn are gone: nothing to evaluate."""
    left = bidder_count - deemed_withdrawn
    if left >= (switches.bidders_min if switches.quorum_binds else 1):
        return []
    if not switches.quorum_binds:
        return [Refusal("no_bidders", switches.principle, "没有可供评审的响应文件")]
    reason = (
        f"{deemed_withdrawn}份投标文件非因投标人原因未能解密，视为撤回，"
        f"投标人少于{switches.bidders_min}个，应当重新招标"
    )
    return [Refusal("too_few_bidders", switches.quorum_article, reason, {"bidders": str(left)})]


@under(CONSULTATION_MEASURES[21], rule="NB-08", severity=Severity.WARN)
def opening_cautions(bidder_count: int, switches: Switches) -> list[Caution]:
    """Fewer bidders than a number asks for which nobody here has read in its own text."""
    if switches.quorum_binds or bidder_count >= switches.bidders_min:
        return []
    reason = f"供应商少于{switches.bidders_min}家，除法定情形外应当终止采购活动，请核对"
    facts = {"bidders": str(bidder_count)}
    return [Caution("too_few_bidders", switches.quorum_article, reason, facts)]
