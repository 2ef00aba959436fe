// The supervisor's signature under a draw's exclusions, after the browser derived them again.
//
//   <form action="…/countersignature" data-countersign="DRAW" data-party="supervisor">
//
// Every label with its grounds is hashed as the announcement hashed it. Where the root or a count
// is another one than was announced, nothing is signed.

import { b64u, canonical, postStatement, sendJson, sha256, unb64u } from "./passkey.js";
import { showRefusal, showWords } from "./refusals.js";

const utf8 = new TextEncoder();
const english = document.documentElement.lang === "en";

const WORDS = {
  root: english
    ? "These are not the exclusions that were announced. Nothing was signed."
    : "这不是公告的回避名单，没有签名。",
  counts: english
    ? "The announced counts are not those of the list. Nothing was signed."
    : "公告的人数与名单不一致，没有签名。",
};

const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const labelled = (label, ...parts) => sha256(joined(utf8.encode(`${label}\0`), ...parts));
const text = (value) => utf8.encode(canonical(value));

// RFC 6962: full subtrees are joined as soon as there are two of one size.
async function rootOf(leaves) {
  const node = (left, right) => sha256(joined(Uint8Array.of(1), left, right));
  const peaks = [];
  for (const leaf of leaves) {
    let level = 0;
    let grown = leaf;
    while (peaks.length && peaks[peaks.length - 1].level === level) {
      grown = await node(peaks.pop().grown, grown);
      level += 1;
    }
    peaks.push({ level, grown });
  }
  if (!peaks.length) return sha256(new Uint8Array());
  let whole = peaks.pop().grown;
  while (peaks.length) whole = await node(peaks.pop().grown, whole);
  return whole;
}

async function leafOf({ label, strata, grounds, salt }) {
  const name = unb64u(label);
  const fate = await labelled("ebid/1/draw/eligibility", unb64u(salt), name, text(grounds));
  const member = await labelled("ebid/1/draw/member", name, text(strata), fate);
  return { order: hex(name), leaf: await sha256(joined(Uint8Array.of(0), member)) };
}

export async function membersRoot(listed) {
  const leaves = await Promise.all(listed.map(leafOf));
  leaves.sort((one, other) => (one.order < other.order ? -1 : 1));
  return b64u(await rootOf(leaves.map(({ leaf }) => leaf)));
}

export function countsAgree(strata, listed) {
  return strata.every((stratum) => {
    const mine = listed.filter((one) => one.strata.includes(stratum.name));
    const excluded = {};
    for (const ground of mine.flatMap((one) => one.grounds)) {
      excluded[ground] = (excluded[ground] ?? 0) + 1;
    }
    const eligible = mine.filter((one) => !one.grounds.length).length;
    return canonical([mine.length, eligible, excluded])
      === canonical([stratum.members, stratum.eligible, stratum.excluded]);
  });
}

async function countersign(form) {
  const path = `/api/v1/draws/${form.dataset.countersign}`;
  const { announcement } = await sendJson("GET", path);
  const bytes = Uint8Array.from(atob(announcement), (one) => one.charCodeAt(0));
  const told = JSON.parse(new TextDecoder().decode(bytes));
  const { exclusions } = await sendJson("GET", `${path}/exclusions`);
  const root = await membersRoot(exclusions);
  if (root !== told.pool.members_root) throw new Error(WORDS.root);
  if (!countsAgree(told.strata, exclusions)) throw new Error(WORDS.counts);
  await postStatement(form.getAttribute("action"), "draw-eligibility", {
    draw: told.draw,
    party: form.dataset.party,
    members_root: root,
  });
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.countersign === undefined) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await countersign(form);
    location.reload();
  } catch (error) {
    if (error.body) showRefusal(form, error);
    else showWords(form, error.message);
    button.disabled = false;
  }
});
