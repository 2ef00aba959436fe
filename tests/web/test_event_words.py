"""What entries of the journal are called on pages: UX I-30, in Chinese and in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

import pytest

from kernel.events import Event
from web.event_words import EVENT_WORDS, event_words
from web.words import Language

PACKAGES = ("kernel.store", "blacklist", "expert_pool", "trading", "evaluation")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def events() -> Iterator[str]:
    """The name of every event that the house can record, whoever may know of it."""
    for package in PACKAGES:
        for name, value in vars(import_module(f"{package}.events")).items():
            if isinstance(value, type) and issubclass(value, Event) and value is not Event:
                yield name


@pytest.mark.parametrize("kind", sorted(set(events())))
def test_every_kind_of_entry_has_words_in_both_languages(kind: str) -> None:
    chinese, english = event_words(kind), event_words(kind, Language.EN)
    assert CHINESE.search(chinese)
    assert english
    assert not CHINESE.search(english)
    assert kind not in (chinese, english)


def test_no_words_are_kept_for_what_nobody_records() -> None:
    assert EVENT_WORDS.keys() == set(events())


def test_what_has_no_words_yet_is_called_by_its_own_name() -> None:
    assert event_words("SomethingNew") == "SomethingNew"
