"""A custodian's own program: it judges for itself before it gives anything away.

The platform asks; the program refuses unless its own clock is past the opening time, the closing
and the end of the release window are proven to stand in the witnessed log for this very policy,
and what it is asked to open is what they list. Otherwise a dishonest platform could simply ask
early. The newest timetable seen is remembered, and an older one is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kernel.crypto import sealing
from kernel.crypto.digests import b64u, parse_instant, sha256, strict_json, unb64
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import Envelope, PrivateKey, thumbprint
from kernel.errors import BrokenSeal

STATEMENT_MAX = 1 << 20


class Unconvinced(BrokenSeal):
    """The program was not shown what it needs, and gives nothing."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a custodian believes: one log, some witnesses, and how many of them."""

    log_vkey: str
    witness_vkeys: tuple[str, ...]
    quorum: int


@dataclass(slots=True)
class Custodian:
    """One custodian of one lot."""

    key: PrivateKey
    trust: Trust
    now: Callable[[], datetime]
    seen: dict[str, int] = field(default_factory=dict)
    """The newest timetable version seen of each lot."""
    undealt: list[str] = field(default_factory=list)
    """What could not be given, because its bidder had sealed it badly: in words."""

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The shares statement's payload for a request; `Unconvinced` where anything is missing.

        A share that its bidder sealed badly keeps back none of the others; `undealt` names it.
        """
        self.undealt.clear()
        policy_bytes = Envelope.from_bytes(unb64(request["policy"])).payload
        timetable_bytes = Envelope.from_bytes(unb64(request["timetable"])).payload
        policy, timetable = _object(policy_bytes), _object(timetable_bytes)
        lot = str(policy["lot"])
        close = self._logged(request["close_proof"], "LotClosed", lot)
        window = self._logged(request["window_closed_proof"], "ReleaseWindowClosed", lot)
        self._judge_times(lot, timetable, timetable_bytes, close, window)
        if window.facts["policy_digest"] != b64u(sha256(policy_bytes)):
            raise Unconvinced("the window was closed under another policy")
        if close.index >= window.index:
            raise Unconvinced("the closing does not precede the end of the window")
        shares = [
            share
            for header in request["headers"]
            for share in self._shares_of(
                unb64(header["bytes"]), str(header["component"]), policy_bytes, close, window
            )
        ]
        return {"v": "ebid-shares/1", "lot": lot, "shares": shares}

    def _logged(self, proof: str, kind: str, lot: str) -> _Logged:
        proven = verify_proof(
            proof, log_vkey=self.trust.log_vkey, witness_vkeys=self.trust.witness_vkeys
        )
        if len(proven.checkpoint.cosignatures) < self.trust.quorum:
            raise Unconvinced(f"{kind} is not witnessed yet")
        told = _object(proven.record)
        if told["kind"] != kind or told["subject"] != lot:
            raise Unconvinced(f"the log shows no {kind} of this lot")
        return _Logged(proven.index, told["facts"])

    def _judge_times(
        self,
        lot: str,
        timetable: dict[str, Any],
        timetable_bytes: bytes,
        close: _Logged,
        window: _Logged,
    ) -> None:
        version = int(timetable["version"])
        if version < self.seen.get(lot, 0):
            raise Unconvinced("an older timetable than the one seen before")
        self.seen[lot] = version
        digest = b64u(sha256(timetable_bytes))
        if {close.facts["timetable_digest"], window.facts["timetable_digest"]} != {digest}:
            raise Unconvinced("the closing names another timetable")
        if self.now() < parse_instant(timetable["bids_due_at"]):
            raise Unconvinced("by this machine's clock the bids are not due yet")

    def _shares_of(
        self,
        header_bytes: bytes,
        component: str,
        policy_bytes: bytes,
        close: _Logged,
        window: _Logged,
    ) -> Sequence[dict[str, Any]]:
        header = sealing.parse_header(header_bytes)
        bidder, head = header.meta["bidder"], b64u(header.head)
        if header.policy_hash != sha256(policy_bytes):
            raise Unconvinced("an envelope sealed under another policy")
        if head not in {
            envelope["head"] for bid in close.facts["bids"] for envelope in bid["envelopes"]
        }:
            raise Unconvinced("an envelope that the closing does not list")
        asked_of = "missing" if component == "bidder" else "released"
        allowed = {*window.facts["released"], *window.facts["escrowed"]}
        if component == "bidder":
            allowed = set(window.facts["escrowed"])
        if bidder not in allowed:
            raise Unconvinced(f"its bidder is not among the {asked_of}")
        kid = thumbprint(self.key.public_bytes)
        try:
            shares = sealing.unwrap_shares(header, component, kid, self.key)
        except BrokenSeal as error:
            self.undealt.append(f"{head} {component}: {error}")
            return []
        return [{"head": head, "component": component, "share": b64u(share)} for share in shares]


@dataclass(frozen=True, slots=True)
class _Logged:
    index: int
    facts: dict[str, Any]


def _object(content: bytes) -> dict[str, Any]:
    told = strict_json(content, STATEMENT_MAX)
    if not isinstance(told, dict):
        raise BrokenSeal("not an object")
    return told
