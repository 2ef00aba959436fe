"""The trading catalogue that is in force here: the national lines and the operator's own."""

from __future__ import annotations

import functools
from pathlib import Path

from kernel.settings import Settings
from trading.rules.trading_catalogue import NATIONAL_CATALOGUE, CatalogueLine, read_catalogue


def catalogue_of(settings: Settings) -> tuple[CatalogueLine, ...]:
    """The national lines, and those of the region whose catalogue the operator has loaded.

    `ValueError` for a file that is no catalogue, `OSError` for one that cannot be read.
    """
    own = settings.catalogue
    return NATIONAL_CATALOGUE if own is None else (*NATIONAL_CATALOGUE, *_read(own))


@functools.cache
def _read(path: Path) -> tuple[CatalogueLine, ...]:
    return read_catalogue(path.read_text("utf-8"))
