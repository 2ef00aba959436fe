"""A draw party's own program: it makes its nonce, and gives it away only when it may.

The nonce never leaves this program before every party's commitment stands in the witnessed log.
Shares for the others come first, so that a party that vanishes afterwards cannot stop the draw;
the nonce itself comes last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel.crypto import fair_draw
from kernel.crypto.digests import b64u, sha256, strict_json, unb64, unb64u
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal
from kernel.randomness import Entropy, random_bytes
from web.custodian_work import Trust, Unconvinced

ANNOUNCEMENT_MAX = 1 << 20


@dataclass(slots=True)
class DrawParty:
    """One party to one draw."""

    name: str
    announcement: bytes
    trust: Trust
    entropy: Entropy = random_bytes
    share_key: PrivateKey = field(default_factory=PrivateKey.generate)
    nonce: bytes = b""

    def __post_init__(self) -> None:
        self.nonce = self.nonce or self.entropy(fair_draw.NONCE_SIZE)
        told = strict_json(self.announcement, ANNOUNCEMENT_MAX)
        if not isinstance(told, dict):
            raise BrokenSeal("the announcement is no object")
        self.told: dict[str, Any] = told
        if self.name not in {party["name"] for party in told["parties"]}:
            raise Unconvinced("this draw was announced without us")

    @property
    def digest(self) -> bytes:
        """The announcement's hash, to which everything is bound."""
        return sha256(self.announcement)

    def commit(self) -> dict[str, Any]:
        """The payload of the commitment."""
        return {
            "v": "ebid-draw-commit/1",
            "draw": self.told["draw"],
            "party": self.name,
            "commitment": b64u(fair_draw.commitment(self.digest, self.name, self.nonce)),
            "share_key": b64u(self.share_key.public_bytes),
        }

    def deal(self, proofs: Mapping[str, str]) -> dict[str, Any]:
        """The payload with shares for the others, once all commitments are proven witnessed."""
        keys = self._committed(proofs)
        others = [name for name in sorted(keys) if name != self.name]
        dealt = fair_draw.deal_nonce(
            self.digest,
            self.name,
            self.nonce,
            t=int(self.told["threshold"]),
            holders=[keys[name] for name in others],
            entropy=self.entropy,
        )
        return {
            "v": "ebid-draw-shares/1",
            "draw": self.told["draw"],
            "party": self.name,
            "shares": [
                {
                    "holder": name,
                    "commitment": b64u(share.commitment),
                    "ciphertext": b64u(share.ciphertext),
                }
                for name, share in zip(others, dealt, strict=True)
            ],
        }

    def reveal(self, proofs: Mapping[str, str]) -> dict[str, Any]:
        """The payload with the nonce itself, once all commitments are proven witnessed."""
        self._committed(proofs)
        return {
            "v": "ebid-draw-reveal/1",
            "draw": self.told["draw"],
            "party": self.name,
            "nonce": b64u(self.nonce),
        }

    def open_share(self, dealer: str, commitment: str, ciphertext: str) -> bytes:
        """The share another party dealt to this one; `BrokenSeal` where it was dealt badly."""
        share = fair_draw.NonceShare(
            fair_draw.thumbprint(self.share_key.public_bytes),
            unb64u(commitment),
            unb64u(ciphertext),
        )
        return fair_draw.open_nonce_share(self.digest, dealer, share, self.share_key)

    def _committed(self, proofs: Mapping[str, str]) -> dict[str, bytes]:
        """Every party's share key, from commitments proven to stand in the witnessed log."""
        names = {party["name"] for party in self.told["parties"]}
        if set(proofs) != names:
            raise Unconvinced("not every party's commitment was shown")
        keys: dict[str, bytes] = {}
        for name, proof in proofs.items():
            proven = verify_proof(
                proof, log_vkey=self.trust.log_vkey, witness_vkeys=self.trust.witness_vkeys
            )
            if len(proven.checkpoint.cosignatures) < self.trust.quorum:
                raise Unconvinced(f"the commitment of {name} is not witnessed yet")
            told = strict_json(proven.record, ANNOUNCEMENT_MAX)
            assert isinstance(told, dict)
            facts = told["facts"]
            if (told["kind"], facts["draw_id"], facts["party"]) != (
                "DrawCommitted",
                self.told["draw"],
                name,
            ):
                raise Unconvinced(f"the proof for {name} is about something else")
            keys[name] = unb64u(facts["share_key"], 65)
        return keys


def announcement_of(answer: Mapping[str, Any]) -> bytes:
    """The announcement's bytes in a draw as the platform tells it."""
    return unb64(answer["announcement"])
