"""Published lots as the Open Contracting Data Standard tells them, version 1.1: one release a lot.

A release is made of what is public about its lot now: the notice, the timetable, the awards and the
contracts. How many take part is a field of the standard that is never filled in, for before the
close nobody may know it; awards are there once they were made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from kernel.identifiers import PartyId
from kernel.settings import Settings
from kernel.statute import Regime
from kernel.store.parties import Organisation
from trading.award_ledger import Entry
from trading.published_news import DatedLot
from trading.rules.lot_lifecycle import LotState
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure, switches_of
from web.pages import iso

VERSION: Final = "1.1"
PREFIX: Final = "ocds-sunbid"
SCHEME: Final = "CN-USCC"

METHODS: Final[Mapping[Procedure, str]] = {
    Procedure.OPEN_TENDER_MANDATORY: "open",
    Procedure.OPEN_TENDER_VOLUNTARY: "open",
    Procedure.INVITED_TENDER_MANDATORY: "selective",
    Procedure.INVITED_TENDER_VOLUNTARY: "selective",
    Procedure.PROCUREMENT_OPEN_TENDER: "open",
    Procedure.PROCUREMENT_INVITED_TENDER: "selective",
    Procedure.COMPETITIVE_NEGOTIATION: "limited",
    Procedure.COMPETITIVE_CONSULTATION: "limited",
    Procedure.REQUEST_FOR_QUOTATIONS: "limited",
    Procedure.SINGLE_SOURCE: "direct",
}
"""What the standard calls each procedure; the details name it as the law does."""

CATEGORIES: Final[Mapping[WorkKind, str]] = {
    WorkKind.WORKS: "works",
    WorkKind.GOODS: "goods",
    WorkKind.SERVICES: "services",
    WorkKind.SURVEY_AND_DESIGN: "services",
}

STATUSES: Final[Mapping[LotState, str]] = {
    LotState.AWARDED: "complete",
    LotState.FAILED: "unsuccessful",
    LotState.CANCELLED: "cancelled",
}
"""The status of a tender in the standard; every other state is one that still runs."""


@dataclass(frozen=True, slots=True)
class Published:
    """A lot with everything its release is made of."""

    lot: DatedLot
    tenderee: Organisation
    awards: Sequence[Entry] = ()


def package(
    found: Iterable[Published], *, uri: str, at: datetime, site: Settings, next_page: str = ""
) -> dict[str, Any]:
    """The releases of these lots, with who publishes them."""
    told: dict[str, Any] = {
        "uri": uri,
        "version": VERSION,
        "publishedDate": iso(at),
        "publisher": {
            "name": site.site_name,
            "scheme": SCHEME,
            "uid": site.site_uscc,
            "uri": site.origin,
        },
        "publicationPolicy": f"{site.origin}/data",
        "releases": [release(one, site=site) for one in found],
    }
    if next_page:
        told["links"] = {"next": next_page}
    return told


def release(one: Published, *, site: Settings) -> dict[str, Any]:
    """One lot as it stands now; the same facts have the same id."""
    line, at = one.lot.line, _changed_at(one)
    purchased = _regime(line.procedure) is Regime.PROCUREMENT
    owner = _reference(one.tenderee.uscc, one.tenderee.name)
    told: dict[str, Any] = {
        "ocid": f"{PREFIX}-{line.lot_id}",
        "id": f"{line.lot_id}-{iso(at)}-{line.state}",
        "date": iso(at),
        "tag": ["tender", *(["award"] if one.awards else []), *_tag_of_contracts(one)],
        "initiationType": "tender",
        "language": "zh",
        "parties": _parties(one, role="buyer" if purchased else "procuringEntity"),
        "tender": _tender(one, site=site) | ({} if purchased else {"procuringEntity": owner}),
    }
    if purchased:
        told["buyer"] = owner
    if one.awards:
        told["awards"] = [_award(entry) for entry in one.awards]
    if signed := [entry for entry in one.awards if entry.contract is not None]:
        told["contracts"] = [_contract(entry) for entry in signed]
    return told


def _tender(one: Published, *, site: Settings) -> dict[str, Any]:
    line = one.lot.line
    told: dict[str, Any] = {
        "id": f"{line.project_code}-{line.number}",
        "title": f"{line.project_name} {line.name}",
        "status": STATUSES.get(line.state, "active"),
        "procurementMethod": METHODS[line.procedure],
        "procurementMethodDetails": str(line.procedure),
        "mainProcurementCategory": CATEGORIES[line.category],
        "submissionMethod": ["electronicSubmission"],
        "tenderPeriod": {
            "startDate": iso(one.lot.documents_from),
            "endDate": iso(one.lot.bids_due_at),
        },
        "documents": [
            {
                "id": "notice",
                "documentType": "tenderNotice",
                "url": f"{site.origin}/notices/{line.lot_id}",
                "format": "text/html",
                "language": "zh",
            }
        ],
    }
    if line.ceiling_price is not None:
        told["value"] = _value(line.ceiling_price)
    return told


def _award(entry: Entry) -> dict[str, Any]:
    return {
        "id": _award_id(entry),
        "status": "active" if entry.in_force else "cancelled",
        "date": iso(entry.awarded_at),
        "value": _value(entry.price),
        "suppliers": [_reference(entry.winner_uscc, entry.winner)],
    }


def _contract(entry: Entry) -> dict[str, Any]:
    assert entry.contract is not None
    assert entry.contract_price is not None
    assert entry.signed_at is not None
    return {
        "id": entry.contract,
        "awardID": _award_id(entry),
        "status": "active" if entry.settled is None else "terminated",
        "value": _value(entry.contract_price),
        "dateSigned": iso(entry.signed_at),
    }


def _parties(one: Published, *, role: str) -> list[dict[str, Any]]:
    roles = {one.tenderee.uscc: [role]}
    names = {one.tenderee.uscc: one.tenderee.name}
    for entry in one.awards:
        roles.setdefault(entry.winner_uscc, [])
        if "supplier" not in roles[entry.winner_uscc]:
            roles[entry.winner_uscc].append("supplier")
        names[entry.winner_uscc] = entry.winner
    return [
        _reference(uscc, names[uscc])
        | {
            "identifier": {"scheme": SCHEME, "id": uscc, "legalName": names[uscc]},
            "roles": held,
        }
        for uscc, held in roles.items()
    ]


def _changed_at(one: Published) -> datetime:
    """When the newest of what the release tells was published."""
    times = [one.lot.changed_at, one.lot.candidates_at, one.lot.line.published_at]
    for entry in one.awards:
        times += [entry.awarded_at, entry.fell_at, entry.signed_at, entry.settled_at]
    return max(at for at in times if at is not None)


def _tag_of_contracts(one: Published) -> list[str]:
    return ["contract"] if any(entry.contract for entry in one.awards) else []


def _reference(uscc: str, name: str) -> dict[str, Any]:
    return {"id": f"{SCHEME}-{uscc}", "name": name}


def _award_id(entry: Entry) -> str:
    return f"{entry.line.project_code}-{entry.line.number}-{entry.number}"


def _value(amount: Decimal) -> dict[str, Any]:
    """An amount as the standard has it: a JSON number, which no one need compute with here."""
    return {"amount": float(amount), "currency": "CNY"}


def _regime(procedure: Procedure) -> Regime:
    return switches_of(procedure, on=date.max).regime


def published(
    lots: Iterable[DatedLot],
    *,
    tenderees: Mapping[PartyId, Organisation],
    awards: Mapping[UUID, Sequence[Entry]],
) -> list[Published]:
    """Each lot with its tenderee and its awards."""
    return [
        Published(one, tenderees[one.tenderee_id], awards.get(one.line.lot_id, ())) for one in lots
    ]
