// Tables that can be sorted and filtered, and one choice of the x axis for all learning curves.
function startTables(root) {
  const value = cell => {
    const text = cell ? cell.textContent.trim().replace(/\u2212/g, "-") : "";
    const number = parseFloat(text);
    return text !== "" && /^[-+\d.]/.test(text) && !Number.isNaN(number) ? number : text;
  };
  root.querySelectorAll("table").forEach(table => {
    const body = table.tBodies[0];
    if (!body || body.rows.length < 2 || table.dataset.ready) return;
    table.dataset.ready = "yes";
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].sort((a, b) => {
          const [x, y] = [value(a.cells[column]), value(b.cells[column])];
          const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
          return up ? order : -order;
        });
        body.append(...rows);
      });
    });
    if (body.rows.length > 12) {
      const filter = document.createElement("input");
      filter.className = "filter";
      filter.type = "search";
      filter.placeholder = "Filter rows";
      filter.setAttribute("aria-label", "Filter the rows of this table");
      table.parentNode.before(filter);
      filter.addEventListener("input", () => {
        const words = filter.value.toLowerCase().split(/\s+/);
        for (const row of body.rows) {
          const text = row.textContent.toLowerCase();
          row.hidden = !words.every(word => text.includes(word));
        }
      });
    }
  });
  // A table that is wider or longer than its place says so.
  root.querySelectorAll(".scroll").forEach(place => {
    const note = document.createElement("p");
    note.className = "goes-on";
    note.hidden = true;
    place.after(note);
    place.tabIndex = 0;
    const look = () => {
      const wide = place.scrollWidth - place.clientWidth - place.scrollLeft > 8;
      const long = place.scrollHeight - place.clientHeight - place.scrollTop > 8;
      note.hidden = !wide && !long;
      note.textContent = wide && long ? "Scroll for more columns \u2192 and rows \u2193"
        : wide ? "Scroll for more columns \u2192" : "Scroll for more rows \u2193";
    };
    place.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(place);
    look();
  });
  root.querySelectorAll(".choices > input").forEach(input => input.addEventListener("change", () => {
    const place = input.dataset.choice;
    document.querySelectorAll(`.choices > input[data-choice="${place}"]`).forEach(other => { other.checked = true; });
  }));
}
