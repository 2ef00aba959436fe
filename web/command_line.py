"""The `sunbid` command: everything that is done to the platform from a terminal.

A command's module is loaded when it is asked for: to sign as a witness or to verify a receipt needs
a tenth of what a whole platform needs. Every command's help ends with what its exit code says, as
`exit_codes.py` has it.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

import structlog
import typer
from rich.console import Console
from typer.core import TyperGroup
from typer.main import get_group

from web.exit_codes import EPILOG

GROUPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "verify": "web.verifying.offline_checks:verify_app",
        "opening": "web.opening_commands:opening_app",
        "custody": "web.opening_commands:custody_app",
        "last-price": "web.talk_commands:last_price_app",
        "draw": "web.draw_commands:draw_app",
        "seat": "web.seat_commands:seat_app",
        "log": "web.keeping_commands:log_app",
    }
)
"""The groups of commands, by the name they are called by: each group's module and application."""

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "up": "web.platform_commands:app",
        "serve": "web.serve_command:app",
        "background": "web.background_command:app",
        "install": "web.platform_commands:app",
        "migrate": "web.platform_commands:app",
        "rehearse": "web.rehearse_command:app",
        "seal": "web.seal_command:app",
        "agreement": "web.agreement_command:app",
        "witness": "web.witness_command:app",
        "doctor": "web.keeping_commands:app",
        "backup": "web.keeping_commands:app",
        "restore": "web.keeping_commands:app",
        "bench": "web.bench_command:app",
        "rules": "web.handbook_commands:app",
        "docs": "web.handbook_commands:app",
    }
)
"""The commands that stand alone, likewise."""


class Commands(TyperGroup):
    """The groups and commands of the tables, each loaded when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the tables."""
        return [*COMMANDS, *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name; None where there is none."""
        if cmd_name in GROUPS:
            group = _group(GROUPS[cmd_name])
            group.name = cmd_name
            return group
        if cmd_name in COMMANDS:
            return _group(COMMANDS[cmd_name]).commands[cmd_name]
        return None


def _group(place: str) -> TyperGroup:
    module, _, name = place.partition(":")
    app: typer.Typer = getattr(import_module(module), name)
    app.info.epilog = EPILOG
    for command in app.registered_commands:
        command.epilog = EPILOG
    return get_group(app)


main = typer.Typer(
    name="sunbid",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    epilog=EPILOG,
)


@main.callback()
def begin() -> None:
    """sunbid 阳光交易: electronic bidding and remote evaluation that nobody has to trust."""
    talk = Console(stderr=True, emoji=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=talk.is_terminal and not talk.no_color),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
