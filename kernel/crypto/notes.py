"""Signed notes, checkpoints and witnesses' cosignatures, in the formats of C2SP.

A note is a text, a blank line, and signature lines. A checkpoint is a note of three lines: the
log's name, the tree's size, its root. The log signs it (Ed25519, type 1); a witness signs it with
the time on its own clock, having seen that the tree only grew (cosignature/v1, type 4).

Formats: c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-witness.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from kernel.crypto.digests import Malformed, b64, sha256, unb64
from kernel.crypto.merkle import HASH_SIZE, LONGEST_PROOF
from kernel.errors import BrokenSeal

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
NOTE_MAX_CHARACTERS = 256 << 10
SIGNATURES_MAX = 64

_DASH = "— "
_KEY_SIZE = 32
_SIGNATURE_SIZE = 64
_LATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name and the algorithm under which it signs notes."""

    name: str
    algorithm: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature line names this key."""
        return sha256(self.name.encode(), b"\n", bytes([self.algorithm]), self.public)[:4]

    @property
    def vkey(self) -> str:
        """The key as one line of text: name, id in hexadecimal, algorithm and key in base 64."""
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.algorithm]) + self.public)}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who signed, with which key, and what that key wrote."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, its line end included."""
        return f"{_DASH}{self.name} {b64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text that ends in a line end, and its signatures."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, note: str) -> SignedNote:
        """The note as written; nothing is verified yet.

        `Malformed` for anything `to_text` would write differently, and for two lines by one key.
        """
        if len(note) > NOTE_MAX_CHARACTERS or any(c < " " and c != "\n" for c in note):
            raise Malformed("not a note")
        text, blank, tail = note.rpartition("\n\n")
        if not blank or not text or not tail.endswith("\n"):
            raise Malformed("a note is a text, a blank line and signatures")
        signatures = tuple(_parse_line(line) for line in tail[:-1].split("\n"))
        signers = {(one.name, one.key_id) for one in signatures}
        if len(signatures) > SIGNATURES_MAX or len(signers) != len(signatures):
            raise Malformed("a note has one signature by each key, and no more than 64")
        return cls(text + "\n", signatures)

    def to_text(self) -> str:
        """The note as it is published."""
        return self.text + "\n" + "".join(one.line for one in self.signatures)

    def by(self, key: VerifierKey) -> NoteSignature | None:
        """This key's line, or None; whether it verifies is another question."""
        for one in self.signatures:
            if (one.name, one.key_id) == (key.name, key.id):
                return one
        return None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its name, its size and its root."""

    origin: str
    size: int
    root: bytes

    def to_text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint of three lines; ours have no extension lines, and none are accepted."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not _is_name(lines[0]):
            raise Malformed("a checkpoint has three lines")
        return cls(lines[0], parse_decimal(lines[1]), unb64(lines[2], HASH_SIZE))


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint the log signed, and when which witnesses did, in seconds since 1970."""

    origin: str
    size: int
    root: bytes
    cosignatures: dict[str, int]


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's verified line over a checkpoint, and the time on the witness's clock."""

    witness: str
    at_unix: int
    line: str


@dataclass(frozen=True, slots=True)
class CheckpointOffer:
    """What a log sends a witness: the size last cosigned, the proof of growth, the checkpoint."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str


class LogSigner:
    """The log's own key, which signs checkpoints under the log's name."""

    def __init__(self, name: str, private_key: bytes) -> None:
        self._key = _private_key(private_key)
        self.key = VerifierKey(
            _require_name(name), ED25519, self._key.public_key().public_bytes_raw()
        )

    @property
    def name(self) -> str:
        """The log's name, which is also the origin of its checkpoints."""
        return self.key.name

    @property
    def vkey(self) -> str:
        """The public key as one line of text."""
        return self.key.vkey

    def sign(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a note with this log's signature."""
        if checkpoint.origin != self.name:
            raise ValueError("a log signs its own checkpoints only")
        text = checkpoint.to_text()
        signature = NoteSignature(self.name, self.key.id, self._key.sign(text.encode()))
        return SignedNote(text, (signature,)).to_text()

    def sign_as(self, name: str, text: str) -> NoteSignature:
        """This key's signature line under a text that is no checkpoint, by another name.

        The name enters the key's id and begins the text, so neither can be taken for a checkpoint
        of this log; `ValueError` where that would not be so.
        """
        if name == self.name or not text.startswith(f"{name}\n"):
            raise ValueError("what is no checkpoint is signed under a name of its own")
        key = VerifierKey(_require_name(name), ED25519, self.key.public)
        return NoteSignature(name, key.id, self._key.sign(text.encode()))


class WitnessSigner:
    """A witness's key, which signs that a checkpoint was seen at a time."""

    def __init__(self, name: str, private_key: bytes) -> None:
        self._key = _private_key(private_key)
        public = self._key.public_key().public_bytes_raw()
        self.key = VerifierKey(_require_name(name), COSIGNATURE_V1, public)

    @property
    def name(self) -> str:
        """The witness's name."""
        return self.key.name

    @property
    def vkey(self) -> str:
        """The public key as one line of text."""
        return self.key.vkey

    def cosign(self, checkpoint: Checkpoint, at_unix: int) -> str:
        """The signature line for this checkpoint, seen at that second since 1970.

        Whether the tree only grew is the witness's to have checked.
        """
        if not 0 < at_unix <= _LATEST:
            raise ValueError("a witness signs with its time")
        signed = self._key.sign(_cosigned(checkpoint.to_text(), at_unix))
        blob = at_unix.to_bytes(8, "big") + signed
        return NoteSignature(self.name, self.key.id, blob).line


def parse_vkey(vkey: str) -> VerifierKey:
    """The key of a verifier key line; `Malformed` where its parts do not belong together."""
    name, plus, rest = vkey.partition("+")
    key_id, second_plus, packed = rest.partition("+")
    material = unb64(packed, 1 + _KEY_SIZE)
    if not plus or not second_plus or not _is_name(name):
        raise Malformed("not a verifier key")
    key = VerifierKey(name, material[0], material[1:])
    if key.algorithm not in (ED25519, COSIGNATURE_V1) or key.id.hex() != key_id:
        raise Malformed("not a verifier key")
    return key


def open_note(text: str, vkey: str) -> str:
    """The text of a note that this key (Ed25519, type 1) signed, or `BrokenSeal`."""
    note = SignedNote.parse(text)
    _require_signed(note, parse_vkey(vkey))
    return note.text


def open_checkpoint(text: str, log_vkey: str, witness_vkeys: Collection[str]) -> VerifiedCheckpoint:
    """The checkpoint of a note that this log signed, with the known witnesses' times.

    `BrokenSeal` where the log's signature is missing, or any known key's signature is wrong, or
    two of the witnesses given share a name or a key. Lines by unknown keys count for nothing.
    """
    log = parse_vkey(log_vkey)
    witnesses = _distinct_witnesses(witness_vkeys)
    note = SignedNote.parse(text)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != log.name:
        raise BrokenSeal("a checkpoint of another log")
    _require_signed(note, log)
    times = {
        witness.name: _cosigned_at(note.text, witness, line)
        for witness in witnesses
        if (line := note.by(witness)) is not None
    }
    return VerifiedCheckpoint(checkpoint.origin, checkpoint.size, checkpoint.root, times)


def write_offer(old_size: int, proof: Sequence[bytes], note: str) -> str:
    """The body of an add-checkpoint request."""
    return f"old {old_size}\n" + "".join(b64(one) + "\n" for one in proof) + "\n" + note


def read_offer(body: bytes) -> CheckpointOffer:
    """The offer of an add-checkpoint request; the checkpoint in it is not verified yet."""
    head, blank, note = _decoded(body).partition("\n\n")
    first, *hashes = head.split("\n")
    if not blank or not first.startswith("old ") or len(hashes) > LONGEST_PROOF:
        raise Malformed("not an offer of a checkpoint")
    proof = tuple(unb64(one, HASH_SIZE) for one in hashes)
    return CheckpointOffer(parse_decimal(first.removeprefix("old ")), proof, note)


def read_cosignatures(
    body: bytes, *, checkpoint: Checkpoint, witness_vkeys: Collection[str]
) -> list[Cosignature]:
    """The known witnesses' cosignatures in the answer to an offer; wrong ones are `BrokenSeal`."""
    text = checkpoint.to_text()
    note = SignedNote.parse(text + "\n" + _decoded(body))
    return [
        Cosignature(witness.name, _cosigned_at(text, witness, line), line.line)
        for witness in _distinct_witnesses(witness_vkeys)
        if (line := note.by(witness)) is not None
    ]


def verify_ed25519(public: bytes, signature: bytes, message: bytes) -> None:
    """`BrokenSeal` unless these 64 bytes are this key's Ed25519 signature of the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise BrokenSeal("the signature does not verify") from None


def parse_decimal(digits: str) -> int:
    """A whole number below 2^63 without sign or leading zeros."""
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 19:
        raise Malformed("not a whole number")
    number = int(digits)
    if str(number) != digits or number > _LATEST:
        raise Malformed("not a whole number")
    return number


def _require_signed(note: SignedNote, key: VerifierKey) -> None:
    signed = note.by(key)
    if signed is None or key.algorithm != ED25519:
        raise BrokenSeal(f"{key.name} did not sign this note")
    verify_ed25519(key.public, signed.signature, note.text.encode())


def _distinct_witnesses(vkeys: Collection[str]) -> list[VerifierKey]:
    """One institution must not count twice: names and keys are all different."""
    witnesses = [parse_vkey(vkey) for vkey in vkeys]
    if any(one.algorithm != COSIGNATURE_V1 for one in witnesses):
        raise Malformed("a witness has a cosignature key")
    names, keys = {one.name for one in witnesses}, {one.public for one in witnesses}
    if not len(names) == len(keys) == len(witnesses):
        raise Malformed("two witnesses share a name or a key")
    return witnesses


def _cosigned_at(text: str, witness: VerifierKey, line: NoteSignature) -> int:
    if len(line.signature) != 8 + _SIGNATURE_SIZE:
        raise BrokenSeal(f"the cosignature of {witness.name} does not verify")
    at_unix = int.from_bytes(line.signature[:8], "big")
    if not 0 < at_unix <= _LATEST:
        raise BrokenSeal(f"the cosignature of {witness.name} has no time")
    verify_ed25519(witness.public, line.signature[8:], _cosigned(text, at_unix))
    return at_unix


def _cosigned(text: str, at_unix: int) -> bytes:
    return f"cosignature/v1\ntime {at_unix}\n{text}".encode()


def _parse_line(line: str) -> NoteSignature:
    name, space, packed = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not _is_name(name):
        raise Malformed("not a signature line")
    blob = unb64(packed)
    if len(blob) < 5:
        raise Malformed("not a signature line")
    return NoteSignature(name, blob[:4], blob[4:])


def _private_key(private_key: bytes) -> Ed25519PrivateKey:
    if len(private_key) != _KEY_SIZE:
        raise Malformed("an Ed25519 private key has 32 bytes")
    return Ed25519PrivateKey.from_private_bytes(private_key)


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and name.isprintable() and not any(map(str.isspace, name))


def _require_name(name: str) -> str:
    if not _is_name(name):
        raise Malformed("a key's name has no spaces and no plus sign")
    return name


def _decoded(body: bytes) -> str:
    if len(body) > NOTE_MAX_CHARACTERS:
        raise Malformed("too long")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
