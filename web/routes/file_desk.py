"""The file desk: the tender file of a draft, written block by block, and its check-up.

Before anything can be published the check-up says what stands against it, with rule, article and
place in the file (先体检再发布). Everything here belongs to the draft's owners alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import AfterValidator, Field, ValidationError, model_validator

from kernel.access import Role
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound
from kernel.money import yuan_text
from kernel.statute import Severity
from kernel.store.transaction import Transaction
from trading import composing, notice_board
from trading.composing import ANSWER_MAX, ComposedFile
from trading.rules.rule_book import RULE_BOOK
from trading.rules.tender_checkup import ANSWER_MIN, WORD_CODES, Violation
from trading.rules.tender_file import (
    BLOCK_NAMES,
    TEXT_MAX,
    TITLE_MAX,
    Block,
    BlockKind,
    TenderDocument,
    parse_tender_file,
    tender_file_document,
)
from trading.rules.tender_templates import gaps
from web.pages import render
from web.places import Place
from web.problems import keep_form, prefers_page
from web.request_scope import Act, ActRoute
from web.routes.tender_desk import Asked, PlainObject, readable, violations_of

router = Place(route_class=ActRoute)

BLOCK_FORM: Final = "file_desk/block.html"
FIGURES_FORM: Final = "file_desk/figures.html"
REVISION_MAX: Final = 2**31 - 1
Revision = Annotated[int | None, Field(ge=0, le=REVISION_MAX)]
Number = Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){0,4}$")]


class BlockAsked(Asked):
    """One block as it is to be written; `revision` is of the file that was looked at."""

    kind: BlockKind
    number: Number
    title: Annotated[str, Field(min_length=1, max_length=TITLE_MAX), AfterValidator(readable)]
    text: Annotated[str, Field(max_length=TEXT_MAX), AfterValidator(readable)] = ""
    essential: bool = False
    revision: Revision = None

    def block(self) -> Block:
        """The same as the activity takes it."""
        return Block(self.kind, self.number, self.title, self.text, self.essential)


class FileAsked(Asked):
    """A whole tender file (`ebid-tender-file/1`)."""

    file: PlainObject
    revision: Revision = None


class TrialAsked(Asked):
    """A tender file (`ebid-tender-file/1`) that is to be judged and not kept."""

    file: PlainObject


class AnswerAsked(Asked):
    """What is said to a finding in words, named by its key; empty takes an answer back."""

    key: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(readable)]
    answer: Annotated[str, Field(max_length=ANSWER_MAX), AfterValidator(readable)] = ""

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if 0 < len(self.answer) < ANSWER_MIN:
            raise ValueError(f"an answer has at least {ANSWER_MIN} characters")
        return self


# ── for programs ──────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/lots/{lot_id}/tender-file")
async def get_tender_file(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """A draft's tender file, for its owners; a published lot's, for everybody."""
    try:
        found = await notice_board.notice(tx, lot_id)
    except NotFound:
        if tx.actor.role not in (Role.TENDEREE, Role.AGENCY):
            raise
        return _composed_told(await composing.own_file(tx, lot_id))
    if found.document is None:
        raise NotFound("the lot has no tender file on offer")
    return {"revision": None, "file": tender_file_document(found.document), "answers": {}}


@router.put("/api/v1/lots/{lot_id}/tender-file")
async def put_tender_file(tx: Act, lot_id: UUID, asked: FileAsked) -> dict[str, Any]:
    """Put a whole file in place of the draft's, and have it checked at once."""
    done = await composing.replace_file(tx, lot_id, asked.file, revision=asked.revision)
    return {"revision": done.revision, **_checkup_told(await violations_of(tx, lot_id))}


@router.put("/api/v1/lots/{lot_id}/tender-file/blocks/{number}")
async def put_block(tx: Act, lot_id: UUID, number: str, asked: BlockAsked) -> dict[str, int]:
    """Write one block, in place of that number's where the file has it."""
    file = (await composing.own_file(tx, lot_id)).document
    of = number if any(block.number == number for block in file.blocks) else ""
    if not of and number != asked.number:
        raise NotFound("no such block")
    done = await composing.write_block(tx, lot_id, asked.block(), of=of, revision=asked.revision)
    return {"revision": done.revision}


@router.delete("/api/v1/lots/{lot_id}/tender-file/blocks/{number}")
async def delete_block(tx: Act, lot_id: UUID, number: str) -> dict[str, int]:
    """Take one block out of the file."""
    return {"revision": (await composing.remove_block(tx, lot_id, number)).revision}


@router.get("/api/v1/lots/{lot_id}/checkup")
async def get_checkup(tx: Act, lot_id: UUID) -> dict[str, Any]:
    """Every violation of a draft, with rule, article, place in the file, severity and words."""
    await composing.own_file(tx, lot_id)
    return _checkup_told(await violations_of(tx, lot_id))


@router.post("/api/v1/lots/{lot_id}/checkup")
async def try_file(tx: Act, lot_id: UUID, asked: TrialAsked) -> dict[str, Any]:
    """Judge a file as if it stood in the draft, and keep nothing of it."""
    return _checkup_told(await violations_of(tx, lot_id, tried=asked.file))


@router.post("/api/v1/lots/{lot_id}/checkup/answers")
async def post_answer(tx: Act, lot_id: UUID, asked: AnswerAsked) -> dict[str, Any]:
    """Say why a condition found in the words is lawful; the answer is published with the notice."""
    done = await composing.answer_finding(tx, lot_id, asked.key, asked.answer)
    return {"revision": done.revision, **_checkup_told(await violations_of(tx, lot_id))}


def _composed_told(found: ComposedFile) -> dict[str, Any]:
    return {
        "revision": found.revision,
        "file": tender_file_document(found.document),
        "answers": dict(found.answers),
    }


def _checkup_told(violations: tuple[Violation, ...]) -> dict[str, Any]:
    return {
        "may_be_published": not any(one.stops for one in violations),
        "violations": [one.as_json() | {"stops": one.stops} for one in violations],
    }


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/desk/lots/{lot_id}/file", response_class=HTMLResponse)
async def file_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The tender file of a draft, block by block, with what is found in each."""
    found = await composing.own_file(tx, lot_id)
    draft = await notice_board.draft(tx, lot_id)
    violations = await violations_of(tx, lot_id)
    return render(
        request,
        "file_desk/file.html",
        procedure=draft.line.procedure,
        line=draft.line,
        composed=found,
        terms=tender_file_document(found.document)["terms"],
        gaps={block.number: gaps(block) for block in found.document.blocks},
        found_in=Counter(one.place for one in violations if one.stops),
        stopping=sum(one.stops for one in violations),
        block_names=BLOCK_NAMES,
        kinds=list(BlockKind),
        now=tx.now,
    )


@router.get("/desk/lots/{lot_id}/file/blocks/new", response_class=HTMLResponse)
async def new_block_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The form for a new block."""
    found = await composing.own_file(tx, lot_id)
    values = {"revision": str(found.revision), "kind": str(BlockKind.QUALIFICATION)}
    return render(request, BLOCK_FORM, **await _block_form(tx, lot_id, values=values))


@router.post("/desk/lots/{lot_id}/file/blocks/new", response_class=HTMLResponse)
async def add_block(request: Request, tx: Act, lot_id: UUID) -> Response:
    """Add the block of the form, or show the form again with what is wrong."""
    await composing.own_file(tx, lot_id)
    return await _write_block(request, tx, lot_id, of="")


@router.get("/desk/lots/{lot_id}/file/blocks/{number}", response_class=HTMLResponse)
async def block_page(request: Request, tx: Act, lot_id: UUID, number: str) -> HTMLResponse:
    """One block, to be rewritten, with what the check-up found in it."""
    found = await composing.own_file(tx, lot_id)
    block = _block_of(found, number)
    values = {
        "kind": str(block.kind),
        "number": block.number,
        "title": block.title,
        "text": block.text,
        "essential": "yes" if block.essential else "",
        "revision": str(found.revision),
    }
    return render(request, BLOCK_FORM, **await _block_form(tx, lot_id, values=values, of=number))


@router.post("/desk/lots/{lot_id}/file/blocks/{number}", response_class=HTMLResponse)
async def rewrite_block(request: Request, tx: Act, lot_id: UUID, number: str) -> Response:
    """Rewrite the block, or show the form again with what is wrong."""
    _block_of(await composing.own_file(tx, lot_id), number)
    return await _write_block(request, tx, lot_id, of=number)


@router.post("/desk/lots/{lot_id}/file/blocks/{number}/removal", response_class=HTMLResponse)
async def take_block_out(tx: Act, lot_id: UUID, number: str) -> Response:
    """Take the block out of the file."""
    await composing.remove_block(tx, lot_id, number)
    return RedirectResponse(f"/desk/lots/{lot_id}/file", 303)


@router.get("/desk/lots/{lot_id}/file/figures", response_class=HTMLResponse)
async def figures_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The form for the list of quantities and the file's figures."""
    found = await composing.own_file(tx, lot_id)
    shown = await _figures_form(tx, lot_id, values=_figures_values(found))
    return render(request, FIGURES_FORM, **shown)


@router.post("/desk/lots/{lot_id}/file/figures", response_class=HTMLResponse)
async def write_figures(request: Request, tx: Act, lot_id: UUID) -> Response:
    """Write list and figures of the form, or show the form again with what is wrong."""
    found = await composing.own_file(tx, lot_id)
    form = await request.form()
    said = {name: str(value).strip() for name, value in form.items()}
    file, errors = _figures_said(found.document, said)
    if errors or file is None:
        if not prefers_page(request):
            raise RequestValidationError([_fault(name, words) for name, words in errors])
        shown = await _figures_form(tx, lot_id, values=said, errors=errors)
        return render(request, FIGURES_FORM, status_code=422, **shown)
    keep_form(request, FIGURES_FORM, **await _figures_form(tx, lot_id, values=said))
    await composing.write_figures(
        tx, lot_id, file.bill, file.terms, revision=_revision(said.get("revision", ""))
    )
    return RedirectResponse(f"/desk/lots/{lot_id}/file#figures", 303)


@router.get("/desk/lots/{lot_id}/checkup", response_class=HTMLResponse)
async def checkup_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The check-up before publication: every violation, where it stands, and what to do."""
    found = await composing.own_file(tx, lot_id)
    return await _checkup(request, tx, lot_id, found)


@router.post("/desk/lots/{lot_id}/checkup/answers", response_class=HTMLResponse)
async def answer_finding(request: Request, tx: Act, lot_id: UUID) -> Response:
    """Keep what the form says to a finding, or show the check-up again with what is wrong."""
    found = await composing.own_file(tx, lot_id)
    form = await request.form()
    said = {name: str(form.get(name, "")) for name in ("key", "answer")}
    try:
        asked = AnswerAsked.model_validate(said)
    except ValidationError as fault:
        if not prefers_page(request):
            raise RequestValidationError(fault.errors()) from None
        return await _checkup(request, tx, lot_id, found, wrong=said)
    await composing.answer_finding(tx, lot_id, asked.key, asked.answer)
    return RedirectResponse(f"/desk/lots/{lot_id}/checkup", 303)


async def _checkup(
    request: Request,
    tx: Transaction,
    lot_id: UUID,
    found: ComposedFile,
    *,
    wrong: dict[str, str] | None = None,
) -> HTMLResponse:
    draft = await notice_board.draft(tx, lot_id)
    violations = await violations_of(tx, lot_id)
    return render(
        request,
        "file_desk/checkup.html",
        procedure=draft.line.procedure,
        status_code=422 if wrong else 200,
        line=draft.line,
        violations=violations,
        stopping=sum(one.stops for one in violations),
        answered=sum(bool(one.answered) for one in violations),
        warned=sum(one.severity is Severity.WARN for one in violations),
        titles={block.number: block.title for block in found.document.blocks},
        rules={one.rule: RULE_BOOK[one.rule].says for one in violations},
        word_codes=WORD_CODES,
        answer_min=ANSWER_MIN,
        answer_max=ANSWER_MAX,
        wrong=wrong or {},
        now=tx.now,
    )


def _block_of(found: ComposedFile, number: str) -> Block:
    for block in found.document.blocks:
        if block.number == number:
            return block
    raise NotFound("no such block")


async def _block_form(
    tx: Transaction,
    lot_id: UUID,
    *,
    values: Mapping[str, str],
    of: str = "",
    errors: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """What the form of a block shows: what was typed, what is wrong, and what was found in it."""
    draft = await notice_board.draft(tx, lot_id)
    violations = await violations_of(tx, lot_id) if of else ()
    return {
        "procedure": draft.line.procedure,
        "line": draft.line,
        "of": of,
        "values": values,
        "errors": errors,
        "wrong": dict(errors),
        "violations": [one for one in violations if one.place == of],
        "kinds": [(str(kind), name) for kind, name in BLOCK_NAMES.items()],
        "title_max": TITLE_MAX,
        "text_max": TEXT_MAX,
        "now": tx.now,
    }


BLOCK_LABELS: Final = {
    "kind": "请选择块的类别",
    "number": "编号写作 3 或者 3.2.1",
    "title": f"请填写标题，最多 {TITLE_MAX} 字",
    "text": f"正文最多 {TEXT_MAX} 字，不得含控制字符",
}


async def _write_block(request: Request, tx: Transaction, lot_id: UUID, *, of: str) -> Response:
    form = await request.form()
    values = {name: str(value) for name, value in form.items()}
    said: dict[str, Any] = {
        name: values.get(name, "").strip() for name in ("kind", "number", "title")
    }
    # A browser ends lines with two signs; the file knows one.
    said["text"] = values.get("text", "").replace("\r\n", "\n").strip()
    said["essential"] = values.get("essential") == "yes"
    said["revision"] = _revision(values.get("revision", ""))
    errors: list[tuple[str, str]] = []
    try:
        asked = BlockAsked.model_validate(said)
    except ValidationError as fault:
        if not prefers_page(request):
            raise RequestValidationError(fault.errors()) from None
        names = dict.fromkeys(str(error["loc"][0]) for error in fault.errors())
        errors = [(name, BLOCK_LABELS.get(name, "填写格式不正确")) for name in names]
    else:
        found = await composing.own_file(tx, lot_id)
        taken = any(one.number == asked.number for one in found.document.blocks)
        if taken and asked.number != of:
            errors = [("number", f"编号 {asked.number} 已经有一块，请换一个编号")]
    if errors:
        shown = await _block_form(tx, lot_id, values=values, of=of, errors=errors)
        return render(request, BLOCK_FORM, status_code=422, **shown)
    keep_form(request, BLOCK_FORM, **await _block_form(tx, lot_id, values=values, of=of))
    await composing.write_block(tx, lot_id, asked.block(), of=of, revision=asked.revision)
    return RedirectResponse(f"/desk/lots/{lot_id}/file#block-{asked.number}", 303)


def _revision(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else None


# ── the figures, which a form states as lines and fields ──────────────────────────────────────

AMOUNTS: Final = ("documents_fee", "platform_fee", "budget")
COUNTS: Final = ("sign_within_days", "stages", "security_stage", "reserve_estimates")
WORDS: Final = ("credit_channel", "credit_cutoff", "credit_use", "consortium_minimum")
FLAGS: Final = ("reserve_secret", "reserve_decides", "price_in_first_stage")


def _figures_values(found: ComposedFile) -> dict[str, str]:
    terms = found.document.terms
    lines = (
        f"{one.number} | {one.name} | {one.unit} | {one.quantity}" for one in found.document.bill
    )
    return {
        "bill": "\n".join(lines),
        "template": terms.template,
        "performance_security_percent": f"{terms.performance_security_share * 100:f}".rstrip(
            "0"
        ).rstrip(".")
        or "0",
        **{
            name: "" if getattr(terms, name) is None else yuan_text(getattr(terms, name))
            for name in AMOUNTS
        },
        **{name: str(getattr(terms, name)) for name in COUNTS},
        **{name: getattr(terms, name) for name in WORDS},
        **{name: "yes" if getattr(terms, name) else "" for name in FLAGS},
        "visits_for": "\n".join(terms.visits_for),
        "revision": str(found.revision),
    }


def _figures_said(
    file: TenderDocument, said: dict[str, str]
) -> tuple[TenderDocument | None, list[tuple[str, str]]]:
    """The file with the form's list and figures, or what is wrong with them, field by field."""
    errors: list[tuple[str, str]] = []
    terms: dict[str, Any] = dict(tender_file_document(file)["terms"])  # type: ignore[call-overload]  # a document
    terms["template"] = said.get("template", "")
    try:
        share = Decimal(said.get("performance_security_percent") or "0") / 100
        terms["performance_security_share"] = f"{share.quantize(Decimal('0.0001')):f}"
    except InvalidOperation:
        errors.append(("performance_security_percent", "请填写百分数，如 10"))
    for name in AMOUNTS:
        text = said.get(name, "").replace(",", "")
        terms[name] = text or (None if name == "budget" else "0.00")
    for name in COUNTS:
        text = said.get(name, "")
        if text.isdecimal() and len(text) < 5:
            terms[name] = int(text)
        else:
            errors.append((name, "请填写整数"))
    terms |= {name: said.get(name, "") for name in WORDS}
    terms |= {name: said.get(name) == "yes" for name in FLAGS}
    terms["visits_for"] = [
        one.strip() for one in said.get("visits_for", "").splitlines() if one.strip()
    ]
    bill = []
    for place, line in enumerate(filter(str.strip, said.get("bill", "").splitlines()), start=1):
        parts = [part.strip() for part in line.split("|")]
        if len(parts) == 4:
            bill.append(dict(zip(("number", "name", "unit", "quantity"), parts, strict=True)))
        else:
            errors.append(("bill", f"第 {place} 行应当写作：编号 | 名称 | 单位 | 数量"))
            break
    if errors:
        return None, errors
    document = tender_file_document(file) | {"terms": terms, "bill": bill}
    try:
        return parse_tender_file(document), []
    except Malformed as fault:
        return None, [_field_of(fault)]


def _field_of(fault: Malformed) -> tuple[str, str]:
    if fault.code in ("quantity", "number", "text"):
        return "bill", "数量为大于零的数，最多六位小数；编号、名称、单位不得为空"
    if fault.code == "amount":
        return "documents_fee", "金额写作 1234567.00"
    return fault.code, "填写格式不正确"


def _fault(name: str, words: str) -> dict[str, object]:
    return {"type": "value_error", "loc": ("body", name), "msg": words, "input": None}


async def _figures_form(
    tx: Transaction,
    lot_id: UUID,
    *,
    values: Mapping[str, str],
    errors: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """What the form of list and figures shows: what was typed, and what is wrong."""
    draft = await notice_board.draft(tx, lot_id)
    return {
        "procedure": draft.line.procedure,
        "line": draft.line,
        "values": values,
        "errors": errors,
        "wrong": dict(errors),
        "now": tx.now,
    }
