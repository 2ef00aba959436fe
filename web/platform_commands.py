"""The commands that bring a platform into being: start it, install it, migrate it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kernel.access import Role
from kernel.crypto.digests import Malformed
from kernel.store.migrating import SCRIPTS
from web import installing, premises
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
