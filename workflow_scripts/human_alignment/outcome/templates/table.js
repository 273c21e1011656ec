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
