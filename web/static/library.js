// An entry of the library: its paper is sent first, then the statement that names it is signed.
//
//   <form action="/api/v1/library/licences" data-entry="licence" data-organisation="…">
//
// A field with `data-empty="leave"` is left out where it is empty, one with `data-yuan` gets its fen.

import { b64u, postStatement, sha256 } from "./passkey.js";
import { showRefusal } from "./refusals.js";

async function kept(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const answer = await fetch("/api/v1/library/files", {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream", Accept: "application/json" },
    body: bytes,
  });
  if (!answer.ok) throw Object.assign(new Error(file.name), { body: await answer.json() });
  return { name: file.name, sha256: b64u(await sha256(bytes)), size: bytes.length };
}

function valueOf(field) {
  const text = field.value.trim();
  return field.dataset.yuan !== undefined && !text.includes(".") ? `${text}.00` : text;
}

async function enter(form) {
  const said = { organisation: form.dataset.organisation };
  for (const field of form.elements) {
    const left = field.dataset.empty === "leave" && field.value.trim() === "";
    if (field.name && !left) said[field.name] = valueOf(field);
  }
  said.file = await kept(form.querySelector("input[type=file]").files[0]);
  await postStatement(form.getAttribute("action"), form.dataset.entry, said);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.entry === undefined) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    await enter(form);
    location.reload();
  } catch (error) {
    showRefusal(form, error);
    if (button) button.disabled = false;
  }
});

// A business licence carries the organisation's own code, which is known.
document.addEventListener("change", ({ target }) => {
  const code = target.dataset.ownCode;
  const number = target.form?.elements.number;
  if (code === undefined || number === undefined) return;
  if (target.value === "business_licence") number.value = code;
  else if (number.value === code) number.value = "";
});
