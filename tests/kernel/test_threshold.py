"""Shamir shares in the format of Vault, and HPKE of RFC 9180."""

from __future__ import annotations

import hmac
import itertools
import json
import random
from pathlib import Path

import pyshamir
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st
from pyshamir import _utils as pyshamir_parts

from kernel.crypto.digests import Malformed
from kernel.crypto.signing import PrivateKey, loaded_public_key
from kernel.crypto.threshold import combine, deal, inverse, product, seal_for, share_at, unseal
from kernel.errors import BrokenSeal
from kernel.randomness import random_bytes

VECTORS = Path(__file__).parents[1] / "vectors"
BYTES = st.integers(0, 255)


@given(BYTES, BYTES, BYTES)
def test_products_are_those_of_the_field(a: int, b: int, c: int) -> None:
    assert product(a, b) == product(b, a) == pyshamir_parts.mul(a, b)
    assert product(a, product(b, c)) == product(product(a, b), c)
    assert product(a, b ^ c) == product(a, b) ^ product(a, c)


def test_every_element_but_zero_has_an_inverse() -> None:
    assert all(product(a, inverse(a)) == 1 for a in range(1, 256))


@given(
    secret=st.binary(min_size=1, max_size=40),
    degree=st.integers(1, 6),
    x=st.integers(1, 255),
    seed=st.integers(0, 2**32),
)
def test_a_share_is_the_one_pyshamir_would_deal(
    secret: bytes, degree: int, x: int, seed: int
) -> None:
    dice = random.Random(seed)
    slopes = [dice.randbytes(len(secret)) for _ in range(degree)]
    expected = bytearray()
    for place, byte in enumerate(secret):
        polynomial = pyshamir_parts.Polynomial(degree)
        polynomial.coefficients[:] = bytes([byte, *(slope[place] for slope in slopes)])
        expected.append(polynomial.evaluate(x))
    assert share_at(x, [secret, *slopes]) == bytes([*expected, x])


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=33), st.data())
def test_shares_of_either_program_are_combined_by_the_other(
    secret: bytes, data: st.DataObject
) -> None:
    n = data.draw(st.integers(2, 7))
    t = data.draw(st.integers(2, n))
    ours = deal(secret, n, t, random_bytes)
    theirs = [bytes(share) for share in pyshamir.split(secret, n, t)]
    chosen = data.draw(st.permutations(range(n)))[:t]
    assert bytes(pyshamir.combine([bytearray(ours[i]) for i in chosen])) == secret
    assert combine([theirs[i] for i in chosen]) == secret


@pytest.mark.parametrize(("n", "t"), [(2, 2), (4, 3), (5, 4), (5, 2)])
def test_any_t_shares_give_the_secret_and_fewer_do_not(n: int, t: int) -> None:
    secret = random_bytes(32)
    shares = deal(secret, n, t, random_bytes)
    assert [share[-1] for share in shares] == list(range(1, n + 1))
    assert all(combine(some) == secret for some in itertools.combinations(shares, t))
    assert combine(shares) == secret
    if t > 2:
        assert all(combine(some) != secret for some in itertools.combinations(shares, t - 1))


def test_one_share_less_leaves_every_secret_possible() -> None:
    share = share_at(1, [b"\x2a", b"\x07"])
    possible = {combine([share, bytes([y, 2])]) for y in range(256)}
    assert len(possible) == 256


@pytest.mark.parametrize(
    "shares",
    [
        [],
        [b"\x01\x01"],
        [b"\x01\x01", b"\x02\x01"],
        [b"\x01\x01", b"\x02\x00"],
        [b"\x01\x01", b"\x01\x02\x03"],
        [b"\x01", b"\x02"],
    ],
)
def test_shares_that_cannot_belong_together_are_refused(shares: list[bytes]) -> None:
    with pytest.raises(Malformed):
        combine(shares)


@pytest.mark.parametrize(("n", "t"), [(1, 1), (3, 1), (2, 3), (256, 2)])
def test_a_dealing_that_cannot_be_is_a_defect(n: int, t: int) -> None:
    with pytest.raises(ValueError, match="cannot be dealt"):
        deal(b"secret", n, t, random_bytes)
    with pytest.raises(ValueError, match="fell short"):
        deal(b"secret", 3, 2, lambda count: b"")


def test_a_sealed_secret_opens_with_its_key_for_its_purpose_only() -> None:
    key, other = PrivateKey.generate(), PrivateKey.generate()
    sealed = seal_for(key.public_bytes, b"s" * 32, info=b"purpose")
    assert len(sealed) == 32 + 65 + 16
    assert unseal(key, sealed, info=b"purpose") == b"s" * 32
    for holder, info, bytes_ in (
        (other, b"purpose", sealed),
        (key, b"purpos", sealed),
        (key, b"purpose", sealed[:-1]),
        (key, b"purpose", b""),
    ):
        with pytest.raises(BrokenSeal):
            unseal(holder, bytes_, info=info)


def test_every_flipped_byte_of_a_sealed_secret_is_noticed() -> None:
    key = PrivateKey.generate()
    sealed = seal_for(key.public_bytes, b"s" * 32, info=b"purpose")
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(BrokenSeal):
            unseal(key, bytes(altered), info=b"purpose")


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, size: int) -> bytes:
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    output, block, counter = b"", b"", 1
    while len(output) < size:
        block = hmac.digest(prk, block + labelled + bytes([counter]), "sha256")
        output, counter = output + block, counter + 1
    return output[:size]


def _hpke_open(
    key: PrivateKey, enc: bytes, sealed: bytes, *, info: bytes, aad: bytes, aead: int, count: int
) -> tuple[bytes, bytes]:
    """RFC 9180 written out once more, from the RFC: the shared secret and the plaintext."""
    kem = b"KEM\x00\x10"
    suite = b"HPKE\x00\x10\x00\x01" + aead.to_bytes(2, "big")
    exchanged = key.key_handle.exchange(ec.ECDH(), loaded_public_key(enc))
    prk = _extract(kem, b"", b"eae_prk", exchanged)
    shared = _expand(kem, prk, b"shared_secret", enc + key.public_bytes, 32)
    context = (
        b"\0" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    )
    secret = _extract(suite, shared, b"secret", b"")
    aead_key = _expand(suite, secret, b"key", context, 16 if aead == 1 else 32)
    start = int.from_bytes(_expand(suite, secret, b"base_nonce", context, 12), "big")
    nonce = (start ^ count).to_bytes(12, "big")
    cipher = ChaCha20Poly1305(aead_key) if aead == 3 else AESGCM(aead_key)
    return shared, cipher.decrypt(nonce, sealed, aad)


def _hpke_cases() -> list[dict[str, object]]:
    cases = json.loads((VECTORS / "hpke-p256-base.json").read_text())
    return [one for one in cases if one["kdf_id"] == 1 and one["aead_id"] in (1, 2, 3)]


@pytest.mark.parametrize("case", _hpke_cases(), ids=lambda one: f"aead-{one['aead_id']}")
def test_hpke_written_out_from_the_rfc_agrees_with_its_vectors_and_with_ours(case: dict) -> None:  # type: ignore[type-arg]  # JSON
    key = PrivateKey.from_scalar(bytes.fromhex(case["skRm"]))
    assert key.public_bytes.hex() == case["pkRm"]
    enc, info = bytes.fromhex(case["enc"]), bytes.fromhex(case["info"])
    for count, one in enumerate(case["encryptions"]):
        shared, plain = _hpke_open(
            key,
            enc,
            bytes.fromhex(one["ct"]),
            info=info,
            aad=bytes.fromhex(one["aad"]),
            aead=case["aead_id"],
            count=count,
        )
        assert shared.hex() == case["shared_secret"]
        assert plain.hex() == one["pt"]

    sealed = seal_for(key.public_bytes, b"s" * 33, info=info)
    _, plain = _hpke_open(key, sealed[:65], sealed[65:], info=info, aad=b"", aead=2, count=0)
    assert plain == b"s" * 33
    with pytest.raises(InvalidTag):
        _hpke_open(key, sealed[:65], sealed[65:], info=b"other", aad=b"", aead=2, count=0)
