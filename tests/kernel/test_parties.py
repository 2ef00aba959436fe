"""Who people and organisations are, and what one person may not combine.

Bidding Regulation 13, 34, 40, 46; Bidding Law 37; Electronic Bidding Measures 13, 14, 23.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from kernel.access import CONFLICTS, PUBLIC, Actor, Role
from kernel.crypto.digests import Malformed, sha256
from kernel.crypto.signing import Envelope, PrivateKey, Signature
from kernel.crypto.statement_kinds import payload_type, read_statement
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Refused
from kernel.identifiers import PartyId, PersonId
from kernel.settings import Settings
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, E_BIDDING_MEASURES
from kernel.store.parties import (
    BOUND_BY_NOTHING,
    HeldCapacity,
    article_against,
    capacity_refusals,
    organisation,
    organisation_names,
    organisations_by_id,
    own_origins,
    take_part,
    verified_statement,
)
from kernel.store.tables import (
    CapacityRow,
    JournalRow,
)
from kernel.store.transaction import Store, transaction
from tests.newcomers import (
    GOOD_USCC,
    acting,
    registered,
    signed,
)

PEOPLES_ROLES = [role for role in Role if role not in BOUND_BY_NOTHING]


# ── signed statements ─────────────────────────────────────────────────────────────────────────


async def test_a_statement_of_the_acting_person_is_read(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    raw = signed(key, "fallback", {"lot": "甲"})
    async with transaction(store, actor=acting(who)) as tx:
        statement = await verified_statement(tx, raw, "fallback")
    assert statement.payload["lot"] == "甲"
    assert (statement.envelope, statement.digest) == (raw, sha256(raw))
    assert statement.keyid == key.keyid


async def test_a_statement_by_another_person_is_refused(store: Store) -> None:
    key, other = PrivateKey.generate(), PrivateKey.generate()
    who = await registered(store, key)
    await registered(store, other, uscc=GOOD_USCC[1], identity_document="AAAAAA9")
    both = Envelope.from_bytes(signed(key, "fallback", {"lot": "甲"}))
    both = both.also_signed(other.signature(both.payload_type, both.payload))
    cases = [signed(other, "fallback", {"lot": "甲"}), both.to_bytes()]
    for raw in cases:
        async with transaction(store, actor=acting(who)) as tx:
            with pytest.raises(BrokenSeal):
                await verified_statement(tx, raw, "fallback")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"payload":"","payloadType":"application/vnd.ebid.objection.v1+json"}',
        signed(PrivateKey.generate(), "answer", {}),
        PrivateKey.generate().sign(payload_type("objection"), b"[]").to_bytes(),
        PrivateKey.generate().sign(payload_type("objection"), b'{"v":"ebid-answer/1"}').to_bytes(),
        PrivateKey.generate()
        .sign(payload_type("objection"), b'{"v":"ebid-objection/1","v":"ebid-objection/1"}')
        .to_bytes(),
    ],
)
def test_bytes_that_are_no_such_statement_are_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_statement(raw, "objection")


def test_a_statement_beyond_its_size_is_malformed() -> None:
    raw = signed(PrivateKey.generate(), "objection", {"text": "长" * 1000})
    with pytest.raises(Malformed):
        read_statement(raw, "objection", max_bytes=1000)


async def test_every_changed_byte_of_a_statement_is_noticed(store: Store) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    envelope = Envelope.from_bytes(signed(key, "fallback", {"lot": "a"}))
    (one,) = envelope.signatures
    mutants = [
        replace(envelope, payload=envelope.payload.replace(b'"a"', b'"b"')),
        replace(envelope, signatures=(Signature(one.keyid, one.sig[::-1]),)),
        replace(envelope, signatures=(Signature("p256:" + "A" * 43, one.sig),)),
    ]
    for mutant in mutants:
        async with transaction(store, actor=acting(who)) as tx:
            with pytest.raises(BrokenSeal):
                await verified_statement(tx, mutant.to_bytes(), "fallback")


async def test_the_public_has_no_statements(store: Store) -> None:
    async with transaction(store, actor=PUBLIC) as tx:
        with pytest.raises(NotPermitted):
            await verified_statement(
                tx, signed(PrivateKey.generate(), "fallback", {"lot": "甲"}), "fallback"
            )


# ── look-ups ──────────────────────────────────────────────────────────────────────────────────


async def test_organisations_are_found_by_id(store: Store) -> None:
    who = await registered(store, PrivateKey.generate())
    async with transaction(store, actor=PUBLIC) as tx:
        found = await organisation(tx, who.organisation_id)
        assert found.roles == {Role.BIDDER}
        stranger = uuid4()
        assert await organisation_names(tx.session, [who.organisation_id, stranger]) == {
            who.organisation_id: "江城建设工程有限公司"
        }
        assert set(await organisations_by_id(tx, [who.organisation_id, stranger])) == {
            who.organisation_id
        }
        with pytest.raises(NotFound):
            await organisation(tx, stranger)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://sunbid.example", {"https://sunbid.example"}),
        ("https://sunbid.example:8443", {"https://sunbid.example:8443"}),
        ("http://localhost", {"http://localhost", "http://127.0.0.1", "http://[::1]"}),
        (
            "http://localhost:8000",
            {"http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"},
        ),
    ],
)
def test_a_loopback_platform_has_three_names(
    settings: Settings, origin: str, expected: set[str]
) -> None:
    assert own_origins(settings.model_copy(update={"origin": origin})) == expected


# ── separation of duties ──────────────────────────────────────────────────────────────────────

ONE, OTHER = uuid4(), uuid4()
HERE, THERE = uuid4(), uuid4()


@pytest.mark.parametrize(("role", "held"), list(itertools.product(PEOPLES_ROLES, repeat=2)))
def test_one_person_combines_exactly_what_does_not_conflict(role: Role, held: Role) -> None:
    refusals = capacity_refusals(HeldCapacity(ONE, HERE, role), [HeldCapacity(ONE, HERE, held)])
    assert bool(refusals) == (held in CONFLICTS.get(role, ()) or role in CONFLICTS.get(held, ()))
    for refusal in refusals:
        assert refusal.article == article_against(role, held) == article_against(held, role)


@pytest.mark.refuses("SC-09")
@pytest.mark.parametrize(("role", "held"), list(itertools.product(PEOPLES_ROLES, repeat=2)))
def test_an_organisation_that_bids_is_nothing_else_whoever_acts(role: Role, held: Role) -> None:
    refusals = capacity_refusals(HeldCapacity(ONE, HERE, role), [HeldCapacity(OTHER, HERE, held)])
    bids_and_more = (role is Role.BIDDER) != (held is Role.BIDDER)
    assert bool(refusals) == (bids_and_more and Role.WITNESS not in (role, held))


@pytest.mark.accepts("SC-09")
@pytest.mark.parametrize(("role", "held"), list(itertools.product(PEOPLES_ROLES, repeat=2)))
def test_strangers_do_not_stand_in_each_others_way(role: Role, held: Role) -> None:
    assert not capacity_refusals(HeldCapacity(ONE, HERE, role), [HeldCapacity(OTHER, THERE, held)])


@pytest.mark.parametrize("role", PEOPLES_ROLES)
def test_one_person_acts_in_one_capacity_for_one_organisation_only(role: Role) -> None:
    (refusal,) = capacity_refusals(HeldCapacity(ONE, HERE, role), [HeldCapacity(ONE, THERE, role)])
    assert (refusal.article == BIDDING_REGULATION[40, 2]) == (role is Role.BIDDER)


capacities = st.builds(
    HeldCapacity,
    st.sampled_from([ONE, OTHER]),
    st.sampled_from([HERE, THERE]),
    st.sampled_from(PEOPLES_ROLES),
)


@given(st.lists(capacities, max_size=12))
def test_whatever_the_order_no_two_accepted_capacities_conflict(
    asked: list[HeldCapacity],
) -> None:
    held: list[HeldCapacity] = []
    for one in asked:
        if not capacity_refusals(one, held):
            held.append(one)
    for one, other in itertools.permutations(held, 2):
        assert not capacity_refusals(one, [other])


@given(capacities, capacities)
def test_a_conflict_is_the_same_from_both_sides(one: HeldCapacity, other: HeldCapacity) -> None:
    assert bool(capacity_refusals(one, [other])) == bool(capacity_refusals(other, [one]))


def test_the_articles_fit_the_pairs() -> None:
    assert article_against(Role.BIDDER, Role.AGENCY) == BIDDING_REGULATION[13]
    assert article_against(Role.TENDEREE, Role.BIDDER) == BIDDING_REGULATION[34]
    assert article_against(Role.EXPERT, Role.SUPERVISOR) == BIDDING_REGULATION[46]
    assert article_against(Role.EXPERT, Role.AGENCY) == BIDDING_REGULATION[46]
    assert article_against(Role.EXPERT, Role.BIDDER) == BIDDING_LAW[37]
    assert article_against(Role.BIDDER, Role.CENTRE_STAFF) == E_BIDDING_MEASURES[23]
    assert article_against(Role.CUSTODIAN, Role.EXPERT) == E_BIDDING_MEASURES[13]


async def test_a_capacity_is_recorded_once_and_then_only_looked_at(store: Store) -> None:
    lot = uuid4()
    actor = Actor(Role.BIDDER, PersonId(uuid4()), PartyId(uuid4()))
    for _ in range(3):
        async with transaction(store, actor=actor) as tx:
            await take_part(tx, lot)
    async with store.sessions() as session:
        (row,) = (await session.scalars(select(CapacityRow))).all()
        (entry,) = (
            await session.scalars(select(JournalRow).where(col(JournalRow.kind) == "CapacityTaken"))
        ).all()
    assert (row.subject_id, row.person_id, row.role) == (lot, actor.person_id, "bidder")
    assert (entry.audience, entry.party_id) == ("party", actor.party_id)


async def test_a_person_is_stopped_in_the_second_capacity(store: Store) -> None:
    lot, person = uuid4(), PersonId(uuid4())

    async def act(role: Role, party: UUID, subject: UUID = lot) -> None:
        async with transaction(store, actor=Actor(role, person, PartyId(party))) as tx:
            await take_part(tx, subject)

    await act(Role.AGENCY, HERE)
    with pytest.raises(Refused) as refused:
        await act(Role.EXPERT, THERE)
    assert refused.value.refusals[0].article == BIDDING_REGULATION[46]
    await act(Role.EXPERT, THERE, subject=uuid4())
    await act(Role.TENDEREE, THERE)


async def test_two_conflicting_acts_at_once_cannot_both_pass(store: Store) -> None:
    person = PersonId(uuid4())
    for _ in range(5):
        lot = uuid4()
        both_inside = asyncio.Barrier(2)

        async def act(role: Role, lot: UUID, both_inside: asyncio.Barrier) -> None:
            async with transaction(store, actor=Actor(role, person, PartyId(uuid4()))) as tx:
                await both_inside.wait()
                await take_part(tx, lot)

        outcomes = await asyncio.gather(
            act(Role.EXPERT, lot, both_inside),
            act(Role.SUPERVISOR, lot, both_inside),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Refused"]


async def test_the_platform_and_the_public_take_no_part(store: Store) -> None:
    for actor in (PUBLIC, Actor(Role.PLATFORM)):
        async with transaction(store, actor=actor) as tx:
            await take_part(tx, uuid4())
    async with store.sessions() as session:
        assert (await session.scalars(select(CapacityRow))).all() == []


async def test_nobody_acts_without_being_somebody(store: Store) -> None:
    async with transaction(store, actor=Actor(Role.BIDDER)) as tx:
        with pytest.raises(NotPermitted):
            await take_part(tx, uuid4())
