"""A template is compiled once for all processes, and anew where it was changed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import BytecodeCache, Environment, FileSystemLoader
from jinja2.bccache import Bucket

from web.compiled_templates import KeptTemplates, kept_for


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "compiled"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "page.html").write_text("first")
    return folder


class Watched(KeptTemplates):
    """It tells which templates had to be compiled."""

    def __init__(self, kept: KeptTemplates) -> None:
        super().__init__(kept.directory, kept.pattern)
        self.compiled = 0

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.compiled += 1
        super().dump_bytecode(bucket)


def kept(templates: Path) -> KeptTemplates:
    found = kept_for(templates)
    assert found is not None
    return found


def said(templates: Path, cache: BytecodeCache | None) -> str:
    made = Environment(loader=FileSystemLoader(templates), autoescape=True, bytecode_cache=cache)
    return made.get_template("page.html").render()


def test_what_one_process_compiled_another_finds(templates: Path) -> None:
    first, second = Watched(kept(templates)), Watched(kept(templates))
    assert [said(templates, first), said(templates, second)] == ["first", "first"]
    assert [first.compiled, second.compiled] == [1, 0]


def test_a_template_that_changed_is_compiled_anew(templates: Path) -> None:
    said(templates, kept(templates))
    (templates / "page.html").write_text("second")
    assert said(templates, kept(templates)) == "second"


def test_a_damaged_file_is_compiled_anew(templates: Path) -> None:
    said(templates, kept(templates))
    (file,) = Path(kept(templates).directory).iterdir()
    for damaged in (b"", b"nonsense", file.read_bytes()[:-9]):
        file.write_bytes(damaged)
        assert said(templates, kept(templates)) == "first"


def test_a_folder_that_cannot_be_made_only_costs_time(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compiled").write_text("a file")
    assert said(templates, kept(templates)) == "first"
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert kept_for(templates) is None
