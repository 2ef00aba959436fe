"""The stage: the running platform, who is on it, and what has been shown so far."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from kernel.crypto.digests import instant_text, parse_instant
from kernel.crypto.signing import PrivateKey
from kernel.settings import Settings
from web.client import Client, Problem


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
class Stage:
    """Everything the acts share."""

    settings: Settings
    out: Path
    talk: Console
    players: dict[str, Player] = field(default_factory=dict)
    shown: dict[int, Expectation] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    staff_client: Client | None = None

    @property
    def url(self) -> str:
        """Where the platform is."""
        return self.settings.origin

    def __getitem__(self, name: str) -> Client:
        return self.players[name].client

    def expect(self, number: int, what: str, article: str, met: bool, detail: str = "") -> None:
        """Note whether an expectation was met; one shown twice must be met both times."""
        before = self.shown.get(number)
        met = met and (before is None or before.met)
        self.shown[number] = Expectation(number, what, article, met, detail)
        mark = "[green]✓[/]" if met else "[bold red]✗[/]"
        cited = f" [dim]{article}[/]" if article else ""
        self.talk.print(f"  {mark} ({number}) {what}{cited}" + (f" — {detail}" if detail else ""))

    def say(self, words: str) -> None:
        """Tell whoever watches what is happening now."""
        self.talk.print(f"[dim]·[/] {words}")

    def page(self, path: str, what: str) -> None:
        """Point to a page that has come alive."""
        self.talk.print(f"  [blue]→ {self.url}{path}[/] {what}")

    async def refused(
        self, act: Callable[[], Any], *, code: str = "", status: int = 0
    ) -> Problem | None:
        """The problem an act was answered with; None where it went through or failed otherwise."""
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
        assert self.staff_client is not None
        while True:
            told = await self.staff_client.post("/demo/clock", {"to": instant_text(instant)})
            reached = parse_instant(told["now"])
            if reached >= instant - timedelta(milliseconds=1):
                return reached
            await self.settled()

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
