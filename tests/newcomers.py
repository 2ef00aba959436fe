"""People and organisations for tests: valid by default, changed by keyword."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from kernel.access import PUBLIC, Actor, Role
from kernel.crypto.digests import b64u, canonical
from kernel.crypto.signing import PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.errors import Refused
from kernel.store.registering import (
    Registered,
    install_staff,
    register,
    registration_of,
    verify_organisation,
)
from kernel.store.transaction import Store, transaction

SIGNED_AT = "2026-03-02T01:00:00Z"
GOOD_USCC = ("91350100M000100Y43", "91330106673959654P", "91110000802100433B")


def signed(key: PrivateKey, kind: str, payload: dict[str, Any]) -> bytes:
    """A statement of that kind, signed by the key."""
    said = {"v": f"ebid-{kind}/1", "signed_at": SIGNED_AT, **payload}
    return key.sign(payload_type(kind), canonical(said)).to_bytes()


def a_registration(key: PrivateKey, **changes: Any) -> bytes:
    """An organisation's registration, signed by its first person."""
    payload: dict[str, Any] = {
        "uscc": GOOD_USCC[0],
        "name": "江城建设工程有限公司",
        "region": "420100",
        "responsible_person": "王伟",
        "roles": ["bidder"],
        "person": "李娜",
        "identity_document": "420103199001010011",
        "public_key": b64u(key.public_bytes),
        **changes,
    }
    return signed(key, "registration", payload)


def a_membership(key: PrivateKey, organisation_id: UUID, **changes: Any) -> bytes:
    """A person's request to act for an organisation."""
    payload: dict[str, Any] = {
        "organisation": str(organisation_id),
        "roles": ["bidder"],
        "person": "赵敏",
        "identity_document": "420103198505050022",
        "public_key": b64u(key.public_bytes),
        **changes,
    }
    return signed(key, "membership", payload)


async def registered(store: Store, key: PrivateKey, **changes: Any) -> Registered:
    """An organisation that has registered and waits for the centre."""
    async with transaction(store, actor=PUBLIC) as tx:
        return await register(tx, registration_of(a_registration(key, **changes)))


async def the_centre(store: Store, key: PrivateKey) -> Actor:
    """The trading centre, installed, with its first member of staff."""
    asked = registration_of(
        a_registration(
            key,
            uscc=GOOD_USCC[2],
            name="江城市公共资源交易中心",
            roles=["centre_staff", "site_administrator"],
            identity_document="420103197001010033",
        )
    )
    centre = await install_staff(store, asked)
    return Actor(Role.CENTRE_STAFF, centre.person_id, centre.organisation_id)


def acting(who: Registered, role: Role = Role.BIDDER) -> Actor:
    """The person acting for the organisation."""
    return Actor(role, who.person_id, who.organisation_id)


def codes(refused: pytest.ExceptionInfo[Refused]) -> set[str]:
    """The codes of all grounds."""
    return {refusal.code for refusal in refused.value.refusals}


async def verified(store: Store, staff: Actor, key: PrivateKey, **changes: Any) -> Registered:
    """An organisation the centre has verified, with its first person."""
    who = await registered(store, key, **changes)
    async with transaction(store, actor=staff) as tx:
        await verify_organisation(tx, who.organisation_id, basis="营业执照原件")
    return who
