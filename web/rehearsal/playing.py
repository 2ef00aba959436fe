"""Playing the rehearsal: a fresh demo platform, two witnesses, the acts, and the strangers' check.

The demo's clock starts at a pinned date, so that holidays never change the outcome, and jumps from
one due act to the next; every period of the law is kept in full.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kernel.clock import monotonic_s
from kernel.crypto.digests import b64u
from kernel.crypto.notes import WitnessSigner
from kernel.crypto.signing import PrivateKey
from kernel.errors import Outrun
from kernel.randomness import random_bytes
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.child_processes import ending_with_us
from kernel.store.registering import install_staff
from web import premises
from web.rehearsal import (
    act_award,
    act_evaluation,
    act_opening,
    act_publication,
    act_submission,
    cast,
)
from web.rehearsal.checking import check_everything, take_early_copy
from web.rehearsal.stage import Stage
from web.soundness import faults_of
from web.terminal_words import shown

START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
"""Tuesday 3 March 2026, 09:00 in Beijing: the twentieth day after it is a working day."""

STAGES = ("submit", "open", "award")
ACTS: dict[str, tuple[tuple[str, Callable[[Stage], Awaitable[None]]], ...]] = {
    "submit": (
        ("第一幕 招标 Publication", act_publication.play),
        ("第二幕 投标 Submission", act_submission.play),
    ),
    # The committee is drawn while decryption is under way, so the opening's act calls the draw's.
    "open": (("第三幕 开标与抽取 Opening and draw", act_opening.play),),
    "award": (
        ("第四幕 评标 Evaluation", act_evaluation.play),
        ("第五幕 定标 Award", act_award.play),
    ),
}
THE_LOG = 52
EXPECTED = {
    "submit": [*range(1, 21)],
    "open": [*range(1, 37), THE_LOG],
    "award": [*range(1, THE_LOG + 1)],
}
MARK = "REHEARSAL"
WITNESSES = ("demo.regulator.example/w1", "demo.notary.example/w2")
DONE, NOT_MET = 0, 6


async def rehearse(
    settings: Settings,
    *,
    folder: Path,
    out: Path,
    until: str,
    as_json: bool,
    talk: Console,
    stay: Callable[[], Awaitable[None]] | None,
) -> int:
    """Play up to a stage, check everything offline, print the summary; 0 where all was met.

    Both folders are cleared first where a rehearsal made them. `Outrun`, with nothing touched,
    where one of them is another's or in use, one lies in the other, the port is taken, or an
    outside database holds a platform already.
    """
    see_apart(folder, out)
    with _alone(folder):
        return await _rehearse(settings, folder, out, until, as_json=as_json, talk=talk, stay=stay)


async def _rehearse(
    settings: Settings,
    folder: Path,
    out: Path,
    until: str,
    *,
    as_json: bool,
    talk: Console,
    stay: Callable[[], Awaitable[None]] | None,
) -> int:
    began = monotonic_s()
    premises.see_port_is_free(settings)
    await _see_database_is_empty(settings)
    make_room(folder, out)
    told = settings.model_copy(
        update={
            "data": folder,
            "log_origin": "demo.sunbid.local/log",
            "log_tick_s": 0.5,
            # Long enough that a bid sent one second after the deadline comes before the closing on
            # a machine that does everything at once.
            "closer_settle_s": 3.0,
            "filler_epoch_s": 10.0,
            "witness_quorum": 2,
        }
    )
    witnesses = [(name, _key(folder, name), _free_port()) for name in WITNESSES]
    told = told.model_copy(
        update={
            "witnesses": tuple(
                f"{signer.vkey} http://127.0.0.1:{port}" for _, signer, port in witnesses
            )
        }
    )
    talk.print("[bold]sunbid 阳光交易[/] — rehearsal 演练: one tender walks its whole life")
    async with premises.opened(told, demo=True, start=START) as place:
        centre_key = PrivateKey.generate()
        centre_id = await _install_centre(place, told, centre_key)
        vkey = founding.read_keys(told).log_signer.vkey
        async with _witnesses(told, folder, witnesses, vkey):
            place.logs = folder / premises.LOGS
            await place.start_processes()
            stage = Stage(told, out, talk)
            stage.facts.log_vkey = vkey
            stage.facts.witness_vkeys = tuple(signer.vkey for _, signer, _ in witnesses)
            stage.page("/", "the public hall 交易大厅")
            stage.say("everyone registers and is verified 注册与核验")
            stopped_by = await _played(stage, until, centre_key, centre_id)
            owner = place.lines.engine("owner", pool_size=1)
            faults = await faults_of(owner, premises.documents_of(told))
            await owner.dispose()
            code = sum_up(stage, until, faults, monotonic_s() - began, stopped_by, as_json=as_json)
            if stay is not None:
                talk.print(f"The result stays at [bold]{told.origin}[/] (Ctrl-C ends it).")
                await stay()
            await _close_clients(stage)
    return code


async def _played(stage: Stage, until: str, centre_key: PrivateKey, centre_id: str) -> str:
    """Play and check everything; what stopped the play, or nothing.

    Whatever it is, the summary still tells what was shown until then and what was not.
    """
    try:
        await cast.bring_in(stage, centre_key=centre_key, centre_id=centre_id)
        await _play(stage, until)
        if THE_LOG in EXPECTED[until]:
            await check_everything(stage)
    except Exception as error:
        stage.talk.print_exception(max_frames=6)
        return f"{type(error).__name__}: {error}"
    return ""


async def _play(stage: Stage, until: str) -> None:
    for name in STAGES[: STAGES.index(until) + 1]:
        for title, play in ACTS[name]:
            stage.talk.rule(title)
            await play(stage)
        if name == STAGES[0]:
            await take_early_copy(stage)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else rehearses in this folder meanwhile; the lock lies beside what is cleared."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Outrun(
                f"a rehearsal is up in {folder}: end it first, or choose another folder with --data"
            ) from None
        yield


async def _see_database_is_empty(settings: Settings) -> None:
    if not settings.database_url:
        return
    owner = premises.lines_of(settings).engine("owner", pool_size=1)
    try:
        if await founding.is_founded(owner):
            raise Outrun("this database holds a platform already; a rehearsal wants an empty one")
    finally:
        await owner.dispose()


def see_apart(folder: Path, out: Path) -> None:
    """`Outrun` where the data and what is written for strangers would lie in each other."""
    inner, outer = folder.resolve(), out.resolve()
    if outer == inner or outer in inner.parents or inner in outer.parents:
        raise Outrun(
            f"{out} and the data in {folder} must not lie in each other: choose --out anew"
        )


def make_room(folder: Path, out: Path) -> None:
    """Both folders with nothing in them but the mark that a rehearsal made them.

    `Outrun`, with both as they were, where one of them holds something and has no such mark; a
    missing or an empty one is anybody's.
    """
    for one in (folder, out):
        if one.is_dir() and any(one.iterdir()) and not (one / MARK).exists():
            raise Outrun(
                f"{one} holds something that is not a rehearsal's; it is kept."
                " Empty it yourself, or choose another folder"
            )
    _make(out, "what a rehearsal wrote for strangers; the next rehearsal replaces it\n")
    _make(folder, "a rehearsal's data; the next rehearsal replaces it\n")


def _make(folder: Path, says: str) -> None:
    if folder.exists():
        for one in folder.iterdir():
            shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text(says)


def _key(folder: Path, name: str) -> WitnessSigner:
    secret = random_bytes(32)
    path = folder / "witnesses" / f"{name.rsplit('/', maxsplit=1)[-1]}.key"
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(b64u(secret))
    return WitnessSigner(name, secret)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _install_centre(place: premises.Premises, settings: Settings, key: PrivateKey) -> str:
    registration, _ = cast.centre_registration(key)
    engine = place.lines.engine("app", pool_size=1)
    try:
        told = await install_staff(premises.store_over(engine, settings), registration)
    finally:
        await engine.dispose()
    return str(told.organisation_id)


@asynccontextmanager
async def _witnesses(
    settings: Settings, folder: Path, witnesses: list[tuple[str, WitnessSigner, int]], vkey: str
) -> AsyncIterator[None]:
    """Two witnesses as processes of their own, with their own keys and clocks."""
    children = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "web", "witness"),
            *("--log", vkey, "--name", name, "--port", str(port)),
            *("--key", str(folder / "witnesses" / f"{name.split('/')[-1]}.key")),
            *("--demo-clock", settings.origin),
            preexec_fn=ending_with_us(signal.SIGTERM),
        )
        for name, _, port in witnesses
    ]
    try:
        yield
    finally:
        for child in children:
            child.terminate()
        await asyncio.gather(*(child.wait() for child in children))


def sum_up(
    stage: Stage,
    until: str,
    faults: list[str],
    took_s: float,
    stopped_by: str,
    *,
    as_json: bool,
) -> int:
    """Write the summary and say it; 0 where all expected was shown and met, and otherwise 6."""
    missing = [number for number in EXPECTED[until] if number not in stage.shown]
    met = all(one.met for one in stage.shown.values())
    ok = met and not missing and not faults and not stopped_by
    summary = {
        "ok": ok,
        "until": until,
        "seconds": round(took_s, 1),
        "expectations": [
            {
                "id": one.id,
                "what": one.what,
                "article": one.article,
                "met": one.met,
                "detail": one.detail,
            }
            for one in sorted(stage.shown.values(), key=lambda one: one.id)
        ],
        "missing": missing,
        "stopped_by": stopped_by,
        "broken_invariants": faults,
        "out": str(stage.out),
    }
    stage.write("summary.json", summary)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
    table = Table("expectations", "met", "missing", "invariants broken", "seconds")
    table.add_row(
        str(len(stage.shown)),
        str(sum(one.met for one in stage.shown.values())),
        ", ".join(map(str, missing)) or "—",
        str(len(faults)),
        f"{took_s:.0f}",
    )
    stage.talk.print(table)
    for fault in faults[:10]:
        stage.talk.print(f"[red]✗[/] {shown(fault)}")
    stage.talk.print("[bold green]All as it should be.[/]" if ok else "[bold red]NOT as listed.[/]")
    return DONE if ok else NOT_MET


async def _close_clients(stage: Stage) -> None:
    for player in stage.players.values():
        await player.client.aclose()
