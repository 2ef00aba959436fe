"""Electronic Bidding Measures 27; the policy that every envelope names by its hash."""

from __future__ import annotations

from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest

from kernel.crypto.digests import Malformed, b64u, canonical, sha256
from kernel.crypto.signing import PrivateKey
from trading.rules.key_custody import Custody, Holder
from trading.rules.opening_policy import (
    Vouchers,
    policy_document,
    policy_keys,
    policy_refusals,
)

KEYS = [PrivateKey.generate() for _ in range(4)]
PARTIES = [UUID(int=place) for place in range(4)]
CUSTODY = Custody(
    tuple(
        Holder(
            UUID(int=10 + place),
            party,
            f"保管人{place}",
            escrow_shares=2 if place == 3 else 1,
            is_regulator=place == 3,
            kid=key.kid,
        )
        for place, (party, key) in enumerate(zip(PARTIES, KEYS, strict=True))
    ),
    3,
    4,
)
VOUCHERS = Vouchers("log+00000000+AAAA", ("w1+00000000+AAAA", "w2+00000000+AAAA"), 2)


def a_policy(custody: Custody = CUSTODY) -> dict[str, Any]:
    return policy_document(
        custody,
        project_id=UUID(int=1),
        lot_id=UUID(int=2),
        version=1,
        keys={key.kid: key.public_bytes for key in KEYS},
        organisations={party: f"单位{place}" for place, party in enumerate(PARTIES)},
        vouchers=VOUCHERS,
    )


def test_the_policy_holds_no_times() -> None:
    assert not any("at" in name.split("_") or "until" in name for name in a_policy())


def test_a_holder_of_two_escrow_shares_stands_twice() -> None:
    keys = policy_keys(canonical(a_policy()))

    assert keys.policy_hash == sha256(canonical(a_policy()))
    assert keys.officials == (3, tuple(key.public_bytes for key in KEYS))
    last = KEYS[3].public_bytes
    assert keys.escrow == (4, (*(key.public_bytes for key in KEYS), last))


def test_a_policy_without_escrow_names_none() -> None:
    keys = policy_keys(canonical(a_policy(Custody(CUSTODY.holders, 3, None))))
    assert keys.escrow is None


def test_the_proposed_policy_with_a_time_of_signature_is_accepted() -> None:
    assert policy_refusals({**a_policy(), "signed_at": "2026-03-02T01:00:00Z"}, a_policy()) == []


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("officials", {"t": 2, "keys": []}, "policy_keys_differ"),
        ("escrow", {"allowed": False}, "policy_escrow_differs"),
        ("log", "other", "policy_log_differs"),
        ("witnesses", [], "policy_witnesses_differ"),
        ("quorum", 0, "policy_quorum_differs"),
        ("lot", str(UUID(int=9)), "policy_differs"),
        ("bids_due_at", "2026-03-23T01:30:00Z", "policy_differs"),
    ],
)
def test_a_policy_that_says_anything_else_is_refused(member: str, value: object, code: str) -> None:
    signed = {**a_policy(), member: value}
    assert [refusal.code for refusal in policy_refusals(signed, a_policy())] == [code]


def test_a_policy_that_leaves_something_out_is_refused() -> None:
    for member in a_policy():
        signed = a_policy()
        del signed[member]
        assert len(policy_refusals(signed, a_policy())) == 1


def _wrong_version(policy: dict[str, Any]) -> None:
    policy["v"] = "ebid-opening-policy/2"


def _wrong_kid(policy: dict[str, Any]) -> None:
    policy["officials"]["keys"][0]["kid"] = KEYS[1].kid


def _short_key(policy: dict[str, Any]) -> None:
    policy["officials"]["keys"][0]["key"] = b64u(b"\x04")


def _unknown_escrow(policy: dict[str, Any]) -> None:
    policy["escrow"]["keys"][0] = "nobody"


def _no_threshold(policy: dict[str, Any]) -> None:
    policy["officials"]["t"] = -1


@pytest.mark.parametrize(
    "spoil", [_wrong_version, _wrong_kid, _short_key, _unknown_escrow, _no_threshold]
)
def test_bytes_that_are_no_policy_are_malformed(spoil: Any) -> None:
    policy = deepcopy(a_policy())
    spoil(policy)
    with pytest.raises(Malformed):
        policy_keys(canonical(policy))
