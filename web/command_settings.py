"""The settings of a command: from the environment, with what its words say on top."""

from typing import Any

import typer
from pydantic import ValidationError

from kernel.failpoints import arm
from kernel.settings import Settings
from trading.loaded_catalogue import catalogue_of
from web.command_running import talk
from web.exit_codes import USAGE
from web.terminal_words import shown


def settings_with(**changes: Any) -> Settings:
    """The settings from the environment, with what the command line says on top."""
    told = {name: value for name, value in changes.items() if value is not None}
    try:
        settings = Settings(**told)
    except ValidationError as error:
        for one in error.errors():
            name = "_".join(("SUNBID", *map(str, one["loc"]))).upper()
            talk.print(f"[red]{shown(name)}[/]: {shown(one['msg'])}")
        raise typer.Exit(USAGE) from None
    try:
        catalogue_of(settings)
    except (OSError, ValueError) as error:
        talk.print(f"[red]SUNBID_CATALOGUE[/]: {shown(str(error))}")
        raise typer.Exit(USAGE) from None
    if settings.failpoints and not settings.testing:
        talk.print("[red]SUNBID_FAILPOINTS is set, but this start is not a test.[/]")
        raise typer.Exit(USAGE)
    try:
        arm(settings.failpoints)
    except ValueError as error:
        talk.print(f"[red]SUNBID_FAILPOINTS[/]: {shown(error)}")
        raise typer.Exit(USAGE) from None
    return settings
