"""The `sunbid` command: everything that is done to the platform from a terminal.

Data goes to standard output and talk to standard error. Every command's help ends with what its
exit code says, as `exit_codes.py` has it.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import httpx
import structlog
import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import InterfaceError, OperationalError

from kernel.access import Role
from kernel.crypto.digests import Malformed, b64u, unb64u
from kernel.crypto.notes import WitnessSigner, parse_vkey
from kernel.errors import BrokenSeal, NotFound, NotPermitted, PlatformError, Refused
from kernel.failpoints import arm
from kernel.randomness import random_bytes
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.migrating import SCRIPTS
from trading.cataloguing import catalogue_of
from web import (
    agreement_command,
    doctoring,
    exporting_log,
    handbook,
    installing,
    keeping_copies,
    premises,
    seal_command,
    structured_logs,
    witnessing,
)
from web import background as background_process
from web.app import create_app
from web.client import Unreachable
from web.draw_commands import draw_app
from web.exit_codes import (
    AUTH,
    CONFLICT,
    EPILOG,
    LATE,
    LATE_CODES,
    MISSING,
    NETWORK,
    OK,
    UNVERIFIED,
    USAGE,
)
from web.opening_commands import custody_app, opening_app
from web.rehearsal import playing
from web.routes.statute_wall import rules_told
from web.seat_commands import seat_app
from web.talk_commands import last_price_app
from web.terminal_words import shown, web_address
from web.verifying.offline_checks import verify_app

BENCHES = "tests.benchmarks.benches"
"""Where a checkout has its benchmarks; what is installed without the tests has none."""

DEMO_LOG = "demo.sunbid.local/log"

OUT_OF_REACH = (
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    httpx.TransportError,
    InterfaceError,
    OperationalError,
    Unreachable,
)
"""What a line that does not hold raises."""

main = typer.Typer(
    name="sunbid",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
main.add_typer(verify_app, name="verify")
main.add_typer(opening_app, name="opening")
main.add_typer(custody_app, name="custody")
main.add_typer(last_price_app, name="last-price")
main.add_typer(draw_app, name="draw")
main.add_typer(seat_app, name="seat")

log_app = typer.Typer(
    help="Write the whole log out, where the database is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
main.add_typer(log_app, name="log")

log = structlog.get_logger()
talk = Console(stderr=True, emoji=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder for the database, documents and keys.")
]
PortOption = Annotated[int | None, typer.Option("--port", help="Port of the HTTP server.")]


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


Tell = Callable[[str, str, Exception], None]


def say_end(what: str, why: str, _error: Exception) -> None:
    """Tell the person at the terminal what went wrong."""
    talk.print(f"[red]{shown(what)}[/]: {shown(why)}")


def log_end(_what: str, _why: str, error: Exception) -> None:
    """Tell the log of a process that nobody watches; the texts may hold what it must not."""
    log.critical("the process cannot go on", exc_info=error)


def run(work: Coroutine[Any, Any, int], *, tell: Tell = say_end) -> None:
    """Run the work and leave with its exit code; a platform error gets its own."""
    with in_words(tell):
        raise typer.Exit(asyncio.run(work))


@contextmanager
def in_words(tell: Tell = say_end) -> Iterator[None]:
    """What goes wrong is told in a line, and left with its documented code."""
    try:
        yield
        return
    except KeyboardInterrupt:
        code = 130
    except PlatformError as error:
        tell(type(error).__name__, str(error), error)
        code = code_for(error)
    except OUT_OF_REACH as error:
        tell("out of reach", str(error), error)
        code = NETWORK
    except OSError as error:
        # A folder that is missing, full, or not ours: the system says which, and why.
        tell(error.strerror or str(error), str(error.filename or ""), error)
        code = MISSING if isinstance(error, FileNotFoundError) else CONFLICT
    raise typer.Exit(code) from None


def code_for(error: PlatformError) -> int:
    """The documented exit code of an error."""
    match error:
        case NotFound():
            return MISSING
        case Refused() if LATE_CODES & {refusal.code for refusal in error.refusals}:
            return LATE
        case BrokenSeal():
            return UNVERIFIED
        case NotPermitted():
            return AUTH
        case _:
            return CONFLICT


@main.callback()
def begin() -> None:
    """sunbid 阳光交易: electronic bidding and remote evaluation that nobody has to trust."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=talk.is_terminal and not talk.no_color),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


async def _until_told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


@main.command()
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
            await _until_told_to_stop()
            talk.print("Stopping…")
        return OK

    run(work())


class _Server(uvicorn.Server):
    """A server that leaves the signals to us, so that a graceful stop is no death by signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal, and raise none again behind the shutdown."""
        yield


ANSWERING: Final[Mapping[str, Any]] = MappingProxyType(
    {"log_config": None, "log_level": "warning", "access_log": False, "server_header": False}
)
"""How every server here is quiet about whom it answers."""


async def _answered(config: uvicorn.Config, sockets: list[socket.socket] | None = None) -> int:
    """Answer HTTP until told to stop; `CONFLICT` where it could not begin."""
    server = _Server(config)
    stopped = asyncio.create_task(_until_told_to_stop())
    stopped.add_done_callback(lambda _: setattr(server, "should_exit", True))
    try:
        await server.serve(sockets=sockets)
    finally:
        stopped.cancel()
    return OK if server.started else CONFLICT


@main.command(hidden=True)
def serve() -> None:
    """Answer HTTP; started by `up`, which owns the database."""
    structured_logs.write_as_json()
    settings = settings_with()

    async def work() -> int:
        engine = premises.lines_of(settings).engine("app")
        app = create_app(premises.store_over(engine, settings), settings)
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=10,
            **ANSWERING,
        )
        try:
            return await _answered(config)
        finally:
            await engine.dispose()

    run(work(), tell=log_end)


@main.command(hidden=True)
def background() -> None:
    """Keep time, the log and the witnesses; started by `up`, which owns the database."""
    structured_logs.write_as_json()
    settings = settings_with()
    lines = premises.lines_of(settings)

    async def work() -> int:
        engine, log_engine = lines.engine("app"), lines.engine("log", pool_size=4)
        task = asyncio.create_task(
            background_process.run(
                premises.store_over(engine, settings),
                log_engine=log_engine,
                signer=founding.read_keys(settings).log_signer,
                settings=settings,
            )
        )
        stopped = asyncio.create_task(_until_told_to_stop())
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        try:
            if task.done():
                await task
        finally:
            task.cancel()
            stopped.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)
            await engine.dispose()
            await log_engine.dispose()
        return OK

    run(work(), tell=log_end)


@main.command()
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


@main.command()
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


@main.command()
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
            stay=_until_told_to_stop if stay else None,
        )

    run(work())


main.command(name="seal")(seal_command.seal)
main.command(name="agreement")(agreement_command.agreement)


@main.command()
def witness(
    log: Annotated[str, typer.Option("--log", help="The log's verifier key.")],
    key: Annotated[Path, typer.Option("--key", help="Key file; made where there is none.")],
    name: Annotated[str, typer.Option("--name", help="This witness's name, like a host name.")],
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")
    ] = 8101,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    demo_clock: Annotated[
        str,
        typer.Option(
            "--demo-clock",
            help="Follow this demo platform's clock (demo logs only).",
            callback=web_address,
        ),
    ] = "",
    show_key: Annotated[
        bool, typer.Option("--show-key", help="Print the verifier key and leave.")
    ] = False,
) -> None:
    """Cosign a log's checkpoints with your own key and your own clock.

    Example: sunbid witness --log "$VKEY" --key witness.key --name regulator.example/w1

    Run it on a machine that is not the platform's. It signs nothing that does not extend what it
    signed before.
    """
    with in_words():
        try:
            parse_vkey(log)
            signer = _witness_signer(key, name)
        except (BrokenSeal, UnicodeDecodeError) as error:
            talk.print(f"[red]--log, --key or --name[/]: {shown(error)}")
            raise typer.Exit(USAGE) from None
    if show_key:
        typer.echo(signer.vkey)
        return
    if demo_clock and not log.startswith("demo."):
        talk.print("[red]--demo-clock is only for a log whose origin begins with 'demo.'[/]")
        raise typer.Exit(USAGE)
    with in_words():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    structured_logs.write_as_json()
    app = witnessing.create_witness(
        signer,
        log_vkey=log,
        memory=witnessing.Memory(key.with_suffix(".state")),
        now=witnessing.demo_clock(demo_clock) if demo_clock else witnessing.own_clock,
    )

    async def work() -> int:
        return await _answered(uvicorn.Config(app, **ANSWERING), [listener])

    run(work(), tell=log_end)


def _witness_signer(path: Path, name: str) -> WitnessSigner:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(b64u(random_bytes(32)))
    return WitnessSigner(name, unb64u(path.read_text().strip()))


@main.command()
def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Look at this installation and say what is wrong with it and how to mend it.

    Example: sunbid doctor --json
    """
    settings = settings_with(data=data)
    run(doctoring.examine(settings, as_json=as_json, talk=talk))


@main.command()
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


@main.command()
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


@main.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Benchmarks; all by default.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the platform against a named peer: seal-open, submits, checkup, notices.

    Example: sunbid bench seal-open --json

    Submits are measured at the database, without HTTP, as pgbench is; check-ups with it, as what
    they are measured against; of a thousand notices the last hundred against the first.
    """
    try:
        benches = import_module(BENCHES)
    except ModuleNotFoundError:
        talk.print("[red]Benchmarks are run from a checkout; this installation has none.[/]")
        raise typer.Exit(MISSING) from None
    if unknown := set(names or ()) - set(benches.BENCHES):
        talk.print(f"[red]no such benchmark: {shown(', '.join(sorted(unknown)))}[/];")
        talk.print(f"there are {', '.join(benches.BENCHES)}")
        raise typer.Exit(USAGE)

    async def work() -> int:
        results = await benches.measure(names or list(benches.BENCHES), talk=talk)
        if as_json:
            typer.echo(json.dumps([result.plain() for result in results], ensure_ascii=False))
            return OK
        table = Table("benchmark", "value", "unit", "against", "ratio", "target", "met")
        for result in results:
            table.add_row(*(str(cell) for cell in result.row()))
        Console().print(table)
        return OK

    run(work())


@main.command()
def rules(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Numbers such as NO-09; all by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the rules the platform judges by: number, article, whom they bind, and their tests.

    Example: sunbid rules NO-09 AW-01 --json
    """
    told = [line for line in rules_told() if not ids or line["id"] in ids]
    if missing := set(ids or ()) - {line["id"] for line in told}:
        talk.print(f"[red]no such rule: {shown(', '.join(sorted(missing)))}[/]")
        raise typer.Exit(MISSING)
    columns = ("id", "article", "regime", "severity", "provenance", "from", "to", "test")
    if as_json:
        rows = [{column: line[column] for column in columns} for line in told]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(*columns)
    for line in told:
        table.add_row(*(shown(line[column] or "") for column in columns))
    Console().print(table)


@main.command(hidden=True)
def docs() -> None:
    """Write the README's generated tables anew."""
    talk.print("The README was renewed." if handbook.write() else "The README is current.")


def _explain_exit_codes(app: typer.Typer) -> None:
    """End the help of the program, of its groups and of every command with the same table."""
    app.info.epilog = EPILOG
    for command in app.registered_commands:
        command.epilog = EPILOG
    for group in app.registered_groups:
        group.epilog = EPILOG
        if group.typer_instance is not None:
            _explain_exit_codes(group.typer_instance)


_explain_exit_codes(main)
