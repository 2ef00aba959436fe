"""When the rehearsal says that all was as listed, and what it leaves alone before it begins."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from kernel.errors import Outrun
from kernel.settings import Settings
from web.command_line import main
from web.rehearsal.playing import EXPECTED, MARK, make_room, see_apart, sum_up
from web.rehearsal.stage import Stage


@pytest.fixture
def stage(settings: Settings, tmp_path: Path) -> Stage:
    """A stage on which everything up to the submission was shown and met."""
    stage = Stage(settings, tmp_path / "out", Console(file=io.StringIO()))
    for number in EXPECTED["submit"]:
        stage.expect(number, "it is so", "", True)
    return stage


def summed_up(stage: Stage, *, faults: tuple[str, ...] = (), stopped_by: str = "") -> int:
    return sum_up(stage, "submit", list(faults), 1.0, stopped_by, as_json=False)


def summary(stage: Stage) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((stage.out / "summary.json").read_text())
    return told


def test_all_that_was_expected_and_met_leaves_with_zero(stage: Stage) -> None:
    assert summed_up(stage) == 0
    assert summary(stage)["ok"] is True


def test_one_unmet_expectation_leaves_with_six(stage: Stage) -> None:
    stage.expect(7, "it is so", "", False)
    assert summed_up(stage) == 6
    told = summary(stage)
    assert told["ok"] is False
    assert [one["id"] for one in told["expectations"] if not one["met"]] == [7]


def test_what_was_once_unmet_stays_so(stage: Stage) -> None:
    stage.expect(7, "it is so", "", False)
    stage.expect(7, "it is so", "", True)
    assert summed_up(stage) == 6


def test_what_was_never_shown_leaves_with_six(stage: Stage) -> None:
    del stage.shown[20]
    assert summed_up(stage) == 6
    assert summary(stage)["missing"] == [20]


def test_a_broken_invariant_or_a_play_that_stopped_leaves_with_six(stage: Stage) -> None:
    assert summed_up(stage, faults=("a leaf is gone",)) == 6
    assert summed_up(stage, stopped_by="TimeoutError: ") == 6


def test_the_rehearsal_s_help_lists_its_exit_codes() -> None:
    told = CliRunner().invoke(main, ["rehearse", "--help"]).stdout
    words = " ".join(re.sub(r"[─│╭╮╰╯]", "", told).split())
    for code, meaning in (
        (0, "every expectation was met"),
        (2, "wrong usage"),
        (3, "a folder cannot be made"),
        (5, "somebody else's or in use"),
        (6, "an expectation was not met"),
    ):
        assert re.search(rf"\b{code} [^,.]*{meaning}|{meaning}", words), meaning
        assert f" {code} " in words


# ── the folders ───────────────────────────────────────────────────────────────────────────────


def test_what_an_earlier_rehearsal_wrote_is_cleared_for_the_next(tmp_path: Path) -> None:
    """A sheet of another lot would be one too many in the opening's record."""
    folder, out, elsewhere = tmp_path / "data", tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    for _ in range(2):
        make_room(folder, out)
        for one in (folder, out):
            assert [path.name for path in one.iterdir()] == [MARK]
        (out / "opening" / "sheets").mkdir(parents=True)
        (out / "opening" / "sheets" / "old.ebid").write_bytes(b"of another lot")
        (out / "summary.json").write_text("{}")
        (out / "link").symlink_to(elsewhere)
        (folder / "postgres").mkdir()
    assert (elsewhere / "kept").exists()


def test_an_empty_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    make_room(tmp_path / "data", tmp_path / "out")
    assert (tmp_path / "out" / MARK).exists()


@pytest.mark.parametrize("whose", ["data", "out"])
def test_a_folder_of_somebody_s_is_kept_and_the_other_not_touched(
    tmp_path: Path, whose: str
) -> None:
    folder, out = tmp_path / "data", tmp_path / "out"
    for one in (folder, out):
        one.mkdir()
        (one / "work").write_text("seven years")
        if one.name != whose:
            (one / MARK).touch()
    with pytest.raises(Outrun, match="not a rehearsal's; it is kept"):
        make_room(folder, out)
    assert [(one / "work").read_text() for one in (folder, out)] == ["seven years"] * 2


@pytest.mark.parametrize("out", ["data/rehearsal", "data/rehearsal/out", "data", "."])
def test_output_and_data_do_not_lie_in_each_other(tmp_path: Path, out: str) -> None:
    with pytest.raises(Outrun, match="must not lie in each other"):
        see_apart(tmp_path / "data" / "rehearsal", tmp_path / out)
    see_apart(tmp_path / "data" / "rehearsal", tmp_path / "out")
