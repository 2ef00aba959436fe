// News from the server, one way: a browser watches here and acts by ordinary requests.
//
//   <span data-live="VIEW" data-live-after="N">   one per page: what is watched, from which number,
//                                                 and where the state of the line is shown
//   <div data-live-html="URL" data-live-kinds="BidsOpened LotMoved">
//                                                 fetched again when one of these kinds arrives;
//                                                 without kinds, or with `*`, at every entry
//
// Each entry is sent on as `sunbid:entry` (detail = {v, view, seq, at, kind, subject, data}); a part
// that was fetched again says `sunbid:part`. Numbers of a view have no gaps: a message that would leave
// one closes the line, and it is taken up again after the last number seen. Where sockets are
// blocked the same entries are polled. What is lost is never guessed; what is shown has its age.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;
const POLL_MS = 5000;
const QUIET_MS = 45000;
const SOCKET_AGAIN_MS = 60000;
const DUE_AGAIN_MS = [500, 12000];
const SIGNED_OUT = 4401;
const NOT_YOURS = 4403;

const indicator = document.querySelector('[data-live]');
if (indicator) watch(indicator);

function watch(sign) {
  const view = sign.dataset.live;
  let last = Number(sign.dataset.liveAfter) || 0;
  let socket = null;
  let failures = 0; // sockets that ended before they ever opened, in a row
  let wait = FIRST_WAIT_MS;
  let heard = performance.now(); // when what is shown was last known to be current
  let timer = 0;
  let quiet = 0;
  let ended = false;
  let state = '';

  function show(next, words) {
    state = next;
    const tag = sign.querySelector('[data-live-state]');
    tag.textContent = words || sign.dataset[next];
    tag.className = `tag t-${{ connected: 'live', polling: 'open', connecting: 'neutral' }[next] || 'soon'}`;
  }

  function age() {
    const place = sign.querySelector('[data-live-age]');
    if (state === 'connected') heard = performance.now();
    const seconds = Math.round((performance.now() - heard) / 1000);
    place.hidden = seconds <= 3;
    if (!place.hidden) place.textContent = place.dataset.liveAge.replace('{age}', seconds);
  }

  function take(entry) {
    if (!entry || entry.v !== 1 || entry.view !== view || !Number.isInteger(entry.seq)) return true;
    if (entry.seq <= last) return true;
    if (entry.seq !== last + 1) return false;
    last = entry.seq;
    sign.dispatchEvent(new CustomEvent('sunbid:entry', { bubbles: true, detail: entry }));
    for (const part of document.querySelectorAll('[data-live-html]')) {
      const kinds = (part.dataset.liveKinds || '').split(' ').filter(Boolean);
      if (!kinds.length || kinds.includes('*') || kinds.includes(entry.kind)) refresh(part);
    }
    return true;
  }

  function stop(words) {
    ended = true;
    clearTimeout(timer);
    clearTimeout(quiet);
    if (socket) socket.close();
    show('ended', words);
  }

  function later(act, pause) {
    clearTimeout(timer);
    timer = setTimeout(act, pause);
  }

  function backOff() {
    const pause = wait * (0.5 + Math.random() / 2);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    return pause;
  }

  function listenForSilence(line) {
    clearTimeout(quiet);
    quiet = setTimeout(async () => {
      // A line can be dead without either end knowing. Ask once, outside of it.
      const before = last;
      const found = await page().catch(() => null);
      if (line !== socket || ended) return;
      if (found === null || (last === before && found.length)) line.close();
      else listenForSilence(line);
    }, QUIET_MS);
  }

  function connect() {
    if (ended) return;
    if (!('WebSocket' in window)) { poll(); return; }
    if (!state) show('connecting');
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const line = new WebSocket(
      `${scheme}//${location.host}/live?view=${encodeURIComponent(view)}&after=${last}`,
    );
    socket = line;
    let opened = false;
    line.onopen = () => {
      opened = true;
      failures = 0;
      show('connected');
      listenForSilence(line);
    };
    line.onmessage = (message) => {
      if (line !== socket) return;
      wait = FIRST_WAIT_MS;
      listenForSilence(line);
      if (!take(read(message.data))) line.close();
    };
    line.onclose = (event) => {
      if (line !== socket || ended) return;
      clearTimeout(quiet);
      socket = null;
      if (event.code === SIGNED_OUT) { stop(sign.dataset.signedOut); return; }
      if (event.code === NOT_YOURS) { stop(); return; }
      if (!opened) failures += 1;
      if (failures >= 2 && navigator.onLine) { poll(); return; }
      show('again');
      later(connect, backOff());
    };
  }

  async function page() {
    const place = view.split('/').map(encodeURIComponent).join('/');
    const answer = await fetch(`/api/v1/views/${place}/entries?after=${last}`, {
      cache: 'no-store', credentials: 'same-origin', headers: { Accept: 'application/json' },
    });
    if (answer.status === 401) { stop(sign.dataset.signedOut); return []; }
    if (answer.status === 403 || answer.status === 404) { stop(); return []; }
    if (!answer.ok) throw new Error(String(answer.status));
    return (await answer.json()).entries;
  }

  async function poll(since = performance.now()) {
    if (ended) return;
    try {
      const entries = await page();
      if (ended) return;
      heard = performance.now();
      wait = FIRST_WAIT_MS;
      show('polling');
      for (const entry of entries) take(entry);
      if (performance.now() - since > SOCKET_AGAIN_MS) { failures = 1; connect(); return; }
      later(() => poll(since), entries.length ? 0 : POLL_MS);
    } catch {
      show('again');
      later(() => poll(since), backOff());
    }
  }

  addEventListener('offline', () => { if (socket) socket.close(); });
  addEventListener('online', () => {
    if (!ended && !socket) { wait = FIRST_WAIT_MS; later(connect, 0); }
  });
  addEventListener('pagehide', () => { if (socket) socket.close(); });
  addEventListener('pageshow', (event) => { if (event.persisted && !socket) later(connect, 0); });
  setInterval(age, 1000);
  connect();
}

function read(text) {
  try { return JSON.parse(text); } catch { return null; }
}

// A countdown in a part has ended: what it waited for is seen at once, and again when whatever came
// in the last moment has settled.
document.addEventListener('sunbid:due', (event) => {
  const part = event.target.closest('[data-live-html]');
  if (!part) return;
  for (const pause of DUE_AGAIN_MS) setTimeout(() => refresh(part), pause);
});

// One fetch at a time for each part; whatever arrives meanwhile makes one more.
const fetching = new WeakMap();

function refresh(part) {
  if (fetching.has(part)) { fetching.set(part, true); return; }
  fetching.set(part, false);
  setTimeout(() => load(part, FIRST_WAIT_MS), 120);
}

async function load(part, wait) {
  fetching.set(part, false);
  try {
    const answer = await fetch(part.dataset.liveHtml, {
      cache: 'no-store', credentials: 'same-origin', headers: { Accept: 'text/html' },
    });
    if (!answer.ok) throw new Error(String(answer.status));
    put(part, await answer.text());
  } catch {
    setTimeout(() => load(part, Math.min(wait * 2, LONGEST_WAIT_MS)), wait * (0.5 + Math.random()));
    return;
  }
  const again = fetching.get(part);
  fetching.delete(part);
  if (again) refresh(part);
}

function put(part, html) {
  const came = new DOMParser().parseFromString(html, 'text/html');
  const own = (part.id && came.getElementById(part.id)) || came.querySelector('main') || came.body;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : '';
  const scrolled = [...part.querySelectorAll('[role=region]')].map((box) => [box.scrollLeft, box.scrollTop]);
  const chosen = [...part.querySelectorAll('input[type=file][id]')].filter((one) => one.files.length);
  const typed = [...part.querySelectorAll('textarea[id], input[id]:not([type=file]), select[id]')]
    .filter((field) => field.value !== (field.defaultValue ?? field.querySelector('[selected]')?.value))
    .map((field) => [field.id, field.value]);
  const unfolded = [...part.querySelectorAll('details[id][open]')].map((fold) => fold.id);
  part.replaceChildren(...own.childNodes);
  for (const [id, value] of typed) {
    const field = document.getElementById(id);
    if (field && part.contains(field)) field.value = value;
  }
  for (const field of chosen) {
    const fresh = document.getElementById(field.id);
    if (fresh && part.contains(fresh)) fresh.replaceWith(field);
  }
  for (const id of unfolded) {
    const fold = document.getElementById(id);
    if (fold && part.contains(fold)) fold.open = true;
  }
  [...part.querySelectorAll('[role=region]')].forEach((box, n) => {
    if (scrolled[n]) [box.scrollLeft, box.scrollTop] = scrolled[n];
  });
  const back = focused && document.getElementById(focused);
  if (back) back.focus();
  part.dispatchEvent(new CustomEvent('sunbid:part', { bubbles: true }));
}
