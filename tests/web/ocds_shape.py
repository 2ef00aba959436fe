"""What the release package schema of OCDS 1.1 demands of the fields that we fill in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

PACKAGE: Final = {"uri", "publishedDate", "releases", "publisher", "version"}
RELEASE: Final = {"ocid", "id", "date", "tag", "initiationType"}
KNOWN: Final = RELEASE | {"language", "parties", "buyer", "tender", "awards", "contracts"}
TAGS: Final = {"tender", "award", "contract"}
ROLES: Final = {"buyer", "procuringEntity", "supplier"}
METHODS: Final = {"open", "selective", "limited", "direct"}
CATEGORIES: Final = {"goods", "works", "services"}
STATUSES: Final = {
    "tender": {"active", "cancelled", "unsuccessful", "complete"},
    "awards": {"active", "cancelled"},
    "contracts": {"active", "terminated"},
}
SECRET: Final = ("numberOfTenderers", "tenderers", "bids", "numberOfEnquiries")
"""Fields of the standard that tell who takes part, and so have no place in a release of ours."""


def release_faults(package: Mapping[str, Any]) -> list[str]:
    """What is wrong with a package, in words; nothing where it has the standard's shape."""
    return [*_package_faults(package), *(f for one in package["releases"] for f in _faults(one))]


def _package_faults(package: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"the package has no {name}" for name in PACKAGE - package.keys())
    ids = [one["id"] for one in package["releases"]]
    if len(ids) != len(set(ids)):
        yield "two releases have one id"


def _faults(release: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"no {name}" for name in RELEASE - release.keys())
    yield from (f"{name} is not in the standard" for name in release.keys() - KNOWN)
    yield from (f"{name} is secret" for name in SECRET if f'"{name}"' in json.dumps(release))
    if not release["tag"] or not TAGS.issuperset(release["tag"]):
        yield f"tags {release['tag']}"
    tender, parties = release["tender"], {one["id"]: one for one in release["parties"]}
    if tender["procurementMethod"] not in METHODS:
        yield "procurementMethod"
    if tender["mainProcurementCategory"] not in CATEGORIES:
        yield "mainProcurementCategory"
    if _instant(tender["tenderPeriod"]["startDate"]) >= _instant(tender["tenderPeriod"]["endDate"]):
        yield "tenderPeriod"
    for name in STATUSES:
        held = release.get(name, [])
        for one in [held] if name == "tender" else held:
            if one["status"] not in STATUSES[name]:
                yield f"status of {name}"
            if "value" in one and set(one["value"]) != {"amount", "currency"}:
                yield f"value of {name}"
    awards = {one["id"] for one in release.get("awards", [])}
    yield from (
        f"contract {one['id']} of no award"
        for one in release.get("contracts", [])
        if one["awardID"] not in awards
    )
    named = [release["buyer"]] if "buyer" in release else [tender["procuringEntity"]]
    named += [one for award in release.get("awards", []) for one in award["suppliers"]]
    yield from (f"{one['name']} is no party" for one in named if one["id"] not in parties)
    for one in parties.values():
        if not one["roles"] or not ROLES.issuperset(one["roles"]):
            yield f"roles {one['roles']}"


def _instant(told: str) -> datetime:
    return datetime.fromisoformat(told)
