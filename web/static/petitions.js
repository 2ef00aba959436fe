// An objection, a complaint or the annulment of an award, filled in part by part: what names where
// to ask checks itself before it is signed.
//
//   <form action="…" data-petition="complaint" data-check="/api/v1/lots/…/complaint-checks"
//         data-payload='{"lot": "…"}' data-then="…">
//
// Whatever is changed is sent to be checked after a moment of rest, and every ground that would
// turn the petition away is listed where `[data-found]` is, with its article. Nothing is kept of a
// check. Evidence stands in rows `[data-evidence]`, of which `[data-more]` adds another. A file that
// comes with a row is sent at once and named by its digest in what is signed; `[data-kept]` says so.

import { sent } from "./files.js";
import { postJson, postStatement } from "./passkey.js";
import { showRefusal } from "./refusals.js";

const REST_MS = 500;
const english = document.documentElement.lang === "en";
const WORDS = {
  fits: english ? "Checked: nothing stands against it." : "已核对：目前没有会被拒绝的情形。",
  refused: english ? "It would be turned away now:" : "现在提出会因下列原因被拒绝：",
  doubtful: english ? "Mind this:" : "请留意：",
  until: english ? "Last moment: " : "最迟提出时间：",
  sending: english ? "Being sent…" : "正在上传…",
  kept: english ? "Kept, SHA-256 (base64url) " : "已上传，SHA-256（base64url）",
};

function evidence(form) {
  return [...form.querySelectorAll("[data-evidence]")]
    .map((row) => ({
      title: row.querySelector("[data-title]").value.trim(),
      text: row.querySelector("[data-text]").value.trim(),
      ...(row.dataset.file ? { name: row.dataset.name, file: row.dataset.file } : {}),
    }))
    .filter(({ title }) => title !== "");
}

// Whoever annuls an award that was given up names the statement that gave it up.
function renounced(form) {
  const ground = form.querySelector("[data-renunciation]");
  if (ground?.value !== "gave_up") return {};
  return { renunciation: ground.dataset.renunciation };
}

function said(form) {
  const fixed = JSON.parse(form.dataset.payload);
  const payload = { ...fixed, ...renounced(form), evidence: evidence(form) };
  for (const field of form.elements) {
    if (!field.name || field.tagName === "BUTTON") continue;
    if (field.type === "checkbox") payload[field.name] = field.checked;
    else if (field.type !== "radio" || field.checked) {
      const text = field.value.trim();
      if (text !== "" || field.dataset.empty !== "leave") payload[field.name] = text;
    }
  }
  return payload;
}

function listed(title, grounds, kind) {
  const box = document.createElement("div");
  box.className = `note ${kind}`;
  const head = document.createElement("strong");
  head.textContent = title;
  const list = document.createElement("ul");
  for (const { reason, article } of grounds) {
    const line = document.createElement("li");
    line.lang = "zh-CN";
    line.textContent = article ? `${reason}（${article}）` : reason;
    list.append(line);
  }
  box.append(head, ...(grounds.length ? [list] : []));
  return box;
}

function show(form, { refusals, cautions = [], until = null }) {
  const parts = [];
  if (refusals.length) parts.push(listed(WORDS.refused, refusals, "n-bad"));
  else parts.push(listed(WORDS.fits, [], "n-ok"));
  if (cautions.length) parts.push(listed(WORDS.doubtful, cautions, "n-soon"));
  if (until) {
    const line = document.createElement("p");
    line.className = "sm num";
    const shown = new Date(until).toLocaleString(english ? "en-GB" : "zh-CN", {
      timeZone: "Asia/Shanghai",
    });
    line.textContent = WORDS.until + shown;
    parts.push(line);
  }
  form.querySelector("[data-found]").replaceChildren(...parts);
}

const rests = new WeakMap();
const asked = new WeakMap();

async function check(form) {
  const turn = (asked.get(form) ?? 0) + 1;
  asked.set(form, turn);
  const { lot, ...rest } = said(form);
  try {
    const found = await postJson(form.dataset.check, rest);
    if (asked.get(form) === turn) show(form, found); // a later answer may come first
  } catch {
    // Without an answer nothing is known; signing and sending says what is wrong.
    if (asked.get(form) === turn) form.querySelector("[data-found]").replaceChildren();
  }
}

// A form without `data-check` is judged when it is sent, and not before.
function soon(form) {
  if (form.dataset.check === undefined) return;
  clearTimeout(rests.get(form));
  rests.set(form, setTimeout(() => check(form), REST_MS));
}

document.addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-petition]");
  if (form) soon(form);
});

async function bring(row, form, file) {
  const said = row.querySelector("[data-kept]");
  delete row.dataset.file;
  said.textContent = file ? WORDS.sending : "";
  if (!file) return;
  const { lot } = JSON.parse(form.dataset.payload);
  try {
    const named = await sent(`/api/v1/lots/${lot}/evidence/`, file);
    Object.assign(row.dataset, named);
    said.textContent = WORDS.kept + named.file;
    const title = row.querySelector("[data-title]");
    if (title.value.trim() === "") title.value = file.name.slice(0, 200);
  } catch (error) {
    said.textContent = "";
    row.querySelector("[data-file]").value = "";
    showRefusal(form, error);
  }
  soon(form);
}

document.addEventListener("change", ({ target }) => {
  const row = target.closest("[data-evidence]");
  if (row && target.matches("[data-file]")) bring(row, row.closest("form"), target.files[0]);
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-more]");
  if (!button) return;
  const form = button.closest("form");
  const rows = form.querySelectorAll("[data-evidence]");
  const row = rows[rows.length - 1].cloneNode(true);
  for (const field of row.querySelectorAll("[id]")) {
    const next = field.id.replace(/\d+$/, String(rows.length + 1));
    row.querySelector(`label[for="${field.id}"]`)?.setAttribute("for", next);
    field.id = next;
    field.value = "";
  }
  row.querySelector("[data-title]").required = false; // one piece is enough
  row.querySelector("[data-kept]").textContent = "";
  delete row.dataset.file;
  rows[rows.length - 1].after(row);
  row.querySelector("[data-title]").focus();
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.petition === undefined) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    const { id } = await postStatement(form.action, form.dataset.petition, said(form));
    form.dispatchEvent(new CustomEvent("sunbid:sent", { bubbles: true }));
    if (form.dataset.then) location.assign(form.dataset.then.replace("{id}", id));
    else location.reload();
  } catch (error) {
    showRefusal(form, error);
    if (button) button.disabled = false;
  }
});

for (const form of document.querySelectorAll("form[data-petition]")) {
  if (form.dataset.checkNow !== undefined) check(form);
}
