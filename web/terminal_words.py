"""What is shown at a terminal and what is typed there, where it comes from strangers.

A name in a file may look like markup, hold a terminal's own commands, or turn the line's direction
round; it is shown as the characters it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from web.exit_codes import MISSING

KEPT: Final = frozenset("\n ")


def shown(words: object) -> str:
    """The words for a line with markup: none of it theirs, nothing in it that cannot be seen."""
    return escape(plain(words))


def plain(words: object) -> str:
    """The words for a line without markup: nothing in them that cannot be seen."""
    return "".join(one if one in KEPT or one.isprintable() else _coded(one) for one in str(words))


def web_address(typed: str) -> str:
    """A platform's address as it was typed; wrong usage where it is none. Empty stays empty."""
    try:
        parts = urlsplit(typed)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if typed and not (good and typed.isprintable() and " " not in typed):
        raise typer.BadParameter("an address begins with http:// or https:// and names a host")
    return typed


def there(path: Path | None) -> Path | None:
    """A path that was typed; where nothing is there the command ends, with the code for that."""
    if path is not None and not path.exists():
        typer.echo(f"not found: {plain(path)}", err=True)
        raise typer.Exit(MISSING)
    return path


def _coded(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()
