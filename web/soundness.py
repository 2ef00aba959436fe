"""The invariants checker: every floor's own, asked together.

It runs after every story of failures, at the end of the rehearsal, and in `sunbid doctor`. Which
function holds which invariant, and what none of them can see:

I1   every receipt has one bid row, one leaf, and files of its digests and sizes: `bid_faults` (row
     and entry, both ways), `log_faults` (receipt, record and leaf), `document_faults` (files). A
     receipt that only its holder has left is found by `sunbid verify receipt`, not here.
I2   received before the deadline, the same instant in row, intent, entry and cut: `bid_faults`.
I3   what was opened is what counted at the close, and is told so: `bid_faults`.
I4   one bid of each bidder counts, and those before it keep their places and receipts: `bid_faults`
     (numbers are dense, the last one counts), `log_faults` (their receipts).
I5   nothing of a bid lies open before its opening: `bid_faults` (no secret, share or price is
     kept), `qualification_faults` (nor of an application), `talk_faults` (nor a last price),
     `log_faults` (no sealed entry has a number in a view of others). What routes answer is
     for the role and route matrix to hold.
I6   one draw of a lot counts; each before it is void for a reason, with its entry; order and calls
     follow from nonces that were committed to: `draw_faults`. That a void is signed by two is not
     held, since none is signed: the protocol makes it, and nobody's wish.
I7   every mark that was acknowledged is an ancestor of the sheet: `committee_faults`.
I8   every checkpoint, batch and node is of the tree that is kept: `log_faults`. A whole database
     taken back to an earlier day agrees with itself; `restore` and witnesses find that.
I9   a lot follows the terms that its notices state: `term_faults`; every step of it, judgement,
     closing, draw and award is in the journal as it happened: `bid_faults`, `draw_faults`,
     `award_faults`, for listings `listing_faults`, and as they were signed of libraries every entry
     and verdict: `library_faults`, and of bids' validity every request and answer:
     `validity_faults`; every entry of the journal is sequenced and has its leaf: `log_faults`. Rows
     and entries of one transaction cannot be told from those of two.
I10  no row without its file: `document_faults`. Files without rows are swept, not counted.
I11  there is one database; replicas have none to converge with yet.
I12  one key, one effect: keys are primary keys; what is answered again was done (`log_faults`), and
     the same submission under two keys is one bid (`bid_faults`).
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evaluation.sound_committees import committee_faults
from expert_pool.sound_draws import draw_faults
from kernel.store.documents import Documents
from kernel.store.sound_consents import consent_faults
from kernel.store.sound_log import log_faults
from trading.sound_agreements import agreement_faults
from trading.sound_awards import award_faults
from trading.sound_bids import bid_faults
from trading.sound_documents import document_faults
from trading.sound_invitations import invitation_faults
from trading.sound_library import library_faults
from trading.sound_listings import listing_faults
from trading.sound_qualifications import qualification_faults
from trading.sound_securities import security_faults
from trading.sound_talks import talk_faults
from trading.sound_terms import term_faults
from trading.sound_validities import validity_faults


async def faults_of(owner: AsyncEngine, documents: Documents | None = None) -> list[str]:
    """Every invariant that does not hold, in words; empty where all do.

    With the shelf of documents, every file that a row names is read and compared too.
    """
    async with owner.connect() as line:
        # One snapshot for all questions: the log goes on growing while they are asked.
        connection = await line.execution_options(isolation_level="REPEATABLE READ")
        faults = await faults_in_rows(connection)
    if documents is not None:
        async with owner.connect() as connection:
            line = await connection.execution_options(isolation_level="AUTOCOMMIT")
            faults += await document_faults(line, documents)
    return faults


async def faults_in_rows(connection: AsyncConnection) -> list[str]:
    """Every invariant that does not hold among the rows that this connection sees."""
    return [
        *await log_faults(connection),
        *await consent_faults(connection),
        *await bid_faults(connection),
        *await draw_faults(connection),
        *await committee_faults(connection),
        *await invitation_faults(connection),
        *await award_faults(connection),
        *await agreement_faults(connection),
        *await listing_faults(connection),
        *await library_faults(connection),
        *await security_faults(connection),
        *await qualification_faults(connection),
        *await talk_faults(connection),
        *await term_faults(connection),
        *await validity_faults(connection),
    ]
