"""The platform under an address of its own for the last half of a tender, and an award's papers."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kernel.access import PUBLIC
from kernel.crypto.digests import b64u
from kernel.crypto.notes import LogSigner
from kernel.crypto.signing import Envelope
from kernel.identifiers import LotId
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.transaction import Store, transaction
from tests.kept_stores import WITNESSES
from tests.web.browser import served
from trading import opening_views, signed_results
from web.app import create_app
from web.log_proofs import proofs_of
from web.verifying import award_papers


@asynccontextmanager
async def open_award_house(store: Store, settings: Settings) -> AsyncIterator[str]:
    """The house on a port of its own, whose address it knows; that address."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    app = create_app(store, settings.model_copy(update={"origin": origin}))
    async with served(app, lifespan="on", listener=listener) as address:
        yield address


async def award_folder(store: Store, settings: Settings, lot: LotId, folder: Path) -> LogSigner:
    """Write what a stranger needs to check a lot's award; the key with which the log signs."""
    folder.mkdir()
    async with transaction(store, actor=PUBLIC) as tx:
        signed = await signed_results.signed_result(tx, lot)
        opening = await opening_views.published_record(tx, lot)
        assert signed.entries["close"] == opening.entries["close"]
        proofs = await proofs_of(tx, signed.entries)
    for name, paper in signed.papers.items():
        (folder / f"{name}.dsse").write_bytes(paper)
    (folder / "policy.json").write_bytes(Envelope.from_bytes(opening.policy).payload)
    for name, proof in proofs.items():
        (folder / f"{name}.tlog-proof").write_text(proof)
    signer = founding.read_keys(settings).log_signer
    keys = {
        "log": signer.vkey,
        "witnesses": [one.vkey for one in WITNESSES],
        "quorum": 2,
        "signers": {keyid: b64u(key) for keyid, key in signed.signers.items()},
    }
    (folder / "keys.json").write_text(json.dumps(keys))
    return signer


def no_mutant_verifies(folder: Path, *, awards: int, votes: int = 0) -> None:
    """The papers verify; with a byte flipped, a file dropped or another in its place never."""

    def failed() -> list[str]:
        return [one.what for one in award_papers.verify(folder).checks if not one.passed]

    verdict = award_papers.verify(folder)
    assert [(one.what, one.detail) for one in verdict.checks if not one.passed] == []
    assert (verdict.found["awards"], verdict.found["in_force"]) == (awards, True)
    assert (verdict.warnings, verdict.demo) == ([], True)
    assert len(list(folder.glob("vote-*.dsse"))) == votes
    dice = random.Random(55)
    every = sorted(folder.iterdir())
    more = [one for one in every if one.name not in award_papers.FILES]
    for path in more:
        content = path.read_bytes()
        place = dice.randrange(len(content))
        flipped = bytes([*content[:place], content[place] ^ 1, *content[place + 1 :]])
        other = next(each for each in every if each.suffix == path.suffix and each != path)
        for mutant in (flipped, other.read_bytes()):
            path.write_bytes(mutant)
            assert failed(), path.name
        path.unlink()
        assert failed(), path.name
        path.write_bytes(content)
