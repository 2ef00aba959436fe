// Why an act was turned away, told where its reader looks: each ground with its article.
//
//   <div data-says role="alert" tabindex="-1" hidden></div>
//
// It stands in the form, or in the nearest part around it.

const english = document.documentElement.lang === "en";

const WORDS = {
  NotAllowedError: english
    ? "The key did not answer. You can try again."
    : "没有完成身份确认，可以再试一次。",
  TypeError: english
    ? "The platform did not answer. Nothing was changed; try again when the line is back."
    : "没有连上平台，没有任何内容被改变。恢复后可以再试。",
};

function place(form) {
  const inside = form.querySelector("[data-says]");
  for (let around = form; !inside && around; around = around.parentElement) {
    const found = around.querySelector("[data-says]");
    if (found) return found;
  }
  return inside;
}

function grounds(error) {
  const { refusals = [], errors = [], title } = error.body ?? {};
  if (refusals.length) {
    return refusals.map(({ reason, article }) => (article ? `${reason}（${article}）` : reason));
  }
  const told = title ?? WORDS[error.name] ?? error.message;
  // A fault points into what was sent, as in `#/strata/0/specialism`.
  return [told, ...errors.map(({ pointer, detail }) => `${pointer.replace(/^#?\//, "")}: ${detail}`)];
}

export function showWords(form, ...words) {
  const where = place(form);
  const list = document.createElement("ul");
  for (const one of words) {
    const line = document.createElement("li");
    line.textContent = one;
    list.append(line);
  }
  where.replaceChildren(list);
  where.className = "note n-bad";
  where.hidden = false;
  where.focus();
}

export const showRefusal = (form, error) => showWords(form, ...grounds(error));
