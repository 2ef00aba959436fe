"""Prequalifications for tests: a lot whose applications are called for, and applicants who apply.

Called for on the day on which the clock of a test's store starts, due two weeks later.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kernel.crypto import sealing
from kernel.crypto.digests import b64u, canonical, instant_text, sha256
from kernel.crypto.signing import PrivateKey, Signature
from kernel.crypto.statement_kinds import payload_type
from kernel.identifiers import LotId, PartyId, ProjectId
from kernel.randomness import random_bytes
from kernel.store.transaction import Store, transaction
from tests.sealed_bids import SealedFile, at, uploaded
from tests.tenders import NOW, Cast, Player, a_cast, a_draft, a_plan, a_project, signed
from trading import prequalifying, uploading
from trading.prequalifying import Received, Reviewed
from trading.rules.consortium_agreement import FILE

DUE = datetime(2026, 3, 16, 1, 30, tzinfo=UTC)
APPLIED = NOW + timedelta(days=5)
RELEASED = DUE + timedelta(minutes=10)
REVIEWED = DUE + timedelta(minutes=40)
CONDITIONS = (
    ("C1", "具有市政公用工程施工总承包一级及以上资质"),
    ("C2", "近五年类似业绩不少于一项"),
)
WORDS = {
    "content": "新建日处理10万吨污水处理设施及配套管网",
    "qualifications": "市政公用工程施工总承包一级及以上资质",
    "consortium": "接受联合体，成员不超过三家",
    "documents_how": "登录本平台免费下载",
    "submission_how": "在本机加密后上传",
}
REVIEWERS = [
    *({"name": f"专家{number}", "expert": True} for number in range(1, 5)),
    {"name": "业主代表", "expert": False},
]


@dataclass(frozen=True, slots=True)
class Called:
    """A lot whose applications are called for: who calls, and the bytes of the signed notice."""

    cast: Cast
    project_id: ProjectId
    lot_id: LotId
    notice: bytes
    round: int = 1

    @property
    def notice_digest(self) -> bytes:
        return sha256(self.notice)


@dataclass(frozen=True, slots=True)
class Applied:
    """An applicant with its sealed application and the secret that opens it."""

    who: Player
    file: SealedFile
    secret: bytes


async def a_call(store: Store, cast: Cast, lot_id: LotId, **changes: Any) -> dict[str, Any]:
    """The notice that the platform proposes, completed."""
    content = b"%PDF-1.7 prequalification"
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        paper = await prequalifying.notice_paper(tx, lot_id)
        digest = await prequalifying.keep_file(tx, lot_id, content)
    file = {"name": "资格预审文件.pdf", "sha256": b64u(digest), "size": len(content)}
    return {
        **paper,
        "words": WORDS,
        "conditions": [{"id": id, "name": name} for id, name in CONDITIONS],
        "documents": [file],
        "documents_until": instant_text(NOW + timedelta(days=7)),
        "applications_due_at": instant_text(DUE),
        "release_window_s": 1800,
        "signed_at": instant_text(NOW),
        **changes,
    }


async def a_called_lot(
    store: Store, *, project: Mapping[str, Any] | None = None, cast: Cast | None = None
) -> Called:
    """A draft whose applications are called for; it could be put out to bids after the review.

    No state money is in it unless the project says so, so that the tenderee reviews itself.
    """
    cast = cast or await a_cast(store)
    project_id = await a_project(store, cast, **{"state_funded": False, **(project or {})})
    plan = a_plan(REVIEWED, bids_due_at="2026-04-10T01:30:00Z")
    _, lot_id = await a_draft(store, cast, project_id, plan=plan)
    said = await a_call(store, cast, lot_id)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        await prequalifying.announce(tx, lot_id, signed(cast.agency, "prequalification", said))
    return Called(cast, project_id, lot_id, canonical(said))


def an_addendum(called: Called, *, now: datetime, **changes: Any) -> bytes:
    """The first change of a call's documents, which may affect applications and moves nothing."""
    said = {
        "v": "ebid-prequalification-addendum/1",
        "project": str(called.project_id),
        "lot": str(called.lot_id),
        "round": called.round,
        "number": 1,
        "title": "补充申请文件格式",
        "text": "申请文件应当按照附件格式编制。",
        "may_affect": True,
        "documents": [],
        "applications_due_at": None,
        "signed_at": instant_text(now),
    }
    return signed(called.cast.agency, "prequalification-addendum", {**said, **changes})


async def amended(
    store: Store, called: Called, raw: bytes, *, now: datetime
) -> prequalifying.Amended:
    async with transaction(store, actor=called.cast.agency.actor, now=now) as tx:
        return await prequalifying.amend(tx, called.lot_id, raw)


def an_archive(files: Mapping[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def an_application(called: Called, who: Player, files: Mapping[str, bytes]) -> Applied:
    """An application really sealed to its applicant."""
    secrets = sealing.SealingSecrets(random_bytes(32))
    sink = io.BytesIO()
    done = sealing.seal(
        io.BytesIO(an_archive(files)),
        sink,
        meta=sealing.envelope_meta(
            project=str(called.project_id),
            lot=str(called.lot_id),
            envelope="application",
            bidder=str(who.party),
            nonce=random_bytes(16),
            created=instant_text(APPLIED),
        ),
        policy=sealing.PolicyKeys(called.notice_digest, None),
        bidder_keys=[PrivateKey.generate().public_bytes],
        secrets=secrets,
        entropy=random_bytes,
    )
    container = sink.getvalue()
    file = SealedFile(
        "application",
        container[: done.header_size],
        container[done.header_size :],
        done.head,
        done.payload_root,
    )
    return Applied(who, file, secrets.bidder)


def application_statement(
    called: Called, who: Player, file: SealedFile | None, *, seq: int = 1, **changes: Any
) -> bytes:
    envelope = None
    if file is not None:
        envelope = {
            "head": b64u(file.head),
            "payload_size": len(file.payload),
            "payload_root": b64u(file.root),
        }
    said = {
        "v": "ebid-application/1",
        "project": str(called.project_id),
        "lot": str(called.lot_id),
        "round": called.round,
        "applicant": str(who.party),
        "seq": seq,
        "notice": b64u(called.notice_digest),
        "envelope": envelope,
        "signed_at": instant_text(APPLIED),
        **changes,
    }
    return signed(who, "application", said)


async def submitted(
    store: Store, called: Called, who: Player, raw: bytes, *, now: datetime = APPLIED
) -> Received:
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await prequalifying.submit_application(tx, called.lot_id, raw)


async def sent(store: Store, called: Called, applied: Applied) -> None:
    """The application's payload, uploaded and read through."""
    for upload_id in await uploaded(store, applied.who, called.lot_id, [applied.file]):
        await uploading.assemble(at(store, APPLIED), upload_id)


async def an_applicant(
    store: Store, called: Called, who: Player, files: Mapping[str, bytes] | None = None
) -> Applied:
    """Somebody who applied in time."""
    applied = an_application(called, who, files or {"申请文件.pdf": b"%PDF-1.7 application"})
    await sent(store, called, applied)
    await submitted(store, called, who, application_statement(called, who, applied.file))
    return applied


async def released(
    store: Store, called: Called, applied: Applied, *, now: datetime = RELEASED, secret: bytes = b""
) -> None:
    """The applicant opens its application."""
    said = {
        "v": "ebid-application-release/1",
        "lot": str(called.lot_id),
        "head": b64u(applied.file.head),
        "secret": b64u(secret or applied.secret),
        "signed_at": instant_text(now),
    }
    async with transaction(store, actor=applied.who.actor, now=now) as tx:
        raw = signed(applied.who, "application-release", said)
        await prequalifying.release(tx, called.lot_id, raw)


def a_review(
    called: Called, through: Sequence[PartyId], failed: Sequence[PartyId] = (), **changes: Any
) -> bytes:
    """A review that lets the first pass and finds that the others have no record of works."""
    findings = [
        {
            "applicant": str(party),
            "condition": condition,
            "met": party in through or condition == "C1",
            "reason": "" if party in through or condition == "C1" else "未附合同与验收证明",
        }
        for party in (*through, *failed)
        for condition, _ in CONDITIONS
    ]
    said = {
        "v": "ebid-prequalification-review/1",
        "lot": str(called.lot_id),
        "round": called.round,
        "reviewers": REVIEWERS,
        "findings": findings,
        "signed_at": instant_text(REVIEWED),
        **changes,
    }
    return signed(called.cast.agency, "prequalification-review", said)


async def reviewed(
    store: Store,
    called: Called,
    through: Sequence[PartyId],
    failed: Sequence[PartyId] = (),
    *,
    now: datetime = REVIEWED,
    **changes: Any,
) -> Reviewed:
    async with transaction(store, actor=called.cast.agency.actor, now=now) as tx:
        raw = a_review(called, through, failed, **changes)
        return await prequalifying.review(tx, called.lot_id, raw)


def an_agreement(
    project_id: ProjectId,
    lot_id: LotId,
    members: Sequence[Player],
    *,
    signers: Sequence[Player] | None = None,
    **changes: Any,
) -> bytes:
    """An agreement led by the first member, signed by all of them unless others are named."""
    said = {
        "v": "ebid-consortium-agreement/1",
        "project": str(project_id),
        "lot": str(lot_id),
        "lead": str(members[0].party),
        "members": [
            {
                "organisation": str(one.party),
                "part": f"承担第{number}部分工程",
                "grades": {"市政公用工程施工总承包": number},
            }
            for number, one in enumerate(members, start=1)
        ],
        "liability": "joint",
        "signed_at": instant_text(NOW),
        **changes,
    }
    kind = payload_type("consortium-agreement")
    first, *rest = members if signers is None else signers
    envelope = first.key.sign(kind, canonical(said))
    for one in rest:
        (signature,) = one.key.sign(kind, canonical(said)).signatures
        assert isinstance(signature, Signature)
        envelope = envelope.also_signed(signature)
    return envelope.to_bytes()


def with_agreement(agreement: bytes) -> dict[str, bytes]:
    """The files of a consortium's archive."""
    return {"文件.pdf": b"%PDF-1.7", FILE: agreement}
