"""Checking an archive package: a lot's papers, whole, signed, and each committed to by the log.

A package is a zip file or a folder: `manifest.json` (what lies in it, who signed, whose log it is),
`manifest.seal` (the log's signed word that this is that lot's manifest), `proofs/` (that each entry
about the lot stands in the witnessed log) and the papers themselves. Nothing else may lie in it.

What its reader was not to know is not in it; that no entry which he may know was left out only the
log itself shows (`sunbid verify log`).
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from kernel.crypto import signing
from kernel.crypto.archive_commitments import PAPER_MAX, STATEMENT, committed_files
from kernel.crypto.archive_seal import open_seal
from kernel.crypto.digests import (
    canonical,
    count_of,
    list_of,
    members,
    parse_instant,
    sha256,
    strict_json,
    text_of,
    unb64u,
)
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import PUBLIC_KEY_SIZE, Envelope, RelyingParty
from kernel.crypto.zip_faults import UNREADABLE
from kernel.errors import BrokenSeal
from kernel.money import parse_yuan
from trading.rules.procedures import SecurityForm
from trading.rules.security_course import SecurityState
from web.verifying.draw_transcript import TrustedLog
from web.verifying.verdicts import Verdict
from web.verifying.vouchers import Vouchers

MANIFEST, SEAL = "manifest.json", "manifest.seal"
MANIFEST_MAX: Final = 16 << 20
LIST_MAX: Final = 1 << 16
YEARS_MIN: Final = 15
ENDINGS: Final = frozenset({"AwardPublished", "LotCancelled", "LotFailed"})
MEMBERS: Final = (
    *("v", "lot", "project", "project_code", "project_name", "lot_name", "state", "regime"),
    *("reader", "made_at", "ended_on", "kept_until", "files", "entries", "bids"),
    "securities",
    *("log", "witnesses", "quorum", "signers", "relying_party"),
)

AMOUNTS: Final = ("paid", "held", "returned", "interest")
SECURITY: Final = (
    *("bidder", "reference", "state", *AMOUNTS, "returned_at", "guarantee"),
    *("kept_for", "kept_under"),
)


@dataclass(frozen=True, slots=True)
class _Logged:
    """An entry about the lot, proven to stand in the log."""

    index: int
    id: str
    kind: str
    subject: str
    record: bytes


def verify(path: Path, *, trusted: TrustedLog | None = None) -> Verdict:
    """Everything a package claims, checked; nothing of the platform is asked."""
    verdict = Verdict()
    parts = verdict.holds("the package can be read", lambda: read_package(path))
    if parts is None:
        return verdict
    told = verdict.holds("the manifest can be read", lambda: _manifest(parts))
    if told is None:
        return verdict
    vouchers = verdict.holds("the manifest names a log and its witnesses", lambda: _vouchers(told))
    if vouchers is None:
        return verdict
    verdict.of_log(vouchers.log)
    verdict.holds("the keys are the ones you trust", lambda: vouchers.check_trusted(trusted))
    verdict.holds("the log sealed this manifest for this lot", lambda: _sealed(parts, told))
    verdict.holds("every file is there as it is listed, and no other", lambda: _whole(parts, told))
    logged = verdict.holds(
        "every entry stands in the witnessed log", lambda: _logged(parts, told, vouchers)
    )
    verdict.holds("every statement is signed by the keys shown", lambda: _signed(parts, told))
    if logged is None:
        return verdict
    verdict.holds("the entries are this lot's, each once", lambda: _of_one_lot(logged, told))
    verdict.holds("every paper is committed to by the log", lambda: _committed(parts, told, logged))
    verdict.holds("the lot has ended, and is kept its years", lambda: _kept(logged, told))
    verdict.holds("the bids kept apart are named", lambda: _bids(told))
    verdict.holds("no more of a security went back than came in", lambda: _securities(told))
    verdict.holds("what was found", lambda: verdict.found.update(_found(told)))
    return verdict


def read_package(path: Path) -> dict[str, bytes]:
    """The files of a package by their names, from a zip file or a folder."""
    if path.is_dir():
        return {
            one.relative_to(path).as_posix(): one.read_bytes()
            for one in sorted(path.rglob("*"))
            if one.is_file()
        }
    try:
        with zipfile.ZipFile(path) as archive:
            names = [one.filename for one in archive.infolist() if not one.is_dir()]
            if len(names) != len(set(names)):
                raise BrokenSeal("a name stands twice in the package")
            return {name: archive.read(name) for name in names}
    except (*UNREADABLE, RuntimeError) as fault:  # `RuntimeError` where a password is wanted
        raise BrokenSeal("this is no zip file") from fault


def _manifest(parts: Mapping[str, bytes]) -> dict[str, Any]:
    told = members(strict_json(parts[MANIFEST], MANIFEST_MAX), MEMBERS)
    _require(told["v"] == "ebid-archive/1", "not the manifest of an archive")
    _require(canonical(told) == parts[MANIFEST], "a manifest is written in one way only")
    return dict(told)


def _vouchers(told: Mapping[str, Any]) -> Vouchers:
    witnesses = tuple(text_of(one) for one in list_of(told["witnesses"], at_most=64))
    return Vouchers(text_of(told["log"]), witnesses, count_of(told["quorum"]))


def _sealed(parts: Mapping[str, bytes], told: Mapping[str, Any]) -> None:
    seal = open_seal(parts[SEAL].decode(), text_of(told["log"]))
    _require(seal.lot_id == UUID(text_of(told["lot"])), "the seal of another lot's archive")
    _require(seal.manifest_digest == sha256(parts[MANIFEST]), "the seal of another manifest")


def _whole(parts: Mapping[str, bytes], told: Mapping[str, Any]) -> None:
    listed: dict[str, tuple[bytes, int]] = {}
    for one in list_of(told["files"], at_most=LIST_MAX):
        file = members(one, ("path", "sha256", "size"))
        listed[text_of(file["path"])] = unb64u(file["sha256"], 32), count_of(file["size"])
    names = [one["path"] for one in told["files"]]
    _require(names == sorted(listed), "a file is listed twice, or out of order")
    there = set(parts) - {MANIFEST, SEAL} - {one["path"] for one in told["entries"]}
    _require(there == set(listed), f"too many or too few: {sorted(there ^ set(listed))[:3]}")
    for path, (digest, size) in listed.items():
        _require(
            (sha256(parts[path]), len(parts[path])) == (digest, size), f"{path} is another file"
        )


def _logged(
    parts: Mapping[str, bytes], told: Mapping[str, Any], vouchers: Vouchers
) -> list[_Logged]:
    found = []
    for number, one in enumerate(list_of(told["entries"], at_most=LIST_MAX), 1):
        entry = members(one, ("path", "id", "kind"))
        path = text_of(entry["path"])
        _require(path == f"proofs/{number:04d}.tlog-proof", "the entries are in disorder")
        proven = verify_proof(
            parts[path].decode(), log_vkey=vouchers.log, witness_vkeys=vouchers.witnesses
        )
        seen = len(proven.checkpoint.cosignatures)
        _require(seen >= vouchers.quorum, f"{path} is not witnessed")
        record = strict_json(proven.record, PAPER_MAX)
        assert isinstance(record, dict)
        logged = _Logged(
            proven.index, record["id"], record["kind"], record["subject"], proven.record
        )
        _require((logged.id, logged.kind) == (entry["id"], entry["kind"]), f"{path} is another")
        found.append(logged)
    return found


def _signed(parts: Mapping[str, bytes], told: Mapping[str, Any]) -> None:
    party = members(told["relying_party"], ("id", "origins"))
    origins = [text_of(one) for one in list_of(party["origins"], at_most=64)]
    _require(origins == sorted(set(origins)), "the origins are in disorder")
    known = RelyingParty(text_of(party["id"]), frozenset(origins))
    keys = {keyid: unb64u(key, PUBLIC_KEY_SIZE) for keyid, key in told["signers"].items()}
    used: set[str] = set()
    for path, content in parts.items():
        if path.endswith(STATEMENT):
            envelope = Envelope.from_bytes(content, max_bytes=PAPER_MAX)
            signers = signing.verify(envelope, keys=keys, relying_party=known)
            _require(len(signers) == len(envelope.signatures), f"{path}: an unknown signature")
            used |= signers
    _require(used == set(keys), "a key nobody used")


def _of_one_lot(logged: list[_Logged], told: Mapping[str, Any]) -> None:
    _require({one.subject for one in logged} == {told["lot"]}, "an entry about something else")
    _require(len({one.id for one in logged}) == len(logged), "an entry stands twice")
    _require(len({one.index for one in logged}) == len(logged), "a leaf stands twice")


def _committed(parts: Mapping[str, bytes], told: Mapping[str, Any], logged: list[_Logged]) -> None:
    files = {one["path"]: parts[one["path"]] for one in told["files"]}
    loose = files.keys() - committed_files(files, [one.record for one in logged])
    _require(not loose, f"nothing in the log commits to {', '.join(sorted(loose)[:3])}")


def _kept(logged: list[_Logged], told: Mapping[str, Any]) -> None:
    _require(any(one.kind in ENDINGS for one in logged), "no entry says that it ended")
    ended, until = (date.fromisoformat(text_of(told[name])) for name in ("ended_on", "kept_until"))
    _require(until.year - ended.year >= YEARS_MIN, "it is kept for too few years")
    _require(parse_instant(told["made_at"]).date() >= ended.replace(day=1), "made before its end")


def _bids(told: Mapping[str, Any]) -> None:
    for one in list_of(told["bids"], at_most=LIST_MAX):
        bid = members(one, ("bid", "bidder", "kept_until", "envelopes"))
        UUID(text_of(bid["bid"]))
        text_of(bid["bidder"])
        date.fromisoformat(text_of(bid["kept_until"]))
        for envelope in list_of(bid["envelopes"], at_most=8):
            known = members(envelope, ("kind", "size", "root"))
            unb64u(known["root"], 32)
            count_of(known["size"])


def _securities(told: Mapping[str, Any]) -> None:
    for item in list_of(told["securities"], at_most=LIST_MAX):
        one = members(item, SECURITY)
        for name in ("bidder", "reference", "kept_for", "kept_under"):
            text_of(one[name])
        SecurityState(text_of(one["state"]))
        if one["guarantee"] is not None:
            SecurityForm(text_of(one["guarantee"]))
        amounts = {name: parse_yuan(text_of(one[name])) for name in AMOUNTS}
        _require(
            amounts["held"] + amounts["returned"] <= amounts["paid"],
            "more of a security was held and given back than was paid",
        )
        _require(
            amounts["interest"] == 0 or one["returned_at"] is not None,
            "interest on a security that never went back",
        )
        if one["returned_at"] is not None:
            parse_instant(one["returned_at"])


def _found(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "lot": told["lot"],
        "project": told["project_code"],
        "state": told["state"],
        "reader": told["reader"],
        "files": len(told["files"]),
        "entries": len(told["entries"]),
        "ended_on": told["ended_on"],
        "kept_until": told["kept_until"],
        "log": told["log"],
    }


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenSeal(otherwise)
