// A colleague joins an organisation: he signs on his own machine, a member lets him in.
//
//   <form data-join='{"organisation": "…", "organisation_name": "…"}'>
//        makes a key here, signs the request with it, and hands it over as a file
//   <form action="/api/v1/people" data-signed-file>
//        sends such a file as it is

import { handedOver } from "./files.js";
import { keepKey, newKey, sendSigned, signed } from "./passkey.js";
import { showRefusal, showWords } from "./refusals.js";

const english = document.documentElement.lang === "en";

async function join(form) {
  const { organisation, organisation_name } = JSON.parse(form.dataset.join);
  const given = new FormData(form);
  const roles = given.getAll("roles").sort();
  if (!roles.length) {
    showWords(form, english ? "Choose at least one role." : "请至少选择一种身份。");
    return;
  }
  const key = await newKey();
  const statement = await signed(
    "membership",
    {
      organisation,
      roles,
      person: given.get("person").trim(),
      identity_document: given.get("identity_document").trim().toUpperCase(),
      public_key: key.publicKey,
    },
    key,
  );
  key.capacities = roles.map((role) => ({
    role,
    role_name: form.querySelector(`[value=${role}]`).closest("label").textContent.trim(),
    organisation,
    organisation_name,
  }));
  await keepKey(key);
  await navigator.storage?.persist?.();
  handedOver(statement, "sunbid-membership.json");
  form.hidden = true;
  document.querySelector("[data-joined]").hidden = false;
}

async function sendFile(form) {
  const [file] = form.querySelector("input[type=file]").files;
  await sendSigned(form.getAttribute("action"), await file.text());
  location.reload();
}

const ACTS = [
  ["join", join],
  ["signedFile", sendFile],
];

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const found = ACTS.find(([name]) => form.dataset[name] !== undefined);
  if (!found) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await found[1](form);
  } catch (error) {
    showRefusal(form, error);
  } finally {
    button.disabled = false;
  }
});
