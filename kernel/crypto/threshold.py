"""Key shares dealt and combined, so that no one person can open early.

Shamir's scheme over GF(2^8) with the polynomial 0x11B, in the share format of HashiCorp Vault,
which pyshamir and the browser packages also use: one byte of the polynomial's value for each byte
of the secret, then one byte x that is not zero.

Too few or wrong shares give garbage without a sign of it: whoever combines must know a commitment
to the secret, and to each share (`sealing.combine` does).

A secret or a share is sealed to its holder with HPKE (RFC 9180, base mode, DHKEM(P-256),
HKDF-SHA256, AES-256-GCM); what it is for stands in the `info` it is bound to.

A share's bytes are multiplied only by public numbers, with one table of 256 bytes for each, so the
work done does not branch on a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, reduce

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from kernel.crypto.digests import Malformed
from kernel.crypto.signing import PrivateKey, loaded_public_key
from kernel.errors import BrokenSeal

SHARES_MAX = 255
THRESHOLD_MIN = 2
SEALING_OVERHEAD = 65 + 16
"""How many bytes a sealed secret is longer than the secret: a public key and a tag."""

_HPKE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def deal(secret: bytes, n: int, t: int, entropy: Callable[[int], bytes]) -> tuple[bytes, ...]:
    """`n` shares of which any `t` give the secret back and fewer tell nothing; x is 1, 2, … n."""
    if not THRESHOLD_MIN <= t <= n <= SHARES_MAX or not secret:
        raise ValueError(f"{t} of {n} shares cannot be dealt")
    slopes = [entropy(len(secret)) for _ in range(t - 1)]
    if any(len(slope) != len(secret) for slope in slopes):
        raise ValueError("entropy fell short")
    return tuple(share_at(x, [secret, *slopes]) for x in range(1, n + 1))


def share_at(x: int, coefficients: Sequence[bytes]) -> bytes:
    """The share at x of the polynomial whose lowest coefficient is the secret."""
    value = bytes(len(coefficients[0]))
    for coefficient in reversed(coefficients):
        value = _added(_scaled(value, x), coefficient)
    return value + bytes([x])


def combine(shares: Sequence[bytes]) -> bytes:
    """The secret of these shares, all of which are used: give no more than you trust.

    `Malformed` where shares are fewer than two, differ in length, or repeat an x.
    """
    if len(shares) < THRESHOLD_MIN:
        raise Malformed("a secret is never dealt in fewer than two shares")
    if len({len(share) for share in shares}) != 1 or len(shares[0]) < 2:
        raise Malformed("shares of one secret have one length")
    xs = [share[-1] for share in shares]
    if 0 in xs or len(set(xs)) != len(xs):
        raise Malformed("each share needs an x of its own, and none is zero")
    scaled = (_scaled(share[:-1], _weight_at_zero(share[-1], xs)) for share in shares)
    return reduce(_added, scaled)


def seal_for(public_key: bytes, secret: bytes, *, info: bytes) -> bytes:
    """The secret sealed to a P-256 key (65 bytes) and bound to `info`; fresh at each call."""
    return _HPKE.encrypt(secret, loaded_public_key(public_key), info)


def unseal(private_key: PrivateKey, ciphertext: bytes, *, info: bytes) -> bytes:
    """What was sealed to this key for exactly this `info`, or `BrokenSeal`."""
    try:
        return _HPKE.decrypt(ciphertext, private_key.key_handle, info)
    except (InvalidTag, ValueError):
        raise BrokenSeal("not sealed to this key for this purpose") from None


def product(a: int, b: int) -> int:
    """The product of two field elements."""
    total = 0
    for bit in range(8):
        total ^= (a << bit) * (b >> bit & 1)
    for bit in range(14, 7, -1):
        total ^= (0x11B << (bit - 8)) * (total >> bit & 1)
    return total


@cache
def inverse(a: int) -> int:
    """The field element whose product with `a` is one: `a` to the power of 254."""
    result = 1
    for _ in range(254):
        result = product(result, a)
    return result


def _weight_at_zero(x: int, xs: Sequence[int]) -> int:
    """Lagrange's weight of the sample at x, for the value at zero."""
    weight = 1
    for other in xs:
        if other != x:
            weight = product(weight, product(other, inverse(other ^ x)))
    return weight


@cache
def _multiples(factor: int) -> bytes:
    return bytes(product(factor, value) for value in range(256))


def _scaled(values: bytes, factor: int) -> bytes:
    return values.translate(_multiples(factor))


def _added(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
