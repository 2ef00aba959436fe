"""The command that measures the platform."""

import json
from importlib import import_module
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from web.command_running import JsonOption, run, talk
from web.exit_codes import MISSING, OK, USAGE
from web.terminal_words import shown

app = typer.Typer()

BENCHES = "tests.benchmarks.benches"
"""Where a checkout has its benchmarks; what is installed without the tests has none."""


@app.command()
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
