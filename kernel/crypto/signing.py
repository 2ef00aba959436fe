"""Signed statements: DSSE envelopes, signed by P-256 keys and by passkeys.

A signature covers the payload's bytes and its type (the pre-authentication encoding, PAE), never
JSON written a second time. The key id tells how to verify:

* `p256:<RFC 7638 thumbprint>`: ECDSA P-256 with SHA-256, r and s in 32 bytes each
* `webauthn:<credential id>`: a passkey's assertion whose challenge is SHA-256 of the PAE; the
  signature is a JSON text with the three byte strings the authenticator gave
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from kernel.crypto.digests import (
    Malformed,
    b64,
    b64u,
    canonical,
    list_of,
    members,
    sha256,
    strict_json,
    text_of,
    unb64,
    unb64u,
)
from kernel.errors import BrokenSeal

ENVELOPE_MAX_BYTES = 4 << 20
SIGNATURES_MAX = 32
PUBLIC_KEY_SIZE = 65
PRIVATE_KEY_SIZE = 32
P256 = "p256:"
WEBAUTHN = "webauthn:"

_TYPE_MAX = 200
_KEYID_MAX = 1500
_SIGNATURE_MAX = 16 << 10
_USER_PRESENT_AND_VERIFIED = 0x01 | 0x04
_ECDSA = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of an envelope, and the id of the key that made it."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """For whom passkeys sign: the domain they are bound to, and the pages they may be used on."""

    rp_id: str
    origins: frozenset[str]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A statement with its signatures, in the form of DSSE."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """The envelope's JSON text."""
        return canonical(
            {
                "payload": b64(self.payload),
                "payloadType": self.payload_type,
                "signatures": [
                    {"keyid": one.keyid, "sig": b64(one.sig)} for one in self.signatures
                ],
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, max_bytes: int = ENVELOPE_MAX_BYTES) -> Envelope:
        """The envelope of a JSON text; nothing is verified yet.

        `Malformed` where it has members unknown to DSSE, no signature, or two by one key.
        """
        found = members(strict_json(data, max_bytes), ("payload", "payloadType", "signatures"))
        payload_type = text_of(found["payloadType"])
        if not 0 < len(payload_type) <= _TYPE_MAX or not _printable(payload_type):
            raise Malformed("payload type")
        signatures = []
        for item in list_of(found["signatures"], at_most=SIGNATURES_MAX):
            one = members(item, ("keyid", "sig"))
            keyid, sig = text_of(one["keyid"]), unb64(one["sig"])
            if not 0 < len(keyid) <= _KEYID_MAX or not _printable(keyid):
                raise Malformed("key id")
            if not 0 < len(sig) <= _SIGNATURE_MAX:
                raise Malformed("signature")
            signatures.append(Signature(keyid, sig))
        if not signatures or len({one.keyid for one in signatures}) != len(signatures):
            raise Malformed("an envelope has one signature by each signer, and at least one")
        return cls(payload_type, unb64(found["payload"]), tuple(signatures))

    def also_signed(self, signature: Signature) -> Envelope:
        """This envelope with one more signature over the same bytes."""
        return replace(self, signatures=(*self.signatures, signature))


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def thumbprint(public_key_bytes: bytes) -> str:
    """The RFC 7638 thumbprint of a P-256 key, base64url; also its `kid` in sealed envelopes."""
    if len(public_key_bytes) != PUBLIC_KEY_SIZE or public_key_bytes[0] != 4:
        raise Malformed("a P-256 public key has 65 bytes and begins with 4")
    x, y = b64u(public_key_bytes[1:33]), b64u(public_key_bytes[33:])
    return b64u(sha256(canonical({"crv": "P-256", "kty": "EC", "x": x, "y": y})))


def p256_keyid(public_key_bytes: bytes) -> str:
    """The key id under which this P-256 key signs."""
    return P256 + thumbprint(public_key_bytes)


def loaded_public_key(public_key_bytes: bytes) -> ec.EllipticCurvePublicKey:
    """The point of an uncompressed P-256 key; `Malformed` where it is not on the curve."""
    if len(public_key_bytes) != PUBLIC_KEY_SIZE or public_key_bytes[0] != 4:
        raise Malformed("a P-256 public key has 65 bytes and begins with 4")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key_bytes)
    except ValueError:
        raise Malformed("not a point of P-256") from None


class PrivateKey:
    """A P-256 private key, for signing or for opening what was sealed to it."""

    __slots__ = ("_key", "keyid", "kid", "public_bytes")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(key.curve, ec.SECP256R1):
            raise Malformed("not a P-256 key")
        self._key = key
        self.public_bytes = key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.kid = thumbprint(self.public_bytes)
        self.keyid = P256 + self.kid

    def __repr__(self) -> str:
        return f"PrivateKey({self.keyid})"

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new key; the library draws it."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_scalar(cls, scalar: bytes) -> PrivateKey:
        """The key with this secret number, 32 bytes, the most significant first."""
        if len(scalar) != PRIVATE_KEY_SIZE:
            raise Malformed("a P-256 private key has 32 bytes")
        try:
            return cls(ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1()))
        except ValueError:
            raise Malformed("not a P-256 private key") from None

    @classmethod
    def from_pem(cls, pem: bytes, *, password: bytes | None = None) -> PrivateKey:
        """The key of a PKCS #8 PEM text."""
        try:
            key = serialization.load_pem_private_key(pem, password)
        except (ValueError, TypeError):
            raise Malformed("not a private key, or the wrong password") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Malformed("not a P-256 key")
        return cls(key)

    def to_pem(self, *, password: bytes | None = None) -> bytes:
        """The key as PKCS #8 PEM, in the clear unless a password is given."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()
            if password is None
            else serialization.BestAvailableEncryption(password),
        )

    @property
    def key_handle(self) -> ec.EllipticCurvePrivateKey:
        """The library's handle of this key, for key agreement."""
        return self._key

    def sign_bytes(self, message: bytes) -> bytes:
        """ECDSA with SHA-256 over the message: r and s in 32 bytes each."""
        r, s = decode_dss_signature(self._key.sign(message, _ECDSA))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def signature(self, payload_type: str, payload: bytes) -> Signature:
        """This key's signature of a statement that others sign too."""
        return Signature(self.keyid, self.sign_bytes(pae(payload_type, payload)))

    def sign(self, payload_type: str, payload: bytes) -> Envelope:
        """The statement signed by this key."""
        return Envelope(payload_type, payload, (self.signature(payload_type, payload),))


def verify(
    envelope: Envelope, *, keys: Mapping[str, bytes], relying_party: RelyingParty | None = None
) -> frozenset[str]:
    """The key ids, among the known `keys`, that signed exactly this type and payload.

    `keys` gives 65 bytes of public key for each key id, also for passkeys, which verify only
    against a `relying_party`. Signatures by unknown keys count for nothing. `BrokenSeal` where a
    known key's signature is wrong, or no key is known.
    """
    known = [one for one in envelope.signatures if one.keyid in keys]
    if not known:
        raise BrokenSeal("no signature by a known key")
    for one in known:
        _verify_signature(envelope, one, keys[one.keyid], relying_party)
    return frozenset(one.keyid for one in known)


def verify_one(
    envelope: Envelope,
    keyid: str,
    public_bytes: bytes,
    *,
    relying_party: RelyingParty | None = None,
) -> None:
    """`BrokenSeal` unless this key signed exactly this type and payload."""
    verify(envelope, keys={keyid: public_bytes}, relying_party=relying_party)


def verify_raw(public_bytes: bytes, message: bytes, signature: bytes) -> None:
    """`BrokenSeal` unless r and s, in 32 bytes each, are an ECDSA signature of the message."""
    if len(signature) != 64:
        raise BrokenSeal("a P-256 signature has 64 bytes")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    _verify_der(public_bytes, message, encode_dss_signature(r, s))


def passkey_challenge(payload_type: str, payload: bytes) -> bytes:
    """What a passkey is asked to sign so that it signs this statement."""
    return sha256(pae(payload_type, payload))


def passkey_keyid(credential_id: bytes) -> str:
    """The key id under which this passkey signs."""
    return WEBAUTHN + b64u(credential_id)


def passkey_signature(
    credential_id: bytes,
    *,
    authenticator_data: bytes,
    client_data_json: bytes,
    signature: bytes,
) -> Signature:
    """A passkey's answer to `passkey_challenge`, as an envelope carries it."""
    packed = canonical(
        {
            "authenticator_data": b64u(authenticator_data),
            "client_data_json": b64u(client_data_json),
            "signature": b64u(signature),
        }
    )
    return Signature(passkey_keyid(credential_id), packed)


def _verify_signature(
    envelope: Envelope, one: Signature, public_bytes: bytes, relying_party: RelyingParty | None
) -> None:
    if one.keyid.startswith(P256):
        if one.keyid != p256_keyid(public_bytes):
            raise BrokenSeal(f"the key is not the one {one.keyid} names")
        verify_raw(public_bytes, pae(envelope.payload_type, envelope.payload), one.sig)
    elif one.keyid.startswith(WEBAUTHN) and relying_party is not None:
        _verify_passkey(envelope, one.sig, public_bytes, relying_party)
    else:
        raise BrokenSeal(f"signatures by {one.keyid[:40]} cannot be verified here")


def _verify_passkey(
    envelope: Envelope, sig: bytes, public_bytes: bytes, relying_party: RelyingParty
) -> None:
    """WebAuthn Level 3, 7.2, of which what an offline verifier can check."""
    found = members(
        strict_json(sig, _SIGNATURE_MAX), ("authenticator_data", "client_data_json", "signature")
    )
    data, client = unb64u(found["authenticator_data"]), unb64u(found["client_data_json"])
    said = strict_json(client, _SIGNATURE_MAX)
    if not isinstance(said, dict):
        raise Malformed("client data")
    challenge = b64u(passkey_challenge(envelope.payload_type, envelope.payload))
    if said.get("type") != "webauthn.get" or said.get("challenge") != challenge:
        raise BrokenSeal("the passkey signed something else")
    if said.get("origin") not in relying_party.origins or said.get("crossOrigin", False):
        raise BrokenSeal("the passkey signed on a strange page")
    if len(data) < 37 or data[:32] != sha256(relying_party.rp_id.encode()):
        raise BrokenSeal("the passkey signed for another domain")
    if data[32] & _USER_PRESENT_AND_VERIFIED != _USER_PRESENT_AND_VERIFIED:
        raise BrokenSeal("the passkey did not verify its holder")
    _verify_der(public_bytes, data + sha256(client), unb64u(found["signature"]))


def _verify_der(public_bytes: bytes, message: bytes, signature: bytes) -> None:
    key = loaded_public_key(public_bytes)
    try:
        key.verify(signature, message, _ECDSA)
    except InvalidSignature:
        raise BrokenSeal("the signature does not verify") from None


def _printable(text: str) -> bool:
    return text.isascii() and text.isprintable()
