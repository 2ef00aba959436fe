// Says two minutes before a session ends that it will, with one button to stay.
//
//   <div data-session-end="SECONDS" data-to="/sign-in?to=…" role="alert" hidden>
//
// The seconds are those after which a session ends in which nothing is done. Other windows of the
// same browser may have done something, so the platform is asked before anything is said; asking
// that does not count as use. Where a room is watched by a live line, the session stays by itself.
// No session outlasts its longest life: then there is only the way to sign in again, and back.

const WARN_S = 120;
const SLACK_S = 60; // use is noted once a minute
const english = document.documentElement.lang === 'en';
const WORDS = {
  ends: english ? 'Your session ends in less than two minutes:' : '登录将在两分钟内失效，还剩',
  longest: english
    ? 'It cannot last longer; sign in again, and you come back to this page.'
    : '已到一次登录的最长时间，请重新登录，登录后回到本页。',
  over: english ? 'Your session is over' : '登录已失效',
  kept: english ? 'What you typed is kept in this browser.' : '已填写的内容保存在本机浏览器。',
  stop: english ? '. ' : '。',
  stay: english ? 'Stay signed in' : '继续使用',
  again: english ? 'Sign in again' : '重新登录',
};

const bar = document.querySelector('[data-session-end]');
let ticking = 0;
let waiting = 0;

const ask = (path) => fetch(path, { cache: 'no-store', headers: { Accept: 'application/json' } });

function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

// The count is for the eye: read out every second it would drown everything else.
function show(words, act) {
  const count = document.createElement('span');
  count.className = 'num';
  count.setAttribute('aria-hidden', 'true');
  const keeps = document.querySelector('form[data-keep]') ? ` ${WORDS.kept}` : '';
  bar.replaceChildren(words[0], ' ', count, WORDS.stop, ...words.slice(1), keeps, ' ', act);
  bar.hidden = false;
  return count;
}

function signIn() {
  const link = document.createElement('a');
  link.href = bar.dataset.to;
  link.textContent = WORDS.again;
  return link;
}

function hide() {
  clearInterval(ticking);
  bar.hidden = true;
}

async function stay() {
  const answer = await ask('/api/v1/sessions/current');
  if (answer.status === 401) over();
  else if (answer.ok) look();
}

function over() {
  clearInterval(ticking);
  show([WORDS.over], signIn());
}

function warn({ seconds, prolongable }) {
  const until = performance.now() + seconds * 1000;
  let act = signIn();
  if (prolongable) {
    act = document.createElement('button');
    act.type = 'button';
    act.className = 'btn sec s';
    act.textContent = WORDS.stay;
    act.addEventListener('click', () => stay().catch(() => {}));
  }
  const count = show([WORDS.ends, ...(prolongable ? [] : [WORDS.longest])], act);
  count.textContent = clock(seconds);
  clearInterval(ticking);
  ticking = setInterval(() => {
    const left = (until - performance.now()) / 1000;
    if (left > 0) { count.textContent = clock(left); return; }
    clearInterval(ticking);
    look();
  }, 1000);
}

// Asks how long the session lasts yet, and comes back when it is time to say so.
async function look() {
  clearTimeout(waiting);
  let answer;
  try {
    answer = await ask('/api/v1/sessions/current/time-left');
  } catch {
    waiting = setTimeout(look, SLACK_S * 1000); // the line is down; the page says so itself
    return;
  }
  if (answer.status === 401) { over(); return; }
  if (!answer.ok) { waiting = setTimeout(look, SLACK_S * 1000); return; }
  const told = await answer.json();
  if (told.seconds > WARN_S) {
    hide();
    waiting = setTimeout(look, (told.seconds - WARN_S + 0.5) * 1000);
  } else if (told.prolongable && document.querySelector('[data-live]')) {
    await stay();
  } else {
    warn(told);
  }
}

if (bar) {
  // A page on which something is typed asks at once: the session may be near its longest life.
  const idle = Number(bar.dataset.sessionEnd);
  if (document.querySelector('form[data-keep]')) look();
  else waiting = setTimeout(look, Math.max(0, idle - SLACK_S - WARN_S) * 1000);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !bar.hidden) look();
  });
}
