"""`sunbid seal`: seal a bid offline, and send a sealed one to the platform.

Sealing needs no network and asks nobody: the lot's package is public, and everything else is the
bidder's own. Sending may happen from another machine and may be repeated.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from kernel.access import Role
from kernel.clock import machine_clock
from kernel.crypto.digests import unb64u
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal
from trading.rules.sheet_fields import LIBRARY
from web.client import Client, Problem, Unreachable
from web.exit_codes import MISSING, NETWORK, USAGE, code_of_answer
from web.sealing_applications import (
    deliver_application,
    is_application_package,
    is_sealed_application,
    read_application_package,
    seal_application,
)
from web.sealing_bids import (
    Bidder,
    LotPackage,
    NotSealable,
    SealedBid,
    deliver,
    library_references,
    read_package,
)
from web.sealing_bids import Progress as Hears
from web.sealing_bids import seal_bid as sealed_by
from web.sealing_bids import withdraw as withdrawn_by
from web.terminal_words import shown, web_address

SENT: Final = "answer.json"
RECEIPT: Final = "receipt.tlog-proof"

app = typer.Typer()
talk = Console(stderr=True, emoji=False)


@app.command()
def seal(
    package: Annotated[
        Path | None,
        typer.Argument(help="The lot's public sealing package; leave it out to only send."),
    ] = None,
    files: Annotated[
        list[Path] | None, typer.Argument(help="The bid's files; a folder gives all in it.")
    ] = None,
    bidder: Annotated[
        str, typer.Option("--bidder", help="Your organisation's id on the platform.")
    ] = "",
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", help='Opening sheet as JSON: {"price": "128460000.00", …}.'),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="Your P-256 key (PEM) that signs the submission.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder that will hold, or holds, the sealed bid.")
    ] = Path("sealed"),
    escrow: Annotated[
        bool,
        typer.Option("--escrow", help="Let custodians open the bid together should you be absent."),
    ] = False,
    opening_key: Annotated[
        Path | None,
        typer.Option("--opening-key", help="P-256 key (PEM) that releases the bid; else made."),
    ] = None,
    seq: Annotated[
        int, typer.Option("--seq", min=1, help="Number of this submission; 1 for the first.")
    ] = 1,
    replaces: Annotated[
        str, typer.Option("--replaces", help="Digest of the submission that this one replaces.")
    ] = "",
    agreement: Annotated[
        Path | None,
        typer.Option("--agreement", help="The agreement that all members of a consortium signed."),
    ] = None,
    library: Annotated[
        list[str] | None,
        typer.Option(
            "--library", help="A reference to your library's entry; may be given several times."
        ),
    ] = None,
    submit_to: Annotated[
        str,
        typer.Option(
            "--submit-to",
            help="Platform to upload and submit to, as a URL.",
            callback=web_address,
        ),
    ] = "",
    withdraw: Annotated[
        bool,
        typer.Option("--withdraw", help="Withdraw your bid for the package's lot; seal nothing."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Answer as JSON on standard output.")
    ] = False,
) -> None:
    """Seal a bid on this machine, so that nobody can read it before the opening.

    Examples:

    sunbid seal package.json bid/ --bidder ID --sheet sheet.json --key me.pem --out sealed

    sunbid seal --submit-to https://platform.example --bidder ID --key me.pem --out sealed

    sunbid seal package.json --withdraw --submit-to URL --bidder ID --key me.pem
    """
    if package is None and not submit_to:
        raise typer.BadParameter("give a package to seal for, or --submit-to to send a sealed bid")
    if key is None or not bidder:
        raise typer.BadParameter("--bidder and --key say who you are")
    if withdraw and (package is None or not submit_to or files or sheet):
        raise typer.BadParameter("--withdraw takes the lot's package and --submit-to, and no files")
    told: dict[str, Any] = {"folder": str(out)}
    try:
        who = Bidder(bidder, PrivateKey.from_pem(key.read_bytes()))
        if package is not None:
            terms = _Terms(
                sheet, escrow, opening_key, seq, replaces, agreement, tuple(library or ())
            )
            data = package.read_bytes()
            told |= _prepared(data, who, files or [], out, terms, withdraw, submit_to)
        if submit_to and not withdraw:
            told |= _delivered(who, submit_to, out)
    except FileNotFoundError as fault:
        talk.print(f"[red]{shown(fault)}[/]")
        raise typer.Exit(MISSING) from None
    except (NotSealable, BrokenSeal, OSError, ValueError) as fault:
        talk.print(f"[red]{shown(fault)}[/]")
        raise typer.Exit(USAGE) from None
    except Unreachable as fault:
        talk.print(f"[red]{shown(fault)}[/]")
        raise typer.Exit(NETWORK) from None
    except Problem as problem:
        talk.print(f"[red]{shown(problem)}[/]")
        raise typer.Exit(code_of_answer(problem.status, problem.codes)) from None
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class _Terms:
    """How a bid is to be sealed, as the options say it."""

    sheet: Path | None
    escrow: bool
    opening_key: Path | None
    seq: int
    replaces: str
    agreement: Path | None
    library: tuple[str, ...]


def _prepared(
    data: bytes,
    who: Bidder,
    files: list[Path],
    out: Path,
    terms: _Terms,
    withdraw: bool,
    address: str,
) -> dict[str, Any]:
    """What was sealed for the package, or withdrawn: of a lot, or of its prequalification."""
    if is_application_package(data):
        if withdraw or terms.sheet or terms.escrow or terms.replaces:
            raise NotSealable("资格预审申请没有开标一览表和托管份额，按序号替换")
        return _applied(data, who, files, out, terms)
    found = read_package(data)
    if withdraw:
        return _withdrawn(who, address, found, out)
    done = _sealed(found, who, files, out, terms)
    _explain(found, done)
    return _described(found, done)


def _sealed(
    package: LotPackage, who: Bidder, files: list[Path], out: Path, terms: _Terms
) -> SealedBid:
    if terms.sheet is None:
        raise NotSealable("--sheet is missing: the opening sheet as JSON")
    values = json.loads(terms.sheet.read_text())
    if not isinstance(values, dict):
        raise NotSealable("the opening sheet is a JSON object")
    if terms.library:
        stated = str(values.get(LIBRARY, "")).split()
        values[LIBRARY] = library_references([*stated, *terms.library])
    with _bars() as hear:
        return sealed_by(
            package,
            who,
            sheet=values,
            files=files,
            folder=out,
            now=machine_clock(),
            escrow=terms.escrow,
            opening_key=_public(terms.opening_key),
            seq=terms.seq,
            replaces=unb64u(terms.replaces, 32) if terms.replaces else None,
            agreement=terms.agreement,
            progress=hear,
        )


def _public(opening_key: Path | None) -> bytes | None:
    if opening_key is None:
        return None
    return PrivateKey.from_pem(opening_key.read_bytes()).public_bytes


def _applied(
    data: bytes,
    who: Bidder,
    files: list[Path],
    out: Path,
    terms: _Terms,
) -> dict[str, Any]:
    package = read_application_package(data)
    with _bars() as hear:
        done = seal_application(
            package,
            who,
            files=files,
            folder=out,
            now=machine_clock(),
            opening_key=_public(terms.opening_key),
            seq=terms.seq,
            agreement=terms.agreement,
            library=terms.library,
            progress=hear,
        )
    due = package.applications_due_at.isoformat()
    talk.print(f"Sealed for [bold]{shown(package.lot_name)}[/], due {due}; your own key opens it.")
    talk.print(f"Passphrase of {shown(out / 'recovery.json')}: [bold]{done.passphrase}[/]")
    return {
        "lot": package.lot_id,
        "passphrase": done.passphrase,
        "envelopes": [done.envelope.named()],
    }


def _delivered(who: Bidder, address: str, folder: Path) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with Client(address, who.key) as client:
            await client.sign_in(Role.BIDDER, who.organisation_id)
            with _bars(unit=False) as hear:
                if is_sealed_application(folder):
                    return await deliver_application(client, folder, progress=hear)
                return await deliver(client, folder, progress=hear)

    return _kept(asyncio.run(work()), folder, SENT, RECEIPT)


def _withdrawn(who: Bidder, address: str, package: LotPackage, folder: Path) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with Client(address, who.key) as client:
            await client.sign_in(Role.BIDDER, who.organisation_id)
            return await withdrawn_by(client, package, who, now=machine_clock())

    answer = asyncio.run(work())
    folder.mkdir(parents=True, exist_ok=True)
    return _kept(answer, folder, f"withdrawal-{SENT}", f"withdrawal-{RECEIPT}")


def _kept(answer: dict[str, Any], folder: Path, sent: str, receipt: str) -> dict[str, Any]:
    (folder / sent).write_text(json.dumps(answer, ensure_ascii=False, indent=1))
    if "receipt" in answer:
        (folder / receipt).write_text(answer["receipt"])
        came, kept = shown(answer["received_at"]), shown(folder / receipt)
        talk.print(f"[green]Received {came}[/]; receipt in {kept}")
    else:
        talk.print(
            f"[yellow]Received {shown(answer['received_at'])}[/]; the receipt follows: run this "
            f"again, or fetch {shown(answer['link'])}"
        )
    return answer


def _explain(package: LotPackage, done: SealedBid) -> None:
    name, due = shown(package.lot_name), package.bids_due_at.isoformat()
    talk.print(f"Sealed for [bold]{name}[/], due {due}.")
    talk.print("It opens with your own key and these custodians together:")
    for holder in package.holders:
        talk.print(f"  · {shown(holder)}")
    talk.print(
        f"Passphrase of {shown(done.folder / 'recovery.json')}: [bold]{done.passphrase}[/]\n"
        "Write it down and keep it apart from the file: whoever has both can open this bid, and "
        "nobody can give you another."
    )


def _described(package: LotPackage, done: SealedBid) -> dict[str, Any]:
    return {
        "lot": package.lot_id,
        "passphrase": done.passphrase,
        "envelopes": [one.named() for one in done.envelopes],
    }


@contextmanager
def _bars(*, unit: bool = True) -> Iterator[Hears]:
    columns = [TextColumn("{task.description}", markup=False), BarColumn()]
    with Progress(
        *columns,
        DownloadColumn() if unit else TextColumn("{task.completed}/{task.total}"),
        console=talk,
        transient=True,
    ) as bars:
        known: dict[str, Any] = {}

        def hear(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, total=total)

        yield hear
