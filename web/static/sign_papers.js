// Statements signed in the browser and sent as they are: publication, clarification, amendment,
// and the terms of a listing with the reserve that they only commit to.
//
// A form says by its attributes what is signed. The platform proposes the papers of a publication;
// everything else is made here of what the form holds. The key never leaves the browser.

import { digestOf, sent } from "./files.js";
import { b64u, canonical, postJson, postStatement, putFile, sha256, signed } from "./passkey.js";
import { showRefusal } from "./refusals.js";

const BEIJING = "+08:00";
const instant = (local) => new Date(`${local}:00${BEIJING}`).toISOString();

const envelope = async (kind, payload) => JSON.parse(await signed(kind, payload));

async function publish(form) {
  const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
  const papers = await answer.json();
  await postJson(form.action, {
    timetable: await envelope("timetable", papers.timetable),
    opening_policy: await envelope("opening-policy", papers.opening_policy),
    notice: await envelope("notice", papers.notice),
  });
}

function moved(form) {
  const times = JSON.parse(form.dataset.timetable);
  return { ...times, bids_due_at: instant(form.elements.bids_due_at.value) };
}

async function kept(form, file) {
  await putFile(form.action.replace(/clarifications$/, "clarification-files"), new Blob([file]), "POST");
  return {
    name: file.name,
    sha256: await digestOf(file),
    size: file.size,
    media_type: file.type || "application/octet-stream",
  };
}

const plain = (text) => text.replace(/\r\n?/g, "\n").trim();

// The places of the notice whose words were changed, each with its new words whole.
const changed = (form) =>
  [...form.querySelectorAll("[data-place]")]
    .filter((one) => plain(one.value) !== "" && plain(one.value) !== plain(one.defaultValue))
    .map((one) => ({ place: one.dataset.place, text: plain(one.value) }));

const yuan = (amount) => (/^[0-9]+$/.test(amount) ? `${amount}.00` : amount);

const row = (line) => {
  const [key = "", label = "", kind = ""] = line.split("|").map((one) => one.trim());
  return { key, label, kind };
};

// A term as a notice states it, from the words of its field.
const TERMS = {
  money: (said, field) => (said === "" && field.dataset.empty === "null" ? null : yuan(said)),
  rows: (said) => said.split("\n").filter((line) => line.trim() !== "").map(row),
  scheme: (said) => JSON.parse(said),
};

// The terms that were changed, each stated whole. The notice states a scheme by its digest, and so
// the scheme goes beside it.
async function restated(form) {
  const terms = {};
  for (const field of form.querySelectorAll("[data-term]")) {
    const said = plain(field.value);
    if (said !== plain(field.defaultValue)) {
      terms[field.name] = TERMS[field.dataset.term](said, field);
    }
  }
  const boxes = [...form.querySelectorAll("[data-form]")];
  if (boxes.some((box) => box.checked !== box.defaultChecked)) {
    terms.security_forms = boxes.filter((box) => box.checked).map((box) => box.value);
  }
  const { scheme = null } = terms;
  if (scheme !== null) {
    terms.scheme = b64u(await sha256(new TextEncoder().encode(canonical(scheme))));
  }
  return { terms, scheme };
}

// What is answered, and beside it which questions each answer is for; only the first is published.
function answered(form) {
  const groups = new Map();
  const asked = [...form.querySelectorAll("[data-question]")];
  const joins = (one) => one.querySelector("[data-joins]")?.value ?? "";
  for (const one of asked) {
    const answer = plain(one.querySelector("[data-answer]").value);
    if (joins(one) !== "" || answer === "") continue;
    const question = plain(one.querySelector("[data-words]").value);
    groups.set(one.dataset.question, { said: { question, answer }, ids: [one.dataset.question] });
  }
  for (const one of asked) groups.get(joins(one))?.ids.push(one.dataset.question);
  const found = [...groups.values()];
  return { answers: found.map((one) => one.said), questions: found.map((one) => one.ids) };
}

async function clarify(form) {
  const { project, lot } = JSON.parse(form.dataset.timetable);
  const documents = [];
  for (const file of form.elements.files.files) documents.push(await kept(form, file));
  const changes = changed(form);
  const { answers, questions } = answered(form);
  const { terms, scheme } = await restated(form);
  const clarification = await envelope("clarification", {
    project,
    lot,
    number: Number(form.dataset.number),
    title: form.elements.title.value.trim(),
    text: form.elements.text.value.trim(),
    may_affect_bids: form.elements.may_affect_bids.value === "yes",
    documents,
    ...(changes.length ? { changes } : {}),
    ...(Object.keys(terms).length ? { terms } : {}),
    ...(answers.length ? { answers } : {}),
  });
  const moves = form.elements.bids_due_at.value !== "";
  const timetable = moves ? await envelope("timetable", moved(form)) : null;
  await postJson(form.action, { clarification, timetable, questions, scheme });
}

const amend = (form) => postStatement(form.action, "timetable", moved(form));

// A reserve is hidden by a nonce in what the terms say of it, and sent as a statement of its own.
async function hidden(code, amount) {
  if (amount === "") return [null, null];
  const reserve = amount.includes(".") ? amount : `${amount}.00`;
  const opened = { code, nonce: b64u(crypto.getRandomValues(new Uint8Array(32))), reserve };
  const commitment = b64u(await sha256(new TextEncoder().encode(canonical(opened))));
  return [commitment, await envelope("listing-reserve", opened)];
}

async function list(form) {
  const said = (name) => form.elements[name].value.trim();
  const [reserve_commitment, reserve] = await hidden(said("code"), said("reserve"));
  const terms = { reserve_commitment };
  for (const name of ["code", "title", "asset", "region", "words"]) terms[name] = said(name);
  for (const name of ["starting_price", "step", "security"]) terms[name] = said(name);
  for (const name of ["register_until", "starts_at", "ends_at"]) terms[name] = instant(said(name));
  for (const name of ["asking_s", "countdown_s"]) terms[name] = Number(said(name));
  // An agency says whose it is; what is listed once more says what it was before.
  for (const name of ["seller", "relists"]) if (form.elements[name]) terms[name] = said(name);
  const listing = await envelope("listing", terms);
  const { id } = await postJson(form.action, { listing, reserve });
  form.dataset.then = `${form.dataset.place}${id}`;
}

function told(form) {
  const payload = JSON.parse(form.dataset.payload);
  for (const field of form.elements) {
    if (!field.name) continue;
    const [outer, inner] = field.name.split(".");
    if (field.type === "checkbox") {
      if (field.checked) payload[outer] = [...(payload[outer] ?? []), field.value].sort();
    } else if (field.type !== "radio" || field.checked) {
      const text = field.value.trim();
      if (inner && text === "") continue; // of several that one may name, this one was left out
      const empty = text === "" && field.dataset.empty === "null";
      const as = { number: Number, boolean: (words) => words === "true", instant }[field.dataset.as] ?? ((words) => words);
      const value = empty ? null : as(text);
      payload[outer] = inner ? { [inner]: value } : value;
    }
  }
  return payload;
}

// Files that a statement names are sent first, to the folder that their field says.
async function sign(form) {
  const payload = told(form);
  for (const field of form.querySelectorAll("[data-files]")) {
    for (const file of field.files) {
      payload.files = [...(payload.files ?? []), await sent(field.dataset.files, file)];
    }
  }
  return postStatement(form.action, form.dataset.sign, payload);
}

const ACTS = [
  ["publish", publish],
  ["clarify", clarify],
  ["amend", amend],
  ["list", list],
  ["sign", sign],
];

// Parts of a page are fetched again while it is watched, so an act is caught where it bubbles up.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const found = ACTS.find(([name]) => form.dataset[name] !== undefined);
  if (!found) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    await found[1](form);
    form.dispatchEvent(new CustomEvent("sunbid:sent", { bubbles: true }));
    if (form.dataset.then) location.assign(form.dataset.then);
    else location.reload();
  } catch (error) {
    showRefusal(form, error);
    if (button) button.disabled = false;
  }
});
