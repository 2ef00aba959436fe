"""The opening: bidders release, custodians follow, everything appears at once; and the draw.

Six of the seven bids are opened: one bidder never releases and chose no escrow, one is absent and
chose it. One custodian is absent, one sends a wrong share first. A stranger watches, loses his
line and takes it up again.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from kernel.clock import machine_clock
from kernel.crypto.digests import b64u, canonical, strict_json, unb64, unb64u
from kernel.crypto.signing import Envelope
from web import opening_work
from web.client import Client, Problem
from web.custodian_work import Custodian, Trust, Unconvinced
from web.rehearsal import act_draw
from web.rehearsal.cast import BARRED, ESCROWED, LATE, REVOKED
from web.rehearsal.checking import verified
from web.rehearsal.searching import logs_are_read, places_that_hold
from web.rehearsal.stage import Stage, cites, same_article

PATIENCE_S = 30.0
PRESENT_CUSTODIANS = ("custodian_tenderee", "custodian_supervisor", "custodian_centre")
"""The agency's custodian is absent; the supervisor's holds two escrow shares and is not."""

TENDER_DOCUMENTS = "tender documents of the rehearsal"
ARTICLE_30 = "《电子招标投标办法》第30条"
ARTICLE_31 = "《电子招标投标办法》第31条"


@dataclass(slots=True)
class Watcher:
    """A stranger in the hall: what he saw, and whether a number was missing or came twice."""

    client: Client
    view: str
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def watch(self) -> None:
        """Follow the hall for ever, from the last number seen."""
        after = self.seen[-1]["seq"] if self.seen else 0
        async for message in self.client.watch(self.view, after):
            self.seen.append(message)

    @property
    def kinds(self) -> list[str]:
        """What he saw happen, in order."""
        return [message["kind"] for message in self.seen]

    @property
    def unbroken(self) -> bool:
        """No gap and no double."""
        numbers = [message["seq"] for message in self.seen]
        return bool(numbers) and numbers == list(range(1, len(numbers) + 1))


async def play(stage: Stage) -> None:
    """Open lot 1, and draw its committee while decryption is under way."""
    lot = stage.facts.lot1
    stage.page(f"/openings/{lot}", "the opening hall 开标大厅")
    watcher = Watcher(Client(stage.url), f"{lot}/public")
    watching = asyncio.create_task(watcher.watch())
    stranger = Client(stage.url)
    try:
        await _until_state(stage, lot, "opening")
        stage.say("bidders release their own secrets 投标人解密")
        present = _present(stage)
        await _releases(stage, lot, present[:2])
        await _cut(stage, watcher, watching)
        await _releases(stage, lot, present[2:])
        missed = await _missed(stage, lot, watcher, len(present))
        watching = asyncio.create_task(watcher.watch())
        await _before_the_window(stage, lot, stranger)
        await act_draw.play(stage)
        await _end_window(stage, lot)
        shown_early = await _shares(stage, lot)
        await _all_at_once(stage, lot, stranger, watcher, shown_early)
        await _objection_and_record(stage, lot)
        await _verify(stage, lot)
        await _wait_for(lambda: "OpeningRecorded" in watcher.kinds)
        stage.expect(
            29,
            "a watcher whose line is cut resumes with no gap and no double",
            "《招标投标法》第35条",
            watcher.unbroken
            and watcher.kinds.count("BidderReleased") == len(present)
            and missed >= len(present) - 2,
            f"{len(watcher.seen)} events, {missed} of them while the line was cut",
        )
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await watcher.client.aclose()
        await stranger.aclose()


def _bidders(stage: Stage) -> list[str]:
    outsiders = {f"bidder{BARRED + 1}", f"bidder{LATE + 1}"}
    return [name for name in stage.facts.bids if name not in outsiders]


async def _until_state(stage: Stage, lot: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told: dict[str, Any] = await stage["centre"].get(f"/api/v1/lots/{lot}/opening")
            if told["state"] == state:
                return told
            await asyncio.sleep(0.2)


async def _wait_for(happened: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not happened():
            await asyncio.sleep(0.1)


def _present(stage: Stage) -> list[str]:
    silent = {f"bidder{REVOKED + 1}", f"bidder{ESCROWED + 1}"}
    return [name for name in _bidders(stage) if name not in silent]


async def _releases(stage: Stage, lot: str, names: list[str]) -> None:
    for name in names:
        await opening_work.release(stage[name], lot, stage.facts.bids[name].opening_key)


async def _cut(stage: Stage, watcher: Watcher, watching: asyncio.Task[None]) -> None:
    await _wait_for(lambda: watcher.kinds.count("BidderReleased") >= 2)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    stage.say("a watcher's line is cut 旁听者断线")


async def _missed(stage: Stage, lot: str, watcher: Watcher, releases: int) -> int:
    """How many events happened in the hall since the watcher lost his line, once all are told."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told = (await stage["bidder1"].get(f"/api/v1/views/{lot}/public/entries"))["entries"]
            if [one["kind"] for one in told].count("BidderReleased") >= releases:
                return int(told[-1]["seq"]) - int(watcher.seen[-1]["seq"])
            await asyncio.sleep(0.1)


async def _before_the_window(stage: Stage, lot: str, stranger: Client) -> None:
    """Nothing readable exists anywhere yet, and custodians' programs refuse to be asked early."""
    told = canonical(await stranger.get(f"/api/v1/lots/{lot}/opening")).decode()
    page = (await stranger.read(f"/openings/{lot}")).decode()
    prices = [str(own.sheet["price"]) for own in stage.facts.bids.values()]
    spoken = [f"{Decimal(price):,.0f}" for price in prices]
    in_fen = [price.replace(".", "") for price in prices]
    secrets = (*prices, *spoken, *in_fen)
    shown = [price for price in secrets if price in told or price in page]
    kept = await places_that_hold(stage, secrets)
    # Whoever searches well finds what certainly is there: in rows, in documents and in logs.
    known = await places_that_hold(stage, (stage.players["bidder1"].organisation, TENDER_DOCUMENTS))
    searched = any(place.startswith("kernel.") for place in known) and any(
        "." not in place for place in known
    )
    stage.expect(
        21,
        "before the window closes no price exists anywhere",
        ARTICLE_30,
        not shown and not kept and searched and logs_are_read(stage),
        ", ".join((*shown, *kept)) or "in no answer, row, document or log of the platform",
    )
    await refuse_too_early(stage, lot, code="too_early")


async def refuse_too_early(stage: Stage, lot: str, *, code: str) -> None:
    """Custodians' programs, asked before the window's end is logged: by the platform, or past it.

    A dishonest platform sends the right papers with proofs of other things: of any entry before
    the closing is logged, and afterwards of the closing in place of the window's end.
    """
    refused = await stage.refused(
        lambda: stage["custodian_centre"].get(f"/api/v1/lots/{lot}/share-request"),
        code=code,
    )
    package = await stage["bidder1"].get(f"/api/v1/lots/{lot}/sealing-package")
    proof = await _a_proof(stage, lot)
    request = {
        "policy": package["policy"],
        "timetable": package["timetable"],
        "close_proof": proof,
        "window_closed_proof": proof,
        "headers": [],
    }
    fooled = []
    for name in stage.facts.custodian_keys:
        with contextlib.suppress(Unconvinced):
            _custodian(stage, name).answer(request)
            fooled.append(name)
    stage.expect(
        26,
        "asking custodians' programs before the closing is logged is refused by the programs",
        "《招标投标法实施条例》第41条、" + ARTICLE_30,
        refused is not None and not fooled,
        ", ".join(fooled),
    )


async def _a_proof(stage: Stage, lot: str) -> str:
    """Proof of the lot's closing where that is logged, and else of any entry at all."""
    told = (await stage["bidder1"].get("/api/v1/log/entries"))["entries"]
    placed = [one for one in told if one["index"] is not None]
    closing = [one for one in placed if _tells(one, "LotClosed", lot)]
    entry = (closing or placed)[-1]["id"]
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(Problem):
                proof = await stage["bidder1"].read(f"/api/v1/log/proofs/{entry}", quorum=2)
                return proof.decode()
            await asyncio.sleep(0.2)


def _tells(entry: dict[str, Any], kind: str, lot: str) -> bool:
    record: Any = strict_json(unb64(entry["record"]))
    return (record["kind"], record["subject"]) == (kind, lot)


def _custodian(stage: Stage, name: str) -> Custodian:
    offset = stage.clock_offset
    return Custodian(
        key=stage.facts.custodian_keys[name],
        trust=Trust(
            stage.facts.log_vkey, tuple(stage.facts.witness_vkeys), stage.settings.witness_quorum
        ),
        now=lambda: machine_clock() + offset,
    )


async def _end_window(stage: Stage, lot: str) -> None:
    assert stage.facts.bids_due_at is not None
    await stage.clock_to(
        stage.facts.bids_due_at + stage.facts.release_window + timedelta(seconds=1)
    )
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told = await stage["centre"].get(f"/api/v1/lots/{lot}/opening")
            if told["window_closed_at"]:
                break
            await asyncio.sleep(0.2)
    for name in ("agency", "supervisor"):
        await opening_work.agree_fallback(stage[name], lot)


async def _request(stage: Stage, name: str, lot: str) -> dict[str, Any]:
    """The share request, once the witnesses have signed what the program wants to see."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                told: dict[str, Any] = await stage[name].get(f"/api/v1/lots/{lot}/share-request")
            except Problem as problem:
                if problem.status != 404:
                    raise
                await asyncio.sleep(0.3)
            else:
                return told


async def _shares(stage: Stage, lot: str) -> list[str]:
    """The custodians give their shares; where a price could be read when two of them had."""
    wrong_named = False
    two_were_enough = False
    early: list[str] = []
    for number, name in enumerate(PRESENT_CUSTODIANS):
        payload = _custodian(stage, name).answer(await _request(stage, name, lot))
        if number == 0:
            wrong_named = await _wrong_share(stage, name, lot, payload)
        await stage[name].post_statement(f"/api/v1/lots/{lot}/shares", "shares", payload)
        if number == 1:
            await stage.settled()
            told = await stage["centre"].get(f"/api/v1/lots/{lot}/opening")
            two_were_enough = told["opened_at"] is not None
            early = await _prices_shown(stage, lot)
    stage.expect(25, "a wrong share is refused and names its custodian", ARTICLE_30, wrong_named)
    await _until_state(stage, lot, "opened")
    stage.expect(
        24,
        "one custodian is absent: the other three suffice, two would not",
        "《电子招标投标办法》第16条、第30条",
        not two_were_enough,
    )
    return early


async def _prices_shown(stage: Stage, lot: str) -> list[str]:
    """Where the hall shows a price to the centre's staff or to the supervisor."""
    prices = [own.sheet["price"] for own in stage.facts.bids.values()]
    written = {*prices, *(f"{Decimal(price):,}" for price in prices)}
    shown = []
    for name in ("centre", "supervisor"):
        for path in (f"/api/v1/lots/{lot}/opening", f"/openings/{lot}"):
            told = (await stage[name].read(path)).decode()
            shown += [f"{name} {path}" for price in written if price in told]
    return shown


async def _wrong_share(stage: Stage, name: str, lot: str, payload: dict[str, Any]) -> bool:
    shares = [dict(share) for share in payload["shares"]]
    spoilt = bytearray(unb64u(shares[0]["share"]))
    spoilt[0] ^= 1
    shares[0]["share"] = b64u(bytes(spoilt))
    problem = await stage.refused(
        lambda: stage[name].post_statement(
            f"/api/v1/lots/{lot}/shares", "shares", payload | {"shares": shares}
        ),
        code="wrong_share",
    )
    return cites(problem, ARTICLE_30) and stage.players[name].organisation in str(problem)


async def _all_at_once(
    stage: Stage, lot: str, stranger: Client, watcher: Watcher, shown_early: list[str]
) -> None:
    told = await stranger.get(f"/api/v1/lots/{lot}/opening")
    by_name = {bid["name"]: bid for bid in told["bids"]}
    revoked = by_name[stage.players[f"bidder{REVOKED + 1}"].organisation]
    escrowed = by_name[stage.players[f"bidder{ESCROWED + 1}"].organisation]
    stage.expect(
        22,
        "one bidder does not release and chose no escrow: revoked, with its article",
        ARTICLE_31,
        revoked["outcome"] == "revoked"
        and same_article(revoked["article"], ARTICLE_31)
        and not revoked["sheet"],
        revoked["reason"],
    )
    stage.expect(
        23,
        "one absent bidder chose escrow: opened by custodians",
        ARTICLE_31,
        escrowed["outcome"] == "opened_by_custodians"
        and same_article(escrowed["article"], ARTICLE_31),
        escrowed["reason"],
    )
    await _wait_for(lambda: "BidsOpened" in watcher.kinds)
    shown = {
        stage.players[name].organisation: own.sheet
        for name, own in stage.facts.bids.items()
        if name in _bidders(stage) and name != f"bidder{REVOKED + 1}"
    }
    before = watcher.seen[: watcher.kinds.index("BidsOpened")]
    early = [
        price
        for price in (sheet["price"] for sheet in shown.values())
        if any(price in canonical(message["data"]).decode() for message in before)
    ]
    stage.expect(
        27,
        "all prices appear at once, equal to the sealed sheets",
        ARTICLE_30,
        not early
        and not shown_early
        and all(by_name[name]["sheet"] == sheet for name, sheet in shown.items())
        and watcher.kinds.count("BidsOpened") == 1,
        ", ".join(shown_early) or f"{len(shown)} bids",
    )


async def _objection_and_record(stage: Stage, lot: str) -> None:
    asked = "请说明本次开标备用解密的依据。"
    answer = "投标人在投标文件中选择了备用解密，招标人与监督部门均已签署同意。"
    raised = await stage["bidder2"].post(f"/api/v1/lots/{lot}/opening-objections", {"words": asked})
    early = await stage.refused(lambda: _sign_record(stage, lot), code="objection_open")
    await stage["agency"].post(
        f"/api/v1/lots/{lot}/opening-objections/{raised['id']}/answer",
        {"words": answer, "outcome": "rejected"},
    )
    await _sign_record(stage, lot)
    told = await stage["bidder2"].get(f"/api/v1/lots/{lot}/opening")
    bundle = await stage["bidder2"].get(f"/api/v1/lots/{lot}/opening-record")
    record: Any = strict_json(Envelope.from_bytes(unb64(bundle["record"])).payload, 1 << 25)
    stage.expect(
        28,
        "an objection on the spot is answered and recorded",
        "《招标投标法实施条例》第44条",
        early is not None
        and told["recorded_at"] is not None
        and [(one["words"], one["answer"]) for one in record["objections"]] == [(asked, answer)],
        answer,
    )


async def _sign_record(stage: Stage, lot: str) -> None:
    await opening_work.sign_record(stage["agency"], lot, stage.players["agency"].key)


async def _witnessed_record(stage: Stage, lot: str) -> dict[str, Any]:
    """The record with its proofs, once the witnesses have signed for all of them."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            bundle: dict[str, Any] = await stage["bidder1"].get(
                f"/api/v1/lots/{lot}/opening-record"
            )
            if bundle["proofs"].keys() == bundle["entries"].keys():
                return bundle
            await asyncio.sleep(0.2)


async def _verify(stage: Stage, lot: str) -> None:
    bundle = await _witnessed_record(stage, lot)
    for name in ("record", "policy", "timetable"):
        stage.write(f"opening/{name}.dsse", unb64(bundle[name]))
    for name, proof in bundle["proofs"].items():
        stage.write(f"opening/{name}.tlog-proof", proof.encode())
    for head in bundle["sheets"]:
        sheet = await stage["bidder1"].read(f"/api/v1/lots/{lot}/sheets/{head}")
        stage.write(f"opening/sheets/{head}.ebid", sheet)
    keys = {
        "log": stage.facts.log_vkey,
        "witnesses": list(stage.facts.witness_vkeys),
        "quorum": stage.settings.witness_quorum,
        "signers": bundle["signers"],
    }
    if "relying_party" in bundle:
        keys["relying_party"] = bundle["relying_party"]
    stage.write("opening/keys.json", keys)
    stage.expect(
        30,
        "the opening record verifies offline",
        "《电子招标投标办法》第32条",
        await verified("opening", stage.out / "opening", *stage.pins),
    )
