"""Sealing a bid on the bidder's own machine: offline, in constant memory, readable by nobody else.

What goes in is public, the lot's package, or the bidder's own, the sheet and the files. What comes
out is a folder:

* `sheet.ebid` and `bid.ebid`, the sealed envelopes, to be uploaded
* `submission.dsse`, the signed statement that submits them
* `sealed.json`, what a program needs in order to upload and submit them
* `recovery.json`, the envelopes' secrets under a passphrase; it never leaves the bidder
* `opening-key.pem`, the key that releases the bid at the opening, unless the bidder brought one

The bid is a ZIP file whose members are stored as they are, so that one document can be read without
decrypting the others; its first member, `manifest.json`, names each file with size and SHA-256.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, cast

from kernel.crypto import sealing
from kernel.crypto.digests import (
    Malformed,
    b64u,
    canonical,
    instant_text,
    list_of,
    parse_instant,
    strict_json,
    text_of,
    unb64,
    unb64u,
)
from kernel.crypto.envelope_header import meta_bytes
from kernel.crypto.recovery_file import NONCE_SIZE, PASSPHRASE_ENTROPY_SIZE, SALT_SIZE
from kernel.crypto.sealing import PolicyKeys, RecoveryEntry, Sealed, SealingSecrets
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.crypto.statement_kinds import payload_type, read_statement
from kernel.randomness import random_bytes
from trading.rules.consortium_agreement import AGREEMENT_MAX, agreement_in
from trading.rules.consortium_agreement import FILE as AGREEMENT
from trading.rules.opening_policy import policy_keys
from trading.rules.sheet_fields import REFERENCE, sheet_faults
from web.client import Client

PACKAGE_MAX: Final = 4 << 20
SHEET_MAX: Final = 60_000
NAME_MAX: Final = 200
STEP: Final = 1 << 20
ASKED_AGAIN: Final = 10
ASKED_AGAIN_NAP_S: Final = 0.5
SHEET, BID = "sheet", "bid"
MEMBERS_MIN: Final = 2
STATED: Final = (1980, 1, 1, 0, 0, 0)
"""The time every member of the ZIP file states: when a bid was written is nobody's business."""

Progress = Callable[[str, int, int], None]
"""Hears which envelope is being sealed, how many of how many bytes are done."""


class NotSealable(Exception):
    """What was given cannot be sealed as this lot asks; the message says why."""


@dataclass(frozen=True, slots=True)
class LotPackage:
    """A lot's public package, read: whose keys seal it, what its sheet states, when it is due."""

    project_id: str
    lot_id: str
    lot_name: str
    policy: PolicyKeys
    envelopes: tuple[str, ...]
    holders: tuple[str, ...]
    sheet_fields: tuple[Mapping[str, Any], ...]
    bids_due_at: datetime
    consortia: bool = True
    """Whether the notice lets members of a consortium bid as one."""

    @property
    def escrow_allowed(self) -> bool:
        """Whether a bidder may let custodians stand in for it."""
        return self.policy.escrow is not None


class SealingFor(Protocol):
    """What is sealed for: a lot's bids, or the applications of its prequalification."""

    @property
    def project_id(self) -> str:
        """The project's id."""

    @property
    def lot_id(self) -> str:
        """The lot's id."""

    @property
    def policy(self) -> PolicyKeys:
        """To whom envelopes are sealed besides the one who seals."""

    @property
    def consortia(self) -> bool:
        """Whether members of a consortium may come as one."""


@dataclass(frozen=True, slots=True)
class SealedEnvelope:
    """One envelope as it lies on the bidder's disk."""

    kind: str
    file: str
    head: bytes
    header_size: int
    payload_size: int
    payload_root: bytes

    def named(self) -> dict[str, object]:
        """The envelope as a submission names it."""
        return {
            "envelope": self.kind,
            "head": b64u(self.head),
            "payload_size": self.payload_size,
            "payload_root": b64u(self.payload_root),
        }


@dataclass(frozen=True, slots=True)
class SealedBid:
    """A sealed bid: where it lies, what is in it, and the passphrase of its recovery file."""

    folder: Path
    lot_id: str
    envelopes: tuple[SealedEnvelope, ...]
    passphrase: str
    opening_key: bytes
    """The public key, 65 bytes, that releases the bid."""


@dataclass(frozen=True, slots=True)
class Bidder:
    """Who seals: the organisation, and the key its person signs with."""

    organisation_id: str
    key: PrivateKey


# ── the package ───────────────────────────────────────────────────────────────────────────────


def read_package(data: bytes) -> LotPackage:
    """The package as it is downloaded; `Malformed` where its parts do not belong together.

    Its policy and timetable are signed statements; whose keys signed them is for the reader to
    compare with what the tender notice says.
    """
    found = strict_json(data, PACKAGE_MAX)
    if not isinstance(found, dict) or found.get("v") != "sunbid-package/1":
        raise Malformed("not a sealing package", code="wrong_package")
    policy_bytes = Envelope.from_bytes(unb64(found.get("policy"))).payload
    timetable_bytes = Envelope.from_bytes(unb64(found.get("timetable"))).payload
    policy, timetable = _object(policy_bytes), _object(timetable_bytes)
    lots = {found.get("lot"), policy.get("lot"), timetable.get("lot")}
    projects = {found.get("project"), policy.get("project"), timetable.get("project")}
    if len(lots) != 1 or len(projects) != 1:
        raise Malformed("policy, timetable and package are of different lots", code="wrong_package")
    fields = list_of(found.get("sheet_fields"), at_most=64)
    if not all(isinstance(one, dict) for one in fields):
        raise Malformed("sheet fields", code="wrong_package")
    holders = policy["officials"]["keys"]
    return LotPackage(
        project_id=text_of(found["project"]),
        lot_id=text_of(found["lot"]),
        lot_name=text_of(found.get("lot_name", "")),
        policy=policy_keys(policy_bytes),
        envelopes=tuple(text_of(kind) for kind in list_of(policy.get("envelopes"), at_most=4)),
        holders=tuple(f"{one.get('organisation')} {one.get('holder')}" for one in holders),
        sheet_fields=tuple(cast(list[Mapping[str, Any]], fields)),
        bids_due_at=parse_instant(timetable.get("bids_due_at")),
        consortia=found.get("consortia", True) is True,
    )


def _object(data: bytes) -> dict[str, Any]:
    found = strict_json(data, PACKAGE_MAX)
    if not isinstance(found, dict):
        raise Malformed("a JSON object was expected", code="wrong_package")
    return found


# ── what is sealed ────────────────────────────────────────────────────────────────────────────


def sheet_bytes(package: LotPackage, values: Mapping[str, Any]) -> bytes:
    """The opening sheet as it will be read out; `NotSealable` where the notice asks for more."""
    stated = {
        "v": "ebid-sheet/1",
        "currency": "CNY",
        **{key: value for key, value in values.items() if key not in ("v", "currency")},
    }
    faults = sheet_faults(stated, package.sheet_fields)
    if values.get("currency", "CNY") != "CNY":
        faults.append("只接受人民币报价")
    if faults:
        raise NotSealable("；".join(faults))
    try:
        written = canonical(stated)
    except (TypeError, ValueError) as fault:
        raise NotSealable(f"开标一览表：{fault}") from None
    if len(written) > SHEET_MAX:
        raise NotSealable(f"开标一览表超过 {SHEET_MAX} 字节")
    return written


@dataclass(frozen=True, slots=True)
class BidFile:
    """One file of a bid, under the name it has in the ZIP file."""

    name: str
    path: Path
    size: int
    sha256: str


def bid_files(paths: Sequence[Path], *, progress: Progress | None = None) -> tuple[BidFile, ...]:
    """The files of a bid with their digests; folders give all the files in them, by their paths.

    `NotSealable` where two files would have one name, or a name is none that every system knows.
    """
    listed = [pair for path in paths for pair in _listed(path)]
    names = [name for name, _ in listed]
    if not listed:
        raise NotSealable("没有投标文件")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise NotSealable(f"文件重名：{'、'.join(doubled)}")
    total = sum(path.stat().st_size for _, path in listed)
    done = 0
    found = []
    for name, path in listed:
        digest = hashlib.sha256()
        size = 0
        with path.open("rb") as file:
            while block := file.read(STEP):
                digest.update(block)
                size += len(block)
                done += len(block)
                if progress is not None:
                    progress("files", done, total)
        found.append(BidFile(name, path, size, digest.hexdigest()))
    return tuple(found)


def _listed(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        inside = [one for one in sorted(path.rglob("*")) if one.is_file()]
        for one in inside:
            yield _member_name(one.relative_to(path).as_posix()), one
    elif path.is_file():
        yield _member_name(path.name), path
    else:
        raise NotSealable(f"没有这个文件：{path}")


def _member_name(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    strange = any(unicodedata.category(sign)[0] == "C" or sign in '\\:*?"<>|' for sign in name)
    steps = name.split("/")
    if strange or len(name) > NAME_MAX or not all(steps) or set(steps) & {".", ".."}:
        raise NotSealable(f"文件名不能使用：{name[:60]}")
    if name == "manifest.json":
        raise NotSealable("文件名 manifest.json 已用于文件清单")
    return name


def with_agreement(
    package: SealingFor, bidder: Bidder, files: Sequence[BidFile], agreement: Path | None
) -> tuple[BidFile, ...]:
    """The files with the agreement among them; `NotSealable` where it could only harm the bid.

    Nobody sees it before the opening, so what the lot asks of consortia is heeded here or too late.
    """
    if any(one.name == AGREEMENT for one in files):
        raise NotSealable(f"“{AGREEMENT}”是共同投标协议的文件名，请用 --agreement 指定协议")
    if agreement is None:
        return tuple(files)
    raw = agreement.read_bytes()
    faults = agreement_faults(package, bidder, raw)
    if faults:
        raise NotSealable("；".join(faults))
    return (*files, BidFile(AGREEMENT, agreement, len(raw), hashlib.sha256(raw).hexdigest()))


def agreement_faults(package: SealingFor, bidder: Bidder, raw: bytes) -> list[str]:
    """Everything that can be seen to be wrong with an agreement before it is sealed, in words.

    Whose keys signed is known to the platform alone; here the signatures are only counted.
    """
    try:
        envelope, payload = read_statement(raw, "consortium-agreement", max_bytes=AGREEMENT_MAX)
        said = agreement_in(payload)
    except Malformed as fault:
        return [f"不是共同投标协议：{fault}"]
    parties = {one.party_id for one in said.members}
    faults = []
    if not package.consortia:
        faults.append("本标段不接受联合体投标")
    if (said.project_id, said.lot_id) != (package.project_id, package.lot_id):
        faults.append("共同投标协议是为其他标段签署的")
    if str(said.lead) != bidder.organisation_id or said.lead not in parties:
        faults.append("应当由共同投标协议载明的牵头人递交，且牵头人为联合体成员")
    if len(parties) != len(said.members) or len(parties) < MEMBERS_MIN:
        faults.append("联合体应当由两个以上单位组成，成员不得重复")
    if not all(one.part.strip() for one in said.members):
        faults.append("共同投标协议应当明确各方承担的工作")
    if not said.joint:
        faults.append("共同投标协议应当约定联合体各方承担连带责任")
    if len(envelope.signatures) < len(parties):
        faults.append("共同投标协议尚未由联合体各方签署")
    return faults


def library_references(references: Iterable[str]) -> str:
    """References to one's own library as a bid or an application states them, each once.

    `NotSealable` where one is none: nobody could say so before the opening.
    """
    told = list(dict.fromkeys(references))
    wrong = [one for one in told if not REFERENCE.fullmatch(one)]
    if wrong:
        raise NotSealable(f"不是信息库引用号：{'、'.join(wrong)}")
    return " ".join(told)


def write_bundle(files: Sequence[BidFile], sink: BinaryIO, *, library: str = "") -> None:
    """The ZIP file of a bid: the manifest first, then the files, all stored as they are.

    `library` is what an application refers to; a bid says that in its sheet. `NotSealable` where a
    file is not any more what it was when it was listed.
    """
    manifest = {
        "v": "ebid-manifest/1",
        "files": [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in files],
        **({"library": library} if library else {}),
    }
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as bundle:
        bundle.writestr(_member("manifest.json"), canonical(manifest))
        for one in files:
            digest = hashlib.sha256()
            with (
                one.path.open("rb") as source,
                bundle.open(_member(one.name), "w", force_zip64=True) as target,
            ):
                while block := source.read(STEP):
                    digest.update(block)
                    target.write(block)
            if digest.hexdigest() != one.sha256:
                raise NotSealable(f"文件在加密时被修改：{one.name}")


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, STATED)
    member.compress_type = zipfile.ZIP_STORED
    member.external_attr = (stat.S_IFREG | 0o600) << 16
    return member


# ── sealing ───────────────────────────────────────────────────────────────────────────────────


def seal_bid(
    package: LotPackage,
    bidder: Bidder,
    *,
    sheet: Mapping[str, Any],
    files: Sequence[Path],
    folder: Path,
    now: datetime,
    escrow: bool = False,
    opening_key: bytes | None = None,
    seq: int = 1,
    replaces: bytes | None = None,
    agreement: Path | None = None,
    progress: Progress | None = None,
) -> SealedBid:
    """Seal a bid into a new folder, and sign its submission.

    `agreement` is what the members of a consortium signed together; it goes into the sealed bid.

    `opening_key` is the public key that will release the bid; without one a key is made and
    written beside it. `seq` and `replaces` follow from what was submitted before.
    """
    if escrow and not package.escrow_allowed:
        raise NotSealable("本标段的开标规则不允许托管份额")
    if set(package.envelopes) != {SHEET, BID}:
        raise NotSealable("本标段要求的文件类别不受支持")
    stated = sheet_bytes(package, sheet)
    listed = with_agreement(package, bidder, bid_files(files, progress=progress), agreement)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise NotSealable(f"输出文件夹不是空的：{folder}")
    if opening_key is None:
        made = PrivateKey.generate()
        write_private(folder / "opening-key.pem", made.to_pem())
        opening_key = made.public_bytes

    envelopes, entries = [], []
    with tempfile.TemporaryFile(dir=folder) as bundle:
        write_bundle(listed, cast(BinaryIO, bundle))
        size = bundle.seek(0, os.SEEK_END)
        for kind, source, length in (
            (SHEET, BytesIO(stated), len(stated)),
            (BID, cast(BinaryIO, bundle), size),
        ):
            source.seek(0)
            envelope, entry = seal_envelope(
                package,
                bidder,
                kind,
                source,
                folder=folder,
                now=now,
                escrow=escrow,
                opening_key=opening_key,
                progress=told_of(progress, kind, length),
            )
            envelopes.append(envelope)
            entries.append(entry)
    passphrase = sealing.generated_passphrase(random_bytes(PASSPHRASE_ENTROPY_SIZE))
    recovery = sealing.write_recovery(
        entries,
        passphrase=passphrase,
        salt=random_bytes(SALT_SIZE),
        nonce=random_bytes(NONCE_SIZE),
    )
    write_private(folder / "recovery.json", recovery)
    sealed = SealedBid(folder, package.lot_id, tuple(envelopes), passphrase, opening_key)
    statement = submission(
        package, bidder, sealed.envelopes, seq=seq, replaces=replaces, signed_at=now
    )
    (folder / "submission.dsse").write_bytes(statement)
    (folder / "sealed.json").write_text(
        json.dumps(_described(sealed, bidder), ensure_ascii=False, indent=1)
    )
    return sealed


def submission(
    package: LotPackage,
    bidder: Bidder,
    envelopes: Sequence[SealedEnvelope],
    *,
    seq: int,
    replaces: bytes | None,
    signed_at: datetime,
) -> bytes:
    """The signed statement that submits these envelopes; without any it withdraws the bid."""
    payload = {
        "v": "ebid-submission/1",
        "project": package.project_id,
        "lot": package.lot_id,
        "bidder": bidder.organisation_id,
        "seq": seq,
        "policy": b64u(package.policy.policy_hash),
        "envelopes": [one.named() for one in envelopes],
        "replaces": None if replaces is None else b64u(replaces),
        "signed_at": instant_text(signed_at),
    }
    return bidder.key.sign(payload_type("submission"), canonical(payload)).to_bytes()


def seal_envelope(
    package: SealingFor,
    bidder: Bidder,
    kind: str,
    source: BinaryIO,
    *,
    folder: Path,
    now: datetime,
    escrow: bool,
    opening_key: bytes,
    progress: Callable[[int], None] | None,
) -> tuple[SealedEnvelope, RecoveryEntry]:
    meta = sealing.envelope_meta(
        project=package.project_id,
        lot=package.lot_id,
        envelope=kind,
        bidder=bidder.organisation_id,
        nonce=random_bytes(16),
        created=instant_text(now),
    )
    secrets: SealingSecrets = sealing.drawn_secrets(random_bytes)
    if package.policy.officials is None:
        secrets = SealingSecrets(secrets.bidder)
    name = f"{kind}.ebid"
    with (folder / name).open("xb") as sink:
        done: Sealed = sealing.seal(
            source,
            sink,
            meta=meta,
            policy=package.policy,
            bidder_keys=[opening_key],
            secrets=secrets,
            entropy=random_bytes,
            escrow=escrow,
            progress=progress,
        )
    envelope = SealedEnvelope(
        kind, name, done.head, done.header_size, done.payload_size, done.payload_root
    )
    return envelope, RecoveryEntry(meta_bytes(meta), secrets)


def told_of(progress: Progress | None, kind: str, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda done: progress(kind, done, total)


def _described(sealed: SealedBid, bidder: Bidder) -> dict[str, object]:
    return {
        "v": "sunbid-sealed/1",
        "lot": sealed.lot_id,
        "bidder": bidder.organisation_id,
        "opening_key": b64u(sealed.opening_key),
        "envelopes": [
            {**one.named(), "file": one.file, "header_size": one.header_size}
            for one in sealed.envelopes
        ],
    }


def write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


# ── sending ───────────────────────────────────────────────────────────────────────────────────


async def deliver(
    client: Client, folder: Path, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Upload a sealed folder and submit it; the platform's answer, with receipt or promise.

    A promise is asked about for a while before it is handed on. May be repeated: what arrived is
    not sent again, and the same submission has the same receipt.
    """
    described = _object((folder / "sealed.json").read_bytes())
    if described.get("v") != "sunbid-sealed/1":
        raise Malformed("not a sealed bid", code="wrong_folder")
    lot_id = text_of(described.get("lot"))
    for one in list_of(described.get("envelopes"), at_most=4):
        assert isinstance(one, dict)
        await send_envelope(client, lot_id, folder / text_of(one["file"]), one, progress)
    return await _submit(client, lot_id, (folder / "submission.dsse").read_bytes())


async def withdraw(
    client: Client, package: LotPackage, bidder: Bidder, *, now: datetime
) -> dict[str, Any]:
    """Withdraw the bidder's standing bid; the platform's answer, with receipt or promise.

    May be repeated: a bid that is withdrawn already has its receipt given again.
    """
    own = await client.get(f"/api/v1/lots/{package.lot_id}/bids/mine")
    last = own["bids"][-1] if own["bids"] else None
    if last is not None and last["withdrawn"]:
        told = {name: last[name] for name in ("entry_id", "received_at")}
        if last["receipt"]:
            told["receipt"] = (await client.read(f"/api/v1/receipts/{last['entry_id']}")).decode()
        return told | {"link": f"/api/v1/receipts/{last['entry_id']}"}
    replaces = own["next"]["replaces"]
    raw = submission(
        package,
        bidder,
        (),
        seq=int(own["next"]["seq"]),
        replaces=None if replaces is None else unb64u(replaces, 32),
        signed_at=now,
    )
    return await _submit(client, package.lot_id, raw)


async def _submit(client: Client, lot_id: str, raw: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = await client.post_signed(
        f"/api/v1/lots/{lot_id}/bids", raw, idempotency_key=hashlib.sha256(raw).hexdigest()
    )
    for _ in range(ASKED_AGAIN):
        if "receipt" in answer:
            break
        await asyncio.sleep(ASKED_AGAIN_NAP_S)
        answer = await client.get(text_of(answer["link"]))
    return answer


async def send_envelope(
    client: Client,
    lot_id: str,
    path: Path,
    told: Mapping[str, Any],
    progress: Progress | None,
) -> None:
    kind, header_size = text_of(told["envelope"]), int(told["header_size"])
    with path.open("rb") as file:
        header = file.read(header_size)

    def hear(done: int, total: int) -> None:
        if progress is not None:
            progress(kind, done, total)

    upload_id = await client.upload(lot_id, kind, path, offset=header_size, told=hear)
    await client.put_header(upload_id, header)
