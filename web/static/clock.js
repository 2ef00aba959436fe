// The platform's clock on the page, and everything that counts down by it.
//
// Server time = a monotonic reading + an offset learnt from the server, the best of a few samples by
// round trip. The visitor's own clock is compared and never used. The monotonic clock may stand still
// while a computer sleeps, so the offset is learnt anew whenever the page comes back.
//
//   <time data-clock>                 the time of day; data-clock="full" with the date
//   <div data-countdown="RFC 3339">   with [data-left], [data-hurry], [data-left-bar]
//   [data-apart], [data-drift]        how far the visitor's clock is off
//
// At zero a countdown sends `sunbid:due` (it bubbles). `serverNow()` is for other modules.

const RESYNC_MS = 5 * 60 * 1000;
const DRIFT_MS = 30 * 1000;
const SPOKEN_S = [1800, 600, 300, 60];
const BEIJING_MS = 8 * 3600 * 1000; // the same all year round

let offset = null; // server's milliseconds minus performance.now()
let shift = 0; // how far a demonstration's clock runs from the world's
let certain = Infinity; // half the round trip of the sample the offset came from
let sampled = 0;

export function serverNow() {
  return offset === null ? null : performance.now() + offset;
}

function fromPage() {
  const shown = document.querySelector('[data-now]') || document.querySelector('[data-clock]');
  const at = shown && Date.parse(shown.dataset.now || shown.getAttribute('datetime'));
  const [entry] = performance.getEntriesByType('navigation');
  if (at) offset = at - ((entry && entry.responseStart) || performance.now());
}

async function sample() {
  const began = performance.now();
  const answer = await fetch('/api/v1/clock', { cache: 'no-store', credentials: 'same-origin' });
  if (!answer.ok) return false;
  const told = await answer.json();
  const ended = performance.now();
  const half = (ended - began) / 2;
  if (half < certain) {
    certain = half;
    offset = Date.parse(told.now) - (began + half);
    shift = (Number(told.offset_s) || 0) * 1000;
    sampled = ended;
  }
  return true;
}

async function learn() {
  certain = Infinity;
  try {
    for (let n = 0; n < 3; n += 1) if (!(await sample())) break;
  } catch { /* offline: what is known goes on counting */ }
  compare();
}

function lengthWords(seconds, units) {
  const sizes = [86400, 3600, 60, 1];
  const parts = [];
  let rest = Math.round(seconds);
  sizes.forEach((size, n) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count && parts.length < 2) parts.push(`${count} ${units[n]}`);
  });
  return parts.join(' ') || `0 ${units[3]}`;
}

function compare() {
  if (!sampled) return;
  const apart = Date.now() - (serverNow() - shift);
  for (const place of document.querySelectorAll('[data-apart]')) {
    place.textContent = place.dataset.apart.replace('{seconds}', (Math.abs(apart) / 1000).toFixed(1));
    place.hidden = false;
  }
  const warning = document.querySelector('[data-drift]');
  if (!warning) return;
  warning.hidden = Math.abs(apart) <= DRIFT_MS;
  if (!warning.hidden) {
    const { drift, fast, slow, units } = warning.dataset;
    const words = drift.replace('{way}', apart > 0 ? fast : slow)
      .replace('{apart}', lengthWords(Math.abs(apart) / 1000, units.split(' ')));
    if (warning.textContent !== words) warning.textContent = words;
  }
}

function leftText(seconds, day) {
  const pad = (value) => String(value).padStart(2, '0');
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const rest = `${pad(Math.floor((seconds % 3600) / 60))}:${pad(seconds % 60)}`;
  if (days) return `${days} ${day} ${pad(hours)}:${rest}`;
  return hours ? `${pad(hours)}:${rest}` : rest;
}

function set(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function count(box, now) {
  const left = Math.max(0, Math.ceil((Date.parse(box.dataset.countdown) - now) / 1000));
  const over = left === 0;
  box.classList.toggle('over', over);
  box.classList.toggle('bad', !over && left <= 600);
  box.classList.toggle('warn', !over && left > 600 && left <= 3600);
  set(box.querySelector('[data-left]'), over ? box.dataset.over : leftText(left, box.dataset.day));
  const hurry = box.querySelector('[data-hurry]');
  if (hurry) {
    hurry.hidden = over || left > 3600;
    set(hurry, left <= 600 ? box.dataset.verySoon : box.dataset.soon);
  }
  const bar = box.querySelector('[data-left-bar]');
  if (bar) bar.value = Math.min(left, bar.max);
  const before = box.lastLeft;
  box.lastLeft = left;
  if (before === undefined || before <= left) return;
  const mark = SPOKEN_S.find((seconds) => before > seconds && left <= seconds && left > seconds - 5);
  const announcer = document.querySelector('[data-announcer]');
  if (mark && announcer) {
    announcer.textContent = box.dataset.spoken
      .replace('{left}', lengthWords(mark, box.dataset.units.split(' ')));
  }
  if (over) {
    if (announcer) announcer.textContent = box.dataset.over;
    box.dispatchEvent(new CustomEvent('sunbid:due', { bubbles: true }));
  }
}

function tick() {
  const now = serverNow();
  if (now !== null) {
    const text = new Date(now + BEIJING_MS).toISOString().slice(0, 19).replace('T', ' ');
    for (const place of document.querySelectorAll('[data-clock]')) {
      set(place, place.dataset.clock === 'full' ? text : text.slice(11));
    }
    for (const box of document.querySelectorAll('[data-countdown]')) count(box, now);
    setTimeout(tick, 1000 - (now % 1000) + 5);
  } else {
    setTimeout(tick, 1000);
  }
}

fromPage();
tick();
learn();
setInterval(learn, RESYNC_MS);
document.addEventListener('visibilitychange', () => { if (!document.hidden) learn(); });
addEventListener('pageshow', (event) => { if (event.persisted) learn(); });
addEventListener('online', learn);
document.addEventListener('sunbid:entry', (event) => {
  if (event.detail.kind === 'ClockJumped') learn();
});
