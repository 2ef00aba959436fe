"""The directory: what is public of one organisation, each figure beside the list it counts.

Awards, contracts and settlements are here because each was published by itself, bars because the
register is for everybody. What an organisation bid for and did not win is not collected here, so
the page tells of no presence in any tender that is not decided.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Request
from fastapi.responses import HTMLResponse

from blacklist.standing import ACT_NAMES, MISCONDUCT_NAMES, decisions_about
from kernel.crypto.digests import instant_text
from kernel.money import yuan_text
from kernel.working_days import beijing_day
from trading import award_ledger
from trading.award_ledger import Entry
from web.pages import render
from web.places import Place
from web.region_names import region_name
from web.request_scope import Act

router = Place()

Uscc = Annotated[str, Path(pattern=r"^[0-9A-Z]{18}$")]


@router.get("/orgs/{uscc}", response_class=HTMLResponse)
async def organisation_page(request: Request, tx: Act, uscc: Uscc) -> HTMLResponse:
    """One organisation: its awards, contracts, settlements, performance, and bars in force."""
    found = await award_ledger.track_record(tx, uscc)
    return render(
        request,
        "organisation_directory/organisation.html",
        found=found,
        decisions=await decisions_about(tx, found.organisation.id),
        act_names=ACT_NAMES,
        misconduct_names=MISCONDUCT_NAMES,
        region_name=region_name,
        today=beijing_day(tx.now),
        now=tx.now,
    )


@router.get("/api/v1/orgs/{uscc}")
async def get_organisation_record(tx: Act, uscc: Uscc) -> dict[str, Any]:
    """The same for programs."""
    found = await award_ledger.track_record(tx, uscc)
    one = found.organisation
    return {
        "id": str(one.id),
        "uscc": one.uscc,
        "name": one.name,
        "region": one.region_code,
        "won": [entry_told(entry) for entry in found.won],
        "awarded": [entry_told(entry) for entry in found.awarded],
        "bars": [
            {
                "id": str(bar.decision.id),
                "authority": bar.decision.authority,
                "document_number": bar.decision.document_number,
                "article": bar.decision.article,
                "starts_on": bar.decision.starts_on.isoformat(),
                "ends_on": bar.decision.ends_on and bar.decision.ends_on.isoformat(),
                "in_force": bar.in_force,
            }
            for bar in await decisions_about(tx, UUID(str(one.id)))
        ],
    }


def entry_told(entry: Entry) -> dict[str, Any]:
    """An award as programs are told of it."""
    settlement = entry.settlement
    return {
        "lot": str(entry.line.lot_id),
        "code": f"{entry.line.project_code}-{entry.line.number}",
        "project_name": entry.line.project_name,
        "name": entry.line.name,
        "tenderee": entry.line.tenderee,
        "number": entry.number,
        "winner": {"name": entry.winner, "uscc": entry.winner_uscc},
        "price": yuan_text(entry.price),
        "awarded_at": instant_text(entry.awarded_at),
        "in_force": entry.in_force,
        "contract": entry.contract,
        "contract_price": entry.contract_price and yuan_text(entry.contract_price),
        "signed_at": entry.signed_at and instant_text(entry.signed_at),
        "settled": None if entry.settled is None else yuan_text(entry.settled),
        "settled_at": entry.settled_at and instant_text(entry.settled_at),
        "difference": None if settlement is None else f"{settlement.difference:.2f}",
        "reports": entry.reports,
        "late_reports": entry.late_reports,
    }
