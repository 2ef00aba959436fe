// A member's own marks, saved as they are typed and never lost: each edit waits in this browser
// until the platform has acknowledged it, under an id of its own, so that a line that breaks
// neither loses one nor doubles one. An edit that meets another version is shown beside it.
//
// While reading has stopped, what was being read goes from the screen; own marks go on.

const TYPING_MS = 400;
const RETRY_MS = 1500;
const room = document.querySelector("[data-room]");
const committee = room.dataset.committee;
const store = `sunbid:marks:${committee}`;
const cursor = `sunbid:cursor:${committee}`;
const line = document.querySelector("[data-saved]");
const words = JSON.parse(line.dataset.words);
const inputs = [...document.querySelectorAll("[data-mark]")];
const said = (input) => document.getElementById(`said-${input.dataset.item}`);
const input_of = (edit) =>
  inputs.find((one) => one.dataset.bid === edit.bid && one.dataset.item === edit.item);

let queue = JSON.parse(localStorage.getItem(store) || "[]");
let sending = false;
let typing = 0;
let again = 0;

function keep() {
  if (queue.length) localStorage.setItem(store, JSON.stringify(queue));
  else localStorage.removeItem(store);
  if (queue.length) line.textContent = `${queue.length} ${words.queued}`;
}

function saved() {
  const at = new Date().toLocaleTimeString("zh-CN", { hour12: false, timeZone: "Asia/Shanghai" });
  line.textContent = queue.length ? `${queue.length} ${words.queued}` : `${words.saved} ${at}`;
}

// The version a new edit is made upon: what the platform has, and what is on its way to it.
function version_for(input) {
  const waiting = queue.filter((one) => one.bid === input.dataset.bid && one.item === input.dataset.item);
  return Number(input.dataset.version) + waiting.length;
}

function put(input) {
  const text = input.value.trim().replace("。", ".");
  const score = text === "" ? null : text;
  const last = queue.findLast((one) => one.bid === input.dataset.bid && one.item === input.dataset.item);
  if (last ? last.score === score : (input.dataset.shown ?? input.defaultValue) === (score ?? "")) return;
  queue.push({
    edit_id: crypto.randomUUID(),
    bid: input.dataset.bid,
    item: input.dataset.item,
    score,
    base_version: version_for(input),
  });
  keep();
  send();
}

async function send() {
  if (sending || !queue.length) return;
  sending = true;
  clearTimeout(again);
  while (queue.length) {
    const edit = queue[0];
    let answer;
    try {
      answer = await fetch(
        `/api/v1/committees/${committee}/bids/${edit.bid}/marks/${encodeURIComponent(edit.item)}`,
        {
          method: "PUT",
          headers: { "Content-Type": "application/json", Accept: "application/json" },
          body: JSON.stringify({
            edit_id: edit.edit_id, score: edit.score, base_version: edit.base_version,
          }),
        },
      );
    } catch {
      break; // no line: everything stays where it is
    }
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) done(edit, told);
    else if (answer.status === 409 || answer.status === 422 || answer.status === 400) {
      const codes = (told.refusals ?? []).map((one) => one.code);
      if (codes.includes("not_at_seat") || codes.includes("suspended")) break;
      turned_down(edit, told);
    } else break;
    saved();
  }
  sending = false;
  keep();
  if (queue.length) again = setTimeout(send, RETRY_MS);
}

function done(edit, cell) {
  queue.shift();
  const input = input_of(edit);
  if (!input) return;
  input.dataset.version = cell.version;
  input.removeAttribute("aria-invalid");
  if (cell.saved) {
    input.dataset.shown = cell.score ?? "";
    said(input).textContent = "✓";
  } else conflict(edit, cell, input);
}

function conflict(edit, cell, input) {
  const place = said(input);
  const keep_mine = document.createElement("button");
  const take_theirs = document.createElement("button");
  for (const [button, score] of [[keep_mine, edit.score], [take_theirs, cell.score]]) {
    button.type = "button";
    button.className = "btn sec s";
    button.textContent = score ?? "—";
    button.addEventListener("click", () => {
      input.value = score ?? "";
      input.dataset.shown = cell.score ?? "";
      place.replaceChildren();
      put(input);
    });
  }
  place.replaceChildren("另一窗口已改为其他分值，请选择：", keep_mine, take_theirs);
  input.setAttribute("aria-invalid", "true");
}

function turned_down(edit, told) {
  queue.shift();
  for (const later of queue) {
    if (later.bid === edit.bid && later.item === edit.item) later.base_version -= 1;
  }
  const input = input_of(edit);
  if (!input) return;
  input.setAttribute("aria-invalid", "true");
  const grounds = told.refusals ?? [];
  said(input).textContent = grounds.map((one) => one.reason).join("；") || told.detail || told.title || "";
}

for (const input of inputs) {
  const waiting = queue.findLast((one) => one.bid === input.dataset.bid && one.item === input.dataset.item);
  if (waiting) input.value = waiting.score ?? "";
  input.addEventListener("input", () => {
    said(input).textContent = "";
    clearTimeout(typing);
    typing = setTimeout(() => put(input), TYPING_MS);
  });
  input.addEventListener("change", () => { clearTimeout(typing); put(input); });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    put(input);
    inputs[(inputs.indexOf(input) + 1) % inputs.length].focus();
  });
}
addEventListener("online", send);
keep();
send();
document.getElementById(sessionStorage.getItem(cursor) || "")?.focus();
sessionStorage.removeItem(cursor);

document.addEventListener("sunbid:entry", (event) => {
  if (event.detail.kind === "ReadingStopped") {
    delete room.dataset.reading;
    const place = document.querySelector("[data-document]");
    place.replaceChildren();
    place.textContent = "暂停评审：等待全体成员在位。";
  }
  // What this page shows already need not be loaded again; otherwise what is being typed goes into
  // the queue first, which outlives the page, and the cursor comes back to where it was.
  if (event.detail.kind === "ReadingBegan" && room.dataset.reading === undefined) {
    for (const input of inputs) put(input);
    sessionStorage.setItem(cursor, document.activeElement?.id ?? "");
    location.reload();
  }
});
