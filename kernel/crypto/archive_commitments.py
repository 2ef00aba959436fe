"""Which files of an archive stand behind the log: those it commits to, and what those commit to.

An entry of the log names digests, and so does a signed paper: a notice names its documents. A file
is committed to where an entry that stands in the log names its digest, or a paper that is itself
committed to; a committee's report is such a paper. Whoever makes an archive and whoever checks it
ask the same question here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from kernel.crypto.digests import b64u, sha256, strict_json
from kernel.crypto.signing import Envelope

REPORTS: Final = "evaluation/"
"""Where reports lie, which are JSON and not signed in one piece."""

STATEMENT: Final = ".dsse"
"""How a signed statement's name ends; an entry may name it by its bytes or by its payload's."""

PAPER_MAX: Final = 64 << 20


def committed_files(files: Mapping[str, bytes], records: Iterable[bytes]) -> frozenset[str]:
    """The names of the files that these records of the log commit to, directly or by a paper.

    `Malformed` where a statement or a record is none.
    """
    named = {text for record in records for text in _texts(strict_json(record, PAPER_MAX))}
    payloads = {
        name: Envelope.from_bytes(content, max_bytes=PAPER_MAX).payload
        for name, content in files.items()
        if name.endswith(STATEMENT)
    }
    reports = {
        name: content
        for name, content in files.items()
        if name.startswith(REPORTS) and name.endswith(".json")
    }
    digests = {
        name: {b64u(sha256(one)) for one in (content, payloads.get(name, content))}
        for name, content in files.items()
    }
    kept: set[str] = set()
    while found := {name for name in digests.keys() - kept if digests[name] & named}:
        kept |= found
        for name in found & (payloads.keys() | reports.keys()):
            said = payloads.get(name) or reports[name]
            named |= set(_texts(strict_json(said, PAPER_MAX)))
    return frozenset(kept)


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value."""
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
