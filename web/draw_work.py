"""A draw party's own program: it makes its nonce, and gives it away only when it may.

The nonce never leaves this program before every party's commitment stands in the witnessed log.
Shares for the others come first, so that a party that vanishes afterwards cannot stop the draw;
the nonce itself comes last. The supervisor's program derives the announced exclusions again before
anything is countersigned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from expert_pool import draw_commitments
from kernel.crypto import fair_draw
from kernel.crypto.digests import (
    b64u,
    parse_instant,
    sha256,
    strict_json,
    unb64,
    unb64u,
)
from kernel.crypto.fair_draw import NonceShare
from kernel.crypto.receipts import VerifiedProof, verify_proof
from kernel.crypto.signing import PrivateKey, thumbprint
from kernel.errors import BrokenSeal
from kernel.randomness import Entropy, random_bytes
from web.custodian_work import Trust, Unconvinced
from web.verifying.draw_transcript import closes

ANNOUNCEMENT_MAX = 1 << 20


@dataclass(slots=True)
class DrawParty:
    """One party to one draw, with what it keeps to itself: its nonce and its key for shares."""

    name: str
    announcement: bytes
    trust: Trust
    entropy: Entropy = random_bytes
    share_key: PrivateKey = field(default_factory=PrivateKey.generate)
    nonce: bytes = b""
    told: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.nonce = self.nonce or self.entropy(fair_draw.NONCE_SIZE)
        self.told = _object(self.announcement)
        if self.name not in self._names:
            raise Unconvinced("this draw was announced without us")
        if self.told["log"] != self.trust.log_vkey or not (
            set(self.told["witnesses"]) == set(self.trust.witness_vkeys)
            and self.told["quorum"] >= self.trust.quorum
        ):
            raise Unconvinced("the announcement rests on another log or on other witnesses")

    @property
    def digest(self) -> bytes:
        """The announcement's hash, to which everything is bound."""
        return sha256(self.announcement)

    def commit(self, proofs: Mapping[str, str]) -> dict[str, Any]:
        """The payload of the commitment, once announcement and closing are proven witnessed."""
        close = self._proven(proofs, "close")
        announced = self._proven(proofs, "announced")
        entry = _said(close)
        if entry["id"] != self.told["close_entry"] or not closes(
            self.told, entry["kind"], entry["facts"]
        ):
            raise Unconvinced("the proof is not of the closing that the announcement names")
        facts = self._facts(announced, "DrawAnnounced")
        if unb64u(facts["announcement"]) != self.announcement:
            raise Unconvinced("another announcement was logged")
        if close.index >= announced.index:
            raise Unconvinced("the draw was announced before the lot was closed")
        return self._statement(
            "commit",
            commitment=b64u(fair_draw.commitment(self.digest, self.name, self.nonce)),
            share_key=b64u(self.share_key.public_bytes),
        )

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
        return self._statement(
            "shares",
            shares=[
                {
                    "holder": name,
                    "commitment": b64u(share.commitment),
                    "ciphertext": b64u(share.ciphertext),
                }
                for name, share in zip(others, dealt, strict=True)
            ],
        )

    def reveal(self, proofs: Mapping[str, str]) -> dict[str, Any]:
        """The payload with the nonce itself, once all commitments are proven witnessed."""
        self._committed(proofs)
        return self._statement("reveal", nonce=b64u(self.nonce))

    def open_share(self, shares: Sequence[Mapping[str, str]], dealer: str) -> bytes:
        """The share another party dealt to this one; `BrokenSeal` where it was dealt badly.

        `shares` are those of the draw as the platform tells it.
        """
        for one in shares:
            if (one["dealer"], one["holder"]) == (dealer, self.name):
                share = NonceShare(
                    thumbprint(self.share_key.public_bytes),
                    unb64u(one["commitment"], 32),
                    unb64u(one["ciphertext"]),
                )
                return fair_draw.open_nonce_share(self.digest, dealer, share, self.share_key)
        raise Unconvinced(f"{dealer} has dealt nothing to us")

    def share_of_vanished(
        self, shares: Sequence[Mapping[str, str]], dealer: str, *, now: datetime
    ) -> dict[str, str]:
        """What rebuilds a vanished party's nonce; nothing before it had its time to reveal."""
        if now < parse_instant(self.told["reveal_by"]):
            raise Unconvinced(f"{dealer} may still reveal its nonce itself")
        return {"dealer": dealer, "share": b64u(self.open_share(shares, dealer))}

    def proof_of_misdealing(self, dealer: str) -> dict[str, str]:
        """What shows that a share does not open as committed: the key made for this draw alone."""
        return {"dealer": dealer, "share_key": self.share_key.to_pem().decode()}

    # ── within ──

    @property
    def _names(self) -> set[str]:
        return {party["name"] for party in self.told["parties"]}

    def _statement(self, kind: str, **said: Any) -> dict[str, Any]:
        return {"v": f"ebid-draw-{kind}/1", "draw": self.told["draw"], "party": self.name, **said}

    def _proven(self, proofs: Mapping[str, str], name: str) -> VerifiedProof:
        if name not in proofs:
            raise Unconvinced(f"no proof of {name} was shown")
        proven = verify_proof(
            proofs[name], log_vkey=self.trust.log_vkey, witness_vkeys=self.trust.witness_vkeys
        )
        if len(proven.checkpoint.cosignatures) < self.trust.quorum:
            raise Unconvinced(f"{name} is not witnessed yet")
        return proven

    def _facts(self, proven: VerifiedProof, kind: str) -> dict[str, Any]:
        told = _said(proven)
        facts: dict[str, Any] = told["facts"]
        if (told["kind"], facts.get("draw_id")) != (kind, self.told["draw"]):
            raise Unconvinced(f"the proof is not of a {kind} of this draw")
        return facts

    def _committed(self, proofs: Mapping[str, str]) -> dict[str, bytes]:
        """Every party's share key, from commitments proven to stand in the witnessed log."""
        keys: dict[str, bytes] = {}
        for name in self._names:
            facts = self._facts(self._proven(proofs, f"committed/{name}"), "DrawCommitted")
            if facts["party"] != name:
                raise Unconvinced(f"the proof for {name} is about another party")
            keys[name] = unb64u(facts["share_key"], 65)
        if keys[self.name] != self.share_key.public_bytes:
            raise Unconvinced("a commitment was logged in our name that is not ours")
        return keys


def countersignature(
    announcement: bytes, listed: Sequence[Mapping[str, Any]], *, party: str
) -> dict[str, Any]:
    """The supervisor's payload, after the announced exclusions were derived again from the list.

    `Unconvinced` where the list is not the one that was announced, or its counts are not.
    """
    told = _object(announcement)
    rows = [
        (unb64u(one["label"], 32), list(one["strata"]), list(one["grounds"]), unb64u(one["salt"]))
        for one in listed
    ]
    root = draw_commitments.members_root(
        [
            (label, strata, draw_commitments.eligibility(salt, label, grounds))
            for label, strata, grounds, salt in rows
        ]
    )
    if b64u(root) != told["pool"]["members_root"]:
        raise Unconvinced("these are not the exclusions that were announced")
    for stratum in told["strata"]:
        mine = [grounds for _, strata, grounds, _ in rows if stratum["name"] in strata]
        counted: dict[str, int] = {}
        for ground in (one for grounds in mine for one in grounds):
            counted[ground] = counted.get(ground, 0) + 1
        eligible = sum(not grounds for grounds in mine)
        said = stratum["members"], stratum["eligible"], stratum["excluded"]
        if said != (len(mine), eligible, counted):
            raise Unconvinced(f"{stratum['name']}: the announced counts are not those of the list")
    return {
        "v": "ebid-draw-eligibility/1",
        "draw": told["draw"],
        "party": party,
        "members_root": told["pool"]["members_root"],
    }


def announcement_of(answer: Mapping[str, Any]) -> bytes:
    """The announcement's bytes in a draw as the platform tells it."""
    return unb64(answer["announcement"])


def _said(proven: VerifiedProof) -> dict[str, Any]:
    return _object(proven.record)


def _object(content: bytes) -> dict[str, Any]:
    told = strict_json(content, ANNOUNCEMENT_MAX)
    if not isinstance(told, dict):
        raise BrokenSeal("not an object")
    return told
