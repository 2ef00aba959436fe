"""What the programs of a bidder and of the host do at an opening: release, agree, sign the record.

The bidder's key that releases its bid never leaves its machine: out of its own envelopes' headers
the program unwraps the secrets, and sends these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernel.crypto import sealing
from kernel.crypto.digests import b64u, unb64
from kernel.crypto.signing import PrivateKey, thumbprint
from kernel.crypto.statement_kinds import payload_type
from web.client import Client


def secrets_of(headers: Sequence[dict[str, Any]], key: PrivateKey) -> list[dict[str, str]]:
    """The secret of each of the bidder's own envelopes; `BrokenSeal` where the key is another."""
    kid = thumbprint(key.public_bytes)
    secrets = []
    for told in headers:
        header = sealing.parse_header(unb64(told["bytes"]))
        secret = sealing.unwrap(header, sealing.BIDDER, kid, key)
        secrets.append({"head": b64u(header.head), "secret": b64u(secret)})
    return secrets


async def release(client: Client, lot: str, key: PrivateKey) -> int:
    """Release the acting bidder's bid with the key that was made for it; how many envelopes."""
    headers = (await client.get(f"/api/v1/lots/{lot}/own-headers"))["headers"]
    secrets = secrets_of(headers, key)
    await client.post_statement(
        f"/api/v1/lots/{lot}/releases", "release", {"lot": lot, "secrets": secrets}
    )
    return len(secrets)


async def agree_fallback(client: Client, lot: str) -> None:
    """Sign for the acting side that custodians may open the bids of those who are absent."""
    await client.post_statement(f"/api/v1/lots/{lot}/fallbacks", "fallback", {"lot": lot})


async def sign_record(client: Client, lot: str, key: PrivateKey) -> bytes:
    """Sign the opening record as it stands, and so publish it; the bytes that were signed."""
    draft = await client.read(f"/api/v1/lots/{lot}/opening-record/draft")
    signed = key.sign(payload_type("opening-record"), draft).to_bytes()
    await client.post_signed(f"/api/v1/lots/{lot}/opening-record", signed)
    return draft
