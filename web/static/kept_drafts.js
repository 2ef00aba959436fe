// What is typed into a form that takes long is kept in this browser until it is sent.
//
//   <form id="…" data-keep>    kept every five seconds at most, and when a field or the page is left
//
// It never leaves the browser, and is kept for the person and capacity that <body data-drafts>
// names: whoever signs in next finds nothing of it, and whoever signs out leaves nothing. A form that comes with errors shows what was
// sent, and that goes before what was kept. A module that sends a form by itself says
// `sunbid:sent` (it bubbles). Neither files nor passwords are kept, and nothing is longer than a week.

const REST_MS = 5000;
const WEEK_MS = 7 * 24 * 3600 * 1000;
const ROWS_MAX = 30;
const FOLDER = 'sunbid.draft/';
const SENT = 'sunbid.sent';
const NEVER = new Set(['file', 'hidden', 'password', 'submit', 'button']);

const english = document.documentElement.lang === 'en';
const WORDS = {
  kept: english ? 'Kept {at}, in this browser only' : '已保存 {at}，只保存在本机浏览器',
  back: english ? 'What you typed until {at} is here again.' : '已恢复您在 {at} 填写的内容。',
  drop: english ? 'Discard it' : '放弃恢复的内容',
};

const owner = document.body.dataset.drafts || '';
const [person] = owner.split('.');
const rests = new WeakMap();
const served = new WeakMap();

const placeOf = (form) => `${FOLDER}${owner}${location.pathname}${location.search}#${form.id}`;

// The platform's time, as the page shows it; the visitor's own where it shows none.
function time() {
  const clock = document.querySelector('[data-clock=""]');
  if (clock) return clock.textContent.trim();
  return new Date().toLocaleTimeString('zh-CN', { hour12: false, timeZone: 'Asia/Shanghai' });
}

function fieldsOf(form) {
  return [...form.elements].filter(
    (one) => !NEVER.has(one.type) && one.tagName !== 'BUTTON' && (one.id || one.name),
  );
}

const nameOf = (field) => field.id || `${field.name}=${field.value}`;
const ticked = (field) => field.type === 'checkbox' || field.type === 'radio';
const valueOf = (field) => (ticked(field) ? field.checked : field.value);

function valuesOf(form) {
  return Object.fromEntries(fieldsOf(form).map((field) => [nameOf(field), valueOf(field)]));
}

function fill(form, values) {
  const wanted = new Map(Object.entries(values));
  const more = form.querySelector('[data-more]');
  const missing = () => {
    const there = new Set(fieldsOf(form).map(nameOf));
    return [...wanted.keys()].some((name) => !there.has(name));
  };
  for (let rows = 0; more && missing() && rows < ROWS_MAX; rows += 1) more.click();
  for (const field of fieldsOf(form)) {
    const value = wanted.get(nameOf(field));
    if (value === undefined) continue;
    if (ticked(field)) field.checked = value;
    else field.value = value;
  }
  form.dispatchEvent(new Event('input', { bubbles: true }));
}

function line(form, kind) {
  let said = form.querySelector(`[data-draft="${kind}"]`);
  if (!said) {
    said = document.createElement('p');
    said.className = 'sm mut num';
    said.dataset.draft = kind;
    const acts = form.querySelector('.acts:last-of-type');
    if (kind === 'back') form.prepend(said);
    else if (acts) acts.before(said);
    else form.append(said);
  }
  return said;
}

function keep(form) {
  clearTimeout(rests.get(form));
  rests.delete(form);
  const values = valuesOf(form);
  const kept = { at: Date.now(), shown: time(), values };
  try {
    if (JSON.stringify(values) === served.get(form)) localStorage.removeItem(placeOf(form));
    else localStorage.setItem(placeOf(form), JSON.stringify(kept));
  } catch {
    return; // a browser that keeps nothing, or is full: nothing is said to be kept
  }
  line(form, 'kept').textContent = WORDS.kept.replace('{at}', kept.shown);
}

function forget(form) {
  clearTimeout(rests.get(form));
  rests.delete(form);
  try {
    localStorage.removeItem(placeOf(form));
  } catch { /* nothing was kept */ }
}

// The line is there from the start: what moves as a field is left takes the click from its button.
function bringBack(form) {
  line(form, 'kept').textContent = '\u00a0';
  served.set(form, JSON.stringify(valuesOf(form)));
  if (form.querySelector('[aria-invalid]') || document.querySelector('[data-errors]')) return;
  const kept = JSON.parse(localStorage.getItem(placeOf(form)) || 'null');
  if (!kept || JSON.stringify(kept.values) === served.get(form)) return;
  fill(form, kept.values);
  const around = form.closest('details');
  if (around) around.open = true;
  const said = line(form, 'back');
  const drop = document.createElement('button');
  drop.type = 'button';
  drop.className = 'btn sec s';
  drop.textContent = WORDS.drop;
  drop.addEventListener('click', () => {
    fill(form, JSON.parse(served.get(form)));
    forget(form);
    said.remove();
  });
  said.setAttribute('role', 'status');
  said.replaceChildren(WORDS.back.replace('{at}', kept.shown), ' ', drop);
}

// What was sent by the browser itself is done with once a page comes that tells of no problem.
function settle() {
  const sent = sessionStorage.getItem(SENT);
  if (sent === null) return;
  sessionStorage.removeItem(SENT);
  if (!document.querySelector('[data-problem], [data-errors], [aria-invalid]')) {
    localStorage.removeItem(sent);
  }
}

function clearOld() {
  for (const place of Object.keys(localStorage)) {
    if (!place.startsWith(FOLDER)) continue;
    const mine = !owner || place.startsWith(`${FOLDER}${person}.`);
    const { at = 0 } = JSON.parse(localStorage.getItem(place) || '{}');
    if (!mine || Date.now() - at > WEEK_MS) localStorage.removeItem(place);
  }
}

function forgetAll() {
  for (const place of Object.keys(localStorage)) {
    if (place.startsWith(FOLDER)) localStorage.removeItem(place);
  }
}

const keptForm = (target) => target.closest && target.closest('form[data-keep]');

document.addEventListener('input', ({ target }) => {
  const form = keptForm(target);
  if (form && !rests.has(form)) rests.set(form, setTimeout(() => keep(form), REST_MS));
});
document.addEventListener('focusout', ({ target }) => {
  const form = keptForm(target);
  if (form && rests.has(form)) keep(form);
});
addEventListener('pagehide', () => {
  for (const form of document.querySelectorAll('form[data-keep]')) {
    if (rests.has(form)) keep(form);
  }
});
document.addEventListener('sunbid:sent', ({ target }) => {
  if (keptForm(target)) forget(target);
});
// On the window, so that whoever sends by script has already said that the browser should not.
addEventListener('submit', (event) => {
  if (new URL(event.target.action).pathname.endsWith('/sign-out')) forgetAll();
  const form = keptForm(event.target);
  if (!form || event.defaultPrevented) return;
  keep(form);
  try {
    sessionStorage.setItem(SENT, placeOf(form));
  } catch { /* then it is kept for a week */ }
});

// Once every module of the page is there, for they answer to what comes back.
document.addEventListener('DOMContentLoaded', () => {
  try {
    settle();
    clearOld();
    if (owner) document.querySelectorAll('form[data-keep]').forEach(bringBack);
  } catch { /* a browser that keeps nothing */ }
});
