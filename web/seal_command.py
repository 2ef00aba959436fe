"""`sunbid seal`: seal a bid offline, and send a sealed one to the platform.

Sealing needs no network and asks nobody: the lot's package is public, and everything else is the
bidder's own. Sending may happen from another machine and may be repeated.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
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
from web.client import Client, Problem, Unreachable
from web.exit_codes import MISSING, NETWORK, USAGE, code_of_answer
from web.sealing_bids import Bidder, LotPackage, NotSealable, SealedBid, deliver, read_package
from web.sealing_bids import Progress as Hears
from web.sealing_bids import seal_bid as sealed_by
from web.sealing_bids import withdraw as withdrawn_by
from web.terminal_words import shown, web_address

SENT: Final = "answer.json"
RECEIPT: Final = "receipt.tlog-proof"

talk = Console(stderr=True, emoji=False)


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
        found = None if package is None else read_package(package.read_bytes())
        if found is not None and withdraw:
            told |= _withdrawn(who, submit_to, found, out)
        elif found is not None:
            done = _sealed(found, who, sheet, files or [], out, escrow, opening_key, seq, replaces)
            told |= _described(found, done)
            _explain(found, done)
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


def _sealed(
    package: LotPackage,
    who: Bidder,
    sheet: Path | None,
    files: list[Path],
    out: Path,
    escrow: bool,
    opening_key: Path | None,
    seq: int,
    replaces: str,
) -> SealedBid:
    if sheet is None:
        raise NotSealable("--sheet is missing: the opening sheet as JSON")
    values = json.loads(sheet.read_text())
    if not isinstance(values, dict):
        raise NotSealable("the opening sheet is a JSON object")
    own = None if opening_key is None else PrivateKey.from_pem(opening_key.read_bytes())
    with _bars() as hear:
        return sealed_by(
            package,
            who,
            sheet=values,
            files=files,
            folder=out,
            now=machine_clock(),
            escrow=escrow,
            opening_key=None if own is None else own.public_bytes,
            seq=seq,
            replaces=unb64u(replaces, 32) if replaces else None,
            progress=hear,
        )


def _delivered(who: Bidder, address: str, folder: Path) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with Client(address, who.key) as client:
            await client.sign_in(Role.BIDDER, who.organisation_id)
            with _bars(unit=False) as hear:
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
