"""A draw that is random before it and provable after it.

Several parties each commit to 32 random bytes before anyone reveals; from the announcement, all
revealed bytes and, where one was announced, a public beacon, a key is derived; every label of the
pool gets a position under that key, and the draw is the order of positions. One honest party is
enough that nobody knows the key beforehand. A label's position does not depend on who else is in
the pool: striking one out never reorders the others, so exclusions and replacements just go down
the list.

Derivation is HKDF (RFC 5869), after draft-thomson-elegy-vrs: no counters, no modulo, no bias.

Each party also deals shares of its bytes to the others, so that staying away is no veto.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from kernel.crypto import merkle, threshold
from kernel.crypto.digests import Malformed, labelled
from kernel.crypto.signing import PrivateKey, thumbprint
from kernel.crypto.threshold import seal_for, unseal
from kernel.errors import BrokenSeal

NONCE_SIZE = 32
SALT_SIZE = 32
DIGEST_SIZE = 32


@dataclass(frozen=True, slots=True)
class NonceShare:
    """One share of a party's nonce, sealed to the party that keeps it, and its commitment."""

    holder_kid: str
    commitment: bytes
    ciphertext: bytes


def label(salt: bytes, name: str) -> bytes:
    """What stands in the pool for a name; the salt, fresh for each draw, keeps the name hidden."""
    _require_size(salt, SALT_SIZE)
    return labelled("ebid/1/draw/label", salt, name.encode())


def pool_root(labels: Collection[bytes]) -> bytes:
    """The commitment to the whole pool: the Merkle root over its labels in byte order."""
    return merkle.root([merkle.leaf_hash(one) for one in _pool(labels)])


def commitment(announcement: bytes, party: str, nonce: bytes) -> bytes:
    """A party's commitment to its nonce, for the draw with this announcement hash."""
    _require_size(announcement, DIGEST_SIZE)
    _require_size(nonce, NONCE_SIZE)
    return labelled("ebid/1/draw/commit", announcement, _delimited(party), nonce)


def check_reveal(announcement: bytes, party: str, nonce: bytes, committed: bytes) -> None:
    """`BrokenSeal`, naming the party, unless the nonce is the one it committed to."""
    if len(nonce) != NONCE_SIZE or commitment(announcement, party, nonce) != committed:
        raise BrokenSeal(f"{party} revealed another nonce than it committed to")


def prk(announcement: bytes, nonces: Mapping[str, bytes], beacon: bytes = b"") -> bytes:
    """The draw's key: HKDF-Extract of every party's nonce, by name, and the beacon's signature."""
    _require_size(announcement, DIGEST_SIZE)
    if not nonces:
        raise Malformed("a draw needs a nonce")
    message = bytearray(b"ebid/1/draw/seed\0" + len(nonces).to_bytes(2, "big"))
    for name, nonce in sorted((party.encode(), nonce) for party, nonce in nonces.items()):
        _require_size(nonce, NONCE_SIZE)
        message += len(name).to_bytes(2, "big") + name + nonce
    return extract(announcement, bytes(message) + beacon)


def extract(salt: bytes, message: bytes) -> bytes:
    """HKDF-Extract with SHA-256 (RFC 5869, 2.2)."""
    return hmac.digest(salt, message, "sha256")


def expand(key: bytes, info: bytes) -> bytes:
    """The first 32 bytes of HKDF-Expand with SHA-256, which are one block (RFC 5869, 2.3)."""
    return hmac.digest(key, info + b"\x01", "sha256")


def position(key: bytes, stratum: str, label: bytes) -> bytes:
    """Where a label stands in a stratum: HKDF-Expand under the draw's key."""
    _require_size(label, DIGEST_SIZE)
    return expand(key, b"ebid/1/draw/pos\0" + _delimited(stratum) + label)


def ranking(key: bytes, stratum: str, labels: Collection[bytes]) -> tuple[bytes, ...]:
    """All labels of a stratum in the order in which they are to be called."""
    return tuple(sorted(_pool(labels), key=lambda one: (position(key, stratum, one), one)))


def share_commitment(announcement: bytes, party: str, share: bytes) -> bytes:
    """The commitment to one share of a party's nonce."""
    _require_size(announcement, DIGEST_SIZE)
    return labelled("ebid/1/draw/share", announcement, _delimited(party), share)


def deal_nonce(
    announcement: bytes,
    party: str,
    nonce: bytes,
    *,
    t: int,
    holders: Sequence[bytes],
    entropy: Callable[[int], bytes],
) -> tuple[NonceShare, ...]:
    """A party's nonce in shares, each sealed to one of the holders' public keys, in their order."""
    _require_size(nonce, NONCE_SIZE)
    shares = threshold.deal(nonce, len(holders), t, entropy)
    return tuple(
        NonceShare(
            thumbprint(holder),
            share_commitment(announcement, party, share),
            seal_for(holder, share, info=_share_info(announcement, party, thumbprint(holder))),
        )
        for holder, share in zip(holders, shares, strict=True)
    )


def open_nonce_share(
    announcement: bytes, party: str, dealt: NonceShare, private_key: PrivateKey
) -> bytes:
    """The share a holder was dealt; `BrokenSeal`, naming the party, where it was dealt badly."""
    info = _share_info(announcement, party, dealt.holder_kid)
    share = unseal(private_key, dealt.ciphertext, info=info)
    if share_commitment(announcement, party, share) != dealt.commitment:
        raise BrokenSeal(f"{party} sealed another share than it committed to")
    return share


def recover_nonce(
    announcement: bytes,
    party: str,
    *,
    t: int,
    committed: bytes,
    share_commitments: Collection[bytes],
    shares: Collection[bytes],
) -> bytes:
    """An absent party's nonce from shares others kept, checked against its own commitment.

    `BrokenSeal` where fewer than `t` different shares match their commitments, or where the
    party dealt shares of something else.
    """
    genuine = {
        share[-1:]: share
        for share in shares
        if share_commitment(announcement, party, share) in share_commitments
    }
    if len(genuine) < t:
        raise BrokenSeal(f"{len(genuine)} good shares of {party}'s nonce, {t} needed")
    nonce = threshold.combine([genuine[x] for x in sorted(genuine)][:t])
    check_reveal(announcement, party, nonce, committed)
    return nonce


def _share_info(announcement: bytes, party: str, kid: str) -> bytes:
    return b"ebid/1/draw/wrap\0" + announcement + _delimited(party) + kid.encode()


def _pool(labels: Collection[bytes]) -> list[bytes]:
    ordered = sorted(labels)
    if len(set(ordered)) != len(ordered):
        raise Malformed("a label stands twice in the pool")
    for one in ordered:
        _require_size(one, DIGEST_SIZE)
    return ordered


def _delimited(name: str) -> bytes:
    if not name or "\0" in name:
        raise Malformed("a name here is not empty and has no zero byte")
    return name.encode() + b"\0"


def _require_size(value: bytes, size: int) -> None:
    if len(value) != size:
        raise Malformed(f"{len(value)} bytes where {size} were expected")
