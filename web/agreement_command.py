"""`sunbid agreement`: the members of a consortium sign their agreement, one after another, offline.

The first writes the terms as JSON and signs; the file that comes out is handed on, and each of the
others signs the very same words. With `sunbid seal --agreement` it then goes into the sealed bid.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from kernel.clock import machine_clock
from kernel.crypto.digests import Malformed, canonical, instant_text, strict_json
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.crypto.statement_kinds import payload_type, read_statement
from trading.rules.consortium_agreement import AGREEMENT_MAX, JOINT, Agreement, agreement_in
from web.exit_codes import MISSING, USAGE
from web.terminal_words import shown

KIND: Final = "consortium-agreement"
VERSION: Final = "ebid-consortium-agreement/1"

app = typer.Typer()
talk = Console(stderr=True, emoji=False)


def signed_agreement(data: bytes, key: PrivateKey, *, now: datetime) -> bytes:
    """The agreement with this key's signature: of terms that nobody signed yet, or by others.

    `Malformed` where the bytes are neither, or this key has signed before.
    """
    found = strict_json(data, AGREEMENT_MAX)
    if isinstance(found, dict) and "payloadType" in found:
        envelope, payload = read_statement(data, KIND, max_bytes=AGREEMENT_MAX)
        agreement_in(payload)
        if key.keyid in {one.keyid for one in envelope.signatures}:
            raise Malformed("this key has signed the agreement before", code="signed_twice")
        own = key.sign(envelope.payload_type, envelope.payload)
        return envelope.also_signed(own.signatures[0]).to_bytes()
    if not isinstance(found, dict):
        raise Malformed("the terms are a JSON object", code="terms")
    terms = {**found, "v": VERSION, "liability": JOINT, "signed_at": instant_text(now)}
    raw = key.sign(payload_type(KIND), canonical(terms)).to_bytes()
    agreement_in(read_statement(raw, KIND, max_bytes=AGREEMENT_MAX)[1])
    return raw


@app.command()
def agreement(
    terms: Annotated[
        Path,
        typer.Argument(
            help='Terms as JSON: {"project", "lot", "lead", "members": [{"organisation", "part",'
            ' "grades"}]}; or an agreement that others have signed.'
        ),
    ],
    key: Annotated[Path, typer.Option("--key", help="Your P-256 key (PEM).")],
    out: Annotated[Path, typer.Option("--out", help="Where the signed agreement goes.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Answer as JSON on standard output.")
    ] = False,
) -> None:
    """Sign the agreement of a consortium for your own organisation, beside those who signed before.

    Example: sunbid agreement terms.json --key me.pem --out agreement.dsse.json
    """
    try:
        own = PrivateKey.from_pem(key.read_bytes())
        raw = signed_agreement(terms.read_bytes(), own, now=machine_clock())
        out.write_bytes(raw)
    except FileNotFoundError as fault:
        talk.print(f"[red]{shown(fault)}[/]")
        raise typer.Exit(MISSING) from None
    except (Malformed, OSError, ValueError) as fault:
        talk.print(f"[red]{shown(fault)}[/]")
        raise typer.Exit(USAGE) from None
    envelope = Envelope.from_bytes(raw, max_bytes=AGREEMENT_MAX)
    said = agreement_in(read_statement(raw, KIND, max_bytes=AGREEMENT_MAX)[1])
    talk.print(f"Signed: {len(envelope.signatures)} of {len(said.members)} signatures are there.")
    if as_json:
        typer.echo(json.dumps(_told(said, envelope), ensure_ascii=False))


def _told(said: Agreement, envelope: Envelope) -> dict[str, Any]:
    return {
        "lot": said.lot_id,
        "lead": str(said.lead),
        "members": [str(one.party_id) for one in said.members],
        "signatures": [one.keyid for one in envelope.signatures],
    }
