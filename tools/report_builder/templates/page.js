// Tables sort by the button in a column's head: numbers as numbers, what was not run last.
"use strict";
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sort(table, heads, column));
  });
}

function key(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number.parseFloat(text.replace(/[,×]/g, ""));
  return { text, number, absent: text === "" || text === "–" || text === "not run" };
}

function sort(table, heads, column) {
  const direction = heads[column].getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, ...key(row, column) }));
  const numeric = rows.every((one) => one.absent || Number.isFinite(one.number));
  rows.sort((a, b) => {
    if (a.absent !== b.absent) return a.absent ? 1 : -1;
    return direction * (numeric ? a.number - b.number || 0 : a.text.localeCompare(b.text));
  });
  body.append(...rows.map((one) => one.row));
  for (const head of heads) head.removeAttribute("aria-sort");
  const order = direction > 0 ? "ascending" : "descending";
  heads[column].setAttribute("aria-sort", order);
  const name = heads[column].querySelector("button").textContent;
  document.getElementById("sorted").textContent = `Sorted by ${name}, ${order}`;
}
