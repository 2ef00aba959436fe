"""The commands that tell what the platform is built on: its rules, and the README made of them."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from web import handbook
from web.command_running import JsonOption, talk
from web.exit_codes import MISSING
from web.routes.statute_wall import rules_told
from web.terminal_words import shown

app = typer.Typer()


@app.command()
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


@app.command(hidden=True)
def docs() -> None:
    """Write the README's generated tables anew."""
    talk.print("The README was renewed." if handbook.write() else "The README is current.")
