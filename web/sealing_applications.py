"""Sealing an application for prequalification on the applicant's own machine, and sending it.

It is one envelope, sealed to the applicant's own key alone under the signed notice. What comes out
is a folder like that of a bid: `application.ebid`, `application.dsse` with the signed statement,
`sealed.json`, `recovery.json`, and `opening-key.pem` unless the applicant brought a key.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from kernel.crypto import sealing
from kernel.crypto.digests import (
    Malformed,
    b64u,
    canonical,
    count_of,
    instant_text,
    list_of,
    parse_instant,
    sha256,
    strict_json,
    text_of,
    unb64,
    unb64u,
)
from kernel.crypto.recovery_file import NONCE_SIZE, PASSPHRASE_ENTROPY_SIZE, SALT_SIZE
from kernel.crypto.sealing import PolicyKeys
from kernel.crypto.signing import PrivateKey, thumbprint
from kernel.crypto.statement_kinds import payload_type, read_statement
from kernel.randomness import random_bytes
from web.client import Client
from web.sealing_bids import (
    PACKAGE_MAX,
    Bidder,
    NotSealable,
    Progress,
    SealedEnvelope,
    bid_files,
    library_references,
    seal_envelope,
    send_envelope,
    told_of,
    with_agreement,
    write_bundle,
    write_private,
)

VERSION: Final = "sunbid-sealed-application/1"
PACKAGE: Final = "sunbid-application-package/1"
ADDENDA_MAX: Final = 1000
KIND: Final = "application"


@dataclass(frozen=True, slots=True)
class ApplicationPackage:
    """A prequalification's public package, read."""

    project_id: str
    lot_id: str
    lot_name: str
    round: int
    notice: bytes
    applications_due_at: datetime
    consortia: bool

    @property
    def policy(self) -> PolicyKeys:
        """Applications are sealed to their applicant alone, under the signed notice."""
        return PolicyKeys(self.notice, officials=None)


@dataclass(frozen=True, slots=True)
class SealedApplication:
    """A sealed application: where it lies, its envelope, and its recovery file's passphrase."""

    folder: Path
    lot_id: str
    envelope: SealedEnvelope
    passphrase: str


def is_application_package(data: bytes) -> bool:
    """Whether these bytes say that they are a prequalification's package."""
    found = strict_json(data, PACKAGE_MAX)
    return isinstance(found, dict) and found.get("v") == PACKAGE


def read_application_package(data: bytes) -> ApplicationPackage:
    """The package as it is downloaded; `Malformed` where its parts do not belong together."""
    found = strict_json(data, PACKAGE_MAX)
    if not isinstance(found, dict) or found.get("v") != PACKAGE:
        raise Malformed("not an application package", code="wrong_package")
    envelope, notice = read_statement(
        unb64(found.get("notice")), "prequalification", max_bytes=PACKAGE_MAX
    )
    if (notice["project"], notice["lot"]) != (found.get("project"), found.get("lot")):
        raise Malformed("notice and package are of different lots", code="wrong_package")
    due_at = notice["applications_due_at"]
    for raw in list_of(found.get("addenda", []), at_most=ADDENDA_MAX):
        _, addendum = read_statement(unb64(raw), "prequalification-addendum", max_bytes=PACKAGE_MAX)
        if (addendum["lot"], addendum["round"]) != (notice["lot"], notice["round"]):
            raise Malformed("notice and addendum are of different lots", code="wrong_package")
        due_at = addendum["applications_due_at"] or due_at
    return ApplicationPackage(
        text_of(notice["project"]),
        text_of(notice["lot"]),
        text_of(notice["name"]),
        count_of(notice["round"]),
        sha256(envelope.payload),
        parse_instant(due_at),
        found.get("consortia") is True,
    )


def seal_application(
    package: ApplicationPackage,
    bidder: Bidder,
    *,
    files: Sequence[Path],
    folder: Path,
    now: datetime,
    opening_key: bytes | None = None,
    seq: int = 1,
    agreement: Path | None = None,
    library: Sequence[str] = (),
    progress: Progress | None = None,
) -> SealedApplication:
    """Seal an application into a new folder, and sign the statement that submits it."""
    references = library_references(library)
    listed = with_agreement(package, bidder, bid_files(files, progress=progress), agreement)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise NotSealable(f"输出文件夹不是空的：{folder}")
    if opening_key is None:
        made = PrivateKey.generate()
        write_private(folder / "opening-key.pem", made.to_pem())
        opening_key = made.public_bytes
    with tempfile.TemporaryFile(dir=folder) as bundle:
        write_bundle(listed, cast(BinaryIO, bundle), library=references)
        size = bundle.seek(0, os.SEEK_END)
        bundle.seek(0)
        envelope, entry = seal_envelope(
            package,
            bidder,
            KIND,
            cast(BinaryIO, bundle),
            folder=folder,
            now=now,
            escrow=False,
            opening_key=opening_key,
            progress=told_of(progress, KIND, size),
        )
    passphrase = sealing.generated_passphrase(random_bytes(PASSPHRASE_ENTROPY_SIZE))
    recovery = sealing.write_recovery(
        [entry],
        passphrase=passphrase,
        salt=random_bytes(SALT_SIZE),
        nonce=random_bytes(NONCE_SIZE),
    )
    write_private(folder / "recovery.json", recovery)
    statement = application(package, bidder, envelope, seq=seq, signed_at=now)
    (folder / "application.dsse").write_bytes(statement)
    described = {
        "v": VERSION,
        "lot": package.lot_id,
        "bidder": bidder.organisation_id,
        "opening_key": b64u(opening_key),
        "envelope": {
            **envelope.named(),
            "file": envelope.file,
            "header_size": envelope.header_size,
        },
    }
    (folder / "sealed.json").write_text(json.dumps(described, ensure_ascii=False, indent=1))
    return SealedApplication(folder, package.lot_id, envelope, passphrase)


def application(
    package: ApplicationPackage,
    bidder: Bidder,
    envelope: SealedEnvelope | None,
    *,
    seq: int,
    signed_at: datetime,
) -> bytes:
    """The signed statement that submits this envelope, or without one takes back what stood."""
    named: Mapping[str, object] | None = None
    if envelope is not None:
        named = {name: value for name, value in envelope.named().items() if name != "envelope"}
    payload = {
        "v": "ebid-application/1",
        "project": package.project_id,
        "lot": package.lot_id,
        "round": package.round,
        "applicant": bidder.organisation_id,
        "seq": seq,
        "notice": b64u(package.notice),
        "envelope": named,
        "signed_at": instant_text(signed_at),
    }
    return bidder.key.sign(payload_type("application"), canonical(payload)).to_bytes()


def is_sealed_application(folder: Path) -> bool:
    """Whether a sealed folder holds an application rather than a bid."""
    found = strict_json((folder / "sealed.json").read_bytes(), PACKAGE_MAX)
    return isinstance(found, dict) and found.get("v") == VERSION


async def deliver_application(
    client: Client, folder: Path, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Upload a sealed application and submit it; may be repeated, and has one answer."""
    described = strict_json((folder / "sealed.json").read_bytes(), PACKAGE_MAX)
    if not isinstance(described, dict) or described.get("v") != VERSION:
        raise Malformed("not a sealed application", code="wrong_folder")
    lot_id, told = text_of(described.get("lot")), described.get("envelope")
    if not isinstance(told, dict):
        raise Malformed("not a sealed application", code="wrong_folder")
    await send_envelope(client, lot_id, folder / text_of(told["file"]), told, progress)
    answer: dict[str, Any] = await client.post_signed(
        f"/api/v1/lots/{lot_id}/applications", (folder / "application.dsse").read_bytes()
    )
    return answer


async def release_application(client: Client, lot_id: str, key: PrivateKey) -> None:
    """Open the acting applicant's application with the key that was made for it."""
    found = await client.get(f"/api/v1/lots/{lot_id}/prequalification")
    own = found["own"][-1] if found["own"] else None
    if own is None or own["withdrawn"]:
        raise NotSealable("没有可以解密的申请")
    header = sealing.parse_header(unb64(own["header"]))
    secret = sealing.unwrap(header, sealing.BIDDER, thumbprint(key.public_bytes), key)
    await client.post_statement(
        f"/api/v1/lots/{lot_id}/applications/release",
        "application-release",
        {"lot": lot_id, "head": b64u(unb64u(own["head"], 32)), "secret": b64u(secret)},
    )
