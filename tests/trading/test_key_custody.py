"""Electronic Bidding Measures 27: until the deadline nobody may decrypt or extract a bid."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from trading.rules.key_custody import Custody, Holder, custody_refusals, key_refusals


def a_holder(number: int, **changes: object) -> Holder:
    holder = Holder(
        UUID(int=number),
        UUID(int=100 + number),
        f"保管人{number}",
        escrow_shares=2 if number == 4 else 1,
        is_regulator=number == 4,
        kid=f"kid-{number}",
    )
    return replace(holder, **changes)  # type: ignore[arg-type]  # whatever a test changes


HOLDERS = tuple(a_holder(number) for number in (1, 2, 3, 4))
SOUND = Custody(HOLDERS, officials_threshold=3, escrow_threshold=4)


def codes(custody: Custody) -> set[str]:
    return {refusal.code for refusal in custody_refusals(custody)}


def test_three_of_four_officials_and_four_of_five_escrow_shares_are_sound() -> None:
    assert custody_refusals(SOUND) == []
    assert key_refusals(SOUND) == []


def test_one_person_keeps_one_key() -> None:
    twice = (*HOLDERS[:3], replace(HOLDERS[3], person_id=HOLDERS[0].person_id))
    assert codes(replace(SOUND, holders=twice)) == {"custodian_named_twice"}


def test_a_threshold_lies_between_two_and_the_number_of_custodians() -> None:
    for threshold in (0, 1, 5):
        assert "officials_threshold" in codes(replace(SOUND, officials_threshold=threshold))
    assert "officials_threshold" in codes(Custody((), 3, None))


def test_no_organisation_holds_enough_keys_to_open_alone() -> None:
    party = HOLDERS[0].party_id
    three = tuple(replace(one, party_id=party) for one in HOLDERS[:3])
    assert "one_party_opens_alone" in codes(replace(SOUND, holders=(*three, HOLDERS[3])))


def test_escrow_asks_for_more_than_the_officials_and_no_more_than_there_is() -> None:
    for threshold in (3, 6):
        assert "escrow_threshold" in codes(replace(SOUND, escrow_threshold=threshold))


def test_without_the_regulator_escrow_opens_nothing() -> None:
    equal = tuple(replace(one, escrow_shares=2) for one in HOLDERS)
    assert codes(replace(SOUND, holders=equal)) == {"regulator_dispensable"}
    nobody = tuple(replace(one, is_regulator=False) for one in HOLDERS)
    assert codes(replace(SOUND, holders=nobody)) == {"regulator_dispensable"}


def test_no_organisation_alone_holds_enough_escrow_shares() -> None:
    greedy = (*HOLDERS[:3], replace(HOLDERS[3], escrow_shares=4))
    assert "one_party_opens_escrow" in codes(replace(SOUND, holders=greedy))


def test_without_escrow_its_shares_do_not_matter() -> None:
    none = tuple(replace(one, escrow_shares=0) for one in HOLDERS)
    assert codes(Custody(none, 3, None)) == set()


def test_missing_keys_are_named_and_shared_ones_refused() -> None:
    missing = (replace(HOLDERS[0], kid=""), *HOLDERS[1:])
    (refusal,) = key_refusals(replace(SOUND, holders=missing))
    assert (refusal.code, "保管人1" in refusal.reason) == ("custodian_key_missing", True)
    shared = (replace(HOLDERS[0], kid="kid-2"), *HOLDERS[1:])
    assert [one.code for one in key_refusals(replace(SOUND, holders=shared))] == [
        "custodian_key_shared"
    ]


@given(
    parties=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    shares=st.lists(st.integers(0, 4), min_size=6, max_size=6),
    officials=st.integers(0, 6),
    escrow=st.integers(1, 12),
)
def test_what_is_accepted_can_never_be_opened_by_one_organisation_nor_without_the_regulator(
    parties: list[int], shares: list[int], officials: int, escrow: int
) -> None:
    holders = tuple(
        Holder(UUID(int=place), UUID(int=party), "x", shares[place], is_regulator=party == 1)
        for place, party in enumerate(parties)
    )
    custody = Custody(holders, officials, escrow)
    if custody_refusals(custody):
        return

    for party in set(parties):
        mine = [one for one in holders if one.party_id == UUID(int=party)]
        assert len(mine) < officials <= len(holders)
        assert sum(one.escrow_shares for one in mine) < escrow
    others = [one for one in holders if not one.is_regulator]
    assert sum(one.escrow_shares for one in others) < escrow
    assert any(
        sum(one.escrow_shares for one in some) >= escrow
        for count in range(len(holders) + 1)
        for some in combinations(holders, count)
    )
