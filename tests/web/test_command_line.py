"""What every command promises a stranger: help, exit codes, data on one stream and talk on another.

Exit codes: 0 done, 2 wrong usage, 3 not found, 4 not permitted, 5 refused, 6 verification failed,
7 network, 8 the deadline has passed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from kernel.crypto.notes import LogSigner, parse_vkey
from kernel.errors import (
    BrokenSeal,
    NotFound,
    NotPermitted,
    NotSignedIn,
    Outrun,
    PlatformError,
    Refused,
    TooMuch,
)
from kernel.failpoints import arm
from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW
from web import command_line
from web.command_line import code_for, main

ROOT = Path(__file__).resolve().parents[2]
LOG = LogSigner("demo.sunbid.test/log", bytes(32)).vkey
REAL = LogSigner("sunbid.test/log", bytes(32)).vkey


@pytest.fixture(autouse=True)
def _a_stranger_s_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [one for one in os.environ if one.startswith("SUNBID_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SUNBID_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    yield
    arm("")


def command_of(words: tuple[str, ...]) -> Any:
    """The command of these words."""
    found: Any = get_command(main)
    for word in words:
        found = found.commands[word]
    return found


def commands() -> list[tuple[str, ...]]:
    """Every command there is, the hidden ones too."""
    found: list[tuple[str, ...]] = [()]
    for name, command in command_of(()).commands.items():
        found.append((name,))
        found += [(name, inner) for inner in getattr(command, "commands", {})]
    return found


def test_there_are_the_commands_that_are_promised() -> None:
    assert {
        *{(name,) for name in ("up", "rehearse", "migrate", "seal", "witness", "doctor")},
        *{(name,) for name in ("backup", "restore", "bench", "verify")},
        *{("verify", name) for name in ("receipt", "opening", "draw", "evaluation", "log")},
    } <= set(commands())


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, [*words, "--help"])
    assert done.exit_code == 0, done.output
    assert "Usage:" in done.stdout
    assert done.stderr == ""
    assert "\x1b[" not in done.stdout
    told = re.sub(r"[─│╭╮╰╯]", "", done.stdout)
    assert len(told.split("Usage:")[1].split("Options")[0].split()) > 8, "it says what it does"
    for parameter in command_of(words).params:
        assert getattr(parameter, "help", ""), f"{parameter.name} says what it is for"


@pytest.mark.parametrize("words", commands()[1:], ids=" ".join)
def test_an_option_that_does_not_exist_is_wrong_usage(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, [*words, "--no-such-option"])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "--no-such-option" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["no-such-command"], 2),
        (["verify", "log"], 2),
        (["verify", "log", "/no/such/folder"], 2),
        (["rehearse", "--until", "lunch"], 2),
        (["bench", "no-such-benchmark"], 2),
        (["up", "--port", "0"], 2),
        (["up", "--port", "99999"], 2),
        (["up", "--port", "http"], 2),
        (["witness", "--log", "not-a-key", "--key", "k", "--name", "w"], 2),
        (["witness", "--log", REAL, "--key", "k", "--name", "two words"], 2),
        (["witness", "--log", REAL, "--key", "k", "--name", "w", "--demo-clock", "http://x"], 2),
        (["restore", "nothing-here"], 3),
        (["restore", __file__], 3),
        (["verify", "receipt", __file__, "--log", LOG], 6),
        (["verify", "draw", __file__], 6),
        (["verify", "log", str(Path(__file__).parent)], 6),
        (["verify", "opening", str(Path(__file__).parent)], 6),
        (["verify", "receipt", str(Path(__file__).parent), "--log", LOG], 2),
        (["verify", "draw", str(Path(__file__).parent)], 2),
        (["verify", "evaluation", str(Path(__file__).parent)], 2),
        (["verify", "log", __file__], 2),
        (["backup", "/proc/no-such-folder"], 3),
        (["witness", "--log", REAL, "--key", "/proc/no-such/key", "--name", "w"], 3),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else None,
)
def test_what_goes_wrong_has_its_own_exit_code(
    words: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, words)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert isinstance(done.exception, SystemExit), "nothing was left uncaught"


def test_a_rehearsal_leaves_alone_what_is_not_its_own(tmp_path: Path) -> None:
    """Neither a folder of somebody's, nor one in which another plays, nor another's port."""
    folder = tmp_path / "data" / "rehearsal"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("seven years of work")
    with socket.create_server(("127.0.0.1", 0)) as held:
        free = held.getsockname()[1]
        words = ["rehearse", "--port", str(free), "--out", str(tmp_path / "out")]
        taken = CliRunner().invoke(main, words)
    assert taken.exit_code == 5
    assert f"port {free} of 127.0.0.1 is taken" in taken.stderr
    kept = CliRunner().invoke(main, words)
    assert kept.exit_code == 5
    assert "it is kept" in kept.stderr
    (folder / "REHEARSAL").touch()
    with (tmp_path / "data" / "rehearsal.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy = CliRunner().invoke(main, words)
    assert busy.exit_code == 5
    assert "a rehearsal is up" in busy.stderr
    nowhere = CliRunner().invoke(main, [*words[:-1], "/proc/no-such-folder"])
    assert nowhere.exit_code == 3
    assert "/proc/no-such-folder" in nowhere.stderr
    assert (folder / "thesis.txt").read_text() == "seven years of work"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), 3),
        (NotPermitted("x"), 4),
        (NotSignedIn("x"), 4),
        (Outrun("x"), 5),
        (TooMuch("x"), 5),
        (PlatformError("x"), 5),
        (BrokenSeal("x"), 6),
        (Refused([Refusal("barred", BIDDING_LAW[28], "禁止投标")]), 5),
        (Refused([Refusal("late", BIDDING_LAW[28], "逾期送达")]), 8),
    ],
)
def test_every_error_has_its_exit_code(error: PlatformError, code: int) -> None:
    assert code_for(error) == code


def test_a_database_out_of_reach_is_the_network_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUNBID_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1:9/nothing")
    done = CliRunner().invoke(main, ["backup", str(tmp_path / "copy")])
    assert done.exit_code == 7
    assert "out of reach" in done.stderr


def test_failpoints_are_refused_where_it_is_no_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNBID_FAILPOINTS", "db.before_commit=kill")
    for command in ("up", "serve", "background", "migrate", "doctor"):
        done = CliRunner().invoke(main, [command])
        assert done.exit_code == 2
        assert "not a test" in done.stderr
    monkeypatch.setenv("SUNBID_TESTING", "1")
    assert command_line.settings_with().failpoints == "db.before_commit=kill"
    monkeypatch.setenv("SUNBID_FAILPOINTS", "db.before_commit")
    assert CliRunner().invoke(main, ["doctor"]).exit_code == 2


def test_a_setting_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNBID_PORT", "eighty")
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 2
    assert "SUNBID_PORT" in done.stderr


def test_a_witness_shows_the_key_it_keeps(tmp_path: Path) -> None:
    words = ["witness", "--log", LOG, "--key", str(tmp_path / "w" / "key"), "--name", "w.test/1"]
    first, again = [CliRunner().invoke(main, [*words, "--show-key"]) for _ in range(2)]
    assert first.exit_code == 0
    assert first.stdout == again.stdout
    assert parse_vkey(first.stdout.strip()).name == "w.test/1"
    assert (tmp_path / "w" / "key").stat().st_mode & 0o777 == 0o600


def sunbid(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as it is typed."""
    return subprocess.run(
        [sys.executable, "-m", "web.command_line", *words],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
            **environment,
        },
        stdin=subprocess.DEVNULL,
    )


def test_a_benchmark_whose_peer_is_not_installed_names_it(tmp_path: Path) -> None:
    done = sunbid("bench", "seal-open", "--json", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert "openssl" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_stands_alone_on_standard_output_and_colours_only_on_a_terminal(
    tmp_path: Path,
) -> None:
    done = sunbid("doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert {one["what"] for one in json.loads(done.stdout)} >= {"disk space", "database"}
    told = sunbid("doctor", FORCE_COLOR="", NO_COLOR="1")
    assert told.stdout == ""
    assert "disk space" in told.stderr
    assert "\x1b[" not in told.stderr
    checked = sunbid("verify", "log", str(tmp_path), "--json")
    assert checked.returncode == 6
    assert json.loads(checked.stdout)["ok"] is False
