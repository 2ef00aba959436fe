"""`sunbid last-price`: a supplier seals its last price on its own machine, and opens it in time.

The file with the seal is the one that the page saves, so what is sealed here is opened there and
the other way round. It never leaves the machine before the supplier opens its price.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from kernel.access import Role
from kernel.money import parse_yuan
from web import talk_work
from web.client import Client
from web.opening_commands import (
    Done,
    JsonOption,
    KeyOption,
    LotArgument,
    OrganisationOption,
    UrlOption,
    run_as,
)
from web.premises import new_private_file
from web.terminal_words import there

last_price_app = typer.Typer(
    help="Your last price in a negotiation or consultation: seal it, then open it in time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _amount(text: str) -> Decimal:
    try:
        amount = parse_yuan(text)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
    if amount <= 0:
        raise typer.BadParameter("a price is more than nothing")
    return amount


@last_price_app.command("seal")
def seal(
    lot: LotArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    price: Annotated[
        str, typer.Option("--price", help="Your last price in yuan, such as 473000.00.")
    ],
    out: Annotated[
        Path, typer.Option("--out", dir_okay=False, help="Where the file with the seal goes.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Seal your last price and hand in what commits you to it; a newer one replaces it in time.

    The price itself stays in the file, which you need to open it after the deadline.

    Example: sunbid last-price seal LOT --url https://platform.example --key me.pem
    --organisation ID --price 473000.00 --out last-price.json
    """
    amount = _amount(price)

    async def act(client: Client) -> Done:
        done = await talk_work.seal_last_price(
            client, lot, amount, keep=lambda seal: new_private_file(out, seal)
        )
        return Done(f"last price {done['seq']} handed in at {done['received_at']}", done)

    run_as(url, key, Role.BIDDER, organisation, act, as_json=as_json)


@last_price_app.command("open")
def open_price(
    lot: LotArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    sealed: Annotated[
        Path,
        typer.Option("--seal", callback=there, dir_okay=False, help="The file with the seal."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Open your last price after the deadline, inside the window; who does not has left.

    Example: sunbid last-price open LOT --url https://platform.example --key me.pem
    --organisation ID --seal last-price.json
    """

    async def act(client: Client) -> Done:
        price = await talk_work.open_last_price(client, lot, sealed.read_bytes())
        return Done("last price opened", {"price": price})

    run_as(url, key, Role.BIDDER, organisation, act, as_json=as_json)
