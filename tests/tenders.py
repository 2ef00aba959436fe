"""Tenders for tests: a cast that is known to the platform, drafts and published lots.

Everything is valid by default and changed by keyword, so that a test says only what it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from kernel.access import Actor, Role
from kernel.crypto.digests import b64u, canonical, instant_text, sha256
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.errors import NotFound
from kernel.identifiers import (
    LotId,
    PartyId,
    PersonId,
    ProjectId,
    organisation_check_character,
    uscc_check_character,
)
from kernel.randomness import random_bytes, random_id
from kernel.store.tables import CredentialRow, MembershipRow, OrganisationRow, PersonRow
from kernel.store.transaction import Store, transaction
from tests.tender_files import made_whole
from trading import composing, drafting, inviting, lots, splitting, tendering
from trading.drafting import LotTerms, Nomination, ProjectTerms
from trading.inviting import InvitationList
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure, SecurityForm
from trading.rules.split_award import SplitAward
from trading.rules.tender_file import tender_file_document
from trading.tendering import SignedPapers

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday 2026-03-02 09:00 in Beijing, where the clock of a test's store starts."""

_serials = count(1)


@dataclass(frozen=True, slots=True)
class Player:
    """A person who acts, for whom, and the key that speaks for that person."""

    key: PrivateKey
    actor: Actor
    name: str
    organisation: str
    lot_keys: dict[UUID, PrivateKey] = field(default_factory=dict)

    @property
    def person(self) -> PersonId:
        return self.actor.person

    @property
    def party(self) -> PartyId:
        return self.actor.party


@dataclass(frozen=True, slots=True)
class Cast:
    """Everyone a tender needs before anybody bids."""

    tenderee: Player
    agency: Player
    staff: Player
    supervisor: Player
    custodians: tuple[Player, ...]


def a_uscc() -> str:
    """A credit code that no other organisation of the tests has."""
    code = f"{next(_serials):08d}"
    stem = "91420100" + code + organisation_check_character(code)
    return stem + uscc_check_character(stem)


async def a_player(
    store: Store,
    role: Role,
    *,
    organisation: str = "",
    party: PartyId | None = None,
    person: str = "",
    verified: bool = True,
    also: Sequence[Role] = (),
) -> Player:
    """A person with a key, in one capacity for an organisation, new unless `party` is given."""
    number = next(_serials)
    key = PrivateKey.generate()
    person_id = PersonId(random_id())
    party_id = party or PartyId(random_id())
    organisation = organisation or f"第{number}单位"
    name = person or f"人员{number}"
    async with store.sessions() as session, session.begin():
        if party is None:
            session.add(
                OrganisationRow(
                    id=party_id,
                    uscc=a_uscc(),
                    name=organisation,
                    region_code="420100",
                    responsible_person=name,
                    roles=[str(one) for one in (role, *also)],
                    registered_at=NOW,
                    registration_digest=random_bytes(32),
                    verified_at=NOW if verified else None,
                )
            )
        session.add(
            PersonRow(id=person_id, name=name, identity_hash=random_bytes(32), registered_at=NOW)
        )
        await session.flush()
        session.add(
            MembershipRow(
                id=random_id(), person_id=person_id, party_id=party_id, role=role, since=NOW
            )
        )
        session.add(
            CredentialRow(
                keyid=key.keyid,
                person_id=person_id,
                kind="p256",
                public_key=key.public_bytes,
                added_at=NOW,
            )
        )
    return Player(key, Actor(role, person_id, party_id), name, organisation)


async def a_cast(store: Store) -> Cast:
    """Tenderee, agency, centre and regulator, each with a custodian of its own."""
    tenderee = await a_player(
        store, Role.TENDEREE, organisation="江城市水务发展有限公司", also=[Role.CUSTODIAN]
    )
    agency = await a_player(
        store, Role.AGENCY, organisation="中衡工程咨询有限公司", also=[Role.CUSTODIAN]
    )
    staff = await a_player(
        store, Role.CENTRE_STAFF, organisation="江城市公共资源交易中心", also=[Role.CUSTODIAN]
    )
    supervisor = await a_player(
        store,
        Role.SUPERVISOR,
        organisation="江城市公共资源交易监督管理局",
        also=[Role.CUSTODIAN],
    )
    owners = (tenderee, agency, staff, supervisor)
    custodians = [
        await a_player(store, Role.CUSTODIAN, party=owner.party, organisation=owner.organisation)
        for owner in owners
    ]
    return Cast(tenderee, agency, staff, supervisor, tuple(custodians))


def signed(who: Player, kind: str, payload: dict[str, Any]) -> bytes:
    """The payload as a DSSE statement of this person's."""
    return who.key.sign(payload_type(kind), canonical(payload)).to_bytes()


# ── projects and drafts ───────────────────────────────────────────────────────────────────────


def project_terms(cast: Cast, **changes: Any) -> ProjectTerms:
    terms = ProjectTerms(
        code=f"JC2026-GC-{next(_serials):04d}",
        name="滨江新区污水处理厂二期工程",
        procedure=Procedure.OPEN_TENDER_MANDATORY,
        category=WorkKind.WORKS,
        region_code="420100",
        funding_source="财政资金，出资比例100%",
        tenderee_id=cast.tenderee.party,
        agency_id=cast.agency.party,
        contact={
            "tenderee_address": "江城市滨江大道1号",
            "tenderee_contact": "王工 027-00000001",
            "agency_address": "江城市中山路2号",
            "agency_contact": "李工 027-00000002",
        },
    )
    return replace(terms, **changes)


def a_plan(now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """Documents for six days, bids due at 09:30 in Beijing on the twenty-first day."""
    due_at = (now + timedelta(days=21)).replace(hour=1, minute=30, second=0, microsecond=0)
    plan = {
        "documents_from": instant_text(now),
        "documents_until": instant_text(now + timedelta(days=7)),
        "bids_due_at": instant_text(due_at),
        "release_window_s": 1800,
        "publicity_days": 3,
        "validity_days": 90,
    }
    return {**plan, **changes}


SHEET_FIELDS: tuple[dict[str, Any], ...] = (
    {"key": "price", "label": "投标总价（元）", "kind": "money"},
    {"key": "duration_days", "label": "工期（日历天）", "kind": "count"},
    {"key": "quality", "label": "质量目标", "kind": "text"},
    {"key": "manager", "label": "项目负责人", "kind": "text"},
)


SCHEME: dict[str, Any] = {
    "v": "ebid-score-scheme/1",
    "method": "comprehensive_evaluation",
    "items": [
        {
            "id": "construction",
            "name": "施工组织设计",
            "kind": "subjective",
            "part": "technical",
            "highest": "25",
            "bands": [
                {"name": "优", "min": "20", "max": "25"},
                {"name": "良", "min": "10", "max": "19.99"},
            ],
        },
        {
            "id": "records",
            "name": "类似工程业绩",
            "kind": "objective",
            "part": "business",
            "highest": "15",
            "step": "3",
        },
    ],
    "price": {
        "points": "60",
        "benchmark": {
            "averaging": "M2",
            "deduction": {"method": "D1", "above": "2", "below": "1"},
            "entering": "valid",
        },
    },
    "round": {"stage": "total", "places": 2, "how": "half_up"},
    "ties": ["lower_price", "higher_technical"],
}


def lot_terms(**changes: Any) -> LotTerms:
    terms = LotTerms(
        name="施工总承包一标段",
        region_code="420100",
        estimate=Decimal("130000000.00"),
        ceiling_price=Decimal("128460000.00"),
        bid_security=Decimal("800000.00"),
        security_forms=(SecurityForm.BANK_GUARANTEE, SecurityForm.INSURANCE),
        scheme=SCHEME,
        sheet_fields=SHEET_FIELDS,
        notice={
            "content": "新建日处理10万吨污水处理设施及配套管网",
            "scale": "日处理10万吨",
            "place": "江城市滨江新区",
            "schedule": "总工期540日历天",
            "qualifications": "市政公用工程施工总承包一级及以上资质",
            "consortium": "不接受联合体投标",
            "documents_how": "登录本平台免费下载",
            "submission_how": "通过本平台加密递交",
            "platform_how": "投标人在本机加密投标文件后上传，开标时在线解密",
            "evaluation_method": "综合评估法，详见招标文件第三章",
        },
        plan=a_plan(),
    )
    return replace(terms, **changes)


async def a_project(store: Store, cast: Cast, **changes: Any) -> ProjectId:
    async with transaction(store, actor=cast.tenderee.actor, now=NOW) as tx:
        return await drafting.create_project(tx, project_terms(cast, **changes))


def nominations(custodians: Sequence[Player]) -> list[Nomination]:
    """Each keeps one key; the last, the regulator's, is dealt two escrow shares."""
    last = len(custodians) - 1
    return [
        Nomination(one.person, one.party, 2 if place == last else 1)
        for place, one in enumerate(custodians)
    ]


def key_statement(who: Player, project_id: UUID, lot_id: UUID, key: PrivateKey) -> bytes:
    payload = {
        "v": "ebid-custodian-key/1",
        "project": str(project_id),
        "lot": str(lot_id),
        "kid": key.kid,
        "public_key": b64u(key.public_bytes),
        "signed_at": instant_text(NOW),
    }
    return signed(who, "custodian-key", payload)


async def a_draft(
    store: Store, cast: Cast, project_id: ProjectId | None = None, **changes: Any
) -> tuple[ProjectId, LotId]:
    """A draft that could be published: terms, a document, custodians and their keys."""
    owner = cast.agency.actor
    project_id = project_id or await a_project(store, cast)
    async with transaction(store, actor=owner, now=NOW) as tx:
        lot_id = await drafting.draft_lot(tx, project_id, lot_terms(**changes))
    async with transaction(store, actor=owner, now=NOW) as tx:
        await drafting.add_document(
            tx, lot_id, "招标文件.pdf", b"%PDF-1.7 tender", media_type="application/pdf"
        )
        await drafting.name_custodians(tx, lot_id, nominations(cast.custodians))
    await a_whole_file(store, owner, lot_id)
    for custodian in cast.custodians:
        key = custodian.lot_keys[lot_id] = PrivateKey.generate()
        async with transaction(store, actor=custodian.actor, now=NOW) as tx:
            raw = key_statement(custodian, project_id, lot_id, key)
            await drafting.register_custodian_key(tx, lot_id, raw)
    return project_id, lot_id


async def a_whole_file(store: Store, owner: Actor, lot_id: UUID) -> None:
    """Nothing stands against the draft's tender file any more, where its procedure has one."""
    async with transaction(store, actor=owner, now=NOW) as tx:
        with suppress(NotFound):
            begun = (await composing.own_file(tx, lot_id)).document
            whole = tender_file_document(made_whole(begun))
            await composing.replace_file(tx, lot_id, whole)


# ── published lots ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PublishedLot:
    """A lot open for bids: its ids, the signed papers, and the bytes that envelopes name."""

    project_id: ProjectId
    lot_id: LotId
    papers: SignedPapers
    policy: bytes
    timetable: bytes
    bids_due_at: datetime

    @property
    def policy_hash(self) -> bytes:
        return sha256(self.policy)


async def signed_papers(
    store: Store, who: Player, lot_id: UUID, *, now: datetime = NOW, **timetable: Any
) -> SignedPapers:
    """The papers the platform proposes, signed; the timetable changed by keyword."""
    async with transaction(store, actor=who.actor, now=now) as tx:
        papers = await tendering.publication_papers(tx, lot_id)
    times = {**papers.timetable, **timetable}
    notice = {
        **papers.notice,
        **{key: times[key] for key in ("documents_from", "documents_until", "bids_due_at")},
        "timetable": b64u(sha256(canonical(times))),
    }
    return SignedPapers(
        signed(who, "timetable", times),
        signed(who, "opening-policy", papers.opening_policy),
        signed(who, "notice", notice),
    )


async def a_published_lot(
    store: Store,
    cast: Cast,
    project_id: ProjectId | None = None,
    *,
    invitation: InvitationList | None = None,
    award_method: SplitAward | None = None,
    **changes: Any,
) -> PublishedLot:
    """A lot published by the agency, open for twenty-one days for everybody or for the invited."""
    project_id, lot_id = await a_draft(store, cast, project_id, **changes)
    if invitation is not None:
        async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
            await inviting.name_invited(tx, lot_id, invitation)
    if award_method is not None:
        async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
            await splitting.name_award_method(tx, lot_id, award_method)
    return await published(store, cast, project_id, lot_id)


async def published(store: Store, cast: Cast, project_id: ProjectId, lot_id: LotId) -> PublishedLot:
    """A draft that is whole, published by the agency."""
    papers = await signed_papers(store, cast.agency, lot_id)
    async with transaction(store, actor=cast.agency.actor, now=NOW) as tx:
        await tendering.publish_lot(tx, lot_id, papers)
        due_at = (await lots.hold(tx, lot_id)).bids_due_at
    assert due_at is not None
    return PublishedLot(
        project_id,
        lot_id,
        papers,
        Envelope.from_bytes(papers.opening_policy).payload,
        Envelope.from_bytes(papers.timetable).payload,
        due_at,
    )


async def cancelled(
    store: Store, cast: Cast, lot: PublishedLot, *, now: datetime, reason: str = "项目用地规划调整"
) -> None:
    """The tenderee ends the tender of a published lot."""
    said = {
        "v": "ebid-notice/1",
        "kind": "cancellation",
        "project": str(lot.project_id),
        "lot": str(lot.lot_id),
        "reason": reason,
        "promises": ["interest", "return"],
        "signed_at": instant_text(now),
    }
    async with transaction(store, actor=cast.tenderee.actor, now=now) as tx:
        await tendering.cancel_lot(tx, lot.lot_id, signed(cast.tenderee, "notice", said))
