// Candidates and awards, signed in the browser and sent as they are.
//
// The platform proposes the notice of candidates; its publisher may change the words in the form's
// fields and nothing else. An award that passes a better rank over says for each on which ground.

import { postStatement } from "./passkey.js";
import { showRefusal } from "./refusals.js";

// A field named `candidates.0.manager` replaces that word of the notice.
function notice(form) {
  const said = JSON.parse(form.dataset.notice);
  for (const field of form.elements) {
    if (!field.name) continue;
    const path = field.name.split(".");
    const last = path.pop();
    path.reduce((place, step) => place[step], said)[last] = field.value.trim();
  }
  return said;
}

function award(form) {
  const winner = form.elements.winner.value;
  const set_aside = [];
  for (const group of form.querySelectorAll("[data-candidate]")) {
    const ground = group.querySelector("select").value;
    if (group.dataset.candidate === winner || !ground) continue;
    const [document_, found_by] = group.querySelectorAll("input:not([type=radio])");
    set_aside.push({
      bidder: group.dataset.candidate,
      ground,
      document: document_.value.trim(),
      found_by: found_by.value.trim(),
    });
  }
  const said = { lot: form.dataset.lot, winner, report: form.dataset.report };
  if (form.dataset.after) said.after = form.dataset.after;
  if (set_aside.length) said.set_aside = set_aside;
  const written = form.querySelector("[data-minutes]");
  if (written) said.minutes = minutes(written, form.elements.reasons.value.trim());
  return said;
}

// Who decided, each one's vote where they vote, and the reasons.
function minutes(written, reasons) {
  const members = [];
  const votes = [];
  for (const line of written.querySelectorAll("[data-member]")) {
    const member = line.querySelector("input").value.trim();
    const vote = line.querySelector("select");
    members.push(member);
    const { signed } = line.dataset;
    if (vote) votes.push({ member, bidder: vote.value, ...(signed ? { signed } : {}) });
  }
  return { members, votes, reasons, left: JSON.parse(written.dataset.left) };
}

const ACTS = [
  ["candidates", notice],
  ["award", award],
];

// The page fetches its parts again while it is watched, so the act is caught where it bubbles up.
addEventListener("submit", async (event) => {
  const form = event.target;
  const found = ACTS.find(([kind]) => form.matches(`form[data-sign-${kind}]`));
  if (!found) return;
  event.preventDefault();
  const [kind, payload] = found;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await postStatement(form.action, kind, payload(form));
    location.reload();
  } catch (error) {
    showRefusal(form, error);
    button.disabled = false;
  }
});
