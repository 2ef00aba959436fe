"""When a member may be replaced who did not step aside, and for how long one waits before that.

The law lets a member be replaced who leaves the post without leave, or cannot go on for health or
another reason; it does not say how long to wait. Whoever is barred may not sit at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kernel.crypto.digests import instant_text
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, E_BIDDING_MEASURES, under

ABSENCE_GRACE: Final = timedelta(minutes=30)
"""How long a member may be missing before an absence is noted; no law fixes it, a province may."""


class ReplacementGround(StrEnum):
    """Why a member is replaced who did not withdraw."""

    ABSENT = "absent"
    """Did not come, or left the seat without leave (擅离职守)."""

    BARRED = "barred"
    """A decision in force forbids taking part in evaluations."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A member who is not at the seat, in the platform's time.

    `expected_since` is the first instant from which the member could have worked: the window has
    begun, the seat is given out, the bids are handed over and nothing suspends the lot. `missing`
    is how long ago the last lease ended, and None for whoever has had none.
    """

    at: datetime
    expected_since: datetime
    present: bool
    missing: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ReplacementFacts:
    """A member whom the site's staff want replaced, and where the lot stands.

    `bars` are the grounds that the register gives against the person.
    """

    ground: ReplacementGround
    absence: Absence
    bars: Sequence[Refusal]
    in_evaluation: bool
    suspended: bool


@under(
    BIDDING_LAW[37],
    BIDDING_REGULATION[48],
    BIDDING_REGULATION[62],
    E_BIDDING_MEASURES[32],
    rule="EX-12",
)
def replacement_refusals(
    facts: ReplacementFacts, *, grace: timedelta = ABSENCE_GRACE
) -> list[Refusal]:
    """Why this member may not be replaced now, against its will.

    An absence counts once it has lasted for the whole grace; a bar counts at once.
    """
    refusals = []
    if not facts.in_evaluation:
        reason = "开标记录未移交评标，或者评标已经结束，不得更换评标委员会成员"
        refusals.append(Refusal("not_in_evaluation", E_BIDDING_MEASURES[32], reason))
    if facts.ground is ReplacementGround.BARRED and not facts.bars:
        reason = "该成员不处于禁止参加评标期内，不得以此为由更换"
        refusals.append(Refusal("not_barred", BIDDING_REGULATION[48], reason))
    if facts.ground is ReplacementGround.ABSENT:
        if facts.suspended:
            reason = "行政监督部门已责令暂停招标投标活动，恢复前不得以缺席为由更换成员"
            refusals.append(Refusal("suspended", BIDDING_REGULATION[62], reason))
        refusals += _absence_refusals(facts.absence, grace)
    return refusals


def absent_from(absence: Absence, *, grace: timedelta = ABSENCE_GRACE) -> datetime | None:
    """From when on the absence may be noted; None while the member is at the seat."""
    if absence.present:
        return None
    since = absence.expected_since
    if absence.missing is not None:
        since = max(since, absence.at - absence.missing)
    return since + grace


def _absence_refusals(absence: Absence, grace: timedelta) -> list[Refusal]:
    from_when = absent_from(absence, grace=grace)
    if from_when is None:
        reason = "该成员在评标工位，不得以缺席为由更换"
        return [Refusal("at_seat", BIDDING_REGULATION[48], reason)]
    if absence.at < from_when:
        minutes = int(grace.total_seconds() // 60)
        reason = f"缺席满{minutes}分钟后方可更换，最早为 {instant_text(from_when)}"
        told = {"not_before": instant_text(from_when)}
        return [Refusal("too_early", BIDDING_REGULATION[48], reason, told)]
    return []
