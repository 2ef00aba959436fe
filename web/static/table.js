// Tables that can be sorted, for those whose rows are all on the page.
//
//   <table data-sortable data-sort-words="Sort by {column}">
//
// A heading becomes a button that says what it sorts by; figures sort by `data-v`, words by the
// page's language. A region that has nothing to scroll takes no stop of the Tab key.

function valueOf(row, column, exact) {
  const cell = row.cells[column];
  const text = cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim();
  return exact ? figure(text) : text;
}

// Compared as text of digits, never as floating point: amounts stay exact.
function figure(text) {
  const found = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text.replace(/,/g, ''));
  if (!found) return null;
  const scaled = BigInt(found[2] + (found[3] || '').padEnd(9, '0').slice(0, 9));
  return found[1] ? -scaled : scaled;
}

function sorter(table, column, exact) {
  const words = new Intl.Collator(document.documentElement.lang);
  return (one, other) => {
    const a = valueOf(one, column, exact);
    const b = valueOf(other, column, exact);
    if (!exact) return words.compare(a, b);
    if (a === null || b === null) return (a === null) - (b === null);
    return a < b ? -1 : a > b ? 1 : 0;
  };
}

function sortBy(table, heading, column) {
  const descending = heading.getAttribute('aria-sort') === 'ascending';
  for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
  heading.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
  const exact = ['number', 'yuan', 'size'].includes(heading.dataset.kind);
  const rows = [...table.tBodies[0].rows].sort(sorter(table, column, exact));
  if (descending) rows.reverse();
  table.tBodies[0].append(...rows);
}

function enhance(root) {
  for (const table of root.querySelectorAll('table[data-sortable]')) {
    if (table.sortable) continue;
    table.sortable = true;
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...heading.childNodes);
      button.title = table.dataset.sortWords.replace('{column}', button.textContent.trim());
      button.addEventListener('click', () => sortBy(table, heading, column));
      heading.append(button);
    });
  }
}

function stops() {
  for (const region of document.querySelectorAll('.tw')) {
    const scrolls = region.scrollWidth > region.clientWidth + 1
      || region.scrollHeight > region.clientHeight + 1;
    if (scrolls) region.setAttribute('tabindex', '0');
    else if (region !== document.activeElement) region.removeAttribute('tabindex');
  }
}

enhance(document);
stops();
addEventListener('resize', stops);
document.addEventListener('sunbid:part', (event) => { enhance(event.target); stops(); });
