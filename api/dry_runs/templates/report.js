(() => {
  "use strict";
  const root = document.documentElement;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const svg = document.getElementById("chart"), cross = document.getElementById("cross"), tip = document.getElementById("tip");
  const hover = JSON.parse(document.getElementById("hover").textContent);
  const since = Number(svg.dataset.since), until = Number(svg.dataset.until), left = 210, right = 1186;

  const nearest = (ts) => {
    let low = 0, high = hover.times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (hover.times[middle] <= ts) low = middle; else high = middle - 1;
    }
    return low;
  };
  const shown = (curve, value) => value === null ? "missing"
    : curve.percent ? (100 * value).toFixed(2) + "%" : value.toLocaleString("en", { maximumFractionDigits: 2 });
  const told = (x, ts) => {
    const lines = [new Date(ts).toISOString().slice(0, 16).replace("T", " ") + " UTC"];
    const at = nearest(ts);
    for (const curve of hover.curves) lines.push(curve.name + " " + shown(curve, curve.values[at]));
    for (const lane of svg.querySelectorAll("g.lane")) {
      for (const box of lane.children) {
        const start = box.x.baseVal.value;
        if (start <= x && x < start + box.width.baseVal.value) lines.push(box.textContent);
      }
    }
    return lines.slice(0, 16).join("\n");
  };
  svg.addEventListener("pointermove", (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const inside = point.x >= left && point.x <= right;
    tip.hidden = !inside;
    cross.setAttribute("visibility", inside ? "visible" : "hidden");
    if (!inside) return;
    cross.setAttribute("x1", point.x);
    cross.setAttribute("x2", point.x);
    tip.textContent = told(point.x, since + (until - since) * (point.x - left) / (right - left));
    const frame = svg.parentElement.getBoundingClientRect(), place = event.clientX - frame.left;
    tip.style.left = place > frame.width / 2 ? "auto" : place + 18 + "px";
    tip.style.right = place > frame.width / 2 ? frame.width - place + 18 + "px" : "auto";
  });
  svg.addEventListener("pointerleave", () => { tip.hidden = true; cross.setAttribute("visibility", "hidden"); });

  const figure = (text) => {
    const spent = [...text.matchAll(/(\d+)([dhms])(?![a-z])/g)];
    if (spent.length) return spent.reduce((sum, m) => sum + m[1] * { d: 86400, h: 3600, m: 60, s: 1 }[m[2]], 0);
    return Number.parseFloat(text.replaceAll(",", "").replace(/^[<>]/, ""));
  };
  for (const table of document.querySelectorAll("table.sheet")) {
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th");
      if (!head) return;
      const column = head.cellIndex, down = head.dataset.down !== "yes", number = head.classList.contains("n");
      head.dataset.down = down ? "yes" : "no";
      const key = (row) => number ? figure(row.cells[column].textContent) : row.cells[column].textContent;
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const x = key(a), y = key(b);
        const order = number ? (Number.isNaN(x) ? -1 : x) - (Number.isNaN(y) ? -1 : y) : x.localeCompare(y);
        return down && number ? -order : down ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  }
})();
