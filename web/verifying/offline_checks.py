"""`sunbid verify`: every check that asks the platform nothing.

It needs no database, no network and no private key; `python -m web.verifying.offline_checks` runs
it with nothing else of the platform loaded. It leaves with 0 where everything holds, and with 6
where anything does not.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from web.exit_codes import EPILOG
from web.terminal_words import shown, there
from web.verifying import (
    archive_package,
    award_papers,
    draw_transcript,
    evaluation_record,
    log_export,
    opening_record,
    receipt_proof,
)
from web.verifying.verdicts import Verdict

OK, UNVERIFIED = 0, 6

verify_app = typer.Typer(
    help=(
        "Check a receipt, an opening, a draw, an evaluation, an award, an archive or a log, without"
        " the platform."
    ),
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

talk = Console(stderr=True, emoji=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output.")]


def _verdict(result: Verdict, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.plain(), ensure_ascii=False))
    else:
        for check in result.checks:
            mark = "[green]✓[/]" if check.passed else "[red]✗[/]"
            detail = f" — {check.detail}" if check.detail else ""
            talk.print(f"{mark} {shown(check.what + detail)}")
        for warning in result.warnings:
            talk.print(f"[bold yellow]! {shown(warning)}[/]")
        if result.demo:
            talk.print("[bold yellow]! This is a demonstration's: nothing in it has any effect.[/]")
        talk.print("[green]verified[/]" if result.ok else "[red]NOT verified[/]")
    raise typer.Exit(OK if result.ok else UNVERIFIED)


FileArgument = Annotated[
    Path, typer.Argument(callback=there, dir_okay=False, readable=True, help="The file to check.")
]
FolderArgument = Annotated[
    Path, typer.Argument(callback=there, file_okay=False, help="The folder to check.")
]
LogOption = Annotated[str, typer.Option("--log", help="The log's verifier key.")]
KnownLogOption = Annotated[
    str | None, typer.Option("--log", help="The log's verifier key, if you know it.")
]
WitnessOption = Annotated[
    list[str] | None, typer.Option("--witness", help="A witness's verifier key; repeat it.")
]
CutOption = Annotated[
    Path | None,
    typer.Option(
        "--closing",
        callback=there,
        dir_okay=False,
        help="The log's proof of what the closing committed to.",
    ),
]
QuorumOption = Annotated[int, typer.Option("--quorum", min=1, help="Witnesses that must agree.")]


@verify_app.command("receipt")
def verify_receipt(
    file: FileArgument,
    log: LogOption,
    witness: WitnessOption = None,
    quorum: QuorumOption = 2,
    deadline: Annotated[
        datetime | None,
        typer.Option(
            "--deadline",
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            help="The deadline the witnesses must precede, with its offset from UTC.",
        ),
    ] = None,
    closing: CutOption = None,
    closed: Annotated[
        Path | None,
        typer.Option(
            "--closed", callback=there, dir_okay=False, help="The log's proof of the lot's closing."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a receipt: the bid stood in the log, and who saw it when.

    Example: sunbid verify receipt receipt.tlog-proof --log VKEY --witness VKEY --witness VKEY

    A receipt of the last second needs --closing and --closed too: the proofs of the cut.
    """
    if (closing is None) != (closed is None):
        raise typer.BadParameter("--closing and --closed are given together")
    cut = None
    if closing is not None and closed is not None:
        cut = receipt_proof.Cut(
            closing.read_text(errors="replace"), closed.read_text(errors="replace")
        )
    _verdict(
        receipt_proof.verify(
            file.read_text(errors="replace"),
            log=log,
            witnesses=witness or [],
            quorum=quorum,
            deadline=deadline,
            cut=cut,
        ),
        as_json=as_json,
    )


@verify_app.command("opening")
def verify_opening(
    folder: FolderArgument,
    log: KnownLogOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Check an opening record: every price again, from the sealed sheets and the secrets.

    Without --log the keys are those of the lot's policy; compare them with ones you know.

    Example: sunbid verify opening rehearsal/opening
    """
    _verdict(opening_record.verify(folder, trusted=_trusted(log, witness, quorum)), as_json=as_json)


@verify_app.command("draw")
def verify_draw(
    file: FileArgument,
    log: KnownLogOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Check a draw: derive the whole ranking again from the transcript.

    Example: sunbid verify draw rehearsal/draw-transcript.json

    Without --log the keys are those that the announcement names; compare them with ones you know.
    """
    _verdict(
        draw_transcript.verify(file.read_bytes(), trusted=_trusted(log, witness, quorum)),
        as_json=as_json,
    )


@verify_app.command("evaluation")
def verify_evaluation(
    file: FileArgument,
    log: KnownLogOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Check an evaluation: every total and rank again from the sheets, and who signed what when.

    Without --log the keys are those of the lot's policy; compare them with ones you know.

    Example: sunbid verify evaluation rehearsal/evaluation-record.json
    """
    _verdict(
        evaluation_record.verify(file.read_bytes(), trusted=_trusted(log, witness, quorum)),
        as_json=as_json,
    )


@verify_app.command("award")
def verify_award(
    folder: FolderArgument,
    log: KnownLogOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Check an award: the signed papers, their places in the log, and who was named out of whom.

    Without --log the keys are those of the lot's policy; compare them with ones you know.

    Example: sunbid verify award rehearsal/award
    """
    _verdict(award_papers.verify(folder, trusted=_trusted(log, witness, quorum)), as_json=as_json)


@verify_app.command("archive")
def verify_archive(
    package: Annotated[
        Path, typer.Argument(callback=there, readable=True, help="The package, a file or a folder.")
    ],
    log: KnownLogOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Check a lot's archive: each paper's signature, and that the witnessed log commits to it.

    Without --log the keys are those that lie in the package; compare them with ones you know.

    Example: sunbid verify archive archive-JC2026-GC-0013-1.zip
    """
    _verdict(
        archive_package.verify(package, trusted=_trusted(log, witness, quorum)), as_json=as_json
    )


def _trusted(
    log: str | None, witness: list[str] | None, quorum: int
) -> draw_transcript.TrustedLog | None:
    return None if log is None else draw_transcript.TrustedLog(log, tuple(witness or ()), quorum)


@verify_app.command("log")
def verify_log(
    folder: FolderArgument,
    log: KnownLogOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = 2,
    as_json: JsonOption = False,
) -> None:
    """Check an exported log: every leaf, the root, the checkpoints, and which entries were shown.

    Without --log the keys are those that lie in the export; compare them with ones you know.

    Example: sunbid verify log rehearsal/log --log "$LOG" --witness "$W1" --witness "$W2"
    """
    # A spinner and no bar: what is left is not known before the leaves are read.
    with talk.status("Reading the log"):
        verdict = log_export.verify(folder, trusted=_trusted(log, witness, quorum))
    _verdict(verdict, as_json=as_json)


if __name__ == "__main__":
    verify_app()
