// SPDX-FileCopyrightText: 2026 fleetops contributors
// SPDX-License-Identifier: GPL-3.0-or-later
"use strict";
(() => {
  const body = document.querySelector("#rows tbody");
  const rows = [...body.rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const filters = document.getElementById("filters");
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");

  function filter() {
    const boxes = [...filters.elements.outcome ? filters.querySelectorAll("[name=outcome]:checked") : []];
    const outcomes = new Set(boxes.map((box) => box.value));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, number) => {
      const wanted = outcomes.has(row.dataset.outcome) && words.every((word) => texts[number].includes(word));
      row.hidden = !wanted;
      count += wanted;
    });
    shown.textContent = `${count} of ${rows.length} shown`;
  }

  function sort(header, column) {
    const descending = header.getAttribute("aria-sort") === "ascending";
    header.parentNode.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    const keyed = rows.map((row) => [row.cells[column].textContent.trim(), row]);
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
})();
