// Securities: a guarantee is sent and signed for, a bank's statement is taken in.

import { b64u, postStatement, sha256 } from "./passkey.js";
import { showRefusal } from "./refusals.js";

async function sent(path, type, bytes) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": type, Accept: "application/json" },
    body: bytes,
  });
  if (!answer.ok) throw Object.assign(new Error(path), { body: await answer.json() });
}

const bytesOf = async (file) => new Uint8Array(await file.arrayBuffer());

async function fileGuarantee(form) {
  const { lot } = form.dataset;
  const paper = await bytesOf(form.elements.file.files[0]);
  await sent(`/api/v1/lots/${lot}/security/guarantee-files`, "application/octet-stream", paper);
  const said = { lot, document: b64u(await sha256(paper)) };
  for (const name of ["form", "guarantor", "number", "amount", "valid_until"]) {
    said[name] = form.elements[name].value.trim();
  }
  await postStatement(form.getAttribute("action"), "guarantee", said);
}

async function takeStatement(form) {
  const file = await bytesOf(form.elements.file.files[0]);
  await sent(form.getAttribute("action"), "text/csv", file);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const { guarantee, statement } = form.dataset;
  if (guarantee === undefined && statement === undefined) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    await (guarantee === undefined ? takeStatement(form) : fileGuarantee(form));
    location.reload();
  } catch (error) {
    showRefusal(form, error);
    if (button) button.disabled = false;
  }
});
