"""What every command promises: help, exit codes, data on one stream and talk on the other."""

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

import click
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from kernel.crypto.notes import LogSigner, parse_vkey
from kernel.crypto.signing import PrivateKey
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
from tests.newcomers import GOOD_USCC
from web.command_line import COMMANDS, GROUPS, main
from web.command_running import code_for
from web.command_settings import settings_with
from web.exit_codes import MEANINGS, code_of_answer

ROOT = Path(__file__).resolve().parents[2]
ME = ["--bidder", "b", "--key", "me.pem"]
WHO = ["--key", "me.pem", "--organisation", "x"]
BINARY = ["--key", "binary", "--organisation", "x", "--url", "http://127.0.0.1:9"]
CENTRE = ["--name", "中心", "--person", "张三", "--identity-document", "AAAAAA1", "--key", "s.pem"]
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
        found = found.get_command(click.Context(found), word)
    return found


def commands() -> list[tuple[str, ...]]:
    """Every command there is, the hidden ones too."""
    found: list[tuple[str, ...]] = [()]
    for name in (*COMMANDS, *GROUPS):
        found.append((name,))
        found += [(name, inner) for inner in getattr(command_of((name,)), "commands", {})]
    return found


HIDDEN = {("serve",), ("background",), ("docs",)}
"""Started by `up` or by developers, with nothing to choose."""


def test_there_are_the_commands_that_are_promised() -> None:
    assert {
        *{
            (name,)
            for name in ("up", "rehearse", "migrate", "seal", "agreement", "witness", "doctor")
        },
        *{(name,) for name in ("backup", "restore", "bench", "verify")},
        *{
            ("verify", name)
            for name in ("receipt", "opening", "draw", "evaluation", "award", "log")
        },
        ("log", "export"),
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
    for code, meaning in MEANINGS.items():
        assert f"{code} {meaning}" in " ".join(told.split())
    if words and not getattr(command_of(words), "commands", None) and words not in HIDDEN:
        assert "Example" in told
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
        (["verify", "log", "/no/such/folder"], 3),
        (["verify", "receipt", "/no/such/file", "--log", LOG], 3),
        (["verify", "archive", "/no/such\x1bpackage"], 3),
        (["rehearse", "--until", "lunch"], 2),
        (["bench", "no-such-benchmark"], 2),
        (["up", "--port", "0"], 2),
        (["up", "--port", "99999"], 2),
        (["up", "--port", "http"], 2),
        (["witness", "--log", "not-a-key", "--key", "k", "--name", "w"], 2),
        (["witness", "--log", REAL, "--key", "k", "--name", "two words"], 2),
        (["witness", "--log", REAL, "--key", "k", "--name", "w", "--demo-clock", "http://x"], 2),
        (["log", "export"], 2),
        (["log", "export", "--out", "whole-log"], 5),
        (["witness", "--log", LOG, "--key", "k", "--name", "w", "--demo-clock", "http://["], 2),
        (["restore", "nothing-here"], 3),
        (["verify", "draw", "[/boom].json"], 6),
        (["verify", "evaluation", "[/boom].json"], 6),
        (["verify", "receipt", "[/boom].json", "--log", LOG], 6),
        (["verify", "log", "dir[/x]"], 6),
        (["verify", "opening", "dir[/x]"], 6),
        (["seal", "missing[/].json", *ME], 3),
        (["seal", "[/boom].json", *ME], 2),
        (["seal", "--submit-to", "http://x", "--bidder", "b", "--key", "no[/such].pem"], 3),
        (["seal", "--submit-to", "http://[::1", *ME], 2),
        (["seal", "--submit-to", "foo", *ME], 2),
        (["seal", "--submit-to", "http://127.0.0.1:9", "--out", "no[/sealed]", *ME], 7),
        (["backup", "--data", "new[/]", "copy[/]"], 3),
        (["restore", "no[/copy]"], 3),
        (["install", *CENTRE, "--uscc", "123", "--region", "420100"], 2),
        (["install", *CENTRE, "--uscc", GOOD_USCC[0], "--region", "[/x]"], 2),
        (["opening", "agree", "LOT", "--as", "agency", "--url", "foo", *WHO], 2),
        (["opening", "agree", "LOT", "--as", "agency", "--url", "http://127.0.0.1:9", *WHO], 7),
        (["opening", "agree", "[/x]", "--as", "agency", "--url", "http://[::1", *WHO], 2),
        (["custody", "register", "LOT", "--custody-key", "k", "--url", "ftp://x", *WHO], 2),
        (["restore", __file__], 3),
        (["verify", "receipt", __file__, "--log", LOG], 6),
        (["verify", "draw", __file__], 6),
        (["verify", "log", str(Path(__file__).parent)], 6),
        (["verify", "opening", str(Path(__file__).parent)], 6),
        (["verify", "award", str(Path(__file__).parent)], 6),
        (["verify", "receipt", str(Path(__file__).parent), "--log", LOG], 2),
        (["verify", "draw", str(Path(__file__).parent)], 2),
        (["verify", "evaluation", str(Path(__file__).parent)], 2),
        (["verify", "log", __file__], 2),
        (["backup", "/proc/no-such-folder"], 3),
        (["witness", "--log", REAL, "--key", "/proc/no-such/key", "--name", "w"], 3),
        (["witness", "--log", REAL, "--key", "binary", "--name", "w"], 2),
        (["witness", "--log", REAL, "--key", "k", "--name", "w", "--port", "99999"], 2),
        (["opening", "agree", "LOT", "--as", "agency", *BINARY], 2),
        (["custody", "register", "LOT", "--custody-key", "k", *BINARY], 2),
        (["draw", "countersign", "LOT", *BINARY], 2),
        (["seat", "sit", "--as", "expert", "--seat-key", "binary", *BINARY], 2),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else None,
)
def test_what_goes_wrong_has_its_own_exit_code(
    words: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir[" / "x]").mkdir(parents=True)
    (tmp_path / "[").mkdir()
    (tmp_path / "[" / "boom].json").write_text('{"[/boom]": "[red]\\u001b[31m"}')
    (tmp_path / "me.pem").write_bytes(PrivateKey.generate().to_pem())
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    done = CliRunner().invoke(main, words)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert isinstance(done.exception, SystemExit), "nothing was left uncaught"


@pytest.mark.parametrize("member", ["[/boom]", "[red]x[/]", ":boom:", "a\x1b[31mb", "\u202egnp"])
def test_a_name_in_an_artefact_is_shown_as_the_characters_it_is(
    tmp_path: Path, member: str
) -> None:
    file = tmp_path / "transcript.json"
    file.write_text(json.dumps({member: 1}))
    done = CliRunner().invoke(main, ["verify", "draw", str(file)])
    assert done.exit_code == 6
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert "\u202e" not in done.stderr
    said = "".join(done.stderr.split())
    assert member.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e") in said


def test_a_copy_of_nothing_makes_nothing(tmp_path: Path) -> None:
    """Looking for a platform must not make one, nor a folder for its copy."""
    data, target = tmp_path / "new", tmp_path / "copy"
    done = CliRunner().invoke(main, ["backup", "--data", str(data), str(target), "--json"])
    assert (done.exit_code, done.stdout) == (3, "")
    assert not data.exists()
    assert not target.exists()


def test_a_platform_s_own_address_follows_its_port_unless_it_is_told_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings_with().origin == "http://localhost:8000"
    assert settings_with(port=9001).origin == "http://localhost:9001"
    monkeypatch.setenv("SUNBID_PORT", "9002")
    assert settings_with().origin == "http://localhost:9002"
    assert settings_with(port=9001).origin == "http://localhost:9001"
    monkeypatch.setenv("SUNBID_ORIGIN", "https://bid.example")
    assert settings_with(port=9001).origin == "https://bid.example"


def test_the_starter_knows_wrong_usage_too() -> None:
    for words in (["run", "--port", "abc"], ["run", "--data"], ["check", "more"], ["dance"]):
        done = subprocess.run(
            [sys.executable, str(ROOT / "do.py"), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("status", "grounds", "code"),
    [
        (401, {"not_signed_in"}, 4),
        (403, {"not_permitted"}, 4),
        (404, {"not_found"}, 3),
        (409, {"barred"}, 5),
        (409, {"late", "barred"}, 8),
        (409, {"window_closed"}, 8),
        (422, {"malformed"}, 5),
    ],
)
def test_every_answer_of_the_platform_has_its_exit_code(
    status: int, grounds: set[str], code: int
) -> None:
    assert code_of_answer(status, grounds) == code


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
    assert settings_with().failpoints == "db.before_commit=kill"
    monkeypatch.setenv("SUNBID_FAILPOINTS", "db.before_commit")
    assert CliRunner().invoke(main, ["doctor"]).exit_code == 2


def test_a_setting_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNBID_PORT", "eighty")
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 2
    assert "SUNBID_PORT" in done.stderr


def test_a_witness_whose_port_is_taken_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        key = str(tmp_path / "key")
        words = ["witness", "--log", LOG, "--key", key, "--name", "w.test/1", "--port", port]
        done = CliRunner().invoke(main, words)
    assert done.exit_code == 5
    assert "in use" in done.stderr


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
        [sys.executable, "-m", "web", *words],
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


def test_help_names_the_command_as_it_is_typed() -> None:
    assert "Usage: sunbid verify log [OPTIONS]" in sunbid("verify", "log", "--help").stdout


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
