"""`sunbid seat`: what runs on the machine at a seat of an evaluation site.

The seat's key is made here and kept here. A member brings a key of its own, sits down, and the line
is kept until the member gets up; from another terminal of the same machine the member commits to
marks, shows them and signs the report. Reading, marking and voting are done in the browser beside
it. Exit codes are those of every command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from kernel.access import Role
from kernel.crypto.digests import parse_instant
from kernel.crypto.signing import PrivateKey
from web.client import Client
from web.opening_commands import (
    Done,
    JsonOption,
    KeyOption,
    OrganisationOption,
    UrlOption,
    run_as,
    talk,
)
from web.premises import new_key_file
from web.seat_work import SeatWork
from web.terminal_words import shown

seat_app = typer.Typer(
    help="At a seat of an evaluation site: register it, sit down, commit, show, sign.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

LOOK_AGAIN_S: Final = 1.0
MEMBERS: Final = (Role.EXPERT, Role.OWNER_REPRESENTATIVE)

SeatKeyOption = Annotated[
    Path, typer.Option("--seat-key", dir_okay=False, help="The key of this seat (PEM).")
]
FolderOption = Annotated[
    Path, typer.Option("--folder", file_okay=False, help="Where this seat keeps its things.")
]
RoleOption = Annotated[
    Role, typer.Option("--as", help="expert, or owner_representative for the tenderee's member.")
]
CommitteeOption = Annotated[
    str, typer.Option("--committee", help="The committee; needed where several expect you now.")
]


@seat_app.command("register")
def register(
    site: Annotated[str, typer.Argument(help="The site's id on the platform.")],
    number: Annotated[int, typer.Argument(min=1, help="The seat's number at the site.")],
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    seat_key: SeatKeyOption = Path("seat.pem"),
    as_json: JsonOption = False,
) -> None:
    """Register this machine as a seat of your site; its key is made if there is none yet.

    Example: sunbid seat register SITE 3 --url https://platform.example --key me.pem
    --organisation ID --seat-key seat.pem
    """

    async def act(client: Client) -> Done:
        own = PrivateKey.from_pem(seat_key.read_bytes()) if seat_key.exists() else None
        work = SeatWork(client, own or new_key_file(seat_key), seat_key.parent)
        told = await client.post_signed(
            f"/api/v1/sites/{site}/seats", work.seat_statement(site, number)
        )
        words = f"registered seat {number}; keep {seat_key} on this machine"
        return Done(words, {"seat_id": told["seat_id"], "seat_key": str(seat_key)})

    run_as(url, key, Role.SITE_ADMINISTRATOR, organisation, act, as_json=as_json)


@seat_app.command("sit")
def sit(
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    role: RoleOption,
    seat_key: SeatKeyOption = Path("seat.pem"),
    folder: FolderOption = Path("seat"),
    committee: CommitteeOption = "",
    once: Annotated[
        bool, typer.Option("--once", help="Sit down and get up again, to try seat and line.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Sit down at this seat and keep the line until Ctrl-C; then the others stop reading.

    You declare that nothing ties you to the bidders and that you keep the room's discipline. Where
    the line was lost for long, run it again.

    Example: sunbid seat sit --as expert --url https://platform.example --key me.pem
    --organisation ID --seat-key seat.pem
    """

    async def act(client: Client) -> Done:
        work = await _seated(client, seat_key, folder, committee)
        await work.sign_in()
        talk.print("you sit; the line is kept. Ctrl-C gets you up")
        try:
            while work.present and not once:
                await asyncio.sleep(LOOK_AGAIN_S)
        finally:
            kept = work.present
            await (work.leave() if kept else work.close())
        words = "you got up" if kept else "the line was lost for too long; sit down again"
        return Done(words, {"committee": work.committee_id, "line_kept": kept})

    _as_member(url, key, role, organisation, act, as_json=as_json)


@seat_app.command("commit")
def commit(
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    role: RoleOption,
    seat_key: SeatKeyOption = Path("seat.pem"),
    folder: FolderOption = Path("seat"),
    committee: CommitteeOption = "",
    reason: Annotated[
        str, typer.Option("--reason", help="Why marks changed; needed from the second time on.")
    ] = "",
    ground: Annotated[
        str, typer.Option("--ground", help="The law's ground for a change after the reveal.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Commit to your marks as they stand; nobody sees them before all have committed.

    Example: sunbid seat commit --as expert --url https://platform.example --key me.pem
    --organisation ID --seat-key seat.pem
    """

    async def act(client: Client) -> Done:
        work = await _seated(client, seat_key, folder, committee)
        number = await work.commit(reason=reason, ground=ground or None)
        words = f"committed, for the {number}. time; keep {folder} until all have shown theirs"
        return Done(words, {"round": number})

    _as_member(url, key, role, organisation, act, as_json=as_json)


@seat_app.command("reveal")
def reveal(
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    role: RoleOption,
    seat_key: SeatKeyOption = Path("seat.pem"),
    folder: FolderOption = Path("seat"),
    committee: CommitteeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show the marks you committed to, once all have committed.

    Example: sunbid seat reveal --as expert --url https://platform.example --key me.pem
    --organisation ID --seat-key seat.pem
    """

    async def act(client: Client) -> Done:
        work = await _seated(client, seat_key, folder, committee)
        await work.reveal()
        return Done("shown", {"revealed": True})

    _as_member(url, key, role, organisation, act, as_json=as_json)


@seat_app.command("sign")
def sign(
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    role: RoleOption,
    seat_key: SeatKeyOption = Path("seat.pem"),
    folder: FolderOption = Path("seat"),
    committee: CommitteeOption = "",
    dissent: Annotated[
        str, typer.Option("--dissent", help="Your own opinion, where it differs; it is recorded.")
    ] = "",
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Refuse to sign; without a dissent you agree by law.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Sign the report, after this program has reckoned everything in it again.

    Example: sunbid seat sign --as expert --url https://platform.example --key me.pem
    --organisation ID --seat-key seat.pem
    """

    async def act(client: Client) -> Done:
        work = await _seated(client, seat_key, folder, committee)
        told = await work.sign_report(dissent=dissent, refused=refuse)
        return Done("the result follows from the sheets; signed", told)

    _as_member(url, key, role, organisation, act, as_json=as_json)


def _as_member(
    url: str,
    key: Path,
    role: Role,
    organisation: str,
    act: Callable[[Client], Awaitable[Done]],
    *,
    as_json: bool,
) -> None:
    if role not in MEMBERS:
        raise typer.BadParameter("a member is an expert or an owner_representative")
    run_as(url, key, role, organisation, act, as_json=as_json)


async def _seated(client: Client, seat_key: Path, folder: Path, committee: str) -> SeatWork:
    """This seat's work for the committee that expects the member; `ValueError` unless it is one."""
    told = (await client.get("/api/v1/committees/mine"))["committees"]
    now = parse_instant((await client.get("/api/v1/clock"))["now"])
    meant = [one for one in told if _expects(one, committee, now=now)]
    if len(meant) != 1:
        names = ", ".join(one["committee_id"] for one in told) or "none"
        raise ValueError(f"say which committee with --committee; those that expect you: {names}")
    [one] = meant
    own = PrivateKey.from_pem(seat_key.read_bytes())
    talk.print(shown(f"committee {one['committee_id']}, {one['site']}, seat {one['seat']}"))
    return SeatWork(client, own, folder, one["committee_id"], one["seat_id"])


def _expects(told: Mapping[str, Any], committee: str, *, now: datetime) -> bool:
    if committee:
        return bool(told["committee_id"] == committee)
    return not told["closed"] and parse_instant(told["window"]["from"]) <= now
