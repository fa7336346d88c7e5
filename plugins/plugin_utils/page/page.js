// SPDX-FileCopyrightText: 2026 fleetops contributors
// SPDX-License-Identifier: GPL-3.0-or-later
"use strict";
(() => {
  const body = document.querySelector("#rows tbody");
  const rows = [...body.rows];
  const texts = new Map(); // of rows, as far as they were searched
  const filters = document.getElementById("filters");
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");

  function filter() {
    const boxes = [...filters.querySelectorAll("[name=outcome]:checked")];
    const outcomes = new Set(boxes.map((box) => box.value));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row) => {
      const wanted = outcomes.has(row.dataset.outcome) && (!words.length || matches(row, words));
      row.hidden = !wanted;
      count += wanted;
    });
    shown.textContent = `${count} of ${rows.length} shown`;
  }

  function matches(row, words) {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return words.every((word) => texts.get(row).includes(word));
  }

  function sort(header, column) {
    const descending = header.getAttribute("aria-sort") === "ascending";
    header.parentNode.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    // Outcomes from the worst on; in the order of the boxes.
    const ranks = [...filters.querySelectorAll("[name=outcome]")].map((box) => box.value);
    const key = (cell) => cell.matches(".outcome") ? String(ranks.indexOf(cell.parentNode.dataset.outcome)) : cell.textContent.trim();
    const keyed = rows.map((row) => [key(row.cells[column]), row]);
    keyed.sort((one, other) => (descending ? compare(other[0], one[0]) : compare(one[0], other[0])));
    body.append(...keyed.map(([, row]) => row));
  }

  document.querySelectorAll("#rows thead th").forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", () => sort(header, column));
    header.replaceChildren(button);
  });
  filters.addEventListener("input", filter);
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.hidden = false;

  // On paper nothing can be opened.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((details) => { details.open = true; });
  });
  window.addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));
})();
