"""A clean tender file, and one with forty violations, for the check-up and its benchmark."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from kernel.statute import Regime
from kernel.working_days import BEIJING
from trading.rules.notice_contents import AGENCY_WORDS, REQUIRED_WORDS, NoticeContents, WorkKind
from trading.rules.procedures import Procedure, SecurityForm, switches_of
from trading.rules.rule_book import Bound
from trading.rules.tender_checkup import Patient
from trading.rules.tender_file import (
    BillItem,
    FileTerms,
    TenderDocument,
    parse_tender_file,
    tender_file_document,
)
from trading.rules.tender_templates import filled, gaps, template_for
from trading.rules.timetable import Timetable
from web.client import Client

FLAWED = Path(__file__).parent / "trading" / "flawed_tender_file"
TODAY = date(2026, 3, 2)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def a_clean_file(kind: WorkKind, regime: Regime) -> TenderDocument:
    """The template of the day with every gap filled."""
    template = template_for(kind, regime, on=TODAY)
    blocks = tuple(
        filled(block, dict.fromkeys(gaps(block), "见本文件所附数据")) for block in template.blocks
    )
    terms = FileTerms(template=template.name, performance_security_share=Decimal("0.05"))
    if regime is Regime.PROCUREMENT:
        terms = replace(
            terms,
            budget=Decimal(5_000_000),
            credit_channel="信用中国",
            credit_cutoff="投标截止时间",
            credit_use="列入严重失信主体名单的拒绝参加",
        )
    return TenderDocument(blocks, (BillItem("1", "管材", "米", Decimal(1200)),), terms)


def a_file_of(blocks: int) -> TenderDocument:
    """The flawed file, its blocks repeated under other numbers until there are so many."""
    patient, _ = a_flawed_patient("works")
    flawed = patient.file.blocks
    more = (
        replace(block, number=f"9.{place + 1}.{number}")
        for place in range(blocks)
        for number, block in enumerate(a_clean_file(WorkKind.WORKS, Regime.TENDERING).blocks)
    )
    kept = (*flawed, *islice(more, blocks - len(flawed)))
    return replace(patient.file, blocks=kept)


def made_whole(begun: TenderDocument) -> TenderDocument:
    """A file that was begun, with its gaps filled, a list, and the figures procurement asks for."""
    blocks = tuple(
        filled(block, dict.fromkeys(gaps(block), "见本文件所附数据")) for block in begun.blocks
    )
    terms = replace(
        begun.terms,
        performance_security_share=Decimal("0.05"),
        budget=Decimal(130_000_000),
        credit_channel="信用中国",
        credit_cutoff="投标截止时间",
        credit_use="列入严重失信主体名单的拒绝参加",
    )
    return TenderDocument(blocks, (BillItem("1", "管材", "米", Decimal(1200)),), terms)


async def completed(client: Client, lot: object) -> dict[str, Any]:
    """Make a draft's file whole over HTTP; the answer with what is still found."""
    path = f"/api/v1/lots/{lot}/tender-file"
    begun = parse_tender_file((await client.get(path))["file"])
    told: dict[str, Any] = await client.put(path, {"file": tender_file_document(made_whole(begun))})
    return told


def a_clean_patient(kind: WorkKind, procedure: Procedure) -> Patient:
    """A tender nothing stands against."""
    switches = switches_of(procedure, on=TODAY)
    procurement = switches.regime is Regime.PROCUREMENT
    return Patient(
        file=a_clean_file(kind, switches.regime),
        contents=NoticeContents(
            organisation_verified=True,
            words={key: "已载明" for key in (*REQUIRED_WORDS, *AGENCY_WORDS)},
            has_agency=True,
            agency_authorised=True,
            estimate=Decimal(5_000_000),
            bid_security=Decimal(50_000),
            security_forms=frozenset({SecurityForm.TRANSFER, SecurityForm.BANK_GUARANTEE}),
            has_ceiling=True,
            ceiling_price=Decimal(4_980_000),
            work_kind=kind,
        ),
        timetable=Timetable(
            published_at=at("2026-03-02T09:00:00"),
            documents_from=at("2026-03-02T09:00:00"),
            documents_until=at("2026-03-16T17:00:00"),
            bids_due_at=at("2026-03-30T09:30:00"),
            release_window=timedelta(minutes=30),
            publicity_days=3,
            validity_days=90,
        ),
        switches=switches,
        bound=(
            Bound.PROCUREMENT
            if procurement
            else Bound.MANDATORY
            if switches.mandatory
            else Bound.VOLUNTARY
        ),
    )


def a_flawed_patient(name: str) -> tuple[Patient, list[dict[str, Any]]]:
    """The tender of a folder's file, and the violations that were put into it."""
    told = json.loads((FLAWED / f"{name}.json").read_text("utf-8"))
    procedure = Procedure(told["procedure"])
    clean = a_clean_patient(WorkKind(told["category"]), procedure)
    contents = replace(
        clean.contents,
        words={key: word for key, word in clean.contents.words.items() if key not in told["lacks"]},
        bid_security=Decimal(told["bid_security"]),
        security_forms=frozenset(map(SecurityForm, told["security_forms"])),
    )
    times = told["times"]
    timetable = replace(
        clean.timetable,
        documents_until=at(times["documents_until"]),
        bids_due_at=at(times["bids_due_at"]),
        validity_days=told["validity_days"],
    )
    patient = replace(
        clean,
        file=parse_tender_file(told["file"]),
        contents=contents,
        timetable=timetable,
    )
    return patient, told["seeded"]
