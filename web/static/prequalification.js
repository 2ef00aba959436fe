// Those who call for applications and judge them: the notice, the addenda to it, and the review with
// a finding for every applicant and condition, by the tenderee's side or by a member of the committee
// that reviews. All are signed here and sent as they are.

import { b64u, postStatement, sha256 } from "./passkey.js";
import { showRefusal } from "./refusals.js";

const instant = (local) => new Date(`${local}:00+08:00`).toISOString();
const lines = (text) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

async function kept(path, file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream", Accept: "application/json" },
    body: bytes,
  });
  if (!answer.ok) throw Object.assign(new Error(file.name), { body: await answer.json() });
  return {
    name: file.name,
    sha256: b64u(await sha256(bytes)),
    size: bytes.length,
    media_type: file.type || "application/octet-stream",
  };
}

async function announce(form) {
  const said = JSON.parse(form.dataset.payload);
  const fields = form.elements;
  for (const one of form.querySelectorAll("[data-word]")) {
    said.words[one.dataset.word] = one.value.trim();
  }
  said.conditions = lines(fields.conditions.value).map((line) => {
    const [id, ...rest] = line.split(/\s+/);
    return { id, name: rest.join(" ") || id };
  });
  const files = [...fields.files.files];
  if (files.length) {
    said.documents = [];
    for (const file of files) said.documents.push(await kept(form.dataset.files, file));
  }
  said.documents_until = instant(fields.documents_until.value);
  said.applications_due_at = instant(fields.applications_due_at.value);
  said.release_window_s = 60 * Number(fields.window.value);
  await postStatement(form.action, "prequalification", said);
}

async function amend(form) {
  const said = JSON.parse(form.dataset.payload);
  const fields = form.elements;
  said.title = fields.title.value.trim();
  said.text = fields.text.value.trim();
  said.may_affect = fields.may_affect.checked;
  said.documents = [];
  for (const file of fields.files.files) said.documents.push(await kept(form.dataset.files, file));
  const due = fields.applications_due_at.value;
  said.applications_due_at = due ? instant(due) : null;
  await postStatement(form.action, "prequalification-addendum", said);
}

async function review(form) {
  const said = JSON.parse(form.dataset.payload);
  const named = (field, expert) => lines(field.value).map((name) => ({ name, expert }));
  said.reviewers = [
    ...named(form.elements.experts, true),
    ...named(form.elements.others, false),
  ];
  said.findings = found(form);
  await postStatement(form.action, "prequalification-review", said);
}

function found(form) {
  return [...form.querySelectorAll("[data-applicant]")].flatMap((applicant) =>
    [...applicant.querySelectorAll("[data-condition]")].map((one) => {
      const page = one.querySelector("[data-page]");
      return {
        applicant: applicant.dataset.applicant,
        condition: one.dataset.condition,
        met: one.querySelector("input:checked").value === "yes",
        reason: one.querySelector("[data-reason]").value.trim(),
        ...(page ? { page: page.value.trim() } : {}),
      };
    }),
  );
}

async function judge(form) {
  const said = { ...JSON.parse(form.dataset.payload), findings: found(form) };
  await postStatement(form.action, "application-findings", said);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const act = [["announce", announce], ["amend", amend], ["review", review], ["judge", judge]]
    .find(([name]) => name in form.dataset)?.[1];
  if (!act) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    await act(form);
    location.reload();
  } catch (error) {
    showRefusal(form, error);
    if (button) button.disabled = false;
  }
});
