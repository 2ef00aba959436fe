"""The evaluation: five members at two sites, each at a seat that is a process of its own.

They sign in by two keys, read together or not at all, reject one bid by majority, score alone,
commit, reveal, and sign a report that everything follows from. One seat's line is cut in the
middle. What comes out is reckoned again here by other means, and by a stranger's program.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kernel.crypto.digests import b64, canonical, parse_instant, strict_json, unb64
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.store.child_processes import ending_with_us
from web.client import Client, Problem
from web.rehearsal import act_draw
from web.rehearsal.cast import BIDDERS, REGIONS, REJECTED, SITES
from web.rehearsal.checking import verified
from web.rehearsal.cut_line import CutLine
from web.rehearsal.searching import log_texts, logs_are_read
from web.rehearsal.stage import Stage, cites, same_article
from web.seat_work import SeatWork

PATIENCE_S = 60.0
NAP_S = 0.2
STOPS_WITHIN_S, NOISE_S = 5.0, 5.0
"""Reading stops that soon after a lease has ended. The seats, the platform and the witnesses share
one machine here, and each of these naps and questions may have to wait for the others' work."""

HOST, EAST, SOUTH = REGIONS
THIRD_SITE = (SOUTH, "南溪评标点")
KEEPERS = {HOST: "site_host", EAST: "second_centre", SOUTH: "second_centre"}
SEATS = ((HOST, 1), (HOST, 2), (HOST, 3), (EAST, 1), (EAST, 2))
"""Two experts and the owner's representative sit at the host site, two experts at the other."""

PLACES = re.compile(r'data-live-after="\d*"|"(?:first|end)_index": \d+')
"""How far a page's own view has come, and where in the log a run of fillers begins and ends: as the
log grows each of them is at some time what a mark is in hundredths.
"""

LOGS_OF_THE_PLATFORM = "the platform's logs"
REPRESENTATIVE = "owner_representative"
REJECTION_PAGE = "技术标第23页"
REJECTION_WORDS = "承诺工期超过招标文件规定的总工期，对实质性要求没有作出响应"
DISSENT = "第二名的类似工程业绩，我认为证明材料不足以得满分。"

LAW_38 = "《招标投标法》第38条"
REGULATION_49 = "《招标投标法实施条例》第49条"
REGULATION_51 = "《招标投标法实施条例》第51条第（六）项"
REGULATION_53 = "《招标投标法实施条例》第53条"
MEASURES_33 = "《电子招标投标办法》第33条"
LAW_40 = "《招标投标法》第40条"
LAW_45 = "《招标投标法》第45条"


class SeatRefused(Exception):
    """The platform said no to a seat."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(json.dumps(answer, ensure_ascii=False))
        problem = answer.get("problem", {})
        self.refusals: list[dict[str, Any]] = list(problem.get("refusals", []))
        self.codes = {one["code"] for one in self.refusals} or {str(problem.get("code", ""))}

    def cites(self, article: str) -> bool:
        """Whether one of its grounds is this article."""
        return any(same_article(str(one["article"]), article) for one in self.refusals)


@dataclass(slots=True)
class SeatHand:
    """The director's hand at one seat's process: commands go in, answers come out."""

    region: str
    number: int
    folder: Path
    line: CutLine
    process: asyncio.subprocess.Process
    player: str = ""
    seat_id: str = ""
    member: str = ""
    marks: dict[tuple[str, str], str] = field(default_factory=dict)
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, do: str, **told: Any) -> Any:
        """The answer to a command; `SeatRefused` where the platform refused it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        async with self._busy:
            self.process.stdin.write(json.dumps({"do": do, **told}).encode() + b"\n")
            await self.process.stdin.drain()
            async with asyncio.timeout(PATIENCE_S):
                text = await self.process.stdout.readline()
        if not text:
            raise ConnectionError(f"the process of seat {self.region}-{self.number} has ended")
        answer = json.loads(text)
        if "value" not in answer:
            raise SeatRefused(answer)
        return answer["value"]

    async def get(self, path: str = "") -> Any:
        """What stands at a path of the committee, as this member sees it."""
        return await self.ask("get", path=path)

    async def refused(self, do: str, *, code: str, **told: Any) -> SeatRefused | None:
        """The refusal with this code, or None where there was none or another."""
        try:
            await self.ask(do, **told)
        except SeatRefused as refused:
            return refused if code in refused.codes else None
        return None


async def play(stage: Stage) -> None:
    """Bring lot 1 from its opened bids to the committee's signed report."""
    lot = stage.facts.lot1
    await stage["agency"].post(f"/api/v1/lots/{lot}/handover")
    seats: list[SeatHand] = []
    try:
        sites = await _sites(stage)
        stage.say("five seats at two sites start as processes of their own 两地五个评标工位启动")
        for region, number in SEATS:
            seats.append(await _seat(stage, region, number))
        await _register_seats(stage, sites, seats)
        committee = await _convene(stage, lot, sites)
        stage.page(f"/evaluation/{committee}", "the evaluation room 评标室")
        await _summoned(stage, seats)
        await _sign_in(stage, committee, sites, seats)
        bids = await _read(stage, seats)
        rejected = await _reject(stage, seats, bids)
        await _mark(stage, seats, bids, rejected)
        await _cut(stage, seats, bids)
        await _commit(stage, lot, committee, seats)
        await _report(stage, lot, committee, seats, bids, rejected)
        await _record(stage, lot)
    finally:
        await asyncio.gather(*(_end(seat) for seat in seats))


# ── sites and seats ───────────────────────────────────────────────────────────────────────────


async def _sites(stage: Stage) -> dict[str, str]:
    """The two sites of the session and a third one: site ids by region."""
    stage.page("/sites", "evaluation sites 评标场所")
    found = {}
    for region, name in (*SITES, THIRD_SITE):
        told = await stage[KEEPERS[region]].post("/api/v1/sites", {"name": name, "region": region})
        found[region] = str(told["site_id"])
    return found


async def _seat(stage: Stage, region: str, number: int) -> SeatHand:
    """A seat's process, with its own line."""
    folder = stage.settings.data / "seats" / f"{region}-{number}"
    folder.mkdir(parents=True)
    line = CutLine(urlsplit(stage.url).port or 80)
    await line.restore()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web.rehearsal.seat_process"),
        *("--url", stage.url, "--line", str(line.path), "--folder", str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
        preexec_fn=ending_with_us(signal.SIGTERM),
    )
    return SeatHand(region, number, folder, line, process)


async def _register_seats(stage: Stage, sites: dict[str, str], seats: list[SeatHand]) -> None:
    """Every seat's own key, registered by the keeper of its site."""
    for seat in seats:
        site = sites[seat.region]
        statement = unb64(await seat.ask("statement", site=site, number=seat.number))
        told = await stage[KEEPERS[seat.region]].post_signed(
            f"/api/v1/sites/{site}/seats", statement
        )
        seat.seat_id = str(told["seat_id"])


async def _convene(stage: Stage, lot: str, sites: dict[str, str]) -> str:
    """The agency forms the committee; nobody tells it of whom."""
    told = await stage["agency"].post(
        f"/api/v1/lots/{lot}/committee",
        {
            "host_site": sites[HOST],
            "placement": {HOST: sites[HOST], EAST: sites[EAST], SOUTH: sites[EAST]},
            "representatives": [stage.players[REPRESENTATIVE].person_id],
        },
    )
    stage.facts.committee_id = str(told["committee_id"])
    return stage.facts.committee_id


async def _summoned(stage: Stage, seats: list[SeatHand]) -> None:
    """Everybody is told where to sit and goes there, with the card that holds the own key."""
    by_id = {seat.seat_id: seat for seat in seats}
    for name in (*stage.facts.seated, REPRESENTATIVE):
        (told,) = (await stage[name].get("/api/v1/committees/mine"))["committees"]
        seat, person = by_id[told["seat_id"]], stage.players[name]
        seat.player = name
        card = seat.folder / "card.pem"
        card.touch(mode=0o600)
        card.write_bytes(person.key.to_pem())
        await seat.ask("begin", role=str(person.role), organisation=person.organisation_id)


async def _sign_in(
    stage: Stage, committee: str, sites: dict[str, str], seats: list[SeatHand]
) -> None:
    """Too early and at a third site in vain; then everybody is let in and sits down."""
    first, told = seats[0], (await stage[seats[0].player].get("/api/v1/committees/mine"))
    window_from = parse_instant(told["committees"][0]["window"]["from"])
    early = await first.refused(
        "sit", code="outside_window", committee=committee, seat=first.seat_id
    )
    # Not even the keepers of the sites know yet whom they will let in.
    waiting = [
        await stage[KEEPERS[region]].read(path)
        for region in (HOST, EAST)
        for path in (f"/api/v1/sites/{sites[region]}/arrivals", "/sites")
    ]
    await stage.clock_to(window_from + timedelta(minutes=1))
    api = f"/api/v1/committees/{committee}"
    rooms = ("/evaluation", f"/evaluation/{committee}", "/sites", api, f"{api}/bids")
    await act_draw.nobody_named(stage, waiting, *rooms)
    for region in (HOST, EAST):
        keeper, site = stage[KEEPERS[region]], sites[region]
        for one in (await keeper.get(f"/api/v1/sites/{site}/arrivals"))["arrivals"]:
            await keeper.post(
                f"/api/v1/sites/{site}/admissions",
                {"committee": one["committee"], "seat": one["seat_id"]},
            )
    elsewhere = await _third_site(stage, committee, sites[SOUTH], first.player)
    stage.expect(
        37,
        "an expert at a third site, or outside the window, cannot sign in",
        MEASURES_33,
        early is not None and early.cites(MEASURES_33) and cites(elsewhere, MEASURES_33),
        "outside_window; wrong_site",
    )
    await asyncio.gather(
        *(seat.ask("sit", committee=committee, seat=seat.seat_id) for seat in seats)
    )
    room = await _room_until(first, lambda room: bool(room["reading"]))
    stage.say(f"{len(room['places'])} members at two sites are signed in; reading begins 全员签到")


async def _third_site(stage: Stage, committee: str, site: str, player: str) -> Problem | None:
    """How a seat at a third site, with a key of its own, is turned away as such."""
    folder = stage.settings.data / "seats" / "third"
    work = SeatWork(stage[player], PrivateKey.generate(), folder, committee)
    statement = work.seat_statement(site, 1)
    told = await stage[KEEPERS[SOUTH]].post_signed(f"/api/v1/sites/{site}/seats", statement)
    work.seat_id = str(told["seat_id"])
    return await stage.refused(work.sign_in, code="wrong_site")


async def _room_until(seat: SeatHand, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            room: dict[str, Any] = await seat.get()
            if enough(room):
                return room
            await asyncio.sleep(NAP_S)


# ── reading and rejecting ─────────────────────────────────────────────────────────────────────


async def _read(stage: Stage, seats: list[SeatHand]) -> list[dict[str, Any]]:
    """Everybody reads every bid; the bids, cheapest first."""
    bids: list[dict[str, Any]] = (await seats[0].get("bids"))["bids"]
    bids.sort(key=lambda bid: Decimal(bid["price"]))

    async def reads(seat: SeatHand) -> int:
        size = 0
        for bid in bids:
            files = (await seat.get(f"bids/{bid['bid_id']}/files"))["files"]
            size += await seat.ask("read", bid=bid["bid_id"], name=files[0]["name"])
        return size

    sizes = await asyncio.gather(*(reads(seat) for seat in seats))
    stage.say(f"every member reads {len(bids)} bids, {sum(sizes):,} bytes in all 评审投标文件")
    return bids


async def _reject(stage: Stage, seats: list[SeatHand], bids: list[dict[str, Any]]) -> str:
    """One bid is rejected by three votes against one; nobody sees a vote before."""
    bid = next(one for one in bids if one["name"] == BIDDERS[REJECTED])["bid_id"]
    motion = await seats[0].ask(
        "post",
        path="rejections",
        body={
            "bid": bid,
            "ground": "not_responsive",
            "page": REJECTION_PAGE,
            "words": REJECTION_WORDS,
        },
    )
    path, blind = f"rejections/{motion['id']}/votes", True
    outcomes = []
    for seat, in_favour in zip(seats, (True, False, True, True), strict=False):
        outcomes.append(
            (await seat.ask("post", path=path, body={"in_favour": in_favour}))["outcome"]
        )
        seen = (await seats[4].get())["motions"][0]
        blind = blind and (seen["in_favour"] is None) == (outcomes[-1] == "open")
    motion = (await seats[4].get())["motions"][0]
    stage.expect(
        41,
        "one bid is rejected by majority with ground and page",
        REGULATION_51,
        outcomes == ["open", "open", "open", "carried"]
        and blind
        and (motion["in_favour"], motion["page"]) == (3, REJECTION_PAGE)
        and same_article(motion["article"], REGULATION_51),
        f"{motion['in_favour']} of {len(seats)}: {motion['says']}，{motion['page']}",
    )
    return str(bid)


# ── marking ───────────────────────────────────────────────────────────────────────────────────


def _own_mark(member: int, place: int, item: str) -> str:
    """What a member gives: its own view where that may be, the fact where it is one.

    The last digit is the member's own, so that a mark found anywhere tells whose it is.
    """
    match item:
        case "construction":
            return f"{12 + (place * 7 + member * 3) % 29 * Decimal('0.1'):.1f}{member}"
        case "safety":
            return f"{8 + (place * 5 + member * 2) % 19 * Decimal('0.1'):.1f}{member}"
        case _:
            return str(15 - 3 * (place % 3))


async def _mark(
    stage: Stage, seats: list[SeatHand], bids: list[dict[str, Any]], rejected: str
) -> None:
    """Everybody fills in the own sheet; a mark outside its band is refused with what is allowed."""
    stage.say("every member scores alone 独立评分")
    due = [bid["bid_id"] for bid in bids if bid["bid_id"] != rejected]
    for member, seat in enumerate(seats, start=1):
        own = await seat.get("marks")
        seat.member = own["member"]
        items = [item["id"] for item in own["scheme"]["items"]]
        for place, bid in enumerate(due):
            for item in items:
                seat.marks[bid, item] = _own_mark(member, place, item)
    first = seats[0]
    await first.ask("mark", marks=[[due[0], "construction", "15.5"]])
    refused = (await first.ask("sent"))["turned_down"]
    await asyncio.gather(*(_fill_in(seat) for seat in seats))
    cells = (await first.get("marks"))["cells"]
    stage.expect(
        40,
        "a score outside its band is refused",
        REGULATION_49,
        [[code for code, _ in one] for one in refused] == [["out_of_band"]]
        and same_article(refused[0][0][1], REGULATION_49)
        and _as_told(cells) == _as_meant(first.marks),
        "15.5 of 15",
    )


async def _fill_in(seat: SeatHand) -> None:
    await seat.ask("mark", marks=[[*cell, score] for cell, score in seat.marks.items()])
    await seat.ask("sent")


def _as_told(cells: Sequence[dict[str, Any]]) -> dict[tuple[str, str], Decimal]:
    return {(cell["bid"], cell["item"]): Decimal(cell["score"]) for cell in cells}


def _as_meant(marks: dict[tuple[str, str], str]) -> dict[tuple[str, str], Decimal]:
    return {cell: Decimal(score) for cell, score in marks.items()}


async def _cut(stage: Stage, seats: list[SeatHand], bids: list[dict[str, Any]]) -> None:
    """A seat's line is cut: the others stop reading, its edits wait, and each arrives once."""
    cut, other = seats[3], seats[0]
    versions = {
        (cell["bid"], cell["item"]): cell["version"] for cell in (await cut.get("marks"))["cells"]
    }
    stage.say("the line of a seat at the second site is cut 副场一工位断线")
    await cut.line.cut()
    changed = [cell for cell in cut.marks if cell[1] == "safety"]
    for bid, item in changed:
        cut.marks[bid, item] = f"{Decimal(cut.marks[bid, item]) - Decimal('0.5'):.2f}"
    await cut.ask("mark", marks=[[*cell, cut.marks[cell]] for cell in changed])
    began = asyncio.get_running_loop().time()
    refused = None
    async with asyncio.timeout(PATIENCE_S):
        while refused is None:
            refused = await other.refused("get", code="committee_incomplete", path="bids")
            await asyncio.sleep(NAP_S)
    stopped_s = asyncio.get_running_loop().time() - began
    allowed_s = stage.settings.lease_s + STOPS_WITHIN_S + NOISE_S
    waiting = (await cut.ask("state"))["queued"]
    await _room_until(other, lambda room: room["phase"] == "paused")
    await cut.line.restore()
    await cut.ask("sit", committee=stage.facts.committee_id, seat=cut.seat_id)
    sent = await cut.ask("sent")
    await _room_until(other, lambda room: bool(room["reading"]))
    cells = (await cut.get("marks"))["cells"]
    now = {(cell["bid"], cell["item"]): cell["version"] for cell in cells}
    once = all(version == versions[cell] + (cell in changed) for cell, version in now.items())
    again = len((await other.get("bids"))["bids"]) == len(bids)
    stage.expect(
        39,
        "one seat's line is cut: reading stops, queued edits arrive, none lost or doubled",
        LAW_38,
        stopped_s <= allowed_s
        and waiting == len(changed)
        and _as_told(cells) == _as_meant(cut.marks)
        and once
        and sent == {"conflicts": 0, "turned_down": []}
        and again,
        f"reading stopped after {stopped_s:.0f} s, of which the seat's lease"
        f" {stage.settings.lease_s:.0f} s and at most {allowed_s:.0f} s in all;"
        f" {waiting} edits queued, each arrived once",
    )


# ── committing and revealing ──────────────────────────────────────────────────────────────────


async def _commit(stage: Stage, lot: str, committee: str, seats: list[SeatHand]) -> None:
    """Four commit, and nobody can see or show anything; then all have, and all show."""
    for seat in seats[:4]:
        await seat.ask("commit")
    early = await seats[0].refused("reveal", code="not_all_committed")
    heard = await _everything_heard(stage, lot, committee, seats)
    heard += [(LOGS_OF_THE_PLATFORM, text) for text in log_texts(stage)]
    marks = {seat.player: marks_in(seat.marks.values()) for seat in seats}
    found = [
        (owner, who, text[max(0, seen.start() - 60) : seen.end() + 20])
        for owner, mark in marks.items()
        for who, text in heard
        if (seen := mark.search(text))
    ]
    shown = [(owner, who) for owner, who, _ in found]
    leaks = [f"{owner} → {who}: …{around}…" for owner, who, around in found if who != owner]
    # Whoever searches well finds everybody's marks with themselves.
    own = {owner for owner, who in shown if who == owner}
    stage.expect(
        38,
        "no score of another is visible before all have committed",
        REGULATION_49,
        early is not None and not leaks and len(own) == len(seats) and logs_are_read(stage),
        f"{len(heard)} answers and logs searched" + (f": {leaks[:3]}" if leaks else ""),
    )
    await seats[4].ask("commit")
    changing = seats[2]
    cell = next(one for one in changing.marks if one[1] == "construction")
    changing.marks[cell] = f"{Decimal(changing.marks[cell]) - Decimal('0.3'):.2f}"
    await changing.ask("mark", marks=[[*cell, changing.marks[cell]]])
    await changing.ask("sent")
    silent = await changing.refused("commit", code="no_reason")
    number = await changing.ask("commit", reason="核对后发现施工组织设计有一处未计")
    stage.expect(
        42,
        "a score changed after commit without a reason is refused",
        REGULATION_49,
        silent is not None and silent.cites(REGULATION_49) and number == 2,
        "with a reason it is round 2, and round 1 stays",
    )


def marks_in(scores: Iterable[str]) -> re.Pattern[str]:
    """How these marks look wherever a number may stand: as text, as JSON, in hundredths.

    Whole marks are left out: they say what a firm's records are, which is the same for everybody.
    """
    own = sorted({score for score in scores if "." in score})
    forms = [form for score in own for form in (score, score.replace(".", ""))]
    return re.compile(rf"(?<![\w.,:+/=-])(?:{'|'.join(map(re.escape, forms))})(?![\w.:+/=-])")


async def _everything_heard(
    stage: Stage, lot: str, committee: str, seats: list[SeatHand]
) -> list[tuple[str, str]]:
    """What everybody can get to see at this moment: (who, answer)."""
    heard = []
    for seat in seats:
        for path in ("", "marks", "bids"):
            heard.append((seat.player, json.dumps(await seat.get(path), ensure_ascii=False)))
    members = [seat.player for seat in seats]
    async with Client(stage.url) as stranger:
        names = (*members, "agency", "tenderee", "centre", "site_host", "second_centre")
        others = [(name, stage[name]) for name in names]
        others += [("supervisor", stage["supervisor"]), ("public", stranger)]
        for name, client in others:
            for path in (
                f"/api/v1/committees/{committee}",
                f"/api/v1/committees/{committee}/marks",
                f"/api/v1/committees/{committee}/report",
                f"/api/v1/lots/{lot}/evaluation-record",
                f"/evaluation/{committee}",
                f"/evaluation/{committee}/board",
            ):
                try:
                    heard.append((name, without_places((await client.read(path)).decode())))
                except Problem as problem:
                    heard.append((name, json.dumps(problem.body, ensure_ascii=False)))
            for view in ("committee", "supervisors", "public"):
                with contextlib.suppress(Problem):
                    entries = await _view(client, f"{lot}/{view}")
                    facts = [(one["kind"], one["data"]) for one in entries]
                    heard.append((name, json.dumps(facts, ensure_ascii=False)))
            heard.append((name, await _log_opened(client)))
    return heard


async def _log_opened(client: Client) -> str:
    """The facts of all that the log shows this reader; where they stand in it is no mark."""
    facts: list[Any] = []
    after = 0
    while page := (await client.get("/api/v1/log/entries", after=after))["entries"]:
        facts += [strict_json(unb64(one["record"]), 1 << 24) for one in page]
        after = page[-1]["number"]
    return without_places(json.dumps(facts, ensure_ascii=False))


def without_places(text: str) -> str:
    """The text without the numbers that say where something stands."""
    return PLACES.sub("", text)


async def _view(client: Client, view: str) -> list[dict[str, Any]]:
    """Every entry of a view so far."""
    found: list[dict[str, Any]] = []
    after = 0
    while page := (await client.get(f"/api/v1/views/{view}/entries?after={after}"))["entries"]:
        found += page
        after = page[-1]["seq"]
    return found


# ── the report ────────────────────────────────────────────────────────────────────────────────


async def _report(
    stage: Stage,
    lot: str,
    committee: str,
    seats: list[SeatHand],
    bids: list[dict[str, Any]],
    rejected: str,
) -> None:
    """The report is computed, checked by other means, signed by all, one of them dissenting."""
    for seat in seats:
        await seat.ask("reveal")
    await seats[0].ask("post", path="report", body={"argued": ""})
    report = await seats[0].get("report")
    expected = _reckoned_again(seats, bids, rejected)
    told = [(one["bid"], Decimal(one["total"])) for one in report["parts"]["ranking"]]
    stage.expect(
        43,
        "totals and ranking equal an independent recomputation",
        LAW_40,
        told == expected,
        "; ".join(f"{one['name']} {one['total']}" for one in report["parts"]["ranking"][:3]),
    )
    await _sign(stage, lot, committee, seats)


def _reckoned_again(
    seats: list[SeatHand], bids: list[dict[str, Any]], rejected: str
) -> list[tuple[str, Decimal]]:
    """Totals and order from marks and prices alone, by this file's own arithmetic.

    The mean of the marks, and 60 points less 2 (1) for each per cent above (below) the mean of the
    prices without the highest and the lowest; rounded once, half up, to a hundredth.
    """
    prices = {bid["bid_id"]: Fraction(bid["price"]) for bid in bids if bid["bid_id"] != rejected}
    inner = sorted(prices.values())[1:-1] if len(prices) >= 5 else list(prices.values())
    base = sum(inner, Fraction(0)) / len(inner)
    totals = {}
    for bid, price in prices.items():
        merit = sum(
            (
                sum((Fraction(seat.marks[bid, item]) for seat in seats), Fraction(0)) / len(seats)
                for item in {item for _, item in seats[0].marks}
            ),
            Fraction(0),
        )
        off = abs(price - base) / base * 100
        points = max(Fraction(60) - off * (2 if price > base else 1), Fraction(0))
        exact = merit + points
        cents = Decimal(exact.numerator * 100) / Decimal(exact.denominator)
        totals[bid] = cents.quantize(Decimal(1), ROUND_HALF_UP) / 100
    return sorted(totals.items(), key=lambda one: (-one[1], prices[one[0]]))


async def _sign(stage: Stage, lot: str, committee: str, seats: list[SeatHand]) -> None:
    dissenting, last = seats[1], seats[-1]
    answer = await dissenting.ask("sign", dissent=DISSENT)
    for seat in seats:
        if seat not in (dissenting, last):
            await seat.ask("sign")
    before = await _lot_state(stage, lot)
    final = await last.ask("sign")
    after = await _lot_state(stage, lot)
    stage.expect(
        44,
        "one expert signs with a written dissent",
        REGULATION_53,
        answer["positions"][dissenting.member] == "dissents"
        and final["positions"][dissenting.member] == "dissents"
        and final["adopted"],
        DISSENT,
    )
    stage.facts.dissenting = dissenting.member
    steps = await _entries(stage, f"{lot}/supervisors", {"ReportTaken", "ReportHandedBack"})
    again = await last.refused("sign", code="not_in_evaluation")
    stage.expect(
        45,
        "the report moves the lot in one transaction",
        LAW_45,
        (before, after) == ("in_evaluation", "evaluated")
        and [one["kind"] for one in steps].count("ReportTaken") == 1
        and len(steps) == 2
        and len({one["at"] for one in steps}) == 1
        and again is not None,
        f"{before} → {after}",
    )


async def _lot_state(stage: Stage, lot: str) -> str:
    return str((await stage["agency"].get(f"/api/v1/lots/{lot}/award"))["state"])


async def _entries(stage: Stage, view: str, kinds: set[str]) -> list[dict[str, Any]]:
    """The entries of these kinds in a view, once there are as many as kinds."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            entries = await _view(stage["supervisor"], view)
            found = [one for one in entries if one["kind"] in kinds]
            if len(found) >= len(kinds):
                return found
            await asyncio.sleep(NAP_S)


async def _record(stage: Stage, lot: str) -> None:
    """The record, written down, verified by a stranger's program, and tampered with."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(Problem):
                content = await stage["supervisor"].read(f"/api/v1/lots/{lot}/evaluation-record")
                break
            await asyncio.sleep(NAP_S)
    path = stage.write("evaluation-record.json", content)
    forged = stage.settings.data / "forged-evaluation.json"
    told: Any = strict_json(content, 1 << 26)
    report: Any = strict_json(unb64(told["report"]), 1 << 26)
    first, second = report["parts"]["ranking"][:2]
    first["total"], second["total"] = second["total"], first["total"]
    told["report"] = b64(canonical(report))
    forged.write_bytes(canonical(told))
    whole = await verified("evaluation", path, *stage.pins)
    spoilt = await verified("evaluation", forged, *stage.pins)
    stage.expect(
        44,
        "one expert signs with a written dissent",
        REGULATION_53,
        {one["member"]: _dissent(one) for one in told["signatures"]}
        == {
            one["member"]: DISSENT if one["member"] == stage.facts.dissenting else ""
            for one in told["signatures"]
        },
        f"in the record word for word: {DISSENT}",
    )
    stage.expect(
        43,
        "totals and ranking equal an independent recomputation",
        LAW_40,
        whole and not spoilt,
        f"`sunbid verify evaluation` agrees on {len(told['commitments'])} sheets; a forgery fails",
    )


def _dissent(signature: dict[str, Any]) -> str:
    """What a member wrote under the report, as it was signed."""
    said: Any = strict_json(Envelope.from_bytes(unb64(signature["statement"])).payload)
    return str(said["dissent"])


async def _end(seat: SeatHand) -> None:
    """The process ends when nothing more can come in."""
    if seat.process.stdin is not None:
        seat.process.stdin.close()
    try:
        async with asyncio.timeout(10):
            await seat.process.wait()
    except TimeoutError:
        seat.process.kill()
        await seat.process.wait()
    await seat.line.end()
