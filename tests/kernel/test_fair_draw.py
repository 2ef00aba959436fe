"""The draw: HKDF ranking (RFC 5869), commitments, nonce shares. Bidding Law 37 asks for chance.

Whether chance is fair is tested by counting: the exact distribution of the first two places, and a
planted bias that the same test must find.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto import fair_draw, threshold
from kernel.crypto.digests import Malformed, sha256
from kernel.crypto.fair_draw import (
    check_reveal,
    commitment,
    deal_nonce,
    expand,
    extract,
    label,
    open_nonce_share,
    pool_root,
    position,
    prk,
    ranking,
    recover_nonce,
    share_commitment,
)
from kernel.crypto.merkle import EMPTY_ROOT
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal
from kernel.randomness import random_bytes

VECTORS = Path(__file__).parents[1] / "vectors"
VECTOR = json.loads((VECTORS / "draw-v1.json").read_text())
LABELS = {name: label(sha256(b"salt", bytes([n])), name) for n, name in enumerate(VECTOR["names"])}
NAMES = {value: name for name, value in LABELS.items()}
NONCES = {party: bytes.fromhex(nonce) for party, nonce in VECTOR["nonces"].items()}
ANN = sha256(VECTOR["announcement_bytes"].encode())
BEACON = bytes.fromhex(VECTOR["beacon"])
KEY = prk(ANN, NONCES, BEACON)
HOLDERS = [PrivateKey.generate() for _ in range(4)]
PUBLIC = [holder.public_bytes for holder in HOLDERS]


def test_the_prototypes_draw_is_repeated_to_the_last_place() -> None:
    assert ANN.hex() == VECTOR["announcement"]
    assert pool_root(LABELS.values()).hex() == VECTOR["pool_root"]
    agency = commitment(ANN, "agency", NONCES["agency"])
    assert agency.hex() == VECTOR["commitment_of_agency"]
    assert KEY.hex() == VECTOR["prk"]
    order = ranking(KEY, VECTOR["stratum"], LABELS.values())
    assert [NAMES[one] for one in order] == VECTOR["order"]


def test_the_key_and_the_positions_are_hkdf() -> None:
    message = b"ebid/1/draw/seed\0\x00\x01\x00\x01a" + bytes(32) + BEACON
    info = b"ebid/1/draw/pos\0civil\0" + LABELS["E000"]
    key = prk(ANN, {"a": bytes(32)}, BEACON)
    whole = HKDF(hashes.SHA256(), 32, ANN, info).derive(message)
    assert position(key, "civil", LABELS["E000"]) == whole
    assert position(key, "civil", LABELS["E000"]) == HKDFExpand(hashes.SHA256(), 32, info).derive(
        key
    )


def test_wycheproof_s_derivations_come_out_as_published() -> None:
    """RFC 5869: every published output, as far as one block of it reaches."""
    groups = json.loads((VECTORS / "wycheproof" / "hkdf_sha256_test.json").read_text())
    cases = [one for group in groups["testGroups"] for one in group["tests"]]
    valid = [one for one in cases if one["result"] == "valid"]
    assert len(valid) > 70
    for one in valid:
        ikm, salt, info = (bytes.fromhex(one[name]) for name in ("ikm", "salt", "info"))
        published = bytes.fromhex(one["okm"])[:32]
        assert expand(extract(salt, ikm), info)[: len(published)] == published, one["tcId"]


def test_the_example_of_the_draft_on_which_the_ranking_rests() -> None:
    """draft-thomson-elegy-vrs: the same derivation with a bare label gives its published number."""
    seed = b"totally not a bikeshed"
    for _ in range(9):
        seed = sha256(seed)
    numbers = b"1.2.3.4.5.6./1.2.3.4.5.6./1.2.3.4.5.6./"
    derived = HKDF(hashes.SHA256(), 32, seed, b"lavenderblush").derive(numbers)
    assert derived.hex().startswith("002ed527ae0a44a86c205d1cdba")


def _rfc3797(key: str, numbers: Sequence[int], count: int) -> list[int]:
    """RFC 3797, section 4: a digest modulo how many are left."""
    left, chosen = list(numbers), []
    for turn in range(count):
        wrap = turn.to_bytes(2, "big")
        digest = hashlib.md5(wrap + key.encode() + wrap, usedforsecurity=False).digest()
        chosen.append(left.pop(int.from_bytes(digest, "big") % len(left)))
    return chosen


def test_striking_one_name_reorders_nobody_as_it_would_under_rfc_3797() -> None:
    example = json.loads((VECTORS / "rfc3797.json").read_text())
    numbers = range(1, example["pool_size"] + 1)
    published = example["published_order"]
    assert _rfc3797(example["key_string"], numbers, len(published)) == published
    struck = [number for number in numbers if number != published[0]]
    assert _rfc3797(example["key_string"], struck, 9) != published[1:]

    order = ranking(KEY, "civil", LABELS.values())
    assert ranking(KEY, "civil", [one for one in LABELS.values() if one != order[0]]) == order[1:]


@given(st.sets(st.sampled_from(VECTOR["names"])), st.text(min_size=1, max_size=5))
def test_whoever_is_left_keeps_the_same_order(struck: set[str], stratum: str) -> None:
    stratum = stratum.replace("\0", "-")
    order = ranking(KEY, stratum, LABELS.values())
    left = [one for name, one in LABELS.items() if name not in struck]
    assert ranking(KEY, stratum, left) == tuple(one for one in order if one in left)


def test_each_input_changes_the_key() -> None:
    keys = {
        KEY,
        prk(sha256(b"another announcement"), NONCES, BEACON),
        prk(ANN, NONCES),
        prk(ANN, NONCES, BEACON[:-1] + b"\0"),
        prk(ANN, {party: NONCES[party] for party in ("agency", "regulator")}, BEACON),
        *(prk(ANN, NONCES | {party: bytes(32)}, BEACON) for party in NONCES),
        prk(ANN, {**NONCES, "agency": NONCES["tenderer"], "tenderer": NONCES["agency"]}, BEACON),
    }
    assert len(keys) == 9
    assert prk(ANN, dict(reversed(NONCES.items())), BEACON) == KEY


def test_strata_are_ranked_independently() -> None:
    orders = {ranking(KEY, stratum, LABELS.values()) for stratum in ("civil", "law", "civi")}
    assert len(orders) == 3


def test_a_pool_is_committed_to_without_its_order() -> None:
    labels = list(LABELS.values())
    assert pool_root(labels) == pool_root(labels[::-1])
    assert pool_root(labels[1:]) != pool_root(labels)
    assert pool_root([]) == EMPTY_ROOT


def test_what_cannot_stand_in_a_draw_is_refused() -> None:
    one = LABELS["E000"]
    refused: list[Callable[[], object]] = [
        lambda: pool_root([one, one]),
        lambda: pool_root([b"short"]),
        lambda: ranking(KEY, "civil", [one, one]),
        lambda: ranking(KEY, "", [one]),
        lambda: ranking(KEY, "a\0b", [one]),
        lambda: label(b"salt", "E000"),
        lambda: commitment(ANN, "a\0b", bytes(32)),
        lambda: commitment(ANN, "agency", bytes(31)),
        lambda: commitment(ANN[:31], "agency", bytes(32)),
        lambda: prk(ANN, {}),
        lambda: prk(ANN, {"agency": bytes(31)}),
        lambda: prk(b"", NONCES),
    ]
    for act in refused:
        with pytest.raises(Malformed):
            act()


def test_a_nonce_other_than_the_committed_one_is_refused() -> None:
    nonce = NONCES["agency"]
    committed = commitment(ANN, "agency", nonce)
    check_reveal(ANN, "agency", nonce, committed)
    for place in range(32):
        altered = bytearray(nonce)
        altered[place] ^= 1
        with pytest.raises(BrokenSeal, match="agency"):
            check_reveal(ANN, "agency", bytes(altered), committed)
    for announcement, party, value in (
        (sha256(b"other"), "agency", nonce),
        (ANN, "regulator", nonce),
        (ANN, "agency", nonce + b"\0"),
    ):
        with pytest.raises(BrokenSeal):
            check_reveal(announcement, party, value, committed)


def test_staying_away_is_no_veto_where_enough_others_kept_shares() -> None:
    nonce = random_bytes(32)
    committed = commitment(ANN, "agency", nonce)
    dealt = deal_nonce(ANN, "agency", nonce, t=3, holders=PUBLIC, entropy=random_bytes)
    commitments = [one.commitment for one in dealt]
    shares = [
        open_nonce_share(ANN, "agency", one, holder)
        for one, holder in zip(dealt, HOLDERS, strict=True)
    ]

    def recover(given: Sequence[bytes]) -> bytes:
        return recover_nonce(
            ANN, "agency", t=3, committed=committed, share_commitments=commitments, shares=given
        )

    assert all(recover(some) == nonce for some in itertools.combinations(shares, 3))
    assert recover([bytes(33), *shares]) == nonce
    for too_few in (shares[:2], [shares[0], shares[0], shares[1]], [*shares[:2], bytes(33)], []):
        with pytest.raises(BrokenSeal, match="needed"):
            recover(too_few)


def test_shares_of_another_nonce_than_the_committed_one_are_found_out() -> None:
    dealt = threshold.deal(random_bytes(32), 3, 2, random_bytes)
    with pytest.raises(BrokenSeal, match="agency"):
        recover_nonce(
            ANN,
            "agency",
            t=2,
            committed=commitment(ANN, "agency", bytes(32)),
            share_commitments=[share_commitment(ANN, "agency", share) for share in dealt],
            shares=dealt,
        )


def test_a_share_opens_for_its_holder_its_party_and_its_draw_only() -> None:
    first, second, *_ = deal_nonce(
        ANN, "agency", bytes(32), t=2, holders=PUBLIC, entropy=random_bytes
    )
    open_nonce_share(ANN, "agency", first, HOLDERS[0])
    for announcement, party, dealt, holder in (
        (sha256(b"other"), "agency", first, HOLDERS[0]),
        (ANN, "regulator", first, HOLDERS[0]),
        (ANN, "agency", first, HOLDERS[1]),
        (ANN, "agency", second, HOLDERS[0]),
        (ANN, "agency", replace(first, commitment=second.commitment), HOLDERS[0]),
        (ANN, "agency", replace(first, holder_kid=second.holder_kid), HOLDERS[0]),
        (ANN, "agency", replace(first, ciphertext=second.ciphertext), HOLDERS[0]),
    ):
        with pytest.raises(BrokenSeal):
            open_nonce_share(announcement, party, dealt, holder)


def _unevenness(counts: Counter[tuple[int, ...]], cells: int) -> float:
    """Pearson's chi-square of counts that should be equal."""
    expected = counts.total() / cells
    return sum((n - expected) ** 2 for n in counts.values()) / expected + expected * (
        cells - len(counts)
    )


def _places(draws: int, pool: int, first: int, *, biased: bool = False) -> Counter[tuple[int, ...]]:
    labels = [sha256(b"expert", bytes([n])) for n in range(pool)]
    numbers = {one: n for n, one in enumerate(labels)}
    counts: Counter[tuple[int, ...]] = Counter()
    for turn in range(draws):
        key = sha256(b"draw", turn.to_bytes(4, "big"))
        if biased:
            counts[(key[0] % pool,)] += 1
        else:
            order = ranking(key, "civil", labels)[:first]
            counts[tuple(numbers[one] for one in order)] += 1
    return counts


def test_all_orders_of_three_are_equally_likely() -> None:
    assert _unevenness(_places(6_000, 3, 3), 6) < 20.5  # 5 degrees of freedom, 99.9 %


def test_all_pairs_in_the_first_two_places_are_equally_likely() -> None:
    assert _unevenness(_places(15_000, 10, 2), 90) < 136  # 89 degrees of freedom, 99.9 %


def test_the_same_count_finds_the_bias_of_a_digest_taken_modulo_the_pool() -> None:
    fair, biased = _places(15_000, 10, 1), _places(100_000, 10, 1, biased=True)
    assert _unevenness(fair, 10) < 27.9  # 9 degrees of freedom, 99.9 %
    assert _unevenness(biased, 10) > 27.9


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_hundred_thousand_draws_from_a_pool_of_two_hundred_favour_nobody() -> None:
    assert _unevenness(_places(100_000, 200, 1), 200) < 266  # 199 degrees of freedom, 99.9 %


def test_nothing_in_the_module_counts_or_takes_a_remainder() -> None:
    source = Path(fair_draw.__file__).read_text()
    assert "%" not in source
