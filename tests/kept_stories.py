"""Stories told once in each test process; every test that asks goes on in a copy of its own.

To publish a lot, seal bids for it and open them takes a thousand statements. A test that begins
after that names the fixture of where it begins, and finds what was left there: the database, the
files, and the people with their keys.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from kernel.store.transaction import Store
from tests.awards import a_recorded_lot, an_evaluated_lot
from tests.draw_cast import a_draw_house
from tests.kept_stores import Lines, Tick, founded_store, settings_in, witnessed
from tests.opened_lots import Hall, a_closed_lot
from tests.prequalifications import a_called_lot
from tests.sealed_bids import a_tender


@dataclass(frozen=True, slots=True)
class Story:
    """How it is told in an empty platform, and how what came of it is taken to another store."""

    tell: Callable[[Store, Tick], Awaitable[Any]]
    taken_to: Callable[[Any, Store], Any]


def _hall_in(hall: Hall, store: Store) -> Hall:
    return replace(hall, store=store, entries=list(hall.entries))


STORIES: Final[Mapping[str, Story]] = MappingProxyType(
    {
        "tender": Story(lambda store, _: a_tender(store), lambda tender, _: tender),
        "called_lot": Story(lambda store, _: a_called_lot(store), lambda called, _: called),
        "hall": Story(lambda store, _: a_closed_lot(store), _hall_in),
        "recorded_hall": Story(lambda store, _: a_recorded_lot(store), _hall_in),
        "evaluated": Story(
            lambda store, _: an_evaluated_lot(store),
            lambda lot, store: replace(lot, hall=_hall_in(lot.hall, store)),
        ),
        "draw_house": Story(
            a_draw_house,
            lambda house, store: replace(
                house, store=store, parties=dict(house.parties), experts=list(house.experts)
            ),
        ),
    }
)
"""By the name of the fixture that asks for it."""


@dataclass(frozen=True, slots=True)
class Told:
    """A story that was told: what came of it, where its database is, and its data folder."""

    name: str
    result: Any
    database: str
    folder: Path

    def in_store(self, store: Store) -> Any:
        """What came of it, for a store over a copy."""
        return STORIES[self.name].taken_to(self.result, store)


@dataclass(slots=True)
class KeptStories:
    """The stories of this process, each told when it is first asked for."""

    lines: Lines
    folder: Path
    template: str
    told: dict[str, Told] = field(default_factory=dict)

    async def asked_by(self, fixtures: Iterable[str]) -> Told | None:
        """The story that one of a test's fixtures is named after."""
        names = sorted(STORIES.keys() & set(fixtures))
        if not names:
            return None
        if len(names) > 1:
            raise ValueError(f"a test begins at one place: {', '.join(names)}")
        return self.told.get(names[0]) or await self._tell(names[0])

    async def _tell(self, name: str) -> Told:
        folder, database = self.folder / name, f"story_{name}"
        settings = witnessed(settings_in(folder))
        async with founded_store(self.lines, database, self.template, settings) as (store, tick):
            result = await STORIES[name].tell(store, tick)
        self.told[name] = Told(name, result, database, folder)
        return self.told[name]


def continued(told: Told, folder: Path) -> None:
    """Put the keys and files of a story into a test's own data folder."""
    shutil.copytree(told.folder, folder, dirs_exist_ok=True)
