"""Standard Webhooks 1.0.0: how a message to another program is signed, and how that is checked.

What is signed is `id.timestamp.body`. While a secret is being changed there are two, and a
signature by either is enough.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

PREFIX: Final = "whsec_"
TOLERANCE: Final = timedelta(minutes=5)
SECRET_MIN, SECRET_MAX = 24, 64


def secret_of(text: str) -> bytes:
    """The bytes of a `whsec_…` secret; `ValueError` where it is none, or too short to be one."""
    try:
        secret = base64.b64decode(text.strip().removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a webhook secret is base64: {error}") from None
    if not SECRET_MIN <= len(secret) <= SECRET_MAX:
        raise ValueError(f"a webhook secret has {SECRET_MIN} to {SECRET_MAX} bytes")
    return secret


def signed_headers(
    message_id: str, body: bytes, secrets: Sequence[bytes], *, at: datetime
) -> dict[str, str]:
    """The three headers that vouch for a message."""
    timestamp = str(int(at.timestamp()))
    signatures = (_signature(message_id, timestamp, body, one) for one in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def is_signed(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], *, at: datetime
) -> bool:
    """Whether one of the secrets signed this message, and not long before or after an instant."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    if abs(datetime.fromtimestamp(int(timestamp), UTC) - at) > TOLERANCE:
        return False
    given = [one.encode() for one in headers.get("webhook-signature", "").split(" ")]
    wanted = [_signature(message_id, timestamp, body, one).encode() for one in secrets]
    return any(hmac.compare_digest(one, other) for one in given for other in wanted)


def _signature(message_id: str, timestamp: str, body: bytes, secret: bytes) -> str:
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
