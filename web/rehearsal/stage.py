"""The stage: the running platform, who is on it, and what has been shown so far."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from kernel.clock import machine_clock
from kernel.crypto.digests import instant_text, parse_instant
from kernel.crypto.signing import PrivateKey
from kernel.settings import Settings
from web.client import Client, Problem
from web.terminal_words import shown

ARTICLE: Final = re.compile(
    r"《(?:中华人民共和国)?([^》]+)》第([0-9]+条|（[^）]+）项)(第（[^）]+）项)?"
)
"""An article as the law is cited, with or without the republic's name before a statute's."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Something the rehearsal promises to show, and whether it was so."""

    id: int
    what: str
    article: str
    met: bool
    detail: str = ""


@dataclass(slots=True)
class Player:
    """One participant: a key, a person, an organisation and the capacity acted in."""

    name: str
    role: str
    organisation: str
    key: PrivateKey
    client: Client
    organisation_id: str = ""
    person_id: str = ""


@dataclass(slots=True)
class OwnBid:
    """What a bidder of the cast keeps on its own machine: its price and the key that releases."""

    sheet: dict[str, Any]
    opening_key: PrivateKey
    escrow: bool
    lot_id: str


@dataclass(slots=True)
class Facts:
    """What one act hands on to the next; each is set by the act named.

    Publication: the project, both lots, the deadline and release window of lot 1, and every
    custodian's key by player. Submission: the bids for lot 1 by bidder, and receipts by bidder.
    Draw: the draw, every expert's id by number, and the players who accepted a seat. Evaluation:
    the committee, and the member who dissents.
    """

    log_vkey: str = ""
    witness_vkeys: tuple[str, ...] = ()
    project_id: str = ""
    lot1: str = ""
    lot2: str = ""
    bids_due_at: datetime | None = None
    release_window: timedelta = timedelta(minutes=30)
    custodian_keys: dict[str, PrivateKey] = field(default_factory=dict)
    bids: dict[str, OwnBid] = field(default_factory=dict)
    receipts: dict[str, str] = field(default_factory=dict)
    draw_id: str = ""
    expert_ids: dict[int, str] = field(default_factory=dict)
    seated: list[str] = field(default_factory=list)
    committee_id: str = ""
    dissenting: str = ""
    candidates: list[str] = field(default_factory=list)


def same_article(cited: str, article: str) -> bool:
    """Whether these words cite this article, of this instrument; an item of it is it as well."""
    wanted = ARTICLE.search(article)
    if wanted is None:
        raise ValueError(f"{article!r} is no article")
    return any(
        found.groups()[:2] == wanted.groups()[:2] and wanted[3] in (None, found[3])
        for found in ARTICLE.finditer(cited)
    )


def cites(problem: Problem | None, article: str) -> bool:
    """Whether a refusal names this article among its grounds, as the platform cites it itself."""
    cited = [str(one["article"]) for one in problem.refusals] if problem is not None else []
    return any(same_article(one, article) for one in cited)


@dataclass(slots=True)
class Stage:
    """Everything the acts share."""

    settings: Settings
    out: Path
    talk: Console
    players: dict[str, Player] = field(default_factory=dict)
    shown: dict[int, Expectation] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    staff_client: Client | None = None
    clock_offset: timedelta = timedelta(0)

    @property
    def url(self) -> str:
        """Where the platform is."""
        return self.settings.origin

    @property
    def pins(self) -> tuple[str, ...]:
        """What a stranger knows from elsewhere, as `sunbid verify` is told it."""
        return (
            *("--log", self.facts.log_vkey, "--quorum", str(self.settings.witness_quorum)),
            *(word for vkey in self.facts.witness_vkeys for word in ("--witness", vkey)),
        )

    def __getitem__(self, name: str) -> Client:
        return self.players[name].client

    def expect(self, number: int, what: str, article: str, met: bool, detail: str = "") -> None:
        """Note whether an expectation was met; one shown twice must be met both times."""
        before = self.shown.get(number)
        met = met and (before is None or before.met)
        self.shown[number] = Expectation(number, what, article, met, detail)
        mark = "[green]✓[/]" if met else "[bold red]✗[/]"
        cited = f" [dim]{article}[/]" if article else ""
        self.talk.print(
            f"  {mark} ({number}) {what}{cited}" + shown(f" — {detail}" if detail else "")
        )

    def say(self, words: str) -> None:
        """Tell whoever watches what is happening now."""
        self.talk.print(f"[dim]·[/] {words}")

    def page(self, path: str, what: str) -> None:
        """Point to a page that has come alive."""
        self.talk.print(f"  [blue]→ {self.url}{path}[/] {what}")

    async def refused(
        self, act: Callable[[], Any], *, code: str = "", status: int = 0
    ) -> Problem | None:
        """The problem an act was answered with; None where it went through or failed otherwise.

        Either a code or a status says which refusal is meant: any other is none.
        """
        if not (code or status):
            raise ValueError("say which refusal is meant")
        try:
            await act()
        except Problem as problem:
            codes = {refusal["code"] for refusal in problem.refusals} | {problem.code}
            if (code and code not in codes) or (status and problem.status != status):
                self.say(f"refused, but otherwise: {problem}")
                return None
            return problem
        return None

    async def now(self) -> datetime:
        """The platform's time."""
        assert self.staff_client is not None
        told = await self.staff_client.get("/api/v1/clock")
        return parse_instant(told["now"])

    async def clock_to(self, instant: datetime) -> datetime:
        """Jump the demo clock forward, letting every due act on the way happen first."""
        while True:
            reached = await self.jump(instant)
            if reached >= instant - timedelta(milliseconds=1):
                return reached
            await self.settled()

    async def jump(self, instant: datetime) -> datetime:
        """One jump towards an instant, which ends at the next due act; it waits for nothing.

        Where the platform's clock is then. While something is due it does not jump at all, but
        goes on as the world's does.
        """
        assert self.staff_client is not None
        told = await self.staff_client.post("/demo/clock", {"to": instant_text(instant)})
        reached = parse_instant(told["now"])
        self.clock_offset = reached - machine_clock()
        return reached

    async def live_until(self, instant: datetime) -> None:
        """Wait as long as the platform's clock needs to get there by itself, without a jump."""
        while (left := instant - await self.now()) > timedelta(0):
            await asyncio.sleep(left.total_seconds())

    async def settled(self) -> None:
        """Return when nothing is due any more."""
        assert self.staff_client is not None
        await self.staff_client.get("/api/v1/clock?settled=1")

    def write(self, name: str, content: bytes | str | dict[str, Any] | list[Any]) -> Path:
        """Write one of the files a stranger needs."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        match content:
            case bytes():
                path.write_bytes(content)
            case str():
                path.write_text(content)
            case _:
                path.write_text(json.dumps(content, ensure_ascii=False, indent=1))
        return path
