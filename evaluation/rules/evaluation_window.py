"""When the time for an evaluation may be prolonged, by whom, and by how much at a time.

The law leaves the time to whoever tenders, who must prolong it where more than a third of the
members hold that it does not suffice. Local rules add faults: what is broken off goes on or waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final

from evaluation.rules.session_protocol import Phase
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, under

ASKING_SHARE: Final = Fraction(1, 3)
"""More than this part of the members must ask before the time is prolonged for their sake."""

EXTENSION_MIN: Final = timedelta(minutes=15)
EXTENSION_MAX: Final = timedelta(hours=24)
"""How much is added at a time; no law fixes either, and what is needed may be added again."""


class ExtensionGround(StrEnum):
    """Why the time for an evaluation is prolonged."""

    MEMBERS_ASKED = "members_asked"
    NOT_BEGUN = "not_begun"
    """The window has begun and the committee never was complete: whoever tenders decides."""

    INTERRUPTED = "interrupted"
    """Work is broken off, and the host site's keeper gives the committee the time to go on."""


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """A window and its committee at an instant of the platform's time.

    `asked` counts the current members who asked for more than this very window.
    """

    at: datetime
    window_from: datetime
    window_until: datetime
    phase: Phase
    members: int
    asked: int

    def enough_asked(self) -> bool:
        """Whether more than a third of the members hold that the time does not suffice."""
        return self.asked > ASKING_SHARE * self.members


def tenderees_ground(facts: WindowFacts) -> ExtensionGround | None:
    """On what ground the tenderee or its agency may prolong the window now; None for none."""
    if facts.enough_asked():
        return ExtensionGround.MEMBERS_ASKED
    if facts.phase is Phase.CONVENING and facts.at >= facts.window_from:
        return ExtensionGround.NOT_BEGUN
    return None


def keepers_ground(facts: WindowFacts) -> ExtensionGround | None:
    """On what ground the keeper of the host site may prolong the window now; None for none."""
    return ExtensionGround.INTERRUPTED if facts.phase is Phase.PAUSED else None


@under(BIDDING_REGULATION[48], rule=("EV-03", "RE-11"))
def extension_refusals(
    facts: WindowFacts, *, ground: ExtensionGround | None, more: timedelta
) -> list[Refusal]:
    """Why the window may not be prolonged by so much, on this ground."""
    article = BIDDING_REGULATION[48]
    refusals = []
    if ground is None:
        reason = (
            f"认为评标时间不够的成员为{facts.asked}/{facts.members}，未超过三分之一，"
            "评标也没有中断，不得延长评标时间"
        )
        told = {"asked": str(facts.asked), "members": str(facts.members)}
        refusals.append(Refusal("too_few_asked", article, reason, told))
    if not EXTENSION_MIN <= more <= EXTENSION_MAX:
        least, most = (int(one.total_seconds() // 60) for one in (EXTENSION_MIN, EXTENSION_MAX))
        reason = f"每次延长应当在{least}分钟至{most}分钟之间"
        refusals.append(Refusal("extension_unfit", article, reason))
    return refusals


def extended(facts: WindowFacts, more: timedelta) -> datetime:
    """When the window ends once it is prolonged by so much; a time that is over counts from now."""
    return max(facts.at, facts.window_until) + more
