"""The commands that look after what a platform keeps: examine it, copy it, write out its log."""

from pathlib import Path
from typing import Annotated

import typer

from web import doctoring, exporting_log, keeping_copies
from web.command_running import DataOption, JsonOption, run, talk
from web.command_settings import settings_with

app = typer.Typer()

log_app = typer.Typer(
    help="Write the whole log out, where the database is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Look at this installation and say what is wrong with it and how to mend it.

    Example: sunbid doctor --json
    """
    settings = settings_with(data=data)
    run(doctoring.examine(settings, as_json=as_json, talk=talk))


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="New folder that will hold the copy.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the database, the documents and the newest checkpoint into a folder.

    Example: sunbid backup /mnt/copies/2026-03-02

    A document that is not what its name says is copied all the same, and the exit code is 6.
    """
    settings = settings_with(data=data)
    run(keeping_copies.back_up(settings, target, talk=talk, as_json=as_json))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="Folder made by `sunbid backup`.")],
    data: DataOption = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="A later checkpoint, to find a rolled-back log."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a copy into an empty data folder, rebuild the log's root and compare it.

    Example: sunbid restore /mnt/copies/2026-03-02 --data /srv/sunbid --checkpoint witnessed.txt
    """
    settings = settings_with(data=data)
    restoring = keeping_copies.restore(
        settings, source, checkpoint=checkpoint, talk=talk, as_json=as_json
    )
    run(restoring)


@log_app.command("export")
def export_log(
    out: Annotated[Path, typer.Option("--out", help="New folder that will hold the export.")],
    data: DataOption = None,
) -> None:
    """Open every leaf that may be opened by now, so that each is one entry or one filler.

    Run it where the database is, with the settings of `sunbid up`. The export holds what nobody
    else may read, and nothing that is still sealed; `sunbid verify log` checks it.

    Example: sunbid log export --out whole-log
    """
    settings = settings_with(data=data)
    run(exporting_log.export(settings, out, talk=talk))
