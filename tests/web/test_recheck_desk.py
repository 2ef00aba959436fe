"""A candidate is examined again by its committee before the award: Bidding Regulation 55, 56."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from kernel.crypto.digests import b64u, sha256
from kernel.store.database import OWNER
from tests.awards import Evaluated, candidates_published, standstill_ended
from tests.committees_at_work import KeptCommittees, Sitter, WorkRoom
from tests.kept_stores import Lines, clock_turned
from tests.tenders import Player
from tests.web.award_house import award_folder, no_mutant_verifies
from tests.web.careless_senders import WHEN_A_CANDIDATE_IS_DOUBTED, CarelessSenders
from tests.web.evaluation_house import evaluation_house
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page
from trading.sound_awards import award_faults
from web.client import Client, Problem
from web.reactions import call_committee, react_once

LETTER = b"%PDF-1.7 an order of a court"
SECRET = "主要资产被法院查封"
FOUND = "无力按期投入机械设备"


async def codes(sending: Awaitable[Any]) -> set[str]:
    """The codes with which something is refused."""
    with pytest.raises(Problem) as refused:
        await sending
    return set(refused.value.codes) | {str(refused.value.status)}


class Doubting:
    """A lot whose candidates are published, and everybody's line to a house of careless callers."""

    def __init__(self, house: Any, room: WorkRoom, report: str) -> None:
        self.house, self.room, self.report = house, room, report
        self.lot = f"/api/v1/lots/{room.lot_id}"
        self.desk = f"/api/v1/committees/{room.committee_id}/rechecks"
        self.lines: dict[object, Client] = {}

    async def line(self, who: Player | None) -> Client:
        key = None if who is None else (who.person, who.actor.role)
        if key not in self.lines:
            self.lines[key] = await client_of(self.house, who)
        return self.lines[key]

    async def asked(self, who: Player, candidate: str, **changes: Any) -> Any:
        said = {
            "lot": str(self.room.lot_id),
            "report": self.report,
            "candidate": candidate,
            "ground": "finances_changed",
            "words": f"{SECRET}。",
            "evidence": [
                {
                    "title": "民事裁定书",
                    "text": "",
                    "name": "裁定.pdf",
                    "file": b64u(sha256(LETTER)),
                }
            ],
            **changes,
        }
        line = await self.line(who)
        return await line.post_statement(f"{self.lot}/rechecks", "candidate-recheck", said)

    async def returned_over_a_rejected_objection(self, objector: Player) -> Any:
        """An objection to the result is rejected; the agency sends the result back all the same."""
        agency = self.room.agency
        lot = {"lot": str(self.room.lot_id)}
        raised = await (await self.line(objector)).post_statement(
            f"{self.lot}/objections",
            "objection",
            {**lot, "about": "result", "request": "复核。", "grounds": "存疑。", "evidence": []},
        )
        about = {**lot, "objection": raised["id"]}
        path = f"{self.lot}/objections/{raised['id']}"
        said = {**about, "outcome": "rejected", "remedy": "nothing", "words": "理由不成立。"}
        line = await self.line(agency)
        await line.post_statement(f"{path}/answer", "answer", said)
        assert not await self.suspended()
        said = {**about, "words": "请复核。"}
        return await line.post_statement(f"{path}/return", "objection-return", said)

    async def told(self, who: Player | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await (await self.line(who)).get(f"{self.lot}/rechecks"))[
            "rechecks"
        ]
        return found

    async def answered(self, sitter: Sitter, number: int, *, fit: bool) -> str:
        line = await self.line(sitter.player)
        (one,) = [
            each for each in (await line.get(self.desk))["rechecks"] if each["number"] == number
        ]
        said = {
            "committee": str(self.room.committee_id),
            "member": str(sitter.member_id),
            "recheck": one["digest"],
            "fit": fit,
            "words": "设备与人员仍满足要求。" if fit else f"{FOUND}。",
        }
        done = await line.post_statement(f"{self.desk}/{number}/opinions", "recheck-opinion", said)
        return str(done["finding"])

    async def awarded(self, winner: str) -> Any:
        said = {"lot": str(self.room.lot_id), "winner": winner}
        line = await self.line(self.room.hall.tender.cast.tenderee)
        return await line.post_statement(f"{self.lot}/award", "award", said)

    async def suspended(self) -> bool:
        return bool((await (await self.line(None)).get(self.lot))["suspended"])


@pytest.mark.parametrize("room", ["tendering, scored"], indirect=True, ids=["scored"])
async def test_the_committee_confirms_one_candidate_finds_another_unfit_and_the_next_wins(
    room: WorkRoom, kept_committees: KeptCommittees, role_lines: Lines, tmp_path: Path
) -> None:
    report = b64u(await room.reported())
    by_party = {str(one.player.party): one for one in room.hall.entries}
    published = await published_by(room)
    cast = room.hall.tender.cast
    room.now += timedelta(hours=2)
    async with evaluation_house(room, kept_committees, room.database) as inside:
        careless = CarelessSenders(inside.app, room.store)
        everybody = [cast.tenderee, cast.agency, *(one.player for one in room.sitters)]
        careless.known(*everybody)
        house = Doubting(careless, room, report)
        result = await (await house.line(None)).get(f"{house.lot}/award")
        first, second, third, fourth = [one["bidder_id"] for one in result["ranking"][:4]]
        agency = await house.line(cast.agency)
        name = quote("裁定.pdf")
        await agency.put_file(f"{house.lot}/evidence/{name}", LETTER, media_type="application/pdf")

        assert await house.told(None) == []
        objector = by_party[second].player
        careless.known(objector)
        over_nothing = house.returned_over_a_rejected_objection(objector)
        assert await codes(over_nothing) == {"409", "no_return_due"}
        assert await codes(house.asked(cast.agency, fourth)) == {"409", "not_a_candidate"}
        assert await codes(house.asked(cast.agency, first, words="", evidence=[])) == {
            *("409", "no_reason", "no_document")
        }
        asked = await house.asked(cast.agency, second)
        assert (asked["number"], asked["open"], await house.suspended()) == (1, True, True)
        assert await codes(house.asked(cast.agency, second)) == {"409", "recheck_open"}
        await who_knows_what(house, by_party, second)
        await called(room)

        # The majority of five confirms: the lot goes on, and the award with it.
        for sitter, found in zip(room.sitters, ("open", "open", "confirmed"), strict=False):
            assert await house.answered(sitter, 1, fit=True) == found
        assert not await house.suspended()
        await house.asked(cast.agency, first)
        async with role_lines.lent(OWNER, room.database, pool_size=1) as owner:
            await clock_turned(owner, published)
        assert await codes(house.awarded(first)) >= {"lot_suspended", "recheck_open"}
        for sitter in room.sitters[:2]:
            assert await house.answered(sitter, 2, fit=False) == "open"
        assert await codes(house.answered(room.sitters[0], 2, fit=True)) == {"409", "given_already"}
        assert (await house.told(cast.tenderee))[1]["opinions"] is None
        assert FOUND not in str(await (await house.line(room.sitters[3].player)).get(house.desk))
        assert await house.answered(room.sitters[4], 2, fit=False) == "unfit"
        assert await codes(house.answered(room.sitters[3], 2, fit=True)) == {"409", "recheck_over"}
        assert await codes(house.asked(cast.agency, first)) == {"409", "out_already"}

        await standstill_ended(evaluated_of(room), published)
        assert await codes(house.awarded(first)) == {"409", "recheck_failed"}
        assert await codes(house.awarded(third)) == {"409", "not_first"}
        await looked_at(house, by_party, first)
        await room.draw.tick()
        assert (await house.awarded(second))["rank"] == 2
        assert set(careless.spoilt) >= WHEN_A_CANDIDATE_IS_DOUBTED
        for line in house.lines.values():
            await line.aclose()
    await room.draw.tick()
    await found_out(role_lines, room.database)
    folder = tmp_path / "award"
    await award_folder(room.store, room.store.settings, room.lot_id, folder)
    names = {path.name for path in folder.glob("opinion-*.dsse")}
    assert names == {f"opinion-2-{room.sitters[place].number}.dsse" for place in (0, 1, 4)}
    no_mutant_verifies(folder, awards=1)


def evaluated_of(room: WorkRoom) -> Evaluated:
    """The lot as the helpers of the award know it; nothing here asks them for its report."""
    unasked: Any = None
    return Evaluated(room.hall, unasked, tuple(room.hall.entries), room.now)


async def published_by(room: WorkRoom) -> Any:
    """The candidates are published; until when."""
    await room.draw.tick()
    return (await candidates_published(evaluated_of(room))).until


async def who_knows_what(house: Doubting, by_party: Mapping[str, Any], about: str) -> None:
    """While it lasts everybody knows that somebody is examined, those concerned whom and why."""
    cast, candidate = house.room.hall.tender.cast, by_party[about].player
    other = next(one.player for party, one in by_party.items() if party != about)
    letter = f"{house.lot}/evidence/{b64u(sha256(LETTER))}"
    for reader in (None, other):
        (told,) = await house.told(reader)
        assert (told["open"], told["candidate"], told["words"], told["given"]) == (
            *(True, None, None),
            0,
        )
        shown = await page(house.house, f"/awards/{house.room.lot_id}", reader)
        assert "审查对象和理由在作出结论前不公开" in shown
        assert SECRET not in shown
        assert await codes((await house.line(reader)).read(letter)) == {"not_found", "404"}
    for reader in (cast.tenderee, cast.agency, cast.supervisor, candidate):
        (told,) = await house.told(reader)
        assert (told["candidate"], told["opinions"]) == (candidate.organisation, None)
        assert SECRET in await page(house.house, f"/awards/{house.room.lot_id}", reader)
        assert await (await house.line(reader)).read(letter) == LETTER
    sitter = house.room.sitters[0]
    member = await house.line(sitter.player)
    (told,) = (await member.get(house.desk))["rechecks"]
    assert [one["name"] for one in told["files"]] == ["技术标/方案.txt", "报价.csv"]
    content = await member.read(f"{house.desk}/1/file", name="技术标/方案.txt")
    assert "方案" in content.decode()
    assert await member.read(f"{house.desk}/1/evidence/{b64u(sha256(LETTER))}") == LETTER
    path = f"/evaluation/{house.room.committee_id}/rechecks"
    shown = await page(house.house, path, sitter.player)
    assert SECRET in shown
    assert faults_of(tree_of(shown)) == []
    assert path in await page(house.house, "/evaluation", sitter.player)
    stranger = next(
        one.player
        for one in house.room.draw.experts
        if one.player not in [each.player for each in house.room.sitters]
    )
    outside = await house.line(stranger)
    for rest in ("", "/1/file?name=x", f"/1/evidence/{b64u(sha256(LETTER))}"):
        assert "404" in await codes(outside.get(f"{house.desk}{rest}"))


async def called(room: WorkRoom) -> None:
    """Every member is told, outside without a word of the lot, and nobody reads who they are."""
    await room.draw.tick()
    while await react_once(room.store, call_committee, {"RecheckAsked"}):
        pass
    async with room.store.sessions() as session:
        rows = await session.execute(
            text(
                "SELECT person_id, subject_id, facts FROM kernel.notification"
                " WHERE topic = 'recheck_call'"
            )
        )
        told = rows.all()
    assert {one.person_id for one in told} == {one.player.person for one in room.sitters}
    assert {one.subject_id for one in told} == {room.committee_id}
    assert all(one.facts == {} for one in told)


async def looked_at(house: Doubting, by_party: Mapping[str, Any], unfit: str) -> None:
    """What was found is public; why, and what each member found, is for those concerned."""
    told = (await house.told(None))[1]
    name = by_party[unfit].player.organisation
    assert (told["candidate"], told["confirmed"], told["unfit"], told["members"]) == (
        *(name, False, 3),
        5,
    )
    assert (told["words"], told["opinions"]) == (None, None)
    shown = await page(house.house, f"/awards/{house.room.lot_id}")
    assert "审查不符合" in shown
    assert FOUND not in shown
    assert faults_of(tree_of(shown)) == []
    desk = await page(
        house.house, f"/awards/{house.room.lot_id}", house.room.hall.tender.cast.tenderee
    )
    assert FOUND in desk
    assert f'name="winner" value="{unfit}"' not in desk
    assert faults_of(tree_of(desk)) == []
    assert len((await house.told(by_party[unfit].player))[1]["opinions"]) == 3


TAMPERINGS = {
    "UPDATE trading.recheck SET ground = 'illegal_act'": "is not what was signed",
    "UPDATE trading.recheck SET digest = sha256(digest)": "is not what was signed",
    "UPDATE trading.recheck_opinion SET fit = NOT fit": "is not what was signed",
    "UPDATE trading.recheck_conclusion SET confirmed = NOT confirmed": "otherwise",
    "UPDATE trading.recheck_conclusion SET entry_id = gen_random_uuid()": "the journal tells",
    "DELETE FROM trading.recheck_opinion WHERE fit": "otherwise than its members found",
    "UPDATE trading.award SET winner_id = (SELECT candidate_id FROM trading.recheck"
    " WHERE number = 2)": "whom its committee had found unfit",
    "UPDATE trading.ranked_bid SET candidate = false WHERE rank = 1": "was not recommended",
}


async def found_out(lines: Lines, database: str) -> None:
    """Nothing is amiss, and whoever changes what is kept of an examination is found."""
    async with lines.lent(OWNER, database, pool_size=1) as owner, owner.connect() as connection:
        assert await award_faults(connection) == []
        for tampering, fault in TAMPERINGS.items():
            words = tampering.split()
            table = words[2 if words[0] == "DELETE" else 1]
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            await connection.execute(text(tampering))
            found = await award_faults(connection)
            assert any(fault in one for one in found), (tampering, found)
            await connection.rollback()
