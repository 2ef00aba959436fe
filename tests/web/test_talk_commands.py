"""A last price from the command line: Government Procurement Law 38."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from kernel.crypto.signing import PrivateKey
from web.command_line import main
from web.exit_codes import NETWORK, USAGE


def typed(folder: Path, *words: str, url: str = "http://localhost:1") -> Result:
    """What a supplier's command does where no platform answers."""
    key = folder / "me.pem"
    key.write_bytes(PrivateKey.generate().to_pem())
    asked = ["--url", url, "--key", str(key), "--organisation", str(uuid4())]
    return CliRunner().invoke(main, ["last-price", words[0], str(uuid4()), *words[1:], *asked])


@pytest.mark.parametrize("price", ["473,000.00", "-1.00", "0.00", "much"])
def test_what_is_no_price_is_turned_away_before_anybody_is_asked(
    price: str, tmp_path: Path
) -> None:
    out = tmp_path / "seal.json"
    assert typed(tmp_path, "seal", "--price", price, "--out", str(out)).exit_code == USAGE
    assert not out.exists()


def test_where_the_platform_does_not_answer_nothing_is_sealed(tmp_path: Path) -> None:
    out = tmp_path / "seal.json"
    done = typed(tmp_path, "seal", "--price", "473000.00", "--out", str(out))
    assert done.exit_code == NETWORK
    assert not out.exists()
    out.write_text("{}")
    assert typed(tmp_path, "open", "--seal", str(out)).exit_code == NETWORK
