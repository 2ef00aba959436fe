"""Everybody who may look before a closing, and whether anything they see tells that somebody bid.

What tells of a lot, its parties and what goes on is read by every sort of person before the first
bid exists and again after bids came in. What differs would be a count, a name or a presence. The
log's checkpoints, tiles, proofs and manifest are not compared: they follow from the entries, which
are, and grow by the clock. Two things differ by themselves and
tell of time alone: how much later it is, and the log's own housekeeping, which goes on at fixed
times whatever happens. They are taken out by what they are, and nothing else is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kernel.crypto.digests import canonical, unb64
from web.client import Client, Problem
from web.event_words import EVENT_WORDS
from web.rehearsal.stage import Stage

PATIENCE_S: Final = 30.0
NAP_S: Final = 0.1
PAGES_MAX: Final = 500

HOUSEKEEPING: Final = frozenset({"FillerKeyCommitted", "FillerKeyDisclosed"})
"""What the log enters by the clock alone: the keys of its fillers."""

PASSING: Final = re.compile(
    r'nonce="[^"]*"|\d\d:\d\d(?::\d\d(?:\.\d+)?)?|<progress[^>]*>|(?:已等待|waiting for) [^<]*'
)
"""What differs between two views of the same page: a script's nonce, how late it is, and since
when somebody has waited."""

GROWING: Final = re.compile(
    r'<pre\b.*?</pre>|<ul class="grid kpis">.*?</ul>|<ul class="plain">.*?</ul>', re.DOTALL
)
"""Where the transparency window shows how far the tree has grown: by batches, whatever happens."""

ROW: Final = re.compile(r"<(li|tr)\b[^>]*>.*?</\1>", re.DOTALL)
COUNTING: Final = re.compile(r'data-live-after="\d*"|(?:最近|the last) *\d+ *条?')
"""Where a page says how many lines of the journal it shows, and after which one it goes on."""

WATCHERS: Final = (
    *("supervisor", "tenderee", "agency", "centre", "second_centre", "site_host"),
    *("bidder9", "expert1", "custodian_agency", "custodian_supervisor"),
)
STRANGER: Final = "public"


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer without what passes: what must stay as it is, and the lines of a journal in it.

    A page shows the newest lines alone, so that housekeeping drives out the oldest: `driven_out`
    is how many lines of it there are.
    """

    fixed: str
    lines: tuple[str, ...] = ()
    driven_out: int = 0


def tells_of_something(before: Seen, after: Seen) -> bool:
    """Whether an answer changed in anything but what housekeeping changes by itself.

    No line may have come, and only as many be gone as housekeeping drove out: the oldest, which
    stand together at one end.
    """
    if before.fixed != after.fixed:
        return True
    gone = len(before.lines) - len(after.lines)
    if not 0 <= gone <= max(0, after.driven_out - before.driven_out):
        return True
    kept = len(after.lines)
    return after.lines not in _windows(before.lines, kept)


def _windows(lines: tuple[str, ...], kept: int) -> list[tuple[str, ...]]:
    """What may be left of a page's rows where some that stand together are gone."""
    gone = len(lines) - kept
    return [lines[:at] + lines[at + gone :] for at in range(kept + 1)]


def seen_of_entries(told: Mapping[str, Any]) -> Seen:
    """A view's entries, whole: each without its number, which must be dense."""
    entries = list(told["entries"])
    numbers = [one["seq"] if "seq" in one else one["number"] for one in entries]
    opened = [_opened(one) for one in entries]
    kept = [one for one in opened if _kind(one) not in HOUSEKEEPING]
    lines = [
        canonical({name: one[name] for name in one if name not in ("seq", "number")}).decode()
        for one in kept
    ]
    return Seen(f"dense: {numbers == list(range(1, len(numbers) + 1))}", tuple(lines))


def seen_of_page(text: str, *, window: bool = False) -> Seen:
    """A page, its rows apart from the rest; `window` says that it shows how the tree grows."""
    text = PASSING.sub("", GROWING.sub("", text) if window else text)
    rows = [found.group() for found in ROW.finditer(text)]
    kept = [row for row in rows if not _keeps_house(row)]
    if len(kept) == len(rows) and not any(_names_an_entry(row) for row in rows):
        return Seen(text)
    around = " ".join(COUNTING.sub("", ROW.sub("", text)).split())
    return Seen(around, tuple(kept), len(rows) - len(kept))


def _opened(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with its record in the clear, so that names in it are found."""
    if "record" not in entry:
        return dict(entry)
    return {**entry, "record": json.loads(unb64(entry["record"]))}


def _kind(entry: Mapping[str, Any]) -> str:
    return str(entry["record"]["kind"] if "record" in entry else entry["kind"])


def _keeps_house(row: str) -> bool:
    return any(word in row for kind in HOUSEKEEPING for word in _said(kind))


def _names_an_entry(row: str) -> bool:
    return any(word in row for kind in EVENT_WORDS for word in _said(kind))


def _said(kind: str) -> tuple[str, ...]:
    words = EVENT_WORDS[kind]
    return kind, words.zh, words.en


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def paths_about(stage: Stage, lot: str) -> tuple[str, ...]:
    """Everything that tells of a lot, of its parties, or of what goes on at all."""
    project = stage.facts.project_id
    rivals = [stage.players[f"bidder{number}"].organisation_id for number in (1, 3)]
    return (
        f"/api/v1/lots/{lot}",
        f"/api/v1/lots/{lot}/opening",
        f"/api/v1/lots/{lot}/uploads",
        f"/api/v1/lots/{lot}/bids/mine",
        f"/api/v1/lots/{lot}/award",
        f"/api/v1/lots/{lot}/objections",
        f"/api/v1/lots/{lot}/draws",
        *(
            f"/api/v1/views/{view}/entries"
            for view in (
                *(f"{lot}/{name}" for name in ("public", "participants", "supervisors")),
                *(f"{lot}/committee", "public", "supervisors"),
                *(f"party/{rival}" for rival in rivals),
            )
        ),
        *("/api/v1/log/entries", "/api/v1/lots", "/api/v1/supervision"),
        *("/api/v1/custodian-assignments", "/metrics"),
        *("/", "/notices", f"/notices/{lot}", "/openings", f"/openings/{lot}"),
        *("/evaluation", "/objections", "/bids", f"/lots/{lot}/bid", "/supervision", "/desk"),
        *(f"/desk/lots/{lot}", "/custodian", f"/awards/{lot}", "/transparency"),
        *(f"/api/v1/lots/{lot}/questions", f"/notices/{lot}/questions"),
        *(f"/api/v1/projects/{project}", f"/projects/{project}", f"/desk/projects/{project}"),
        # Not who is barred: what is counted in the metrics would count these very readings.
        *("/api/v1/own-projects", "/api/v1/organisations"),
        *("/api/v1/experts/waiting", "/experts", "/sites", "/centre", "/api/v1/listings"),
        *("/account-desk", "/api/v1/security-account"),
        *(f"/lots/{lot}/securities", f"/api/v1/lots/{lot}/securities"),
    )


async def everything_seen(stage: Stage, lot: str, stranger: Client) -> dict[str, Seen]:
    """What everybody is answered now, by who asked for what."""
    clients = {STRANGER: stranger} | {name: stage[name] for name in WATCHERS}
    paths = paths_about(stage, lot)

    async def all_of(name: str, client: Client) -> dict[str, Seen]:
        return {f"{name} {path}": await _seen(client, path) for path in paths}

    found: dict[str, Seen] = {}
    for one in await asyncio.gather(*(all_of(*both) for both in clients.items())):
        found |= one
    return found


async def _seen(client: Client, path: str) -> Seen:
    try:
        if path.endswith("/entries"):
            return seen_of_entries(await _all_entries(client, path))
        told = (await client.read(path)).decode()
    except Problem as problem:
        told_back = ("trace_id", "instance")
        body = {name: told for name, told in problem.body.items() if name not in told_back}
        return Seen(f"{problem.status} {body}")
    if path == "/metrics" or path.startswith("/api/"):
        return Seen(told)
    return seen_of_page(told, window=path == "/transparency")


async def _all_entries(client: Client, path: str) -> dict[str, Any]:
    """Every entry of a view; where leaves are named, once all of them have their places."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            entries: list[dict[str, Any]] = []
            while page := (await client.get(path, after=len(entries)))["entries"]:
                entries += page
            if all(one.get("index", 0) is not None for one in entries):
                return {"entries": entries}
            await asyncio.sleep(NAP_S)


def told_in(seen: Mapping[str, Seen], words: Sequence[str], absent: str) -> list[str]:
    """Which answers name one of these, and not also him who was never there.

    A list of who is registered names them all.
    """
    whole = {name: "\n".join((one.fixed, *one.lines)) for name, one in seen.items()}
    return [
        name
        for name, text in whole.items()
        if absent not in text and any(word in text for word in words)
    ]


# ── live ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Ear:
    """One socket: whose, of which view, and what was heard since it began to count."""

    who: str
    client: Client
    view: str
    heard: list[str] = field(default_factory=list)
    number: int = 0
    counted_from: int | None = None

    async def listen(self) -> None:
        """Follow the view for ever."""
        async for message in self.client.watch(self.view):
            self.number = int(message["seq"])
            self.heard.append(str(message["kind"]))

    async def caught_up(self) -> None:
        """Return once everything said until now was heard; from here on it counts."""
        told = await _all_entries(self.client, f"/api/v1/views/{self.view}/entries")
        await self._until(lambda: self.number >= len(told["entries"]))
        self.counted_from = len(self.heard)

    async def hears(self, kind: str) -> bool:
        """Whether this comes through in time: a deaf ear would have heard nothing either."""
        with contextlib.suppress(TimeoutError):
            await self._until(lambda: kind in self.heard[self.counted_from :])
            return True
        return False

    @property
    def leaked(self) -> list[str]:
        """What was heard since it counts, but for the log's housekeeping."""
        return [kind for kind in self.heard[self.counted_from :] if kind not in HOUSEKEEPING]

    async def _until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not happened():
                await asyncio.sleep(NAP_S)


@contextlib.asynccontextmanager
async def ears(stage: Stage, lot: str, stranger: Client) -> AsyncIterator[list[Ear]]:
    """Sockets of everybody who may have one, caught up with all that was said so far."""
    listening = [
        Ear(STRANGER, stranger, "public"),
        Ear(STRANGER, stranger, f"{lot}/public"),
        Ear("bidder9", stage["bidder9"], f"{lot}/public"),
        Ear("agency", stage["agency"], f"{lot}/participants"),
        Ear("supervisor", stage["supervisor"], "supervisors"),
        Ear("supervisor", stage["supervisor"], f"{lot}/supervisors"),
    ]
    tasks = [asyncio.create_task(ear.listen()) for ear in listening]
    try:
        for ear in listening:
            await ear.caught_up()
        yield listening
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
