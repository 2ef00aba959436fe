"""An authenticator in software: makes passkeys and answers with them, and lies where it is told to.

WebAuthn Level 3: authenticator data (6.1), attestation "none" (8.7); COSE keys: RFC 9053.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import encode_cbor

from kernel.crypto.digests import b64u, sha256, unb64u
from kernel.crypto.signing import (
    Envelope,
    PrivateKey,
    passkey_challenge,
    passkey_keyid,
    passkey_signature,
)
from kernel.randomness import random_bytes

PRESENT, VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass
class SoftAuthenticator:
    """One passkey on one device."""

    rp_id: str = "localhost"
    origin: str = "http://localhost"
    key: PrivateKey = field(default_factory=PrivateKey.generate)
    credential_id: bytes = field(default_factory=lambda: random_bytes(32))
    sign_count: int = 0
    counts: bool = False
    flags: int = PRESENT | VERIFIED | BACKUP_ELIGIBLE | BACKED_UP
    user_handle: bytes = b""

    @property
    def keyid(self) -> str:
        return passkey_keyid(self.credential_id)

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.create` answers."""
        self.user_handle = unb64u(options["user"]["id"])
        point = self.key.public_bytes
        cose = encode_cbor({1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._data(self.flags | ATTESTED) + attested + cose
        client = self._client("webauthn.create", options["challenge"])
        return self._answer(
            {
                "clientDataJSON": b64u(client),
                "attestationObject": b64u(
                    encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
                ),
                "transports": ["internal"],
            }
        )

    def assertion(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.get` answers."""
        data, client, signature = self._assert(options["challenge"])
        return self._answer(
            {
                "clientDataJSON": b64u(client),
                "authenticatorData": b64u(data),
                "signature": b64u(signature),
                "userHandle": b64u(self.user_handle),
            }
        )

    def sign(self, payload_type: str, payload: bytes) -> Envelope:
        """A statement signed by the passkey."""
        data, client, signature = self._assert(b64u(passkey_challenge(payload_type, payload)))
        one = passkey_signature(
            self.credential_id,
            authenticator_data=data,
            client_data_json=client,
            signature=signature,
        )
        return Envelope(payload_type, payload, (one,))

    def _assert(self, challenge: str) -> tuple[bytes, bytes, bytes]:
        self.sign_count += self.counts
        data = self._data(self.flags)
        client = self._client("webauthn.get", challenge)
        signature = self.key.key_handle.sign(data + sha256(client), ec.ECDSA(hashes.SHA256()))
        return data, client, signature

    def _data(self, flags: int) -> bytes:
        return sha256(self.rp_id.encode()) + bytes([flags]) + self.sign_count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _answer(self, response: dict[str, Any]) -> dict[str, Any]:
        name = b64u(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": response,
        }
