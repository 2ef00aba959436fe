// Forms that act by JSON: what a form holds is sent as its action asks, and a refusal is shown.
//
//   <form action="/api/v1/…" method="post" data-json='{"fixed": "members"}'>
//     data-verb="DELETE"          another verb than POST; nothing is sent with it
//     data-then="/draws/{id}"     where to go when it is done, filled in from the answer; without
//                                 it the page is loaded again and shows what was done
//
// A field named `window.from` or `strata.0.seats` goes to that place. Its text is sent as it is, a
// checkbox sends true or false; `data-as` says otherwise:
//
//   number     a whole number               list    the words between spaces and commas
//   instant    a time of day in Beijing     each    a ticked box or a choice adds to a list
//
// What is empty and has `data-empty="leave"` is left out, with `data-empty="row"` the whole entry
// of the list it stands in. Buttons with a name send their value; `true` and `false` are sent as
// such.

import { sendJson } from "./passkey.js";
import { showRefusal } from "./refusals.js";

const meant = (text) => (text === "true" ? true : text === "false" ? false : text);

const AS = {
  number: Number,
  instant: (local) => new Date(`${local}:00+08:00`).toISOString(),
  list: (text) => text.split(/[\s,，、;；]+/).filter(Boolean),
};

function valueOf(field) {
  if (field.type === "checkbox") return field.checked;
  const text = field.value.trim();
  return text !== "" && field.dataset.as in AS ? AS[field.dataset.as](text) : text;
}

// The object or list that a path such as ["strata", "0", "seats"] leads through, made on the way.
function within(body, path) {
  return path.slice(0, -1).reduce((place, step, depth) => {
    place[step] ??= /^\d+$/.test(path[depth + 1]) ? [] : {};
    return place[step];
  }, body);
}

export function told(form, button) {
  const body = JSON.parse(form.dataset.json || "{}");
  const dropped = new Map();
  for (const field of form.elements) {
    if (!field.name || field.disabled || field.tagName === "BUTTON") continue;
    if (field.type === "radio" && !field.checked) continue;
    const path = field.name.split(".");
    const place = within(body, path);
    const name = path[path.length - 1];
    const value = valueOf(field);
    if (field.dataset.as === "each") {
      place[name] ??= [];
      const chosen = field.type === "checkbox" ? field.checked : value !== "";
      if (chosen) place[name].push(field.value);
    } else if (value === "" && field.dataset.empty === "row") {
      const list = within(body, path.slice(0, -1));
      dropped.set(list, [...(dropped.get(list) ?? []), path[path.length - 2]]);
    } else if (value !== "" || field.dataset.empty !== "leave") {
      place[name] = value;
    }
  }
  for (const [list, rows] of dropped) {
    for (const row of rows.map(Number).sort((one, other) => other - one)) list.splice(row, 1);
  }
  if (button?.name) body[button.name] = meant(button.value);
  return body;
}

const filled = (path, answer) => path.replace(/\{(\w+)\}/g, (_, name) => answer?.[name] ?? "");

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.json === undefined) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    const verb = form.dataset.verb ?? "POST";
    const body = verb === "DELETE" ? undefined : told(form, button);
    const answer = await sendJson(verb, form.getAttribute("action"), body);
    if (form.dataset.then) location.assign(filled(form.dataset.then, answer));
    else location.reload();
  } catch (error) {
    showRefusal(form, error);
    if (button) button.disabled = false;
  }
});
