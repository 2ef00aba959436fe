"""The command that plays the whole life of a tender."""

from pathlib import Path
from typing import Annotated

import typer

from web.command_running import (
    DEMO_LOG,
    DataOption,
    JsonOption,
    PortOption,
    run,
    talk,
    until_told_to_stop,
)
from web.command_settings import settings_with
from web.exit_codes import USAGE
from web.rehearsal import playing

app = typer.Typer()


@app.command()
def rehearse(
    data: DataOption = None,
    port: PortOption = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for what a stranger needs to check it all.")
    ] = Path("rehearsal"),
    until: Annotated[
        str, typer.Option("--until", help="Stop after this stage: submit, open or award.")
    ] = "award",
    stay: Annotated[
        bool, typer.Option("--stay", help="Stay up afterwards, with the result to browse.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Play the whole life of a tender as every participant, and check every expectation.

    --out is cleared first where a rehearsal made it, and refused where it holds anything else.

    Exit codes: 0 every expectation was met, 2 wrong usage, 3 a folder cannot be made, 5 a folder,
    the port or the database is somebody else's or in use, 6 an expectation was not met.

    Example: sunbid rehearse --until submit --json
    """
    if until not in playing.STAGES:
        talk.print(f"[red]--until is one of {', '.join(playing.STAGES)}[/]")
        raise typer.Exit(USAGE)
    settings = settings_with(port=port, log_origin=DEMO_LOG)
    # Everybody in it runs on this machine, whatever address the world has for the platform.
    settings = settings.model_copy(update={"origin": f"http://localhost:{settings.port}"})
    folder = (data or settings.data) / "rehearsal"

    async def work() -> int:
        return await playing.rehearse(
            settings,
            folder=folder,
            out=out,
            until=until,
            as_json=as_json,
            talk=talk,
            stay=until_told_to_stop if stay else None,
        )

    run(work())
