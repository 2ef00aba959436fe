// A supplier's last price: sealed here, and opened here after the deadline.
//
// What is sent before the deadline is SHA-256 over a label, the lot, the supplier, 32 random bytes
// and the price. Those bytes and the price stay in this browser and in a file that is handed over
// before anything is signed, so that the price can be opened on another machine too.

import { handedOver } from "./files.js";
import { b64u, postStatement, sha256, unb64u } from "./passkey.js";
import { showRefusal, showWords } from "./refusals.js";

const english = document.documentElement.lang === "en";
const utf8 = new TextEncoder();
const place = ({ lot, bidder, seq }) => `sunbid.last-price/${lot}/${bidder}/${seq}`;

const idBytes = (id) =>
  Uint8Array.from(id.replaceAll("-", "").match(/../g), (pair) => Number.parseInt(pair, 16));

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// The price as it is committed to: no zeros before it, two places behind the point.
export function yuan(text) {
  const [whole, places = ""] = text.trim().split(".");
  return `${whole.replace(/^0+(?=\d)/, "")}.${places.padEnd(2, "0")}`;
}

export const commitment = ({ lot, bidder }, salt, price) =>
  sha256(
    joined(
      utf8.encode("ebid/1/last-price\0"),
      idBytes(lot),
      idBytes(bidder),
      unb64u(salt),
      utf8.encode(price),
    ),
  );

async function seal(form) {
  const about = JSON.parse(form.dataset.sealPrice);
  const price = yuan(form.elements.price.value);
  const salt = b64u(crypto.getRandomValues(new Uint8Array(32)));
  const kept = JSON.stringify({ lot: about.lot, bidder: about.bidder, seq: about.seq, price, salt });
  localStorage.setItem(place(about), kept);
  handedOver(kept, `sunbid-last-price-${about.seq}.json`);
  await postStatement(form.action, "last-price", {
    lot: about.lot,
    seq: about.seq,
    changes: about.changes,
    commitment: b64u(await commitment(about, salt, price)),
  });
}

async function open(form) {
  const about = JSON.parse(form.dataset.openPrice);
  const [file] = form.elements.seal.files;
  const kept = file ? await file.text() : localStorage.getItem(place(about));
  if (!kept) {
    showWords(form, english ? "Choose the file with the seal." : "请选择密封文件。");
    return false;
  }
  const { price, salt } = JSON.parse(kept);
  await postStatement(form.action, "last-price-opening", {
    lot: about.lot,
    seq: about.seq,
    price,
    salt,
  });
  localStorage.removeItem(place(about));
  return true;
}

const ACTS = [
  ["sealPrice", seal],
  ["openPrice", open],
];

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const found = ACTS.find(([name]) => form.dataset[name] !== undefined);
  if (!found) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    if ((await found[1](form)) !== false) location.reload();
    else if (button) button.disabled = false;
  } catch (error) {
    showRefusal(form, error);
    if (button) button.disabled = false;
  }
});
