"""Exporting the whole log where it is kept: what a reader elsewhere cannot see is left out by none.

The view `all` opens every leaf, so that fillers cannot hide alternative records. It is made by the
operator, on the machine that has the database, and it holds what nobody else may read: who signed
in when, who was called to a committee. Nothing that is still sealed enters it. Whole is only the
part of the log whose fillers' keys are disclosed, which they are not while a lot that was open then
is not closed; and it ends where the first lot was closed that is not awarded yet, because until
then nobody may learn who sits on its committee (招标投标法 37). Behind that stands what is public.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.crypto import merkle
from kernel.crypto.notes import LogSigner
from kernel.errors import NotFound, Outrun
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import LOG, connect
from kernel.store.opened_views import entry_told, signed_manifest, vouchers
from kernel.store.transparency_log import latest_note, nodes_at
from kernel.store.views import PUBLIC_FEED
from web.premises import Reached, lines_of, reached

WHOLE: Final = "all"
CLOSED: Final = "LotClosed"
OVER: Final = ("AwardPublished", "LotCancelled", "LotFailed")
"""What ends a lot for good, so that who sat on its committee is no secret of the log any more."""

PAGE: Final = 1000
DONE: Final = 0

_DISCLOSED = text(
    "SELECT j.record FROM kernel.journal j JOIN kernel.log_place p ON p.entry_id = j.id"
    " WHERE j.kind = 'FillerKeyDisclosed' AND p.index < :size ORDER BY p.index DESC LIMIT :limit"
)
_FIRST_UNFINISHED = text(
    "SELECT min(p.index) FROM kernel.journal j JOIN kernel.log_place p ON p.entry_id = j.id"
    " WHERE j.kind = :closed AND NOT EXISTS (SELECT 1 FROM kernel.journal e"
    " WHERE e.subject_id = j.subject_id AND e.kind = ANY(:over))"
)
_BATCH_OF = text("SELECT coalesce(max(size), 0) FROM kernel.log_batch WHERE size <= :index")
_COUNT = text("SELECT count(*) FROM kernel.log_place WHERE index < :size")
_ENTRIES = text(
    "SELECT j.id, j.record, j.salt, p.index FROM kernel.log_place p"
    " JOIN kernel.journal j ON j.id = p.entry_id"
    " WHERE p.index > :after AND p.index < :size AND (p.index < :whole OR EXISTS"
    " (SELECT 1 FROM kernel.view_entry v WHERE v.view = :public AND v.entry_id = j.id))"
    " ORDER BY p.index LIMIT :limit"
)
_LEAVES = text(
    "SELECT data FROM kernel.log_leaf WHERE index >= :first AND index < :end ORDER BY index"
)
_COSIGNED = text("SELECT EXISTS (SELECT 1 FROM kernel.log_cosignature)")


async def export(settings: Settings, target: Path, *, talk: Console) -> int:
    """Write the whole log into a new folder, as `sunbid verify log` reads it; 0 when it is done.

    The platform may go on running. `Outrun` where the folder is not empty, or where the log has
    witnesses that these settings do not name; `NotFound` where nothing is published yet.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Outrun(f"{target} is not an empty folder; choose another with --out")
    signer = founding.read_keys(settings).log_signer
    async with reached(settings) as place:
        engine = _log_line(settings, place)
        try:
            async with engine.connect() as line:
                # One snapshot: the log goes on growing while it is written out.
                connection = await line.execution_options(isolation_level="REPEATABLE READ")
                size, entries, whole_until = await write_export(
                    connection, target, signer=signer, settings=settings, talk=talk
                )
        finally:
            await engine.dispose()
    talk.print(
        f"{size:,} leaves, {entries:,} entries opened, whole before leaf {whole_until:,}.\n"
        "[yellow]It opens what nobody else may read: keep it as you keep the database.[/]"
    )
    return DONE


def _log_line(settings: Settings, place: Reached) -> AsyncEngine:
    """The database as the log's own role, which can read what it needs and no bid."""
    if settings.database_url:
        return lines_of(settings).engine("log", pool_size=1)
    url = make_url(place.owner_url).set(username=LOG)
    return connect(url.render_as_string(hide_password=False), pool_size=1)


async def write_export(
    line: AsyncConnection, folder: Path, *, signer: LogSigner, settings: Settings, talk: Console
) -> tuple[int, int, int]:
    """Write the export in this snapshot: its leaves, its entries, and up to where it is whole."""
    witnesses, quorum = vouchers(settings)
    if not witnesses and (await line.execute(_COSIGNED)).scalar_one():
        raise Outrun("the log has witnesses: run this with the settings the platform runs with")
    note = await latest_note(line, quorum=quorum)
    if note is None:
        raise NotFound("no checkpoint yet that the quorum of witnesses has cosigned")
    size = int(note.split("\n")[1])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "checkpoint").write_text(note)
    whole_until = await _whole_until(line, size)
    with Progress(console=talk, transient=True) as progress:
        await _write_tiles(line, folder, size, progress)
        places = await _write_entries(line, folder, size, whole_until, progress)
    manifest = signed_manifest(
        WHOLE, places, size=size, whole_until=whole_until, signer=signer, settings=settings
    )
    (folder / "manifest").write_text(manifest)
    keys = {"log": signer.vkey, "witnesses": list(witnesses), "quorum": quorum, "view": WHOLE}
    (folder / "keys.json").write_text(json.dumps(keys, indent=1))
    return size, len(places), whole_until


async def _whole_until(line: AsyncConnection, size: int) -> int:
    """Before which leaf every entry may be shown: the fillers there are disclosed in this tree."""
    told = await line.execute(_DISCLOSED, {"size": size, "limit": PAGE})
    ends = [int(json.loads(row.record)["facts"]["end_index"]) for row in told]
    whole = max(ends, default=0)
    asked = {"closed": CLOSED, "over": list(OVER)}
    unfinished = (await line.execute(_FIRST_UNFINISHED, asked)).scalar_one()
    if unfinished is None:
        return whole
    # A closing stands first in its batch of leaves, but at a place within it drawn at random.
    begins = (await line.execute(_BATCH_OF, {"index": unfinished})).scalar_one()
    return min(whole, int(begins))


async def _write_entries(
    line: AsyncConnection, folder: Path, size: int, whole_until: int, progress: Progress
) -> Sequence[tuple[int, int, str]]:
    """Write the opened entries; each as (number, index, id)."""
    total = (await line.execute(_COUNT, {"size": size})).scalar_one()
    task = progress.add_task("Opening entries", total=total)
    places: list[tuple[int, int, str]] = []
    asked: dict[str, Any] = {
        "size": size,
        "whole": whole_until,
        "public": PUBLIC_FEED,
        "limit": PAGE,
        "after": -1,
    }
    with _own_file(folder / "entries.jsonl") as file:
        while rows := (await line.execute(_ENTRIES, asked)).all():
            for entry_id, record, salt, index in rows:
                told = entry_told(len(places) + 1, entry_id, record, salt, index)
                file.write(json.dumps(told) + "\n")
                places.append((told["number"], index, told["id"]))
            asked["after"] = places[-1][1]
            progress.update(task, completed=len(places))
    return places


@contextmanager
def _own_file(path: Path) -> Iterator[TextIO]:
    """A new file that only this user can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yield file


async def _write_tiles(line: AsyncConnection, folder: Path, size: int, progress: Progress) -> None:
    task = progress.add_task("Writing tiles", total=-(-size // merkle.TILE_WIDTH))
    level = 0
    while (width := size >> (merkle.TILE_HEIGHT * level)) > 0:
        for number in range(-(-width // merkle.TILE_WIDTH)):
            first = number * merkle.TILE_WIDTH
            end = min(first + merkle.TILE_WIDTH, width)
            wanted = [(level * merkle.TILE_HEIGHT, index) for index in range(first, end)]
            found = await nodes_at(line, wanted)
            _put(folder, level, number, len(wanted), b"".join(found[one] for one in wanted))
            if level == 0:
                rows = await line.execute(_LEAVES, {"first": first, "end": end})
                _put(folder, None, number, len(wanted), merkle.bundle([row[0] for row in rows]))
                progress.advance(task)
        level += 1


def _put(folder: Path, level: int | None, number: int, width: int, content: bytes) -> None:
    path = folder / merkle.tile_path(level, number, width)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
