"""A draw party's program trusts nobody but its log and its witnesses.

Opinions on Conduct 14: the draw can be traced; a party's nonce stays its own until all
have committed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from expert_pool import contributing
from expert_pool.rules.draw_protocol import DrawState
from kernel.crypto import fair_draw
from kernel.crypto.digests import b64u, canonical, parse_instant, unb64u
from kernel.errors import BrokenSeal
from kernel.settings import Settings
from tests.draw_cast import DrawHouse
from web.custodian_work import Trust, Unconvinced
from web.draw_work import DrawParty, countersignature


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses, so that a checkpoint alone makes an entry witnessed."""
    return settings.model_copy(update={"witness_quorum": 0})


@pytest.fixture
async def house(draw_house: DrawHouse) -> DrawHouse:
    await draw_house.announce()
    return draw_house


async def test_a_program_joins_no_draw_that_was_announced_without_it(house: DrawHouse) -> None:
    program = house.programs["agency"]
    with pytest.raises(Unconvinced):
        DrawParty("bidder-1", program.announcement, program.trust)


async def test_a_program_joins_no_draw_under_another_log_or_other_witnesses(
    house: DrawHouse,
) -> None:
    program = house.programs["agency"]
    for trust in (
        replace(program.trust, log_vkey="demo.other/log+00000000+AAAA"),
        replace(program.trust, witness_vkeys=("demo.w/1+00000000+AAAA",)),
        Trust(program.trust.log_vkey, program.trust.witness_vkeys, 1),
    ):
        with pytest.raises(Unconvinced):
            DrawParty("agency", program.announcement, trust)


async def test_it_commits_only_to_an_announcement_that_is_logged_after_the_closing(
    house: DrawHouse,
) -> None:
    program, proofs = house.programs["agency"], await house.proofs()
    assert program.commit(proofs)["party"] == "agency"
    for shown in (
        {},
        {"announced": proofs["announced"]},
        {"close": proofs["close"]},
        {"close": proofs["announced"], "announced": proofs["announced"]},
        {"close": proofs["close"], "announced": proofs["close"]},
    ):
        with pytest.raises(BrokenSeal):
            program.commit(shown)
    told = {**program.told, "round": 7}
    other = DrawParty("agency", canonical(told), program.trust)
    with pytest.raises(Unconvinced, match="another announcement"):
        other.commit(proofs)


async def test_neither_share_nor_nonce_leaves_before_every_commitment_is_proven(
    house: DrawHouse,
) -> None:
    await house.commit("tenderee", "agency")
    program, proofs = house.programs["agency"], await house.proofs()
    for act in (program.deal, program.reveal):
        with pytest.raises(Unconvinced, match="supervisor"):
            act(proofs)
        with pytest.raises(Unconvinced):
            act({**proofs, "committed/supervisor": proofs["committed/tenderee"]})
        with pytest.raises(Unconvinced):
            act({**proofs, "committed/supervisor": proofs["announced"]})
    await house.commit("supervisor")
    proofs = await house.proofs()
    assert {one["holder"] for one in program.deal(proofs)["shares"]} == {"tenderee", "supervisor"}
    assert program.reveal(proofs)["nonce"] == b64u(program.nonce)


async def test_a_commitment_logged_in_its_name_by_another_is_noticed(house: DrawHouse) -> None:
    await house.commit()
    program = house.programs["agency"]
    impostor = DrawParty("agency", program.announcement, program.trust)
    with pytest.raises(Unconvinced, match="not ours"):
        impostor.deal(await house.proofs())


async def test_a_program_without_enough_witnesses_gives_nothing(house: DrawHouse) -> None:
    await house.commit()
    program = house.programs["agency"]
    program.trust = replace(program.trust, quorum=1)
    with pytest.raises(Unconvinced, match="not witnessed"):
        program.deal(await house.proofs())


async def test_shares_of_a_vanished_party_rebuild_its_nonce_and_come_out_in_time_only(
    house: DrawHouse,
) -> None:
    await house.commit()
    await house.deal()
    await house.confirm()
    shares = await house.shares()
    agency, supervisor = house.programs["agency"], house.programs["supervisor"]
    reveal_by = parse_instant(agency.told["reveal_by"])
    with pytest.raises(Unconvinced):
        agency.share_of_vanished(shares, "tenderee", now=reveal_by - timedelta(seconds=1))
    given = [
        program.open_share(shares, "tenderee")
        for program in (agency, supervisor)
        if program.share_of_vanished(shares, "tenderee", now=reveal_by)["dealer"] == "tenderee"
    ]
    mine = [one for one in shares if one["dealer"] == "tenderee"]
    rebuilt = fair_draw.recover_nonce(
        agency.digest,
        "tenderee",
        t=2,
        committed=fair_draw.commitment(agency.digest, "tenderee", house.programs["tenderee"].nonce),
        share_commitments=[unb64u(one["commitment"]) for one in mine],
        shares=given,
    )
    assert rebuilt == house.programs["tenderee"].nonce


async def test_a_share_that_was_dealt_badly_or_to_nobody_is_not_taken(house: DrawHouse) -> None:
    await house.commit()
    await house.deal()
    shares = await house.shares()
    agency = house.programs["agency"]
    with pytest.raises(Unconvinced, match="bidder-1"):
        agency.open_share(shares, "bidder-1")
    spoilt = [{**one, "commitment": b64u(bytes(32))} for one in shares]
    with pytest.raises(BrokenSeal, match="tenderee"):
        agency.open_share(spoilt, "tenderee")
    proof = agency.proof_of_misdealing("tenderee")
    assert proof["dealer"] == "tenderee"
    assert "PRIVATE KEY" in proof["share_key"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda listed: listed[1:],
        lambda listed: [*listed, listed[0]],
        lambda listed: [{**listed[0], "grounds": ["kin"]}, *listed[1:]],
        lambda listed: [{**listed[0], "strata": []}, *listed[1:]],
        lambda listed: [{**listed[0], "salt": b64u(bytes(32))}, *listed[1:]],
    ],
)
async def test_a_supervisor_signs_no_other_exclusions_than_the_announced(
    house: DrawHouse, spoil: Any
) -> None:
    await house.commit()
    supervisor = house.parties["supervisor"]
    listed = await house.do(supervisor, contributing.exclusions, house.draw_id)
    announcement = (await house.view()).announcement
    assert countersignature(announcement, listed, party="supervisor")["party"] == "supervisor"
    with pytest.raises(BrokenSeal):
        countersignature(announcement, spoil(listed), party="supervisor")


async def test_a_supervisor_signs_no_exclusions_whose_counts_are_false(house: DrawHouse) -> None:
    listed = await house.do(house.parties["supervisor"], contributing.exclusions, house.draw_id)
    view = await house.view()
    told = dict(view.told)
    told["strata"] = [{**one, "excluded": {"kin": 1}} for one in told["strata"]]
    with pytest.raises(Unconvinced, match="counts"):
        countersignature(canonical(told), listed, party="supervisor")
    assert view.state is DrawState.COMMITTING
