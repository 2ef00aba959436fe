// Forms that act by JSON: what a form holds is sent as its action asks, and a refusal is shown.
//
//   <form action="/api/v1/…" method="post" data-json='{"fixed": "members"}'>
//
// A checkbox sends true or false, everything else its text. Buttons with a name send their value;
// `true` and `false` are sent as such. `data-says` is where a refusal is told: in the form, or in
// the nearest part around it. What was done shows on the page that is loaded afterwards.

import { postJson } from "./passkey.js";

function place(form) {
  return (form.querySelector("[data-says]") ?? form.closest("section, aside, main").querySelector("[data-says]"));
}

function show(form, error) {
  const where = place(form);
  where.replaceChildren();
  where.className = "note n-bad";
  const grounds = error.body?.refusals ?? [];
  const list = document.createElement("ul");
  const words = error.body?.title ?? error.message;
  for (const one of grounds.length ? grounds : [{ reason: words }]) {
    const line = document.createElement("li");
    line.textContent = one.article ? `${one.reason}（${one.article}）` : one.reason;
    list.append(line);
  }
  where.append(list);
  where.hidden = false;
  where.focus();
}

const meant = (text) => (text === "true" ? true : text === "false" ? false : text);

export function told(form, button) {
  const body = JSON.parse(form.dataset.json || "{}");
  for (const field of form.elements) {
    if (!field.name || field.disabled || field.tagName === "BUTTON") continue;
    body[field.name] = field.type === "checkbox" ? field.checked : field.value.trim();
  }
  if (button?.name) body[button.name] = meant(button.value);
  return body;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.json === undefined) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    await postJson(form.getAttribute("action"), told(form, button));
    location.reload();
  } catch (error) {
    show(form, error);
    if (button) button.disabled = false;
  }
});
