"""Who is acting, in what capacity, and which acts each capacity may do.

Every activity says `@by(...)` above itself. The access matrix in the README is printed from those
lines, and a test fails when an activity has none. Which two capacities one person may never hold
in the same lot is the table `CONFLICTS`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from kernel.errors import NotPermitted
from kernel.identifiers import PartyId, PersonId, SessionId

P = ParamSpec("P")
R = TypeVar("R")


class Role(StrEnum):
    """The capacities in which a person can act on the platform."""

    TENDEREE = "tenderee"
    AGENCY = "agency"
    BIDDER = "bidder"
    EXPERT = "expert"
    OWNER_REPRESENTATIVE = "owner_representative"
    CUSTODIAN = "custodian"
    CENTRE_STAFF = "centre_staff"
    SITE_ADMINISTRATOR = "site_administrator"
    SUPERVISOR = "supervisor"
    WITNESS = "witness"
    PLATFORM = "platform"
    PUBLIC = "public"


_TENDERING_SIDE = frozenset({Role.TENDEREE, Role.AGENCY, Role.OWNER_REPRESENTATIVE})

CONFLICTS: dict[Role, frozenset[Role]] = {
    # A bidder may be nothing else in the lot it bids for; the others hold its secrets or judge it.
    Role.BIDDER: frozenset(Role) - {Role.BIDDER, Role.PUBLIC, Role.WITNESS, Role.PLATFORM},
    # Regulation 46: supervisors sit in no committee; agency staff not in their own project.
    Role.EXPERT: _TENDERING_SIDE
    | {Role.BIDDER, Role.CUSTODIAN, Role.CENTRE_STAFF, Role.SITE_ADMINISTRATOR, Role.SUPERVISOR},
    Role.SUPERVISOR: _TENDERING_SIDE
    | {Role.BIDDER, Role.EXPERT, Role.CENTRE_STAFF, Role.SITE_ADMINISTRATOR},
    Role.OWNER_REPRESENTATIVE: frozenset(
        {Role.BIDDER, Role.EXPERT, Role.SUPERVISOR, Role.CENTRE_STAFF, Role.SITE_ADMINISTRATOR}
    ),
    Role.CUSTODIAN: frozenset({Role.BIDDER, Role.EXPERT}),
}


def conflicting(role: Role, held: Iterable[Role]) -> frozenset[Role]:
    """The capacities among `held` that the same person may not combine with `role` in one lot."""
    return frozenset(
        other
        for other in held
        if other in CONFLICTS.get(role, frozenset()) or role in CONFLICTS.get(other, frozenset())
    )


@dataclass(frozen=True, slots=True)
class Actor:
    """A person acting in one capacity for one organisation; background work is the PLATFORM."""

    role: Role
    person_id: PersonId | None = None
    party_id: PartyId | None = None
    session_id: SessionId | None = None
    address: str = ""

    @property
    def party(self) -> PartyId:
        """The organisation acted for; `NotPermitted` for the public and the platform."""
        if self.party_id is None:
            raise NotPermitted("this act needs an organisation")
        return self.party_id

    @property
    def person(self) -> PersonId:
        """The person who acts; `NotPermitted` for the public and the platform."""
        if self.person_id is None:
            raise NotPermitted("this act needs a signed-in person")
        return self.person_id


PLATFORM = Actor(Role.PLATFORM)
PUBLIC = Actor(Role.PUBLIC)


class ActsFor(Protocol):
    """Anything that knows on whose behalf it runs; in practice, a `Transaction`."""

    @property
    def actor(self) -> Actor: ...


Tx = TypeVar("Tx", bound=ActsFor)
Activity = Callable[Concatenate[Tx, P], Awaitable[R]]

ROLES_BY_ACTIVITY: dict[str, frozenset[Role]] = {}


def by(*roles: Role) -> Callable[[Activity[Tx, P, R]], Activity[Tx, P, R]]:
    """Let only these capacities perform the activity, and enter it in the access matrix."""

    def guard(activity: Activity[Tx, P, R]) -> Activity[Tx, P, R]:
        @wraps(activity)
        async def guarded(tx: Tx, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if tx.actor.role not in roles:
                raise NotPermitted(f"not for the role {tx.actor.role}")
            return await activity(tx, *args, **kwargs)

        ROLES_BY_ACTIVITY[f"{activity.__module__}.{activity.__name__}"] = frozenset(roles)
        return guarded

    return guard
