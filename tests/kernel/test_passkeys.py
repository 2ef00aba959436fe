"""Passkeys: made, recognised, signing statements. W3C WebAuthn Level 3, 7.1 and 7.2."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kernel.access import PUBLIC, Actor
from kernel.crypto.digests import Malformed, b64u, canonical
from kernel.crypto.signing import PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.errors import BrokenSeal, NotSignedIn, Outrun
from kernel.store import passkeys
from kernel.store.parties import verified_statement
from kernel.store.registering import Registered, revoke_credential
from kernel.store.signing_in import actor_behind
from kernel.store.tables import CredentialRow
from kernel.store.transaction import Store, transaction
from tests.newcomers import GOOD_USCC, acting, registered
from tests.soft_authenticator import BACKED_UP, PRESENT, VERIFIED, SoftAuthenticator


async def with_passkey(store: Store, device: SoftAuthenticator) -> Registered:
    who = await registered(store, PrivateKey.generate())
    assert await kept(store, acting(who), device) == device.keyid
    return who


async def kept(store: Store, actor: Actor, device: SoftAuthenticator) -> str:
    async with transaction(store, actor=actor) as tx:
        options = await passkeys.registration_options(tx)
    async with transaction(store, actor=actor) as tx:
        return await passkeys.add_passkey(tx, device.make(options))


async def asked(store: Store) -> dict[str, Any]:
    async with transaction(store, actor=PUBLIC) as tx:
        return await passkeys.sign_in_options(tx)


async def recognised(store: Store, answer: dict[str, Any]) -> passkeys.Choice:
    async with transaction(store, actor=PUBLIC) as tx:
        return await passkeys.recognise(tx, answer)


async def test_a_passkey_signs_its_person_in(store: Store) -> None:
    device = SoftAuthenticator(counts=True)
    who = await with_passkey(store, device)

    choice = await recognised(store, device.assertion(await asked(store)))
    (capacity,) = choice.capacities
    async with transaction(store, actor=PUBLIC) as tx:
        session = await passkeys.choose(tx, choice.ticket, capacity.organisation_id, capacity.role)

    actor = await actor_behind(store, session.token, address="")
    assert actor is not None
    assert actor.person_id == who.person_id
    async with store.sessions() as rows:
        row = await rows.get_one(CredentialRow, device.keyid)
    assert (row.kind, row.sign_count, row.backed_up) == ("webauthn", 1, True)
    assert row.public_key == device.key.public_bytes


async def test_the_options_ask_for_a_verified_person_and_a_p256_key(store: Store) -> None:
    who = await registered(store, PrivateKey.generate())
    async with transaction(store, actor=acting(who)) as tx:
        options = await passkeys.registration_options(tx)
    assert options["rp"]["id"] == "localhost"
    assert options["user"]["id"] == b64u(who.person_id.bytes)
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7]
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert (await asked(store))["userVerification"] == "required"


async def test_a_ticket_is_good_once_and_for_the_own_capacities_only(store: Store) -> None:
    device = SoftAuthenticator()
    who = await with_passkey(store, device)
    choice = await recognised(store, device.assertion(await asked(store)))
    (capacity,) = choice.capacities
    async with transaction(store, actor=PUBLIC) as tx:
        await passkeys.choose(tx, choice.ticket, who.organisation_id, capacity.role)
    async with transaction(store, actor=PUBLIC) as tx:
        with pytest.raises(NotSignedIn):
            await passkeys.choose(tx, choice.ticket, who.organisation_id, capacity.role)


async def test_an_answer_is_good_once(store: Store) -> None:
    device = SoftAuthenticator()
    await with_passkey(store, device)
    answer = device.assertion(await asked(store))
    await recognised(store, answer)
    with pytest.raises(NotSignedIn):
        await recognised(store, answer)


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"key": PrivateKey.generate()},
    ],
)
async def test_a_lying_authenticator_signs_nobody_in(store: Store, lie: dict[str, Any]) -> None:
    device = SoftAuthenticator()
    await with_passkey(store, device)
    liar = replace(device, **lie)
    with pytest.raises(BrokenSeal):
        await recognised(store, liar.assertion(await asked(store)))


@pytest.mark.parametrize(
    "lie", [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"flags": PRESENT}]
)
async def test_a_lying_authenticator_is_not_kept(store: Store, lie: dict[str, Any]) -> None:
    who = await registered(store, PrivateKey.generate())
    with pytest.raises(BrokenSeal):
        await kept(store, acting(who), SoftAuthenticator(**lie))


async def test_a_copied_authenticator_shows_by_its_count(store: Store) -> None:
    device = SoftAuthenticator(counts=True)
    await with_passkey(store, device)
    copy = replace(device)
    await recognised(store, device.assertion(await asked(store)))
    await recognised(store, device.assertion(await asked(store)))
    with pytest.raises(BrokenSeal):
        await recognised(store, copy.assertion(await asked(store)))


async def test_an_unknown_passkey_is_not_recognised(store: Store) -> None:
    with pytest.raises(NotSignedIn):
        await recognised(store, SoftAuthenticator().assertion(await asked(store)))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"response": None},
        {"response": {"clientDataJSON": "!"}},
        {"response": {"clientDataJSON": b64u(b"[]")}},
        {"response": {"clientDataJSON": b64u(b"{}")}},
        {
            "response": {
                "clientDataJSON": b64u(
                    b'{"type":"webauthn.get","challenge":"AAAA","origin":"http://localhost"}'
                )
            }
        },
    ],
)
async def test_what_is_no_passkeys_answer_is_malformed(
    store: Store, answer: dict[str, Any]
) -> None:
    with pytest.raises(Malformed):
        await recognised(store, answer)


async def test_a_challenge_for_one_person_makes_no_passkey_for_another(store: Store) -> None:
    one = await registered(store, PrivateKey.generate())
    other = await registered(
        store, PrivateKey.generate(), uscc=GOOD_USCC[1], identity_document="AAAAAA9"
    )
    async with transaction(store, actor=acting(one)) as tx:
        options = await passkeys.registration_options(tx)
    async with transaction(store, actor=acting(other)) as tx:
        with pytest.raises(NotSignedIn):
            await passkeys.add_passkey(tx, SoftAuthenticator().make(options))


async def test_a_passkey_belongs_to_one_person(store: Store) -> None:
    device = SoftAuthenticator(flags=PRESENT | VERIFIED)
    await with_passkey(store, device)
    other = await registered(
        store, PrivateKey.generate(), uscc=GOOD_USCC[1], identity_document="AAAAAA9"
    )
    with pytest.raises(Outrun):
        await kept(store, acting(other), device)
    assert device.flags & BACKED_UP == 0


async def test_a_passkey_signs_statements(store: Store) -> None:
    device = SoftAuthenticator()
    who = await with_passkey(store, device)
    kind = payload_type("fallback")
    payload = canonical({"v": "ebid-fallback/1", "lot": "甲"})
    async with transaction(store, actor=acting(who)) as tx:
        raw = device.sign(kind, payload).to_bytes()
        statement = await verified_statement(tx, raw, "fallback")
        assert statement.keyid == device.keyid
        for lie in ({"origin": "https://evil.example"}, {"rp_id": "x"}, {"flags": PRESENT}):
            forged = replace(device, **lie).sign(kind, payload).to_bytes()
            with pytest.raises(BrokenSeal):
                await verified_statement(tx, forged, "fallback")


async def test_a_revoked_passkey_neither_signs_nor_signs_in(store: Store) -> None:
    device = SoftAuthenticator()
    who = await with_passkey(store, device)
    choice = await recognised(store, device.assertion(await asked(store)))
    async with transaction(store, actor=acting(who)) as tx:
        await revoke_credential(tx, device.keyid, reason="丢失手机")
    with pytest.raises(NotSignedIn):
        await recognised(store, device.assertion(await asked(store)))
    async with transaction(store, actor=PUBLIC) as tx:
        with pytest.raises(NotSignedIn):
            await passkeys.choose(tx, choice.ticket, who.organisation_id, choice.capacities[0].role)
