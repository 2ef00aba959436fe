"""Who sees which entry: the rooms, as each audience sees them.

A view is a room (a subject) as one audience sees it, a party's own acts, or a public or
supervisors' feed of everything. Numbers are dense within a view, so no gap tells a reader that
something happened that he may not see.
"""

from __future__ import annotations

from uuid import UUID

from kernel.events import Audience

PUBLIC_FEED = "public"
SUPERVISORS_FEED = "supervisors"

_WIDER: dict[Audience, tuple[Audience, ...]] = {
    Audience.PUBLIC: (
        Audience.PUBLIC,
        Audience.PARTICIPANTS,
        Audience.COMMITTEE,
        Audience.SUPERVISORS,
    ),
    Audience.PARTICIPANTS: (Audience.PARTICIPANTS, Audience.SUPERVISORS),
    Audience.COMMITTEE: (Audience.COMMITTEE, Audience.SUPERVISORS),
    Audience.SUPERVISORS: (Audience.SUPERVISORS,),
}


def room(subject_id: UUID, audience: Audience) -> str:
    """The view of one subject for one audience."""
    return f"{subject_id}/{audience}"


def own_acts(party_id: UUID) -> str:
    """The view of everything that only one party may know."""
    return f"party/{party_id}"


def views_of(subject_id: UUID, audience: Audience, party_id: UUID | None) -> list[str]:
    """Every view in which an entry of this audience has a number.

    A sealed entry, or one for a single party, is seen by that party alone, in its own acts; a
    sealed one gets its other numbers when its subject is disclosed.
    """
    if audience in (Audience.SEALED_UNTIL_CLOSE, Audience.PARTY):
        return [] if party_id is None else [own_acts(party_id)]
    views = [room(subject_id, seer) for seer in _WIDER.get(audience, ())]
    if audience is Audience.PUBLIC:
        views.append(PUBLIC_FEED)
    if audience in _WIDER:
        views.append(SUPERVISORS_FEED)
    return views
