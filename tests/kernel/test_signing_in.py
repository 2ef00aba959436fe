"""Signing in and out by signed challenge, how long a session holds. E-Bidding Measures 13."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from kernel.access import PUBLIC, Actor, Role
from kernel.crypto.digests import Malformed, b64u, sha256, unb64u
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal, NotFound, NotPermitted, NotSignedIn, Refused
from kernel.identifiers import SessionId
from kernel.store.registering import add_member, end_membership, membership_of, revoke_credential
from kernel.store.signing_in import (
    OPEN_TO_UNVERIFIED,
    Purpose,
    Session,
    actor_behind,
    capacities,
    issue_challenge,
    session_lives,
    sign_in,
    sign_in_for_show,
    sign_out,
    sign_out_everywhere,
    spend_challenge,
)
from kernel.store.tables import ChallengeRow, JournalRow, SessionRow
from kernel.store.transaction import Store, transaction
from tests.newcomers import (
    GOOD_USCC,
    a_membership,
    acting,
    codes,
    registered,
    signed,
    the_centre,
    verified,
)


async def challenged(store: Store) -> str:
    async with transaction(store, actor=PUBLIC) as tx:
        return b64u((await issue_challenge(tx, Purpose.SIGN_IN)).nonce)


def a_sign_in(key: PrivateKey, nonce: str, party: UUID, /, **changes: Any) -> bytes:
    return signed(
        key,
        "sign-in",
        {
            "challenge": nonce,
            "role": "bidder",
            "organisation": str(party),
            "origin": "http://localhost",
            **changes,
        },
    )


async def signed_in(store: Store, key: PrivateKey, party: UUID, /, **changes: Any) -> Session:
    raw = a_sign_in(key, await challenged(store), party, **changes)
    async with transaction(store, actor=Actor(Role.PUBLIC, address="192.0.2.7")) as tx:
        return await sign_in(tx, raw)


async def grown_older(store: Store, column: str, by: timedelta) -> None:
    """Let all sessions have begun, or been used last, that much earlier."""
    async with store.sessions() as session, session.begin():
        await session.execute(
            text(f"UPDATE kernel.session SET {column} = {column} - CAST(:by AS interval)"),
            {"by": by},
        )


async def test_a_signed_challenge_begins_a_session_whose_token_is_not_stored(
    store: Store,
) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)

    session = await signed_in(store, key, who.organisation_id)

    found = await actor_behind(store, session.token, address="192.0.2.8")
    assert found == Actor(
        Role.BIDDER,
        who.person_id,
        who.organisation_id,
        session.actor.session_id,
        "192.0.2.8",
    )
    async with store.sessions() as rows:
        row = (await rows.scalars(select(SessionRow))).one()
        entry = (
            await rows.scalars(select(JournalRow).where(col(JournalRow.kind) == "SignedIn"))
        ).one()
    assert row.token_hash == sha256(unb64u(session.token, 32))
    assert row.keyid == key.keyid
    assert (entry.audience, entry.party_id) == ("party", who.organisation_id)
    assert b'"role":"bidder"' in entry.record
    assert b"192.0.2.7" in entry.operator
    assert session.token.encode() not in entry.record


async def test_a_challenge_is_good_once(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    raw = a_sign_in(key, await challenged(store), who.organisation_id)
    outcomes: list[type] = []
    for _ in range(2):
        try:
            async with transaction(store, actor=PUBLIC) as tx:
                outcomes.append(type(await sign_in(tx, raw)))
        except NotSignedIn:
            outcomes.append(NotSignedIn)
    assert outcomes == [Session, NotSignedIn]


async def test_one_challenge_used_twice_at_once_begins_one_session(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    raw = a_sign_in(key, await challenged(store), who.organisation_id)

    async def once() -> Session:
        async with transaction(store, actor=PUBLIC) as tx:
            return await sign_in(tx, raw)

    outcomes = await asyncio.gather(*(once() for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(outcome, Session) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, NotSignedIn) for outcome in outcomes) == 5


async def test_an_expired_challenge_is_refused_and_swept_away(store: Store) -> None:
    challenge = unb64u(await challenged(store))
    async with store.sessions() as session, session.begin():
        await session.execute(text("UPDATE kernel.challenge SET expires_at = clock_timestamp()"))
    async with transaction(store, actor=PUBLIC) as tx:
        with pytest.raises(NotSignedIn):
            await spend_challenge(tx, challenge, Purpose.SIGN_IN)
    await challenged(store)
    async with store.sessions() as session:
        (row,) = (await session.scalars(select(ChallengeRow))).all()
    assert row.nonce != challenge


async def test_a_challenge_for_one_purpose_serves_no_other(store: Store) -> None:
    async with transaction(store, actor=PUBLIC) as tx:
        challenge = await issue_challenge(tx, Purpose.PASSKEY_SIGN_IN)
        await tx.session.flush()
        with pytest.raises(NotSignedIn):
            await spend_challenge(tx, challenge.nonce, Purpose.SIGN_IN)


async def test_a_challenge_lives_two_minutes(store: Store) -> None:
    async with transaction(store, actor=PUBLIC) as tx:
        challenge = await issue_challenge(tx, Purpose.SIGN_IN)
        now = (await tx.session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    assert timedelta(seconds=100) < challenge.expires_at - now <= timedelta(seconds=120)
    assert len(challenge.nonce) == 32


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"origin": "https://evil.example"}, BrokenSeal),
        ({"origin": "http://localhost.evil.example"}, BrokenSeal),
        ({"role": "supervisor"}, NotPermitted),
        ({"role": "platform"}, Malformed),
        ({"role": "emperor"}, Malformed),
        ({"organisation": str(uuid4())}, NotPermitted),
        ({"organisation": "no id"}, Malformed),
        ({"challenge": "AAAA"}, Malformed),
        ({"challenge": b64u(bytes(32))}, NotSignedIn),
        ({"more": "members"}, Malformed),
    ],
)
async def test_a_sign_in_that_does_not_fit_begins_nothing(
    store: Store, changes: dict[str, Any], error: type[Exception]
) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    with pytest.raises(error):
        await signed_in(store, key, who.organisation_id, **changes)
    async with store.sessions() as session:
        assert (await session.scalars(select(SessionRow))).all() == []


async def test_an_unknown_key_does_not_sign_in(store: Store) -> None:
    who = await registered(store, PrivateKey.generate())
    with pytest.raises(NotSignedIn):
        await signed_in(store, PrivateKey.generate(), who.organisation_id)


async def test_a_key_does_not_sign_in_under_anothers_id(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    raw = a_sign_in(PrivateKey.generate(), await challenged(store), who.organisation_id)
    forged = raw.replace(raw.split(b'"keyid":"')[1][:48], key.keyid.encode())
    async with transaction(store, actor=PUBLIC) as tx:
        with pytest.raises(BrokenSeal):
            await sign_in(tx, forged)


@pytest.mark.parametrize("role", sorted(OPEN_TO_UNVERIFIED))
async def test_a_market_body_looks_round_before_it_is_verified(store: Store, role: Role) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key, roles=[str(role)])
    assert (await signed_in(store, key, who.organisation_id, role=str(role))).token


async def test_a_capacity_with_power_over_others_waits_for_verification(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key, roles=["supervisor"])
    with pytest.raises(Refused) as refused:
        await signed_in(store, key, who.organisation_id, role="supervisor")
    assert codes(refused) == {"organisation_unverified"}


# ── how long a session holds ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("column", "by", "holds"),
    [
        ("seen_at", timedelta(minutes=29), True),
        ("seen_at", timedelta(minutes=30), False),
        ("begun_at", timedelta(hours=11, minutes=59), True),
        ("begun_at", timedelta(hours=12), False),
    ],
)
async def test_a_session_ends_when_idle_and_after_half_a_day(
    store: Store, column: str, by: timedelta, holds: bool
) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    session = await signed_in(store, key, who.organisation_id)
    assert session.actor.session_id is not None
    await grown_older(store, column, by)
    assert await session_lives(store, session.actor.session_id) is holds
    assert (await actor_behind(store, session.token, address="") is not None) is holds


async def test_using_a_session_keeps_it_and_watching_it_does_not(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    session = await signed_in(store, key, who.organisation_id)
    assert session.actor.session_id is not None
    for _ in range(3):
        await grown_older(store, "seen_at", timedelta(minutes=20))
        assert await actor_behind(store, session.token, address="")
    for _ in range(2):
        await grown_older(store, "seen_at", timedelta(minutes=20))
        lives = await session_lives(store, session.actor.session_id)
    assert not lives


async def test_the_demo_clock_moves_no_session(store: Store, clock_to: Any) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    session = await signed_in(store, key, who.organisation_id)
    async with transaction(store, actor=PUBLIC) as tx:
        later = tx.now + timedelta(days=40)
    await clock_to(later)
    assert await actor_behind(store, session.token, address="")


async def test_signing_out_ends_this_session_only(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    here = await signed_in(store, key, who.organisation_id)
    there = await signed_in(store, key, who.organisation_id)
    async with transaction(store, actor=here.actor) as tx:
        await sign_out(tx)
    assert await actor_behind(store, here.token, address="") is None
    assert await actor_behind(store, there.token, address="") is not None
    async with transaction(store, actor=there.actor) as tx:
        assert await sign_out_everywhere(tx) == 1
    assert await actor_behind(store, there.token, address="") is None


async def test_a_revoked_key_takes_its_sessions_along(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    session = await signed_in(store, key, who.organisation_id)
    async with transaction(store, actor=session.actor) as tx:
        await revoke_credential(tx, key.keyid, reason="遗失")
    assert session.actor.session_id is not None
    assert not await session_lives(store, session.actor.session_id)
    with pytest.raises(NotSignedIn):
        await signed_in(store, key, who.organisation_id)


async def test_an_ended_membership_ends_its_sessions(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, PrivateKey.generate())
    async with transaction(store, actor=acting(who)) as tx:
        colleague = await add_member(tx, membership_of(a_membership(key, who.organisation_id)))
    session = await signed_in(store, key, who.organisation_id)
    async with transaction(store, actor=acting(who)) as tx:
        await end_membership(tx, colleague, Role.BIDDER)
    assert await actor_behind(store, session.token, address="") is None
    with pytest.raises(NotPermitted):
        await signed_in(store, key, who.organisation_id)


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "Ä" * 43, "A" * 10_000, "' OR 1=1 --"])
async def test_a_token_that_was_never_given_stands_for_nobody(store: Store, token: str) -> None:
    assert await actor_behind(store, token, address="") is None
    assert not await session_lives(store, SessionId(uuid4()))


# ── demo databases ────────────────────────────────────────────────────────────────────────────


async def test_in_a_demo_anybody_may_be_anybody(store: Store) -> None:
    staff = await the_centre(store, PrivateKey.generate())
    who = await verified(store, staff, PrivateKey.generate(), roles=["expert"])
    browser = PrivateKey.generate()
    for _ in range(2):
        async with transaction(store, actor=PUBLIC) as tx:
            session = await sign_in_for_show(
                tx,
                who.person_id,
                who.organisation_id,
                Role.EXPERT,
                public_key=browser.public_bytes,
            )
    found = await actor_behind(store, session.token, address="")
    assert found is not None
    assert found.role is Role.EXPERT
    async with transaction(store, actor=PUBLIC) as tx:
        with pytest.raises(BrokenSeal):
            await sign_in_for_show(
                tx,
                staff.person,
                staff.party,
                Role.CENTRE_STAFF,
                public_key=browser.public_bytes,
            )


async def test_where_there_is_no_demo_nobody_is_anybody_else(store: Store, database: Any) -> None:
    who = await registered(store, PrivateKey.generate())
    from kernel.store.database import OWNER, connect

    owner = connect(database.url(OWNER), pool_size=1)
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE kernel.platform DISABLE TRIGGER no_rewrite"))
        await connection.execute(text("UPDATE kernel.platform SET demo = false"))
    await owner.dispose()
    async with transaction(store, actor=PUBLIC) as tx:
        with pytest.raises(NotFound):
            await sign_in_for_show(tx, who.person_id, who.organisation_id, Role.BIDDER)


async def test_a_person_chooses_among_the_own_live_capacities(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key, roles=["bidder", "expert"])
    await registered(store, key, uscc=GOOD_USCC[1], name="第二公司", roles=["agency"])
    async with store.sessions() as session:
        found = await capacities(session, person_id=who.person_id)
        everybody = await capacities(session)
    assert {(one.organisation, one.role) for one in found} == {
        ("江城建设工程有限公司", Role.BIDDER),
        ("第二公司", Role.AGENCY),
    }
    assert everybody == found
