// Buttons that make sense only with JavaScript: they are hidden until this has run.
//
//   <button data-copy="TEXT" data-copied="Copied" hidden>    copies the text and says so
//   <button data-print hidden>                               prints the page
//
// And an error summary takes the focus when its page arrives.

function showAll(root) {
  for (const button of root.querySelectorAll('[data-print]')) button.hidden = false;
  if (navigator.clipboard) {
    for (const button of root.querySelectorAll('[data-copy]')) button.hidden = false;
  }
}

async function copy(button) {
  const words = button.dataset.words || button.textContent;
  button.dataset.words = words;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = button.dataset.copied;
  const announcer = document.querySelector('[data-announcer]');
  if (announcer) announcer.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = words; }, 2000);
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copy], [data-print]');
  if (!button) return;
  if (button.dataset.copy !== undefined) copy(button).catch(() => { button.hidden = true; });
  else print();
});

showAll(document);
document.addEventListener('sunbid:part', (event) => showAll(event.target));
const summary = document.querySelector('[data-errors]');
if (summary) summary.focus();
