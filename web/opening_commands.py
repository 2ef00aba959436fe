"""`sunbid opening` and `sunbid custody`: the bidder's, the host's and the custodian's own programs.

They run on the machines of those they belong to, and know no more of the platform than its address.
Exit codes are those of every command.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kernel.access import Role
from kernel.clock import machine_clock
from kernel.crypto.digests import b64u, parse_instant
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal
from web import opening_work, sealing_applications
from web.client import Client, Problem, Unreachable
from web.custodian_work import Custodian, Trust, Unconvinced
from web.exit_codes import MISSING, NETWORK, UNVERIFIED, USAGE, code_of_answer
from web.premises import new_key_file
from web.terminal_words import shown, there, web_address

opening_app = typer.Typer(
    help="At an opening: release your bid, agree to the fallback, sign the record.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
custody_app = typer.Typer(
    help="Keep a lot's key: register it, and give your shares once the window is over.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

talk = Console(stderr=True, emoji=False)

LotArgument = Annotated[str, typer.Argument(help="The lot's id on the platform.")]
UrlOption = Annotated[
    str, typer.Option("--url", help="The platform's address.", callback=web_address)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output.")]
KeyOption = Annotated[
    Path, typer.Option("--key", callback=there, dir_okay=False, help="Your P-256 key (PEM).")
]
OrganisationOption = Annotated[
    str, typer.Option("--organisation", help="Your organisation's id on the platform.")
]
CustodyKeyOption = Annotated[
    Path, typer.Option("--custody-key", dir_okay=False, help="The key you keep for lots (PEM).")
]


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, for a person and for a program."""

    words: str
    facts: Mapping[str, object]


def run_as(
    url: str,
    key: Path,
    role: Role,
    organisation: str,
    act: Callable[[Client], Awaitable[Done]],
    *,
    as_json: bool,
) -> None:
    """Sign in, act, and say what was done; what goes wrong has its documented exit code."""

    async def work() -> Done:
        async with Client(url, PrivateKey.from_pem(key.read_bytes())) as client:
            await client.sign_in(role, organisation)
            return await act(client)

    try:
        done = asyncio.run(work())
    except Unconvinced as fault:
        talk.print(f"[red]not convinced, and nothing was given[/]: {shown(fault)}")
        raise typer.Exit(UNVERIFIED) from None
    except Problem as problem:
        talk.print(f"[red]{shown(problem)}[/]")
        raise typer.Exit(code_of_answer(problem.status, problem.codes)) from None
    except Unreachable as fault:
        talk.print(f"[red]{shown(fault)}[/]")
        raise typer.Exit(NETWORK) from None
    except FileNotFoundError as fault:
        talk.print(f"[red]{shown(fault)}[/]")
        raise typer.Exit(MISSING) from None
    except (BrokenSeal, OSError, ValueError) as fault:
        talk.print(f"[red]{shown(fault)}[/]")
        raise typer.Exit(USAGE) from None
    talk.print(f"[green]{shown(done.words)}[/]")
    if as_json:
        typer.echo(json.dumps(done.facts, ensure_ascii=False))


@opening_app.command("release")
def release(
    lot: LotArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    opening_key: Annotated[
        Path,
        typer.Option(
            "--opening-key",
            callback=there,
            dir_okay=False,
            help="The key that `sunbid seal` made, or you gave it, to release this bid (PEM).",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Release your bid inside the window after the deadline, so that it is opened with the others.

    Example: sunbid opening release LOT --url https://platform.example --key me.pem
    --organisation ID --opening-key sealed/opening-key.pem
    """

    async def act(client: Client) -> Done:
        own = PrivateKey.from_pem(opening_key.read_bytes())
        count = await opening_work.release(client, lot, own)
        return Done(f"{count} envelopes released", {"released": count})

    run_as(url, key, Role.BIDDER, organisation, act, as_json=as_json)


@opening_app.command("release-application")
def release_application(
    lot: LotArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    opening_key: Annotated[
        Path,
        typer.Option(
            "--opening-key",
            callback=there,
            dir_okay=False,
            help="The key that `sunbid seal` made, or you gave it, for this application (PEM).",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Open your application for prequalification inside the window after its deadline.

    Example: sunbid opening release-application LOT --url https://platform.example --key me.pem
    --organisation ID --opening-key application/opening-key.pem
    """

    async def act(client: Client) -> Done:
        own = PrivateKey.from_pem(opening_key.read_bytes())
        await sealing_applications.release_application(client, lot, own)
        return Done("the application is released", {"released": 1})

    run_as(url, key, Role.BIDDER, organisation, act, as_json=as_json)


@opening_app.command("agree")
def agree(
    lot: LotArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    role: Annotated[
        Role, typer.Option("--as", help="tenderee or agency of the lot, or supervisor.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Agree that custodians open the bids of absent bidders who chose it; two sides must.

    Example: sunbid opening agree LOT --as supervisor --url https://platform.example --key me.pem
    --organisation ID
    """

    async def act(client: Client) -> Done:
        await opening_work.agree_fallback(client, lot)
        return Done("agreed to the fallback", {"agreed": True})

    run_as(url, key, role, organisation, act, as_json=as_json)


@opening_app.command("record")
def record(
    lot: LotArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    role: Annotated[Role, typer.Option("--as", help="tenderee or agency of the lot.")],
    out: Annotated[Path, typer.Option("--out", help="Where what you signed is kept.")] = Path(
        "opening-record.json"
    ),
    as_json: JsonOption = False,
) -> None:
    """Sign the opening record, once every objection is answered, and so publish it.

    Example: sunbid opening record LOT --as agency --url https://platform.example --key me.pem
    --organisation ID
    """

    async def act(client: Client) -> Done:
        own = PrivateKey.from_pem(key.read_bytes())
        out.write_bytes(await opening_work.sign_record(client, lot, own))
        words = f"signed and published; what you signed is in {out}"
        return Done(words, {"record": str(out)})

    run_as(url, key, role, organisation, act, as_json=as_json)


@custody_app.command("register")
def register(
    lot: LotArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    custody_key: CustodyKeyOption,
    as_json: JsonOption = False,
) -> None:
    """Register the key you keep for a lot that names you; made where the file does not exist.

    Example: sunbid custody register LOT --custody-key lot.pem --url https://platform.example
    --key me.pem --organisation ID
    """

    async def act(client: Client) -> Done:
        told = (await client.get("/api/v1/custodian-assignments"))["assignments"]
        project = next((one["project"] for one in told if one["lot"] == lot), None)
        if project is None:
            raise BrokenSeal("no lot of this id names you as its custodian")
        if custody_key.exists():
            own = PrivateKey.from_pem(custody_key.read_bytes())
        else:
            own = new_key_file(custody_key)
        said = {"project": project, "lot": lot, "kid": own.kid}
        await client.post_statement(
            f"/api/v1/lots/{lot}/custodian-keys",
            "custodian-key",
            {**said, "public_key": b64u(own.public_bytes)},
        )
        words = f"registered {own.kid}; keep {custody_key}, and let nobody else have it"
        return Done(words, {"kid": own.kid, "custody_key": str(custody_key)})

    run_as(url, key, Role.CUSTODIAN, organisation, act, as_json=as_json)


@custody_app.command("give")
def give(
    lot: LotArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    custody_key: CustodyKeyOption,
    log: Annotated[str, typer.Option("--log", help="The log's verifier key, as you know it.")],
    witness: Annotated[
        list[str], typer.Option("--witness", help="A witness's verifier key; repeat it.")
    ],
    quorum: Annotated[int, typer.Option("--quorum", min=1, help="Witnesses that must agree.")] = 2,
    demo_clock: Annotated[
        bool, typer.Option("--demo-clock", help="Follow a demo platform's clock (demo logs only).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Give your shares of what is to be opened, if this program is convinced that it is time.

    Example: sunbid custody give LOT --custody-key lot.pem --log VKEY --witness VKEY --witness VKEY
    --url https://platform.example --key me.pem --organisation ID

    It goes by its own clock and by the log that witnesses signed, and remembers beside the key the
    newest timetable it has seen.
    """
    if demo_clock and not log.startswith("demo."):
        raise typer.BadParameter("--demo-clock is only for a log whose origin begins with 'demo.'")

    async def act(client: Client) -> Done:
        offset = timedelta(0)
        if demo_clock:
            offset = parse_instant((await client.get("/api/v1/clock"))["now"]) - machine_clock()
        memory = custody_key.with_suffix(".seen.json")
        program = Custodian(
            key=PrivateKey.from_pem(custody_key.read_bytes()),
            trust=Trust(log, tuple(witness), quorum),
            now=lambda: machine_clock() + offset,
            seen=json.loads(memory.read_text()) if memory.exists() else {},
        )
        request = await client.get(f"/api/v1/lots/{lot}/share-request")
        try:
            answer = program.answer(request)
        finally:
            memory.write_text(json.dumps(program.seen))
        if answer["shares"]:
            await client.post_statement(f"/api/v1/lots/{lot}/shares", "shares", answer)
        count, undealt = len(answer["shares"]), list(program.undealt)
        words = [f"not given, because badly sealed to you: {one}" for one in undealt]
        return Done(
            "\n".join([f"{count} shares given", *words]), {"given": count, "undealt": undealt}
        )

    run_as(url, key, Role.CUSTODIAN, organisation, act, as_json=as_json)
