"use strict";
// A click on a column's name sorts by it: numbers from the largest, words from A; again turns it.

for (const head of document.querySelectorAll("thead th")) {
  head.querySelector("button").onclick = () => {
    const table = head.closest("table"), body = table.tBodies[0];
    const numeric = head.classList.contains("number");
    const up = head.ariaSort ? head.ariaSort === "descending" : !numeric;
    const value = ({ dataset, textContent }) => dataset.value ?? textContent;
    const keyed = [...body.rows].map(row => [value(row.cells[head.cellIndex]), row]);
    keyed.sort(([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === ""); // empty ones last
      return (numeric ? a - b : a.localeCompare(b)) * (up ? 1 : -1);
    });
    for (const other of head.parentNode.cells) other.ariaSort = null;
    head.ariaSort = up ? "ascending" : "descending";
    body.append(...keyed.map(([, row]) => row));
    table.dispatchEvent(new Event("sorted"));
  };
}

// A search box above a table leaves the rows that hold all of its words, in whatever order. Only the
// first AT_ONCE of them are laid out, and more at the end of the scrolling: thousands take seconds.

const AT_ONCE = 500;

for (const box of document.querySelectorAll(".search input")) {
  const search = box.closest(".search"), wide = document.getElementById(box.getAttribute("aria-controls")).parentNode;
  const table = wide.querySelector("table"), body = table.tBodies[0], texts = new Map();
  const text = row => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };
  let most = AT_ONCE, found = 0;
  const show = () => {
    const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = 0;
    for (const row of body.rows) {
      const fits = wanted.every(word => text(row).includes(word));
      found += fits;
      const hidden = !fits || found > most;
      if (row.hidden !== hidden) row.hidden = hidden;
    }
    const said = wanted.length ? [`${found} of ${body.rows.length} rows`] : [];
    if (found > most) said.push(`the first ${most} are shown, more as you scroll`);
    search.querySelector("[role=status]").textContent = said.join("; ");
  };
  const anew = () => { most = AT_ONCE; show(); wide.scrollTop = 0; };
  box.oninput = anew;
  table.addEventListener("sorted", anew);
  wide.onscroll = () => {
    if (found > most && wide.scrollTop + 2 * wide.clientHeight > wide.scrollHeight) {
      most += AT_ONCE;
      show();
    }
  };
  show(); // a browser that goes back to the page may have kept the words
}
