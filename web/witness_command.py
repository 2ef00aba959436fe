"""The command of a witness, who runs apart from the platform."""

import os
import socket
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from kernel.crypto.digests import b64u, unb64u
from kernel.crypto.notes import WitnessSigner, parse_vkey
from kernel.errors import BrokenSeal
from kernel.randomness import random_bytes
from web import structured_logs, witnessing
from web.answering import ANSWERING, answered
from web.command_running import in_words, log_end, run, talk
from web.exit_codes import USAGE
from web.terminal_words import shown, web_address

app = typer.Typer()


@app.command()
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
        return await answered(uvicorn.Config(app, **ANSWERING), [listener])

    run(work(), tell=log_end)


def _witness_signer(path: Path, name: str) -> WitnessSigner:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(b64u(random_bytes(32)))
    return WitnessSigner(name, unb64u(path.read_text().strip()))
