"""Bidding Law 22, 28; Electronic Bidding Measures 21, 26, 27: what the bid desk tells, and whom."""

from __future__ import annotations

import asyncio
import io
import json
import re
import socket
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from kernel.crypto import sealing
from kernel.crypto.digests import b64, b64u, sha256, strict_json, unb64u
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import Envelope, PrivateKey, verify
from kernel.identifiers import LotId
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.transaction import Store
from tests.sealed_bids import (
    Tender,
    Tick,
    a_bidder,
    a_sealed_bid,
    a_submission,
    at,
    ticking,
)
from tests.tenders import Player
from tests.web.bid_house import bid_house
from tests.web.browser import served
from tests.web.tender_house import client_of, page, token_of
from trading import closing
from trading.reception import Reception
from web import sealing_bids
from web.client import Client, Problem
from web.command_line import main
from web.exit_codes import USAGE
from web.sealing_bids import Bidder, NotSealable, deliver, read_package, seal_bid

DSSE = "application/vnd.dsse+json"
SHEET = {"price": "128460000.00", "duration_days": 540, "quality": "合格", "manager": "王伟"}


@pytest.fixture
async def bidder(store: Store) -> Player:
    return await a_bidder(store)


@pytest.fixture
async def house(store: Store, settings: Settings) -> AsyncIterator[FastAPI]:
    async with bid_house(store, settings) as app:
        yield app


async def raw_client(app: FastAPI, who: Player | None) -> httpx.AsyncClient:
    headers = (
        {} if who is None else {"Authorization": f"Bearer {await token_of(app.state.store, who)}"}
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://localhost", headers=headers
    )


def lasting(app: FastAPI, patience_s: float) -> None:
    """Let the counter of this house wait so long for receipts."""
    counter: Reception = app.state.reception
    app.state.reception = replace(counter, patience_s=patience_s)


def files_in(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "商务").mkdir(parents=True)
    (folder / "投标函.txt").write_bytes("致招标人".encode())
    (folder / "商务" / "报价.txt").write_bytes(b"x" * 3_000_000)
    return folder


async def the_package(client: Client, tender: Tender) -> bytes:
    return await client.read(f"/api/v1/lots/{tender.lot_id}/sealing-package")


async def test_a_bid_sealed_offline_is_uploaded_submitted_and_verifies(
    house: FastAPI, store: Store, tender: Tender, bidder: Player, tick: Tick, tmp_path: Path
) -> None:
    lasting(house, 30)
    client = await client_of(house, bidder)
    package = read_package(await the_package(client, tender))
    who = Bidder(str(bidder.party), bidder.key)
    sealed = seal_bid(
        package,
        who,
        sheet=SHEET,
        files=[files_in(tmp_path)],
        folder=tmp_path / "sealed",
        now=tender.due_at,
        escrow=True,
    )
    async with ticking(tick):
        answer = await deliver(client, sealed.folder)
        again = await deliver(client, sealed.folder)
    assert again["receipt"] == answer["receipt"]
    vkey = founding.read_keys(store.settings).log_signer.vkey
    proven = verify_proof(answer["receipt"], log_vkey=vkey, witness_vkeys=())
    facts = json.loads(proven.record)["facts"]
    raw = (sealed.folder / "submission.dsse").read_bytes()
    assert facts["submission"] == answer["submission"] == b64u(sha256(raw))
    mine = await client.get(f"/api/v1/lots/{tender.lot_id}/bids/mine")
    assert mine["next"] == {"seq": 2, "replaces": answer["submission"]}
    receipt = await client.read(f"/api/v1/receipts/{answer['entry_id']}")
    assert receipt.decode() == answer["receipt"]


async def test_the_secrets_of_a_sealed_bid_open_it_and_lie_with_the_bidder_alone(
    house: FastAPI, tender: Tender, bidder: Player, tmp_path: Path
) -> None:
    client = await client_of(house)
    package = read_package(await the_package(client, tender))
    heard: dict[str, tuple[int, int]] = {}
    sealed = seal_bid(
        package,
        Bidder(str(bidder.party), bidder.key),
        sheet=SHEET,
        files=[files_in(tmp_path)],
        folder=tmp_path / "sealed",
        now=tender.due_at,
        progress=lambda what, done, total: heard.update({what: (done, total)}),
    )
    recovery = sealed.folder / "recovery.json"
    entries = sealing.read_recovery(recovery.read_bytes(), passphrase=sealed.passphrase)
    for private in ("recovery.json", "opening-key.pem"):
        assert (sealed.folder / private).stat().st_mode & 0o077 == 0
    for envelope, entry in zip(sealed.envelopes, entries, strict=True):
        container = (sealed.folder / envelope.file).read_bytes()
        header = sealing.parse_header(container)
        assert entry.secrets.officials is not None
        secrets = {"bidder": entry.secrets.bidder, "officials": entry.secrets.officials}
        key = sealing.file_key(header, secrets)
        if envelope.kind == "sheet":
            stated = strict_json(sealing.open_sheet(container, key))
            assert stated == {"v": "ebid-sheet/1", "currency": "CNY", **SHEET}
        else:
            with (sealed.folder / envelope.file).open("rb") as file:
                inside = sealing.random_access(file, header, key, offset=envelope.header_size)
                bundle = zipfile.ZipFile(inside)
                assert bundle.testzip() is None
                names = bundle.namelist()
                manifest = json.loads(bundle.read("manifest.json"))
    assert names == ["manifest.json", "商务/报价.txt", "投标函.txt"]
    assert manifest["files"][1] == {
        "name": "投标函.txt",
        "size": 12,
        "sha256": sha256("致招标人".encode()).hex(),
    }
    assert {done for done, total in heard.values()} == {total for done, total in heard.values()}
    assert set(heard) == {"files", "sheet", "bid"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"price": None}, "投标总价"),
        ({"price": "12.345"}, "投标总价"),
        ({"price": 128}, "投标总价"),
        ({"manager": " "}, "项目负责人"),
        ({"discount": "0.9"}, "discount"),
        ({"currency": "USD"}, "人民币"),
    ],
)
async def test_a_sheet_the_notice_did_not_ask_for_is_not_sealed(
    house: FastAPI, tender: Tender, change: dict[str, Any], word: str
) -> None:
    package = read_package(await the_package(await client_of(house), tender))
    values = {key: value for key, value in {**SHEET, **change}.items() if value is not None}
    with pytest.raises(NotSealable, match=word):
        sealing_bids.sheet_bytes(package, values)


def test_files_that_cannot_all_be_kept_under_their_names_are_not_sealed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder / "x.pdf").write_bytes(b"x")
    with pytest.raises(NotSealable, match=r"x\.pdf"):
        sealing_bids.bid_files([tmp_path / "a" / "x.pdf", tmp_path / "b" / "x.pdf"])
    with pytest.raises(NotSealable):
        sealing_bids.bid_files([])
    with pytest.raises(NotSealable):
        sealing_bids.bid_files([tmp_path / "none.pdf"])
    for name in ("manifest.json", "a\\b.pdf", 'a".pdf', "a:b"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(NotSealable):
            sealing_bids.bid_files([tmp_path / name])


def test_a_file_that_changes_while_it_is_sealed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.pdf"
    path.write_bytes(b"first")
    files = sealing_bids.bid_files([path])
    path.write_bytes(b"later")
    with pytest.raises(NotSealable):
        sealing_bids.write_bundle(files, io.BytesIO())


async def test_without_a_log_the_answer_is_a_promise_the_platform_signed(
    house: FastAPI, store: Store, tender: Tender, bidder: Player, tick: Tick
) -> None:
    lasting(house, 0)
    files = a_sealed_bid(tender, bidder)
    client = await client_of(house, bidder)
    for file in files:
        upload = await client.upload(str(tender.lot_id), file.kind, file.payload)
        await client.put_header(upload, file.header)
    raw = a_submission(tender, bidder, files)
    told = await client.post_signed(f"/api/v1/lots/{tender.lot_id}/bids", raw)
    assert "receipt" not in told
    platform_key = founding.read_keys(store.settings).platform_key
    promise = Envelope.from_bytes(told["promise"].encode())
    verify(promise, keys={platform_key.keyid: platform_key.public_bytes})
    said = strict_json(promise.payload)
    assert isinstance(said, dict)
    assert (said["submission"], said["received_at"]) == (b64u(sha256(raw)), told["received_at"])
    lasting(house, 30)
    async with ticking(tick):
        kept = await client.get(told["link"])
    assert kept["received_at"] == told["received_at"]
    assert kept["receipt"]


async def refused(client: Client, path: str, raw: bytes) -> Problem:
    with pytest.raises(Problem) as problem:
        await client.post_signed(path, raw)
    return problem.value


async def test_a_refusal_carries_its_articles_and_a_prompt(
    house: FastAPI, tender: Tender, bidder: Player
) -> None:
    client = await client_of(house, bidder)
    sheet, bid = a_sealed_bid(tender, bidder)
    upload = await client.upload(str(tender.lot_id), bid.kind, bid.payload)
    with pytest.raises(Problem) as problem:
        await client.put_header(upload, b"PK\x03\x04 not sealed at all")
    assert (problem.value.status, problem.value.codes) == (409, frozenset({"not_sealed"}))
    assert "第26条" in problem.value.refusals[0]["article"]
    path = f"/api/v1/lots/{tender.lot_id}/bids"
    missing = await refused(client, path, a_submission(tender, bidder, (sheet, bid)))
    assert (missing.status, missing.codes) == (409, frozenset({"incomplete"}))
    assert "sheet" in missing.refusals[0]["facts"]["missing"]


async def test_what_a_stranger_may_send_gets_a_clear_answer_and_leaves_nothing(
    house: FastAPI, store: Store, tender: Tender, bidder: Player
) -> None:
    lot = f"/api/v1/lots/{tender.lot_id}"
    good: dict[str, Any] = {"envelope": "bid", "size": 3, "parts": [sha256(b"abc").hex()]}
    async with await raw_client(house, bidder) as client:

        async def status(method: str, path: str, **sent: Any) -> int:
            answer = await client.request(method, path, **sent)
            assert answer.status_code < 500, answer.text
            assert answer.headers["content-type"].startswith("application/problem+json")
            return answer.status_code

        bodies: list[Any] = [
            {**good, "colour": "red"},
            {**good, "size": "3"},
            {**good, "size": 0},
            {**good, "size": -1},
            {**good, "size": 1 << 60},
            {**good, "size": 1 << 40},
            {**good, "parts": []},
            {**good, "parts": ["zz" * 32]},
            {**good, "parts": ["00" * 31]},
            {**good, "parts": good["parts"] * 2},
            {**good, "envelope": "../etc"},
            {**good, "envelope": "x" * 500},
            {},
            [],
        ]
        for body in bodies:
            assert await status("POST", f"{lot}/uploads", json=body) == 422
        assert await status("POST", f"{lot}/uploads", content=b"{") in (400, 422)
        nowhere = f"/api/v1/lots/{uuid4()}"
        assert await status("POST", f"{nowhere}/uploads", json=good) == 404
        assert await status("POST", "/api/v1/lots/none/uploads", json=good) == 404
        upload = (await client.post(f"{lot}/uploads", json=good)).json()["upload_id"]
        part = f"/api/v1/uploads/{upload}/parts"
        binary = {"Content-Type": "application/octet-stream"}
        assert await status("PUT", f"{part}/0", content=b"abd", headers=binary) == 422
        assert await status("PUT", f"{part}/0", content=b"ab", headers=binary) == 422
        assert await status("PUT", f"{part}/0", content=b"abcd", headers=binary) == 422
        assert await status("PUT", f"{part}/1", content=b"abc", headers=binary) == 404
        assert await status("PUT", f"{part}/-1", content=b"abc", headers=binary) == 404
        assert await status("PUT", f"{part}/one", content=b"abc", headers=binary) == 404
        large = bytes(sealing.PART_SIZE + 1)
        assert await status("PUT", f"{part}/0", content=large, headers=binary) == 413
        header = f"/api/v1/uploads/{upload}/header"
        assert await status("PUT", header, content=large, headers=binary) == 413
        for digest in (f"sha-256=:{b64(bytes(32))}:", "sha-256=abc", "md5=:AAAA:"):
            sent = {**binary, "Content-Digest": digest}
            assert await status("PUT", f"{part}/0", content=b"abc", headers=sent) == 422
        wrong = {**binary, "X-Part-SHA256": "00" * 32}
        assert await status("PUT", f"{part}/0", content=b"abc", headers=wrong) == 422
        assert (await client.get(f"/api/v1/uploads/{upload}")).json()["missing"] == [0]
        for kind in ("application/json", "text/plain", ""):
            assert (
                await status("POST", f"{lot}/bids", content=b"{}", headers={"Content-Type": kind})
                == 415
            )
        dsse = {"Content-Type": DSSE}
        for content in (b"", b"{", b"null", b"[" * 5000, b"\xff" * 40):
            assert await status("POST", f"{lot}/bids", content=content, headers=dsse) == 422
        assert await status("POST", f"{lot}/bids", content=bytes(2 << 20), headers=dsse) == 413
        raw = a_submission(tender, bidder, ())
        for key in ("", "a b", "x" * 129):
            sent = {**dsse, "Idempotency-Key": key}
            assert await status("POST", f"{lot}/bids", content=raw, headers=sent) == 400
        elsewhere = await status("POST", f"{nowhere}/bids", content=raw, headers=dsse)
        assert elsewhere == 422
        assert await status("GET", f"/api/v1/receipts/{uuid4()}") == 404
        assert await status("GET", f"{lot}/submissions/{uuid4()}") == 404
        assert await status("GET", f"/api/v1/receipts/{uuid4()}?seen=1") == 400


async def everything_others_see(app: FastAPI, tender: Tender, others: list[Player | None]) -> Any:
    """Every answer of every route that exists, as others get it, without what differs each time."""
    lot = tender.lot_id
    paths = [
        f"/api/v1/lots/{lot}",
        "/api/v1/lots",
        f"/api/v1/lots/{lot}/timetable",
        f"/api/v1/lots/{lot}/opening",
        f"/api/v1/lots/{lot}/opening-record",
        f"/api/v1/lots/{lot}/own-headers",
        f"/api/v1/lots/{lot}/sealing-package",
        f"/api/v1/lots/{lot}/uploads",
        f"/api/v1/lots/{lot}/bids/mine",
        f"/api/v1/projects/{tender.lot.project_id}",
        "/api/v1/own-projects",
        "/",
        "/notices",
        f"/notices/{lot}",
        "/openings",
        f"/openings/{lot}",
        f"/openings/{lot}/board",
        f"/lots/{lot}/bid",
        "/bids",
        "/bars",
    ]
    seen = {}
    for place, who in enumerate(others):
        async with await raw_client(app, who) as client:
            for path in paths:
                answer = await client.get(
                    path, headers={"Accept": "text/html"} if not path.startswith("/api") else {}
                )
                seen[place, path] = (
                    answer.status_code,
                    answer.headers.get("etag"),
                    without_the_time(answer.text),
                )
    return seen


def without_the_time(text: str) -> str:
    """The text without traces, and without clocks and what counts down by them."""
    for changing in (
        r'"trace_id": ?"[0-9a-f]+"',
        r"[0-9a-f]{32}|[0-9a-f]{4}…[0-9a-f]{4}",
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?",
        r"\d\d:\d\d:\d\d",
        r"\d+ ?(天|小时|分钟|秒)",
        r'value="\d+"(?= max="\d+" aria-label="距投标截止")',
    ):
        text = re.sub(changing, "", text)
    return text


async def test_nobody_can_tell_whether_another_bidder_has_submitted(
    house: FastAPI, store: Store, tender: Tender, bidder: Player, tick: Tick
) -> None:
    rival = await a_bidder(store)
    cast = tender.cast
    others = [
        None,
        rival,
        cast.tenderee,
        cast.agency,
        cast.staff,
        cast.supervisor,
        cast.custodians[0],
    ]
    lasting(house, 30)
    client = await client_of(house, bidder)
    await tick()
    before = await everything_others_see(house, tender, others)
    files = a_sealed_bid(tender, bidder)
    async with ticking(tick):
        uploads = []
        for file in files:
            upload = await client.upload(str(tender.lot_id), file.kind, file.payload)
            await client.put_header(upload, file.header)
            uploads.append(upload)
        raw = a_submission(tender, bidder, files)
        told = await client.post_signed(f"/api/v1/lots/{tender.lot_id}/bids", raw)
    assert told["receipt"]
    after = await everything_others_see(house, tender, others)
    assert after.keys() == before.keys()
    for where, seen in before.items():
        assert after[where][:2] == seen[:2], where
        changed = set(seen[2].split("\n")) ^ set(after[where][2].split("\n"))
        assert not changed, (where, changed)
    lot = f"/api/v1/lots/{tender.lot_id}"
    for who in others:
        async with await raw_client(house, who) as stranger:
            for there, nowhere in (
                (f"/api/v1/uploads/{uploads[0]}", f"/api/v1/uploads/{uuid4()}"),
                (f"/api/v1/receipts/{told['entry_id']}", f"/api/v1/receipts/{uuid4()}"),
                (f"{lot}/submissions/{told['submission_id']}", f"{lot}/submissions/{uuid4()}"),
                (f"/api/v1/log/proofs/{told['entry_id']}", f"/api/v1/log/proofs/{uuid4()}"),
            ):
                one, other = await stranger.get(there), await stranger.get(nowhere)
                assert one.status_code == other.status_code, there
                told_both = [
                    {k: v for k, v in answer.json().items() if k not in ("trace_id", "instance")}
                    for answer in (one, other)
                ]
                assert told_both[0] == told_both[1]


async def test_the_desk_shows_a_bidder_its_own_bid_and_nobody_else_any(
    house: FastAPI, store: Store, tender: Tender, bidder: Player, tick: Tick
) -> None:
    lasting(house, 30)
    path = f"/lots/{tender.lot_id}/bid"
    assert "本单位尚未递交" in await page(house, path, bidder)
    assert "本单位尚未递交" in await page(house, "/bids", bidder)
    client = await client_of(house, bidder)
    files = a_sealed_bid(tender, bidder)
    upload = await client.upload(str(tender.lot_id), files[0].kind, files[0].payload)
    assert "尚未递交的上传" in await page(house, path, bidder)
    await client.put_header(upload, files[0].header)
    upload = await client.upload(str(tender.lot_id), files[1].kind, files[1].payload)
    await client.put_header(upload, files[1].header)
    async with ticking(tick):
        raw = a_submission(tender, bidder, files)
        told = await client.post_signed(f"/api/v1/lots/{tender.lot_id}/bids", raw)
        shown = await page(house, path, bidder)
        assert told["entry_id"] in shown
        assert "投标文件已受理" in shown
        assert "施工总承包一标段" in await page(house, "/bids", bidder)
        [line] = (await client.get("/api/v1/bids/mine"))["lots"]
        assert (line["lot"], line["bid"]["seq"]) == (str(tender.lot_id), 1)
        [opening] = (await client.get("/api/v1/openings"))["openings"]
        assert opening["lot"] == str(tender.lot_id)
        assert told["entry_id"] not in str(opening)
        withdrawal = a_submission(tender, bidder, (), seq=2, replaces=unb64u(told["submission"]))
        await client.post_signed(f"/api/v1/lots/{tender.lot_id}/bids", withdrawal)
    assert "投标文件已撤回" in await page(house, path, bidder)
    await page(house, path, tender.cast.supervisor, status=403)
    await page(house, "/bids", status=401)


async def test_after_the_deadline_the_exit_code_and_the_problem_say_late(
    house: FastAPI, store: Store, tender: Tender, bidder: Player, clock_to: Any
) -> None:
    client = await client_of(house, bidder)
    files = a_sealed_bid(tender, bidder)
    for file in files:
        upload = await client.upload(str(tender.lot_id), file.kind, file.payload)
        await client.put_header(upload, file.header)
    await clock_to(tender.due_at)
    raw = a_submission(tender, bidder, files)
    late = await refused(client, f"/api/v1/lots/{tender.lot_id}/bids", raw)
    assert (late.status, late.codes) == (409, frozenset({"late"}))
    facts = late.refusals[0]["facts"]
    assert facts["bids_due_at"] == tender.due_at.isoformat()
    assert int(facts["envelope_bytes_received"]) == sum(
        len(file.header) + len(file.payload) for file in files
    )
    await closing.close_lot(at(store, tender.due_at), LotId(tender.lot_id))
    again = await refused(client, f"/api/v1/lots/{tender.lot_id}/bids", raw)
    assert again.codes == {"late"}


def test_the_command_seals_what_it_is_given_and_says_what_it_needs(tmp_path: Path) -> None:
    import typer

    from web import seal_command

    app = typer.Typer()
    app.command()(seal_command.seal)
    runner = CliRunner()
    assert runner.invoke(app, []).exit_code == 2
    key = tmp_path / "key.pem"
    key.write_bytes(PrivateKey.generate().to_pem())
    nothing = tmp_path / "package.json"
    nothing.write_text("{}")
    asked = [str(nothing), "--bidder", str(uuid4()), "--key", str(key)]
    assert runner.invoke(app, asked).exit_code == 2


def stated_in(folder: Path, passphrase: str) -> dict[str, Any]:
    """What the sealed sheet in a folder says, opened by its recovery file."""
    described = json.loads((folder / "sealed.json").read_text())
    entries = sealing.read_recovery((folder / "recovery.json").read_bytes(), passphrase=passphrase)
    place, sheet = next(
        (place, one)
        for place, one in enumerate(described["envelopes"])
        if one["envelope"] == "sheet"
    )
    secrets = entries[place].secrets
    assert secrets.officials is not None
    container = (folder / sheet["file"]).read_bytes()
    key = sealing.file_key(
        sealing.parse_header(container),
        {"bidder": secrets.bidder, "officials": secrets.officials},
    )
    stated = strict_json(sealing.open_sheet(container, key))
    assert isinstance(stated, dict)
    return stated


async def test_a_bid_is_sealed_sent_replaced_and_withdrawn_from_the_command_line(
    store: Store,
    settings: Settings,
    tender: Tender,
    bidder: Player,
    tick: Tick,
    tmp_path: Path,
) -> None:
    """Bidding Law 29; every step has its receipt, and saying a thing twice changes nothing."""
    package, key, sheet = (tmp_path / name for name in ("package.json", "key.pem", "sheet.json"))
    key.write_bytes(bidder.key.to_pem())
    sheet.write_text(json.dumps(SHEET))
    who = ["--bidder", str(bidder.party), "--key", str(key), "--json"]
    files = str(files_in(tmp_path))

    listener = socket.create_server(("127.0.0.1", 0))
    own = settings.model_copy(update={"origin": f"http://localhost:{listener.getsockname()[1]}"})
    async with (
        bid_house(replace(store, settings=own), own) as house,
        served(house, listener=listener) as address,
        ticking(tick),
    ):
        package.write_bytes(await the_package(await client_of(house), tender))

        async def typed(*words: str) -> tuple[int, dict[str, Any]]:
            done = await asyncio.to_thread(lambda: CliRunner().invoke(main, ["seal", *words, *who]))
            lines = done.stdout.strip().splitlines()
            return done.exit_code, json.loads(lines[-1]) if lines else {"said": done.stderr}

        withdrawing = [str(package), "--withdraw", "--submit-to", address]
        withdrawing += ["--out", str(tmp_path / "withdrawn")]
        assert (await typed(*withdrawing))[0] == 5
        first = [str(package), files, "--sheet", str(sheet), "--out", str(tmp_path / "first")]
        assert (await typed(*first, "--library", "none"))[0] == USAGE
        references = "Abcdefghijklmn-_", "0000000000000000"
        asked = [word for one in references for word in ("--library", one)]
        code, sent = await typed(*first, *asked, "--submit-to", address)
        assert (code, "receipt" in sent) == (0, True), sent
        assert stated_in(tmp_path / "first", sent["passphrase"])["library"] == " ".join(references)
        client = await client_of(house, bidder)
        path = f"/api/v1/lots/{tender.lot_id}/bids/mine"
        state = (await client.get(path))["next"]
        again = [str(package), files, "--sheet", str(sheet), "--out", str(tmp_path / "again")]
        again += ["--seq", str(state["seq"]), "--replaces", state["replaces"]]
        assert (await typed(*again, "--submit-to", address))[0] == 0
        code, gone = await typed(*withdrawing)
        assert (code, (tmp_path / "withdrawn/withdrawal-receipt.tlog-proof").read_text()) == (
            0,
            gone["receipt"],
        )
        code, repeated = await typed(*withdrawing)
        assert (code, repeated["receipt"]) == (0, gone["receipt"])
        assert [one["withdrawn"] for one in (await client.get(path))["bids"]] == [
            False,
            False,
            True,
        ]
        assert (await typed(*withdrawing, files))[0] == 2


async def test_the_command_seals_a_folder_offline(
    house: FastAPI, tender: Tender, bidder: Player, tmp_path: Path
) -> None:
    import typer

    from web import seal_command

    package = tmp_path / "package.json"
    package.write_bytes(await the_package(await client_of(house), tender))
    key, sheet = tmp_path / "key.pem", tmp_path / "sheet.json"
    key.write_bytes(bidder.key.to_pem())
    sheet.write_text(json.dumps(SHEET))
    app = typer.Typer()
    app.command()(seal_command.seal)
    asked = [
        *(str(package), str(files_in(tmp_path))),
        *("--bidder", str(bidder.party), "--key", str(key), "--sheet", str(sheet)),
        *("--out", str(tmp_path / "sealed"), "--escrow", "--json"),
    ]
    done = await asyncio.to_thread(lambda: CliRunner().invoke(app, asked))
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert [one["envelope"] for one in told["envelopes"]] == ["sheet", "bid"]
    again = await asyncio.to_thread(lambda: CliRunner().invoke(app, asked))
    assert again.exit_code == 2
