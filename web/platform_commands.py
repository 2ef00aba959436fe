"""The commands of whoever runs the platform: start it, install it, look after what it keeps."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kernel.access import Role
from kernel.crypto.digests import Malformed
from kernel.store.migrating import SCRIPTS
from web import doctoring, exporting_log, installing, keeping_copies, premises
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
from web.exit_codes import OK, USAGE
from web.terminal_words import shown

app = typer.Typer()

log_app = typer.Typer(
    help="Write the whole log out, where the database is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def up(
    data: DataOption = None,
    port: PortOption = None,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Found a demo database, whose clock can be moved forward."),
    ] = False,
) -> None:
    """Start the platform and keep it running until Ctrl-C.

    Example: sunbid up --port 8000
    """
    settings = settings_with(data=data, port=port, log_origin=DEMO_LOG if demo else None)

    async def work() -> int:
        async with premises.opened(settings, demo=demo) as place:
            await place.start_processes()
            talk.print(f"sunbid is up at [bold]{shown(settings.origin)}[/] (Ctrl-C stops it)")
            if not await place.has_centre():
                talk.print(
                    "[yellow]There is no trading centre yet, so nobody can be let in[/]:"
                    " stop this, run `sunbid install`, and start again."
                )
            await until_told_to_stop()
            talk.print("Stopping…")
        return OK

    run(work())


@app.command()
def install(
    name: Annotated[str, typer.Option("--name", help="The trading centre's full name.")],
    uscc: Annotated[str, typer.Option("--uscc", help="Its unified social credit code.")],
    region: Annotated[str, typer.Option("--region", help="Its region code, six digits.")],
    person: Annotated[str, typer.Option("--person", help="Its first member of staff.")],
    identity_document: Annotated[
        str,
        typer.Option(
            "--identity-document",
            prompt="Number of that person's identity document",
            hide_input=True,
            help="Asked for when left out; only its keyed hash is kept.",
        ),
    ],
    key: Annotated[
        Path, typer.Option("--key", help="That person's P-256 key (PEM); made where none is.")
    ],
    responsible: Annotated[
        str, typer.Option("--responsible", help="The centre's responsible person, if another.")
    ] = "",
    role: Annotated[
        list[Role] | None,
        typer.Option("--role", help="A further capacity of the centre; repeat it."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Install the trading centre with its first person, who lets all others in; done once.

    Example: sunbid install --name 江城市公共资源交易中心 --uscc 12420100000000000X --region 420100
    --person 张三 --key staff.pem

    Run it before `sunbid up`, or while the platform is stopped.
    """
    settings = settings_with(data=data)
    centre = installing.Centre(
        uscc=uscc.strip().upper(),
        name=name,
        region_code=region,
        responsible_person=responsible or person,
        person=person,
        identity_document=identity_document,
        roles=tuple(role or ()),
    )

    async def work() -> int:
        try:
            told = await installing.install(settings, centre, key)
        except Malformed as fault:
            talk.print(f"[red]{shown(fault)}[/]")
            return USAGE
        talk.print(
            f"{shown(name)} is installed with {shown(person)}, who signs in with"
            f" {shown(key)}\n"
            f"for the organisation [bold]{told.organisation_id}[/] as {Role.CENTRE_STAFF}."
        )
        if as_json:
            ids = {"organisation": str(told.organisation_id), "person": str(told.person_id)}
            typer.echo(json.dumps({**ids, "key": str(key)}, ensure_ascii=False))
        else:
            typer.echo(str(told.organisation_id))
        return OK

    run(work())


@app.command()
def migrate(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Bring the database to the present shape, without starting the platform.

    Example: sunbid migrate --data /srv/sunbid
    """
    settings = settings_with(data=data)

    async def work() -> int:
        async with premises.opened(settings):
            shape = (SCRIPTS / "HEAD").read_text().strip()
        talk.print(f"The database has the present shape, {shape}.")
        if as_json:
            typer.echo(json.dumps({"ok": True, "shape": shape}))
        return OK

    run(work())


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
