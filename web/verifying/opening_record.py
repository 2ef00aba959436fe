"""Checking an opening: every announced price again, from the sealed sheet and the secrets.

An export is a folder: `keys.json` (the log's and the witnesses' verifier keys, the quorum, and the
public keys of those who signed), `policy.dsse`, `timetable.dsse`, `record.dsse`,
`close.tlog-proof`, `window-closed.tlog-proof`, and the sealed sheets under `sheets/`. No private
key is needed: the secrets of the opened sheets stand in the record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel.crypto import sealing, signing
from kernel.crypto.digests import b64u, sha256, strict_json, unb64u
from kernel.crypto.receipts import VerifiedProof, verify_proof
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal
from web.verifying.verdicts import Verdict

STATEMENT_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Logged:
    """An entry proven to stand in the log."""

    index: int
    told: dict[str, Any]


def read_keys(folder: Path) -> dict[str, Any]:
    """The keys the checker trusts; he got them elsewhere or compares them elsewhere."""
    keys = json.loads((folder / "keys.json").read_text())
    return {
        "log": str(keys["log"]),
        "witnesses": tuple(map(str, keys["witnesses"])),
        "quorum": int(keys["quorum"]),
        "signers": {keyid: unb64u(key) for keyid, key in keys["signers"].items()},
    }


def verify(folder: Path) -> Verdict:
    """Everything an opening record claims, checked."""
    return _Checked(folder).verdict


class _Checked:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.verdict = Verdict()
        self._run()

    def _run(self) -> None:
        verdict = self.verdict
        keys = verdict.holds("the keys can be read", lambda: read_keys(self.folder))
        if keys is None:
            return
        record = verdict.holds("the record is signed", lambda: self._signed("record", keys))
        policy = verdict.holds("the policy is signed", lambda: self._signed("policy", keys))
        timetable = verdict.holds(
            "the timetable is signed", lambda: self._signed("timetable", keys)
        )
        close = verdict.holds("the closing stands in the log", lambda: self._logged("close", keys))
        window = verdict.holds(
            "the end of the window stands in the log", lambda: self._logged("window-closed", keys)
        )
        if None in (record, policy, timetable, close, window):
            return
        verdict.holds(
            "the papers can be read",
            lambda: self._check_frame(record, policy, timetable, close, window),
        )
        verdict.holds(
            "the bids can be read", lambda: self._check_bids(record, policy, close, window)
        )

    def _signed(self, name: str, keys: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        envelope = Envelope.from_bytes((self.folder / f"{name}.dsse").read_bytes())
        signing.verify(envelope, keys=keys["signers"])
        told = strict_json(envelope.payload, STATEMENT_MAX)
        assert isinstance(told, dict)
        return envelope.payload, told

    def _logged(self, name: str, keys: dict[str, Any]) -> _Logged:
        text = (self.folder / f"{name}.tlog-proof").read_text()
        proven: VerifiedProof = verify_proof(
            text, log_vkey=keys["log"], witness_vkeys=keys["witnesses"]
        )
        if len(proven.checkpoint.cosignatures) < keys["quorum"]:
            raise BrokenSeal("too few witnesses cosigned it")
        return _Logged(proven.index, json.loads(proven.record))

    def _check_frame(
        self,
        record: tuple[bytes, dict[str, Any]],
        policy: tuple[bytes, dict[str, Any]],
        timetable: tuple[bytes, dict[str, Any]],
        close: _Logged,
        window: _Logged,
    ) -> None:
        check, lot = self.verdict.check, record[1]["lot"]
        check(
            "the entries are a closing and the end of a window of this lot",
            (close.told["kind"], window.told["kind"], close.told["subject"], window.told["subject"])
            == ("LotClosed", "ReleaseWindowClosed", lot, lot),
        )
        check("policy and timetable are this lot's", policy[1]["lot"] == timetable[1]["lot"] == lot)
        check("the closing came before the end of the window", close.index < window.index)
        check(
            "the record names the policy, the timetable and both entries",
            record[1]["policy"] == b64u(sha256(policy[0]))
            and record[1]["timetable"] == b64u(sha256(timetable[0]))
            and record[1]["close_entry"] == close.told["id"]
            and record[1]["window_closed_entry"] == window.told["id"],
        )
        check(
            "the closing names the timetable in force",
            close.told["facts"]["timetable_digest"] == b64u(sha256(timetable[0])),
        )

    def _check_bids(
        self,
        record: tuple[bytes, dict[str, Any]],
        policy: tuple[bytes, dict[str, Any]],
        close: _Logged,
        window: _Logged,
    ) -> None:
        counted = {
            (bid["bidder"], bid["seq"]): {e["envelope"]: e for e in bid["envelopes"]}
            for bid in close.told["facts"]["bids"]
        }
        shown = record[1]["bids"]
        self.verdict.check(
            "the record lists exactly the bids of the closing",
            len(shown) == len(counted)
            and {(bid["bidder"], bid["seq"]) for bid in shown} == set(counted),
        )
        released = set(window.told["facts"]["released"])
        missing = set(window.told["facts"]["missing"])
        for bid in shown:
            sealed = counted.get((bid["bidder"], bid["seq"]))
            if sealed is None:
                continue
            name = bid["name"]
            self.verdict.holds(
                f"{name}: the envelopes are the ones that were submitted",
                lambda bid=bid, sealed=sealed: _same_envelopes(bid, sealed),  # type: ignore[misc]  # mypy cannot infer a lambda's default
            )
            self.verdict.check(
                f"{name}: the outcome agrees with who released in time",
                _agrees(bid["outcome"], bid["bidder"] in released, bid["bidder"] in missing),
            )
            if bid["outcome"] in ("opened", "opened_by_custodians"):
                self.verdict.holds(
                    f"{name}: the announced sheet is the sealed one",
                    lambda bid=bid: self._same_sheet(bid, sha256(policy[0])),  # type: ignore[misc]  # mypy cannot infer a lambda's default
                )
            else:
                self.verdict.check(
                    f"{name}: nothing of an unopened bid is shown",
                    bid["announced"] is None and not bid["sheet"].get("secrets"),
                )

    def _same_sheet(self, bid: dict[str, Any], policy_digest: bytes) -> None:
        sheet = bid["sheet"]
        container = (self.folder / "sheets" / f"{sheet['head']}.ebid").read_bytes()
        header = sealing.parse_header(container)
        if b64u(header.head) != sheet["head"]:
            raise BrokenSeal("another container lies under this head")
        if header.policy_hash != policy_digest:
            raise BrokenSeal("it was sealed under another policy")
        if header.meta["bidder"] != bid["bidder"]:
            raise BrokenSeal("it was sealed by another bidder")
        digest = sealing.PayloadDigest()
        digest.update(container[header.payload_offset :])
        if b64u(digest.root) != sheet["payload_root"]:
            raise BrokenSeal("the payload is another")
        secrets = {name: unb64u(value) for name, value in sheet["secrets"].items()}
        for component, secret in secrets.items():
            sealing.check_secret(header, component, secret)
        opened = sealing.open_sheet(container, sealing.file_key(header, secrets))
        if strict_json(opened, 65_536) != bid["announced"]:
            raise BrokenSeal("the announced sheet is not the sealed one")


def _same_envelopes(bid: dict[str, Any], sealed: dict[str, Any]) -> None:
    for kind in ("sheet", "bid"):
        for fact in ("head", "payload_root", "payload_size"):
            if bid[kind][fact] != sealed[kind][fact]:
                raise BrokenSeal(f"{fact} of the {kind} differs from the closing")


def _agrees(outcome: str, released: bool, missing: bool) -> bool:
    if released == missing:
        return False
    if released:
        return outcome in ("opened", "revoked", "withdrawn")
    return outcome in ("opened_by_custodians", "revoked", "withdrawn")
