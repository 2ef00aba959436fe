"""What an addendum changes in the notice's own words, and what may not pass as harmless.

An addendum names each place it changes and gives its new words whole. A change of what is bought,
who qualifies, when and how cannot be said to leave bids as they are, nor can one of a term that the
platform itself reckons with, nor a file that takes another's place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kernel.crypto.digests import Malformed, list_of, members, text_of
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
    under,
)
from trading.rules.changed_terms import TERM_NAMES
from trading.rules.notice_contents import AGENCY_WORDS, REQUIRED_WORDS
from trading.rules.procedures import Switches

CHANGES_MAX: Final = 50
PLACE_NAMES: Final[Mapping[str, str]] = {
    key: name for key, (name, _) in {**REQUIRED_WORDS, **AGENCY_WORDS}.items()
}
"""What each place of the notice is called."""

STANDING: Final = frozenset({"name", "tenderee", "agency", "platform_url", "funding_source"})
"""The places that follow from the project and not from what the notice says of it."""

AFFECTING: Final = frozenset(
    {
        *("content", "scale", "place", "schedule", "qualifications", "consortium"),
        *("submission_how", "evaluation_method"),
    }
)
"""The places whose change affects how bids are made, whatever is said of it."""

OBJECT: Final = frozenset({"content", "scale", "qualifications"})
"""The places that say what is bought and who qualifies, which procurement may not change."""


@dataclass(frozen=True, slots=True)
class Change:
    """New words for one place of the notice."""

    place: str
    text: str


def changes_in(value: object, words: Mapping[str, str], *, at_most: int) -> tuple[Change, ...]:
    """The changes that a statement lists, or `Malformed`; `words` are those in force.

    A place that is named twice, is none of the notice's, or keeps its words is no change.
    """
    changes = []
    for item in list_of(value, at_most=CHANGES_MAX):
        told = members(item, ("place", "text"))
        place, text = text_of(told["place"]), text_of(told["text"]).strip()
        if place not in words or place in STANDING:
            raise Malformed("no place of the notice that can be changed", code="place")
        if not text or len(text) > at_most or not _readable(text):
            raise Malformed(f"a text of 1 to {at_most} characters was expected", code="text")
        if text == words[place]:
            raise Malformed("a change that changes nothing", code="no_change")
        changes.append(Change(place, text))
    if len({change.place for change in changes}) < len(changes):
        raise Malformed("one place is changed twice", code="place_twice")
    return tuple(changes)


def _readable(text: str) -> bool:
    return all(sign.isprintable() or sign in "\n\r\t" for sign in text)


@under(BIDDING_REGULATION[21], PROCUREMENT_TENDER_MEASURES[27], rule="NO-10")
def change_refusals(
    changes: Sequence[Change],
    *,
    replaced: Sequence[str],
    may_affect_bids: bool,
    switches: Switches,
    terms: Sequence[str] = (),
) -> list[Refusal]:
    """Why an addendum may not say that it leaves bids as they are.

    `replaced` are the names of files that take the place of others, `terms` of terms that change.
    """
    if may_affect_bids:
        return []
    procurement = switches.regime is Regime.PROCUREMENT
    article = PROCUREMENT_TENDER_MEASURES[27] if procurement else BIDDING_REGULATION[21]
    told = [PLACE_NAMES[one.place] for one in changes if one.place in AFFECTING]
    told += [TERM_NAMES[name] for name in terms]
    told += [f"文件“{name}”" for name in replaced]
    return [
        Refusal(
            "effect_denied",
            article,
            f"修改{what}可能影响投标文件编制，应当按可能影响的修改发布",
            {"changed": what},
        )
        for what in told
    ]


def changes_object(changes: Sequence[Change]) -> bool:
    """Whether the addendum changes what is bought or who qualifies."""
    return any(change.place in OBJECT for change in changes)
