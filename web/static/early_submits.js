// Forms that act by JSON are sent by a module, which runs when the page was read to its end. What
// somebody quicker sends is held here and sent then; the browser would send it as no act is written.

(() => {
  const early = [];
  const hold = (event) => {
    if (event.target.dataset.json === undefined) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    early.push([event.target, event.submitter]);
  };
  document.addEventListener('submit', hold, true);
  document.addEventListener('DOMContentLoaded', () => {
    document.removeEventListener('submit', hold, true);
    for (const [form, button] of early) if (form.isConnected) form.requestSubmit(button);
  });
})();
