"""How organisations, people and keys come in. Electronic Bidding Measures 13, 14."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlmodel import col

from kernel.access import PUBLIC, Role
from kernel.crypto.digests import Malformed, b64u, canonical, sha256
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Refused
from kernel.identifiers import PartyId, PersonId
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, E_BIDDING_MEASURES
from kernel.store.parties import is_verified, require_verified, verified_statement
from kernel.store.registering import (
    add_credential,
    add_member,
    consent_refusals,
    end_membership,
    membership_of,
    register,
    registration_of,
    revoke_credential,
    verify_organisation,
)
from kernel.store.tables import (
    CredentialRow,
    JournalRow,
    MembershipRow,
    OrganisationRow,
    PersonRow,
)
from kernel.store.transaction import Store, transaction
from tests.newcomers import (
    GOOD_USCC,
    SIGNED_AT,
    a_membership,
    a_registration,
    acting,
    codes,
    registered,
    signed,
    the_centre,
)


async def kinds(store: Store) -> list[str]:
    async with store.sessions() as session:
        return list(await session.scalars(select(col(JournalRow.kind))))


# ── registration ──────────────────────────────────────────────────────────────────────────────


async def test_a_registration_leaves_rows_and_journal_but_no_identity_number(
    store: Store,
) -> None:
    key = PrivateKey.generate()
    raw = a_registration(key)

    async with transaction(store, actor=replace(PUBLIC, address="192.0.2.7")) as tx:
        who = await register(tx, registration_of(raw))

    async with store.sessions() as session:
        row = await session.get_one(OrganisationRow, who.organisation_id)
        person = await session.get_one(PersonRow, who.person_id)
        credential = await session.get_one(CredentialRow, key.keyid)
        entries = (await session.scalars(select(JournalRow))).all()
    assert (row.uscc, row.roles, row.verified_at) == (GOOD_USCC[0], ["bidder"], None)
    assert row.registration_digest == sha256(raw)
    assert person.name == "李娜"
    assert credential.person_id == who.person_id
    by_kind = {entry.kind: entry for entry in entries}
    assert {"OrganisationRegistered", "PersonJoined"} <= set(by_kind)
    assert by_kind["OrganisationRegistered"].audience == "supervisors"
    assert by_kind["PersonJoined"].audience == "party"
    assert b"192.0.2.7" in by_kind["OrganisationRegistered"].operator
    async with store.sessions() as session:
        for table in ("organisation", "person", "credential", "journal"):
            found = await session.execute(
                text(f"SELECT 1 FROM kernel.{table} t WHERE t::text LIKE '%420103199001010011%'")
            )
            assert found.first() is None
    assert all(b"420103199001010011" not in entry.record for entry in entries)


async def test_the_same_credit_code_is_registered_once(store: Store) -> None:
    await registered(store, PrivateKey.generate())
    with pytest.raises(Refused) as refused:
        await registered(store, PrivateKey.generate(), identity_document="420103199202020044")
    assert codes(refused) == {"organisation_known"}


async def test_a_malformed_credit_code_is_refused_with_its_article(store: Store) -> None:
    with pytest.raises(Refused) as refused:
        await registered(store, PrivateKey.generate(), uscc="91350100O000100Y43")
    assert codes(refused) == {"uscc_malformed"}
    assert refused.value.refusals[0].article == E_BIDDING_MEASURES[14]


async def test_nobody_registers_as_the_centres_staff(store: Store) -> None:
    with pytest.raises(Refused) as refused:
        await registered(store, PrivateKey.generate(), roles=["centre_staff"])
    assert codes(refused) == {"role_not_open"}


async def test_a_ground_found_elsewhere_refuses_a_registration_too(store: Store) -> None:
    bar = Refusal("barred", BIDDING_LAW[53], "禁止投标期内")
    async with transaction(store, actor=PUBLIC) as tx:
        with pytest.raises(Refused) as refused:
            await register(
                tx, registration_of(a_registration(PrivateKey.generate())), grounds=[bar]
            )
    assert codes(refused) == {"barred"}


async def test_a_known_person_gets_a_second_organisation_with_the_known_key(store: Store) -> None:
    key = PrivateKey.generate()
    first = await registered(store, key)
    second = await registered(
        store, key, uscc=GOOD_USCC[1], identity_document=" 420103-19900101 0011"
    )
    assert second.person_id == first.person_id
    assert second.organisation_id != first.organisation_id


async def test_knowing_a_persons_number_does_not_make_one_that_person(store: Store) -> None:
    await registered(store, PrivateKey.generate())
    with pytest.raises(Refused) as refused:
        await registered(store, PrivateKey.generate(), uscc=GOOD_USCC[1])
    assert codes(refused) == {"person_known"}


async def test_one_key_never_speaks_for_two_people(store: Store) -> None:
    key = PrivateKey.generate()
    await registered(store, key)
    with pytest.raises(Refused) as refused:
        await registered(store, key, uscc=GOOD_USCC[1], identity_document="420103199202020044")
    assert codes(refused) == {"key_taken"}


async def test_two_registrations_at_once_make_one_organisation(store: Store) -> None:
    outcomes = await asyncio.gather(
        registered(store, PrivateKey.generate(), identity_document="AAAAAA1"),
        registered(store, PrivateKey.generate(), identity_document="AAAAAA2"),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refused", "Registered"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "江城\u200b建设"},
        {"name": "江城\u202e建设"},
        {"name": "江\n城"},
        {"name": "长" * 201},
        {"region": "42010"},
        {"region": "４２０１００"},
        {"roles": []},
        {"roles": ["bidder", "bidder"]},
        {"roles": ["emperor"]},
        {"roles": "bidder"},
        {"identity_document": "12"},
        {"identity_document": "420103'; --"},
        {"public_key": "AAAA"},
        {"uscc": 7},
        {"unknown": "member"},
        {"v": "ebid-registration/2"},
    ],
)
def test_a_registration_of_another_form_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        registration_of(a_registration(PrivateKey.generate(), **changes))


def test_nobody_registers_anothers_key() -> None:
    thief, victim = PrivateKey.generate(), PrivateKey.generate()
    with pytest.raises(BrokenSeal):
        registration_of(a_registration(thief, public_key=b64u(victim.public_bytes)))


def test_a_changed_registration_does_not_verify() -> None:
    key = PrivateKey.generate()
    envelope = Envelope.from_bytes(a_registration(key))
    forged = replace(envelope, payload=envelope.payload.replace(b"420100", b"420200"))
    with pytest.raises(BrokenSeal):
        registration_of(forged.to_bytes())


# ── verification and members ──────────────────────────────────────────────────────────────────


async def test_the_centre_verifies_an_organisation_once(store: Store) -> None:
    staff = await the_centre(store, PrivateKey.generate())
    who = await registered(store, PrivateKey.generate())

    for _ in range(2):
        async with transaction(store, actor=staff) as tx:
            await verify_organisation(tx, who.organisation_id, basis="营业执照原件")

    async with transaction(store, actor=acting(who)) as tx:
        assert (await require_verified(tx)).id == who.organisation_id
        assert await is_verified(tx, who.organisation_id)
    assert (await kinds(store)).count("OrganisationVerified") == 2  # the centre's own and this


async def test_an_unverified_organisation_is_refused_with_its_article(store: Store) -> None:
    who = await registered(store, PrivateKey.generate())
    async with transaction(store, actor=acting(who)) as tx:
        with pytest.raises(Refused) as refused:
            await require_verified(tx)
    assert codes(refused) == {"organisation_unverified"}
    assert refused.value.refusals[0].article == E_BIDDING_MEASURES[14]


async def test_only_the_centres_staff_verify(store: Store) -> None:
    who = await registered(store, PrivateKey.generate())
    async with transaction(store, actor=acting(who)) as tx:
        with pytest.raises(NotPermitted):
            await verify_organisation(tx, who.organisation_id, basis="自证")


async def test_an_unknown_organisation_cannot_be_verified(store: Store) -> None:
    staff = await the_centre(store, PrivateKey.generate())
    async with transaction(store, actor=staff) as tx:
        with pytest.raises(NotFound):
            await verify_organisation(tx, PartyId(uuid4()), basis="营业执照")


async def test_the_centre_is_installed_once(store: Store) -> None:
    await the_centre(store, PrivateKey.generate())
    with pytest.raises(NotPermitted):
        await the_centre(store, PrivateKey.generate())


async def test_a_member_shares_only_the_capacities_held(store: Store) -> None:
    who = await registered(store, PrivateKey.generate())
    colleague = PrivateKey.generate()
    async with transaction(store, actor=acting(who)) as tx:
        person_id = await add_member(
            tx, membership_of(a_membership(colleague, who.organisation_id))
        )
    assert person_id != who.person_id
    async with transaction(store, actor=acting(who)) as tx:
        with pytest.raises(NotPermitted):
            await add_member(
                tx,
                membership_of(a_membership(colleague, who.organisation_id, roles=["supervisor"])),
            )


async def test_a_member_is_let_into_the_own_organisation_only(store: Store) -> None:
    who = await registered(store, PrivateKey.generate())
    async with transaction(store, actor=acting(who)) as tx:
        with pytest.raises(NotFound):
            await add_member(tx, membership_of(a_membership(PrivateKey.generate(), uuid4())))


async def test_a_membership_that_ended_can_begin_again(store: Store) -> None:
    who = await registered(store, PrivateKey.generate())
    asked = membership_of(a_membership(PrivateKey.generate(), who.organisation_id))
    async with transaction(store, actor=acting(who)) as tx:
        person_id = await add_member(tx, asked)
    async with transaction(store, actor=acting(who)) as tx:
        await end_membership(tx, person_id, Role.BIDDER)
    async with store.sessions() as session:
        row = await session.scalar(
            select(MembershipRow).where(col(MembershipRow.person_id) == person_id)
        )
        assert row is not None
        assert row.ended_at is not None
    async with transaction(store, actor=acting(who)) as tx:
        with pytest.raises(Refused) as refused:
            await add_member(tx, asked)
        assert codes(refused) == {"consent_outdated"}
    async with transaction(store, actor=acting(who)) as tx:
        assert await add_member(tx, replace(asked, signed_at=tx.now)) == person_id
        with pytest.raises(NotFound):
            await end_membership(tx, PersonId(uuid4()), Role.BIDDER)


@given(st.integers(-5, 5))
def test_a_capacity_begins_again_only_by_a_request_signed_after_it_ended(micros: int) -> None:
    """Electronic Bidding Measures 13: an old consent is none to what its person left since."""
    ended_at = datetime(2026, 3, 2, 1, tzinfo=UTC)
    found = consent_refusals(signed_at=ended_at + timedelta(microseconds=micros), ended_at=ended_at)
    assert [one.code for one in found] == ([] if micros > 0 else ["consent_outdated"])
    assert consent_refusals(signed_at=ended_at, ended_at=None) == []


# ── credentials ───────────────────────────────────────────────────────────────────────────────


def a_credential(old: PrivateKey, new: PrivateKey) -> bytes:
    payload = canonical(
        {
            "v": "ebid-credential/1",
            "public_key": b64u(new.public_bytes),
            "signed_at": SIGNED_AT,
        }
    )
    kind = payload_type("credential")
    return old.sign(kind, payload).also_signed(new.signature(kind, payload)).to_bytes()


async def test_a_second_key_speaks_once_both_keys_have_signed(store: Store) -> None:
    old, new = PrivateKey.generate(), PrivateKey.generate()
    who = await registered(store, old)
    async with transaction(store, actor=acting(who)) as tx:
        assert await add_credential(tx, a_credential(old, new)) == new.keyid
    async with transaction(store, actor=acting(who)) as tx:
        statement = await verified_statement(tx, signed(new, "fallback", {"lot": "甲"}), "fallback")
    assert statement.keyid == new.keyid
    assert "CredentialAdded" in await kinds(store)


async def test_a_key_cannot_be_added_by_one_signature_alone(store: Store) -> None:
    old, new = PrivateKey.generate(), PrivateKey.generate()
    who = await registered(store, old)
    payload = canonical(
        {"v": "ebid-credential/1", "public_key": b64u(new.public_bytes), "signed_at": SIGNED_AT}
    )
    for signer in (old, new):
        async with transaction(store, actor=acting(who)) as tx:
            with pytest.raises(BrokenSeal):
                await add_credential(
                    tx, signer.sign(payload_type("credential"), payload).to_bytes()
                )


async def test_a_revoked_key_speaks_for_nobody(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    async with transaction(store, actor=acting(who)) as tx:
        await revoke_credential(tx, key.keyid, reason="遗失")
    async with transaction(store, actor=acting(who)) as tx:
        with pytest.raises(BrokenSeal):
            await verified_statement(tx, signed(key, "fallback", {"lot": "甲"}), "fallback")
    with pytest.raises(Refused) as refused:
        await registered(store, key, uscc=GOOD_USCC[1])
    assert codes(refused) == {"key_taken"}


async def test_a_strangers_key_cannot_be_revoked_but_by_the_centre(store: Store) -> None:
    key = PrivateKey.generate()
    await registered(store, key)
    other = await registered(
        store, PrivateKey.generate(), uscc=GOOD_USCC[1], identity_document="AAAAAA9"
    )
    async with transaction(store, actor=acting(other)) as tx:
        with pytest.raises(NotFound):
            await revoke_credential(tx, key.keyid, reason="恶意")
    staff = await the_centre(store, PrivateKey.generate())
    async with transaction(store, actor=staff) as tx:
        await revoke_credential(tx, key.keyid, reason="本人报失")
