"use strict";
// A click on a column's name sorts by it: numbers from the largest, words from A; again turns it.

for (const head of document.querySelectorAll("thead th")) {
  head.querySelector("button").onclick = () => {
    const body = head.closest("table").tBodies[0], numeric = head.classList.contains("number");
    const up = head.ariaSort ? head.ariaSort === "descending" : !numeric;
    const key = row => row.cells[head.cellIndex].dataset.value ?? row.cells[head.cellIndex].textContent;
    const compare = (a, b) => {
      if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === ""); // empty ones last
      return (numeric ? key(a) - key(b) : key(a).localeCompare(key(b))) * (up ? 1 : -1);
    };
    for (const other of head.parentNode.cells) other.ariaSort = null;
    head.ariaSort = up ? "ascending" : "descending";
    body.append(...[...body.rows].sort(compare));
  };
}

// A search box above a table leaves the rows that hold all of its words, in whatever order.

for (const box of document.querySelectorAll(".search input")) {
  const search = box.closest(".search"), body = search.nextElementSibling.querySelector("tbody");
  const words = text => text.toLowerCase().split(/\s+/).filter(Boolean);
  box.oninput = () => {
    const wanted = words(box.value);
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every(word => text.includes(word));
    }
    const shown = [...body.rows].filter(row => !row.hidden).length;
    search.querySelector("[role=status]").textContent =
      wanted.length ? `${shown} of ${body.rows.length} rows` : "";
  };
  box.oninput(); // a browser that goes back to the page may have kept the words
}
