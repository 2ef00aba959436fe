"""`sunbid draw`: what the parties to a draw and the called experts do on their own machines.

A party's nonce is made here and kept here, in a file of its own, so that the program can be stopped
and started again at any point of the draw. Exit codes are those of every command.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from expert_pool.rules.draw_protocol import DrawState
from kernel.access import Role
from kernel.clock import machine_clock
from kernel.crypto.digests import b64u, parse_instant, strict_json, unb64u
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal
from web.client import Client, Problem
from web.custodian_work import Trust, Unconvinced
from web.draw_work import DrawParty, announcement_of, countersignature
from web.exit_codes import CONFLICT
from web.opening_commands import (
    Done,
    JsonOption,
    KeyOption,
    OrganisationOption,
    UrlOption,
    run_as,
    talk,
)
from web.terminal_words import shown

draw_app = typer.Typer(
    help="At a draw of experts: contribute your chance, countersign, answer a call.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

LOOK_AGAIN_S: Final = 2.0
SECRET: Final = "sunbid-draw-secret/1"
CALLED: Final = frozenset({DrawState.RANKED, DrawState.CALLING, DrawState.SEATED})
"""The states in which no party has anything left to give."""

DrawArgument = Annotated[str, typer.Argument(help="The draw's id on the platform.")]
DemoClockOption = Annotated[
    bool, typer.Option("--demo-clock", help="Follow a demo platform's clock (demo logs only).")
]


@draw_app.command("contribute")
def contribute(
    draw: DrawArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    role: Annotated[
        Role,
        typer.Option("--as", help="tenderee, agency, supervisor, centre_staff or bidder."),
    ],
    log: Annotated[str, typer.Option("--log", help="The log's verifier key, as you know it.")],
    witness: Annotated[
        list[str] | None,
        typer.Option("--witness", help="A witness's verifier key; repeat it for each."),
    ] = None,
    quorum: Annotated[
        int, typer.Option("--quorum", min=0, help="Witnesses that must agree; 0 trusts the log.")
    ] = 2,
    secret: Annotated[
        Path,
        typer.Option(
            "--secret", dir_okay=False, help="Where your nonce is kept; made for this draw."
        ),
    ] = Path("draw-secret.json"),
    once: Annotated[
        bool, typer.Option("--once", help="Do what is due now and leave, instead of waiting.")
    ] = False,
    demo_clock: DemoClockOption = False,
    as_json: JsonOption = False,
) -> None:
    """Contribute to a draw that names your organisation: commit, deal, confirm, reveal.

    Your nonce never leaves this machine before every party's commitment stands in the log that
    your witnesses signed. Keep the program running until the draw is ranked, or start it again with
    the same --secret: what was done is not done twice. If another party vanishes, it gives the
    share it keeps, once that party's time is over.

    Example: sunbid draw contribute DRAW --url https://platform.example --key me.pem
    --organisation ID --as agency --log "$LOG" --witness "$W1" --witness "$W2"
    """
    if demo_clock and not log.startswith("demo."):
        raise typer.BadParameter("--demo-clock is only for a log whose origin begins with 'demo.'")

    async def act(client: Client) -> Done:
        offset = timedelta(0)
        if demo_clock:
            offset = parse_instant((await client.get("/api/v1/clock"))["now"]) - machine_clock()
        work = Contribution(
            client, draw, organisation, Trust(log, tuple(witness or ()), quorum), secret, offset
        )
        said = ""
        while not (done := await work.turn()):
            if work.waits_for != said:
                said = work.waits_for
                talk.print(f"waiting for {shown(said)}")
            if once:
                words = f"nothing more is due now; the draw waits for {said}"
                return Done(words, {"waits_for": said})
            await asyncio.sleep(LOOK_AGAIN_S)
        return Done(done, {"waits_for": None})

    run_as(url, key, role, organisation, act, as_json=as_json)


@draw_app.command("countersign")
def countersign(
    draw: DrawArgument,
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    as_json: JsonOption = False,
) -> None:
    """Countersign, as the supervisor, whom a draw leaves out, after deriving it all again.

    Nothing is signed unless every label with its grounds leads to the announced root and counts.

    Example: sunbid draw countersign DRAW --url https://platform.example --key me.pem
    --organisation ID
    """

    async def act(client: Client) -> Done:
        path = f"/api/v1/draws/{draw}"
        told = await client.get(path)
        listed = (await client.get(f"{path}/exclusions"))["exclusions"]
        name = _own_name(told, organisation)
        payload = countersignature(announcement_of(told), listed, party=name)
        await client.post_statement(f"{path}/countersignature", "draw-eligibility", payload)
        left_out = sum(bool(one["grounds"]) for one in listed)
        words = f"countersigned: {left_out} of {len(listed)} experts are left out"
        return Done(words, {"left_out": left_out, "experts": len(listed)})

    run_as(url, key, Role.SUPERVISOR, organisation, act, as_json=as_json)


@draw_app.command("answer")
def answer(
    call: Annotated[str, typer.Argument(help="The call's id, as your own page shows it.")],
    url: UrlOption,
    key: KeyOption,
    organisation: OrganisationOption,
    accept: Annotated[
        bool, typer.Option("--accept/--decline", help="Whether you will come.", show_default=False)
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why not; needed to decline.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Answer, as an expert, a call to a committee; you sign it, and the next in line may follow.

    Example: sunbid draw answer CALL --decline --reason 出差 --url https://platform.example
    --key me.pem --organisation ID
    """
    said = "accepted" if accept else "declined"

    async def act(client: Client) -> Done:
        told = await client.post_statement(
            f"/api/v1/calls/{call}/answer",
            "draw-answer",
            {"call": call, "answer": said, "reason": reason},
        )
        return Done(f"on record: {told['outcome']}", {"outcome": told["outcome"]})

    run_as(url, key, Role.EXPERT, organisation, act, as_json=as_json)


# ── a party's work ────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Contribution:
    """One party's part in one draw, done turn by turn; only what is due, and nothing twice."""

    client: Client
    draw: str
    organisation: str
    trust: Trust
    secret: Path
    offset: timedelta = timedelta(0)
    waits_for: str = field(default="", init=False)

    async def turn(self) -> str:
        """Do everything that is due; what has come of it once nothing is left, else nothing.

        `Unconvinced` where the platform shows what it may not; then nothing more is given.
        """
        path = f"/api/v1/draws/{self.draw}"
        while True:
            told: dict[str, Any] = await self.client.get(path)
            if told["state"] in CALLED:
                return "done: the draw is ranked, and experts are being called"
            if told["state"] == DrawState.VOID:
                at_fault = ", ".join(told["at_fault"]) or "nobody"
                talk.print(
                    f"[red]the draw is void[/]: {shown(told['void_reason'])}, by {shown(at_fault)}"
                )
                raise typer.Exit(CONFLICT)
            party = self._party(told)
            if not await self._gave(path, told, party):
                return ""

    async def _gave(self, path: str, told: Mapping[str, Any], party: DrawParty) -> bool:
        """Whether something was due, and was given."""
        parties = {one["name"]: one for one in told["parties"]}
        own, proofs = parties[party.name], told["proofs"]
        if not own["committed"]:
            if not {"close", "announced"} <= set(proofs):
                return self._wait("the witnesses to sign the announcement")
            await self._sign(f"{path}/commitments", "draw-commit", party.commit(proofs))
            return self._did("committed to a nonce")
        if missing := [name for name, one in parties.items() if not one["committed"]]:
            return self._wait(f"commitments of {', '.join(missing)}")
        if not {f"committed/{name}" for name in parties} <= set(proofs):
            return self._wait("the witnesses to sign the commitments")
        if told["state"] == DrawState.REVEALING:
            return await self._reveal(path, told, party)
        if not own["dealt"]:
            await self._sign(f"{path}/shares", "draw-shares", party.deal(proofs))
            return self._did("dealt shares of it to the others")
        for dealer, one in parties.items():
            judged = party.name in (*one["confirmed_by"], *one["misdealt_to"])
            if dealer != party.name and one["dealt"] and not judged:
                await self._judge(path, told, party, dealer)
                return True
        return self._wait("the others' shares and the supervisor's countersignature")

    async def _judge(
        self, path: str, told: Mapping[str, Any], party: DrawParty, dealer: str
    ) -> None:
        """Say of a share that it opens as committed, or prove that it does not."""
        try:
            party.open_share(told["shares"], dealer)
        except Unconvinced:
            raise
        except BrokenSeal:
            await self.client.post(f"{path}/misdealings", party.proof_of_misdealing(dealer))
            self._did(f"showed that {dealer} dealt badly")
            return
        await self.client.post(f"{path}/confirmations", {"dealer": dealer})
        self._did(f"confirmed the share of {dealer}")

    async def _reveal(self, path: str, told: Mapping[str, Any], party: DrawParty) -> bool:
        parties = {one["name"]: one for one in told["parties"]}
        if not parties[party.name]["revealed"]:
            await self._sign(f"{path}/reveals", "draw-reveal", party.reveal(told["proofs"]))
            return self._did("revealed the nonce")
        hidden = [name for name, one in parties.items() if not one["revealed"]]
        now = machine_clock() + self.offset
        if hidden and now >= parse_instant(party.told["reveal_by"]):
            for dealer in hidden:
                try:
                    share = party.share_of_vanished(told["shares"], dealer, now=now)
                    await self.client.post(f"{path}/recovered-shares", share)
                except BrokenSeal:
                    continue  # this one was dealt badly to us; the others' shares may do
                except Problem as problem:
                    # Others may have rebuilt it meanwhile, which is what it was for.
                    if problem.status != 409:
                        raise
        return self._wait(f"nonces of {', '.join(hidden)}")

    async def _sign(self, path: str, kind: str, payload: Mapping[str, Any]) -> None:
        await self.client.post_statement(path, kind, dict(payload))

    def _wait(self, what: str) -> bool:
        self.waits_for = what
        return False

    def _did(self, what: str) -> bool:
        talk.print(f"[green]{shown(what)}[/]")
        return True

    # ── the secret ──

    def _party(self, told: Mapping[str, Any]) -> DrawParty:
        """The party with its nonce; made and kept before anything about it is told to anybody."""
        name, announcement = _own_name(told, self.organisation), announcement_of(told)
        if not self.secret.exists():
            party = DrawParty(name, announcement, self.trust)
            keep(self.secret, party)
            return party
        kept = strict_json(self.secret.read_bytes())
        if not isinstance(kept, dict) or kept.get("v") != SECRET:
            raise BrokenSeal(f"{self.secret} is no secret of a draw")
        found = DrawParty(
            name,
            announcement,
            self.trust,
            share_key=PrivateKey.from_pem(kept["share_key"].encode()),
            nonce=unb64u(kept["nonce"], 32),
        )
        if kept["announcement"] != b64u(found.digest) or kept["party"] != name:
            raise BrokenSeal(f"{self.secret} belongs to another draw; name another file")
        return found


def _own_name(told: Mapping[str, Any], organisation: str) -> str:
    """The name under which the organisation is a party; `BrokenSeal` where it is none."""
    for one in told["parties"]:
        if one["organisation"] == organisation:
            return str(one["name"])
    raise BrokenSeal("this draw was announced without your organisation")


def keep(path: Path, party: DrawParty) -> None:
    """Write a new secret where only its owner reads it, and be sure that it is there."""
    content = {
        "v": SECRET,
        "announcement": b64u(party.digest),
        "party": party.name,
        "nonce": b64u(party.nonce),
        "share_key": party.share_key.to_pem().decode(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
