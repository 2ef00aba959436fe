"""The bidder's recovery file: the secrets of sealed envelopes, under a generated passphrase.

It never leaves the bidder. With it a bidder opens or re-wraps an envelope from any machine; stolen
together with its passphrase it opens that one bid. PBKDF2-HMAC-SHA-256 and AES-256-GCM, because
every browser has them; the passphrase carries 80 bits, so the slowness is a courtesy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from kernel.crypto.digests import (
    Malformed,
    b64u,
    canonical,
    count_of,
    list_of,
    members,
    strict_json,
    unb64u,
)
from kernel.crypto.envelope_header import SECRET_SIZE, SealingSecrets, bind_of
from kernel.errors import BrokenSeal

VERSION = "ebid-recovery/1"
KDF = "PBKDF2-HMAC-SHA256"
ITERATIONS = 600_000
ITERATIONS_MAX = 10_000_000
SALT_SIZE = 16
NONCE_SIZE = 12
PASSPHRASE_ENTROPY_SIZE = 10
FILE_MAX_BYTES = 4 << 20

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None})


@dataclass(frozen=True, slots=True)
class RecoveryEntry:
    """An envelope, known by its meta's exact bytes, and its secrets."""

    meta_bytes: bytes
    secrets: SealingSecrets

    @property
    def bind(self) -> bytes:
        """The digest by which the envelope's header is found."""
        return bind_of(self.meta_bytes)


def generated_passphrase(entropy: bytes) -> str:
    """The passphrase of 10 random bytes: four groups of four letters and digits, 80 bits."""
    if len(entropy) != PASSPHRASE_ENTROPY_SIZE:
        raise ValueError("a passphrase is made of 10 random bytes")
    number = int.from_bytes(entropy, "big")
    letters = "".join(_LETTERS[number >> shift & 31] for shift in range(75, -1, -5))
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def write_recovery(
    entries: Sequence[RecoveryEntry], *, passphrase: str, salt: bytes, nonce: bytes
) -> bytes:
    """The recovery file of these envelopes; salt (16 bytes) and nonce (12) are fresh."""
    if len(salt) != SALT_SIZE or len(nonce) != NONCE_SIZE:
        raise ValueError("a recovery file needs 16 bytes of salt and 12 of nonce")
    outside: dict[str, object] = {
        "v": VERSION,
        "kdf": KDF,
        "iterations": ITERATIONS,
        "salt": b64u(salt),
        "nonce": b64u(nonce),
    }
    inside = [
        {
            "meta": b64u(entry.meta_bytes),
            "bidder": b64u(entry.secrets.bidder),
            "officials": None if entry.secrets.officials is None else b64u(entry.secrets.officials),
        }
        for entry in entries
    ]
    cipher = AESGCM(_key(passphrase, salt, ITERATIONS))
    sealed = cipher.encrypt(nonce, canonical(inside), canonical(outside))
    return canonical({**outside, "ct": b64u(sealed)})


def read_recovery(data: bytes, *, passphrase: str) -> tuple[RecoveryEntry, ...]:
    """The envelopes of a recovery file; `BrokenSeal` where file or passphrase is wrong."""
    found = members(
        strict_json(data, FILE_MAX_BYTES), ("v", "kdf", "iterations", "salt", "nonce", "ct")
    )
    iterations = count_of(found["iterations"])
    if found["v"] != VERSION or found["kdf"] != KDF:
        raise Malformed("not a recovery file of this kind")
    if not ITERATIONS <= iterations <= ITERATIONS_MAX:
        raise Malformed("a recovery file with too few or too many iterations")
    salt, nonce = unb64u(found["salt"], SALT_SIZE), unb64u(found["nonce"], NONCE_SIZE)
    sealed = unb64u(found.pop("ct"))
    try:
        opened = AESGCM(_key(passphrase, salt, iterations)).decrypt(nonce, sealed, canonical(found))
    except InvalidTag:
        raise BrokenSeal("wrong passphrase, or an altered recovery file") from None
    listed = list_of(strict_json(opened, FILE_MAX_BYTES), at_most=10_000)
    return tuple(_entry(item) for item in listed)


def _entry(value: object) -> RecoveryEntry:
    found = members(value, ("meta", "bidder", "officials"))
    officials = found["officials"]
    return RecoveryEntry(
        unb64u(found["meta"]),
        SealingSecrets(
            unb64u(found["bidder"], SECRET_SIZE),
            None if officials is None else unb64u(officials, SECRET_SIZE),
        ),
    )


def _key(passphrase: str, salt: bytes, iterations: int) -> bytes:
    """The key of a passphrase, however it was spaced and whatever letters were misread."""
    letters = passphrase.upper().translate(_MISREAD)
    return PBKDF2HMAC(hashes.SHA256(), 32, salt, iterations).derive(letters.encode())
