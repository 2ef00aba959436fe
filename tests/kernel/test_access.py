"""Who may do what; Bidding Law 37, Bidding Regulation 46: capacities that exclude each other."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.access import (
    CONFLICTS,
    PLATFORM,
    PUBLIC,
    ROLES_BY_ACTIVITY,
    Actor,
    Role,
    by,
    conflicting,
)
from kernel.errors import NotPermitted

roles = st.sampled_from(list(Role))


@dataclass
class Office:
    actor: Actor


@by(Role.BIDDER, Role.AGENCY)
async def knock(tx: Office, times: int) -> int:
    """Knock."""
    return times


@pytest.fixture(autouse=True)
def _matrix_without_ours() -> None:
    ROLES_BY_ACTIVITY.pop(f"{knock.__module__}.knock", None)


@pytest.mark.parametrize("role", list(Role))
async def test_an_activity_is_done_by_its_own_roles_alone(role: Role) -> None:
    office = Office(Actor(role))
    if role in (Role.BIDDER, Role.AGENCY):
        assert await knock(office, 3) == 3
    else:
        with pytest.raises(NotPermitted):
            await knock(office, 3)


@given(roles, st.sets(roles))
def test_conflicts_hold_in_both_directions(role: Role, held: set[Role]) -> None:
    assert conflicting(role, held) <= held
    for other in held:
        assert (other in conflicting(role, held)) == (role in conflicting(other, {role}))


@pytest.mark.parametrize("role", list(Role))
def test_nobody_conflicts_with_his_own_capacity(role: Role) -> None:
    assert conflicting(role, {role}) == frozenset()


@pytest.mark.parametrize(
    ("role", "other"),
    [
        (Role.BIDDER, Role.TENDEREE),
        (Role.BIDDER, Role.EXPERT),
        (Role.BIDDER, Role.SUPERVISOR),
        (Role.BIDDER, Role.CUSTODIAN),
        (Role.BIDDER, Role.CENTRE_STAFF),
        (Role.EXPERT, Role.SUPERVISOR),
        (Role.EXPERT, Role.AGENCY),
        (Role.EXPERT, Role.OWNER_REPRESENTATIVE),
        (Role.SUPERVISOR, Role.AGENCY),
        (Role.CUSTODIAN, Role.EXPERT),
    ],
)
def test_two_such_capacities_never_meet_in_one_lot(role: Role, other: Role) -> None:
    assert conflicting(role, {other}) == {other}
    assert conflicting(other, {role}) == {role}


def test_the_public_and_the_platform_conflict_with_nobody() -> None:
    for role in (Role.PUBLIC, Role.PLATFORM, Role.WITNESS):
        assert role not in CONFLICTS
        assert conflicting(role, set(Role)) == frozenset()


def test_the_public_and_the_platform_are_no_persons() -> None:
    for actor in (PUBLIC, PLATFORM):
        with pytest.raises(NotPermitted):
            _ = actor.person
        with pytest.raises(NotPermitted):
            _ = actor.party
