"""Archives: E-Bidding Measures 40; Personal Information Law 47; Government Procurement Law 42.

A package verifies without the platform and no mutant of it does; a hold keeps what would go; what
is forgotten breaks no proof.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col

from kernel.access import Role
from kernel.crypto.archive_commitments import committed_files
from kernel.crypto.archive_seal import ArchiveSeal
from kernel.crypto.digests import canonical, instant_text, sha256
from kernel.errors import NotFound, Refused
from kernel.identifiers import LibraryEntryId, LotId, PersonId
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import OWNER, connect
from kernel.store.sound_log import log_faults
from kernel.store.tables import JournalRow
from kernel.store.transaction import Store, transaction
from tests.awards import (
    Evaluated,
    answered,
    awarded,
    candidates_published,
    objected,
    standstill_ended,
)
from tests.conftest import Database
from tests.kept_stores import WITNESSES, witnessed
from tests.libraries import a_verified_licence, entered, judged, licence_said
from tests.newcomers import codes
from tests.prequalifications import REVIEWED, Called, an_applicant, released, reviewed
from tests.sealed_bids import Tender, a_bidder
from tests.tampering import tampered
from tests.tenders import (
    NOW,
    Player,
    PublishedLot,
    a_player,
    cancelled,
    signed,
    signed_papers,
)
from tests.web.careless_senders import FOR_AN_ARCHIVE, CarelessSenders
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page
from trading import archiving, forgetting, holding, library, library_views, tendering
from trading.sound_library import library_faults
from trading.tables import PrequalificationReviewRow
from web.app import create_app
from web.client import Problem
from web.verifying.archive_package import verify
from web.verifying.draw_transcript import TrustedLog
from web.verifying.verdicts import Verdict

KEYS = tuple(one.vkey for one in WITNESSES)
DAY = timedelta(days=1)
EVERY = [30, pytest.param(1, marks=pytest.mark.soak)]
"""A part of the mutants belongs to every change; the soak tries them all."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return witnessed(settings)


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def an_awarded_lot(
    evaluated: Evaluated, tick: Callable[[], Awaitable[None]]
) -> tuple[LotId, datetime]:
    done = await candidates_published(evaluated)
    await standstill_ended(evaluated, done.until)
    at = done.until + timedelta(hours=1)
    await awarded(evaluated, evaluated.ranked[0], now=at)
    await tick()
    return LotId(evaluated.hall.lot_id), at


async def package_for(store: Store, lot_id: LotId, who: Player) -> bytes:
    async with transaction(store, actor=who.actor) as tx:
        return (await archiving.archive_package(tx, lot_id)).content


def unpacked(content: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder


def failed(verdict: Verdict) -> set[str]:
    """What of a verdict does not hold."""
    return {one.what for one in verdict.checks if not one.passed}


@pytest.mark.parametrize("every", EVERY)
async def test_a_package_verifies_offline_and_no_mutant_of_it_does(
    every: int,
    store: Store,
    evaluated: Evaluated,
    settings: Settings,
    tick: Callable[[], Awaitable[None]],
    tmp_path: Path,
) -> None:
    lot_id, _ = await an_awarded_lot(evaluated, tick)
    content = await package_for(store, lot_id, evaluated.tenderee)
    file = tmp_path / "archive.zip"
    file.write_bytes(content)
    signer = founding.read_keys(settings).log_signer
    trusted = TrustedLog(signer.vkey, KEYS, 2)
    verdict = verify(file, trusted=trusted)
    assert verdict.ok, [one for one in verdict.checks if not one.passed]
    assert (verdict.found["state"], verdict.found["lot"]) == ("awarded", str(lot_id))

    folder = unpacked(content, tmp_path / "whole")
    papers = {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}
    assert {
        *("manifest.json", "manifest.seal", "proofs/0001.tlog-proof", "timetable/1.dsse"),
        *("opening-policy/1.dsse", "notices/1-tender.dsse", "documents/0/招标文件.pdf"),
        *("opening/record.dsse", "evaluation/report-1.json"),
        *("result/candidates-1.dsse", "result/award-1.dsse"),
    } <= papers
    assert verify(folder, trusted=trusted).ok
    assert not verify(file, trusted=TrustedLog("other+00000000+AA", KEYS, 2)).ok

    # Each file changed, dropped, or another beside it.
    for name in sorted(papers)[:: min(every, 4)]:
        path = folder / name
        kept = path.read_bytes()
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        assert not verify(folder).ok, name
        path.unlink()
        assert not verify(folder).ok, name
        path.write_bytes(kept)
    (folder / "more.txt").write_text("x")
    assert not verify(folder).ok
    (folder / "more.txt").unlink()

    # More of a security went back than came in, and the log's own key seals it.
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert {one["state"] for one in manifest["securities"]} == {"missing"}
    manifest["securities"][0]["returned"] = "0.01"
    raw = canonical(manifest)
    (folder / "manifest.json").write_bytes(raw)
    (folder / "manifest.seal").write_text(
        ArchiveSeal(signer.name, lot_id, sha256(raw)).signed(signer)
    )
    assert "no more of a security went back than came in" in failed(verify(folder))
    manifest["securities"][0]["returned"] = "0.00"
    (folder / "manifest.json").write_bytes(canonical(manifest))

    # The manifest changed in any place, even where the log's own key seals the change.
    manifest = json.loads((folder / "manifest.json").read_bytes())
    free = {"project", "project_code", "project_name", "lot_name", "state", "regime", "reader"}
    free |= {"made_at", "ended_on", "kept_until", "bids", "securities"}
    for what, place, mutant in islice(tampered(manifest), 0, None, every):
        if place and place[0] in free | {"witnesses", "relying_party"}:
            continue
        raw = canonical(mutant) if isinstance(mutant, dict) else b"[]"
        (folder / "manifest.json").write_bytes(raw)
        assert not verify(folder).ok, (what, place)
        sealed = ArchiveSeal(signer.name, lot_id, sha256(raw)).signed(signer)
        (folder / "manifest.seal").write_text(sealed)
        assert not verify(folder).ok, (what, place, "sealed")


async def test_who_may_take_a_package_and_what_each_gets(
    store: Store,
    evaluated: Evaluated,
    house: FastAPI,
    tick: Callable[[], Awaitable[None]],
    clock_to: Callable[[datetime], Awaitable[None]],
) -> None:
    cast = evaluated.hall.tender.cast
    lot_id = LotId(evaluated.hall.lot_id)
    path = f"/api/v1/lots/{lot_id}"
    with pytest.raises(Problem) as early:
        await (await client_of(house, cast.supervisor)).get(f"{path}/archive")
    assert early.value.codes == {"not_ended"}

    _, at = await an_awarded_lot(evaluated, tick)
    found = {}
    for who in (cast.tenderee, cast.agency, cast.staff, cast.supervisor):
        content = await package_for(store, lot_id, who)
        with zipfile.ZipFile(BytesIO(content)) as archive:
            found[who.actor.role] = json.loads(archive.read("manifest.json"))
    kinds = {role: {one["kind"] for one in told["entries"]} for role, told in found.items()}
    assert "BidsRead" in kinds[Role.SUPERVISOR]
    assert "BidsRead" not in kinds[Role.TENDEREE] | kinds[Role.CENTRE_STAFF]
    assert kinds[Role.CENTRE_STAFF] <= kinds[Role.TENDEREE] <= kinds[Role.SUPERVISOR]
    stranger = await a_player(store, Role.TENDEREE)
    with pytest.raises(Problem) as other:
        await (await client_of(house, stranger)).get(f"{path}/keeping")
    assert other.value.status == 403
    await clock_to(at)
    told = await (await client_of(house, cast.agency)).get(f"{path}/keeping")
    years = {one["class"]: one["until"] for one in told["classes"]}
    assert years["tender"] == f"{at.year + 15}{at.date().isoformat()[4:]}"
    assert [one["years"] for one in told["classes"] if one["class"] == "biometrics"] == [None]
    terms = (await (await client_of(house)).get("/api/v1/retention"))["classes"]
    assert {one["years"] for one in terms} == {15, None}
    for who, needle in ((cast.supervisor, "责令保全"), (cast.tenderee, "下载归档包")):
        shown = await page(house, f"/lots/{lot_id}/archive", who)
        assert needle in shown
        assert faults_of(tree_of(shown)) == []
    assert "Legal holds" in await page(house, f"/en/lots/{lot_id}/archive", cast.supervisor)
    await held(store, lot_id, cast.supervisor)
    for who in (cast.tenderee, cast.agency, cast.staff):
        told = await (await client_of(house, who)).get(f"{path}/keeping")
        assert (told["held"], told["holds"]) == (False, [])
        assert "保全" not in await page(house, f"/lots/{lot_id}/archive", who)


async def test_of_a_lot_that_ended_unclosed_no_package_tells_who_objected(
    store: Store, tender: Tender, tick: Callable[[], Awaitable[None]]
) -> None:
    bidder, cast = await a_player(store, Role.BIDDER), tender.cast
    raised = await objected(store, bidder, tender.lot_id, "documents", now=NOW)
    await answered(store, cast.agency, tender.lot_id, raised, now=NOW + DAY)
    await cancelled(store, cast, tender.lot, now=NOW + 2 * DAY)
    await tick()
    for who in (cast.tenderee, cast.supervisor):
        content = await package_for(store, LotId(tender.lot_id), who)
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = archive.namelist()
            manifest = archive.read("manifest.json").decode()
        assert not [one for one in names if one.startswith(("objections", "complaints"))]
        assert bidder.key.keyid not in manifest
        assert "notices/2-cancellation.dsse" in names


async def test_a_prequalification_is_kept_and_of_a_lot_that_ended_unclosed_nobody_who_applied(
    store: Store, called_lot: Called, tick: Callable[[], Awaitable[None]], tmp_path: Path
) -> None:
    called, agency = called_lot, called_lot.cast.agency
    applied = [await an_applicant(store, called, await a_bidder(store)) for _ in range(3)]
    for one in applied:
        await released(store, called, one)
    await reviewed(store, called, [one.who.party for one in applied])
    papers = await signed_papers(store, agency, called.lot_id, now=REVIEWED)
    async with transaction(store, actor=agency.actor, now=REVIEWED) as tx:
        await tendering.publish_lot(tx, called.lot_id, papers)
    lot = PublishedLot(called.project_id, called.lot_id, papers, b"", b"", REVIEWED)
    await cancelled(store, called.cast, lot, now=REVIEWED + DAY)
    await tick()

    file = tmp_path / "archive.zip"
    file.write_bytes(await package_for(store, called.lot_id, called.cast.tenderee))
    verdict = verify(file)
    assert verdict.ok, [one for one in verdict.checks if not one.passed]
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    assert {one for one in names if one.startswith("prequalification/")} == {
        "prequalification/1/notice.dsse",
        "prequalification/1/documents/资格预审文件.pdf",
    }
    async with store.sessions() as session:
        review = await session.get_one(PrequalificationReviewRow, (called.lot_id, 1))
        ended = await session.scalar(
            select(col(JournalRow.record)).where(col(JournalRow.kind) == "PrequalificationEnded")
        )
    assert ended is not None
    signed_review = {"prequalification/1/review.dsse": review.statement}
    assert committed_files(signed_review, [bytes(ended)]) == signed_review.keys()


async def held(store: Store, lot_id: LotId, who: Player, now: datetime = NOW) -> Any:
    said = {
        "v": "ebid-legal-hold/1",
        "lot": str(lot_id),
        "authority": "江城市公共资源交易监督管理局",
        "document": "江公管保〔2026〕1号",
        "reason": "调查串通投标",
        "signed_at": instant_text(now),
    }
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await holding.set_hold(tx, lot_id, signed(who, "legal-hold", said))


async def test_a_hold_is_set_and_lifted_over_http_and_spoilt_ones_leave_nothing(
    store: Store, tender: Tender, house: FastAPI
) -> None:
    careless: Any = CarelessSenders(house, store)
    careless.known(tender.cast.supervisor)
    supervisor = await client_of(careless, tender.cast.supervisor)
    path = f"/api/v1/lots/{tender.lot_id}"
    order = {"authority": "江城市监察委员会", "document": "江监〔2026〕7号", "reason": "调查"}
    lot = {"lot": str(tender.lot_id)}
    hold = await supervisor.post_statement(f"{path}/holds", "legal-hold", {**lot, **order})
    assert (await supervisor.get(f"{path}/keeping"))["held"] is True
    end = {**lot, "hold": hold["id"], "reason": "结案"}
    await supervisor.post_statement(f"{path}/holds/{hold['id']}/end", "legal-hold-end", end)
    told = await supervisor.get(f"{path}/keeping")
    assert (told["held"], told["holds"][0]["lifted_because"]) == (False, "结案")
    assert set(careless.spoilt) == FOR_AN_ARCHIVE


async def forgotten(store: Store, staff: Player, person: PersonId, now: datetime) -> int:
    async with transaction(store, actor=staff.actor, now=now) as tx:
        return await forgetting.forget_person(tx, person, basis="本人申请")


async def test_a_person_is_forgotten_when_nothing_keeps_him_and_every_proof_stands(
    store: Store, tender: Tender, tick: Callable[[], Awaitable[None]], database: Database
) -> None:
    agency, staff, supervisor = tender.cast.agency, tender.cast.staff, tender.cast.supervisor
    lot_id = LotId(tender.lot_id)
    hold = await held(store, lot_id, supervisor)
    far = NOW + 365 * 16 * DAY
    with pytest.raises(Refused) as refused:
        await forgotten(store, staff, agency.person, far)
    assert codes(refused) == {"still_acting", "legal_hold", "term_running"}

    said = {"v": "ebid-legal-hold-end/1", "lot": str(lot_id), "hold": str(hold)}
    raw = signed(
        supervisor, "legal-hold-end", {**said, "reason": "结案", "signed_at": instant_text(NOW)}
    )
    async with transaction(store, actor=supervisor.actor, now=NOW) as tx:
        await holding.lift_hold(tx, lot_id, hold, raw)
    async with store.sessions() as session, session.begin():
        ended = {"person": agency.person, "at": NOW}
        await session.execute(
            text("UPDATE kernel.membership SET ended_at = :at WHERE person_id = :person"), ended
        )
    with pytest.raises(Refused) as refused:  # the lot goes on, and nobody knows until when
        await forgotten(store, staff, agency.person, far)
    assert codes(refused) == {"term_running"}

    bidder = await a_player(store, Role.BIDDER)
    await entered(store, bidder, licence_said(bidder))
    await tick()
    async with store.sessions() as session, session.begin():
        ended = {"person": bidder.person, "at": NOW}
        await session.execute(
            text("UPDATE kernel.membership SET ended_at = :at WHERE person_id = :person"), ended
        )
    assert await forgotten(store, staff, bidder.person, NOW + DAY) == 1
    with pytest.raises(NotFound):
        await forgotten(store, staff, bidder.person, NOW + DAY)
    await tick()
    engine = connect(database.url(OWNER), pool_size=1)
    async with engine.connect() as connection:
        assert await log_faults(connection) == []
        name = await connection.execute(
            text("SELECT name FROM kernel.person WHERE id = :id"), {"id": bidder.person}
        )
        assert name.scalar_one() == ""
    for change in (
        "UPDATE kernel.journal SET operator = 'x'::bytea",
        "UPDATE kernel.journal SET operator = ''::bytea",
        "UPDATE kernel.journal SET record = ''::bytea",
        "DELETE FROM kernel.journal",
    ):
        with pytest.raises(DBAPIError):
            async with store.sessions() as session, session.begin():
                await session.execute(text(change))
    async with store.sessions() as session, session.begin():
        await session.execute(
            text("UPDATE kernel.journal SET operator = ''::bytea, operator_salt = ''::bytea")
        )
    async with engine.connect() as connection:
        assert "nobody was forgotten" in " ".join(await log_faults(connection))
    await engine.dispose()


async def test_an_entry_that_was_never_verified_goes_at_once_and_a_verified_one_not(
    store: Store,
) -> None:
    bidder, staff = await a_player(store, Role.BIDDER), await a_player(store, Role.CENTRE_STAFF)
    used = await a_verified_licence(store, bidder, staff)
    refused_entry = await entered(store, bidder, licence_said(bidder))
    await judged(store, staff, refused_entry.id, holds=False)

    async def erased(entry_id: LibraryEntryId, now: datetime) -> None:
        async with transaction(store, actor=bidder.actor, now=now) as tx:
            await forgetting.erase_entry(tx, entry_id)

    await erased(refused_entry.id, NOW)
    with pytest.raises(NotFound):
        await erased(refused_entry.id, NOW)
    with pytest.raises(Refused) as refused:
        await erased(used.id, NOW)
    assert codes(refused) == {"term_running"}
    async with transaction(store, actor=bidder.actor, now=NOW) as tx:
        await library.withdraw_entry(tx, used.id, reason="已换发")
        # Both named the same paper; the one that is kept still has it.
        assert (await library_views.read_entry_file(tx, used.id))[1]
    with pytest.raises(Refused):
        await erased(used.id, NOW.replace(year=NOW.year + 15))
    await erased(used.id, NOW.replace(year=NOW.year + 15) + DAY)
    async with transaction(store, actor=bidder.actor, now=NOW) as tx:
        assert (await library_views.own_library(tx)).entries == ()
    engine = store.sessions.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    async with engine.connect() as connection:
        assert await library_faults(connection) == []
