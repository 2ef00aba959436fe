"""Whom this process believes when a server shows its certificate."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted_authorities() -> ssl.SSLContext:
    """The certificate authorities of the web, read once in a process.

    Reading them takes some thirty milliseconds of work. A client that is made without them reads
    them itself, also where it will only ever speak to this machine in the clear.
    """
    return httpx.create_ssl_context()
