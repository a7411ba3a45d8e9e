// Crystals that can be turned: balls, bonds and the edges of the cell on a 2-D canvas, painted from
// back to front. The first view is that of the picture it stands upon.
"use strict";
function startViewers(root) {
  const yaw = -24 * Math.PI / 180, tilt = 14 * Math.PI / 180;
  const first = (() => {
    const [sy, cy, st, ct] = [Math.sin(yaw), Math.cos(yaw), Math.sin(tilt), Math.cos(tilt)];
    return [[cy, -sy, 0], [st * sy, st * cy, ct], [-ct * sy, -ct * cy, st]];
  })();
  const apply = (m, p) => m.map(r => r[0] * p[0] + r[1] * p[1] + r[2] * p[2]);
  const times = (a, b) => a.map(r => [0, 1, 2].map(j => r[0] * b[0][j] + r[1] * b[1][j] + r[2] * b[2][j]));
  const turn = (dx, dy) => {
    const [sx, cx, sy, cy] = [Math.sin(dx), Math.cos(dx), Math.sin(dy), Math.cos(dy)];
    return times([[1, 0, 0], [0, cy, -sy], [0, sy, cy]], [[cx, 0, sx], [0, 1, 0], [-sx, 0, cx]]);
  };
  const channels = c => [1, 3, 5].map(i => parseInt(c.slice(i, i + 2), 16));
  const shade = (c, f) => `rgb(${channels(c).map(v => Math.round(v * f)).join(",")})`;
  const tint = (c, f) => `rgb(${channels(c).map(v => Math.round(v + (255 - v) * f)).join(",")})`;

  root.querySelectorAll(".stage").forEach(stage => {
    const data = stage.querySelector("script[type='application/json']");
    if (!data || stage.querySelector("canvas")) return;
    const scene = JSON.parse(data.textContent);
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", stage.dataset.label + ". Arrow keys turn it, plus and minus zoom, Home goes back.");
    canvas.style.height = stage.dataset.share + "%";
    stage.append(canvas);
    const pen = canvas.getContext("2d");
    let view = first, zoom = 1, asked = false;

    function draw() {
      asked = false;
      const box = canvas.getBoundingClientRect(), dense = window.devicePixelRatio || 1;
      if (!box.width) return;
      canvas.width = Math.round(box.width * dense);
      canvas.height = Math.round(box.height * dense);
      pen.setTransform(dense, 0, 0, dense, 0, 0);
      pen.clearRect(0, 0, box.width, box.height);
      pen.lineCap = "butt";
      const scale = zoom * 0.47 * Math.min(box.width, box.height) / scene.size;
      const place = p => {
        const [x, y, z] = apply(view, p);
        const near = 1 + z / (9 * scene.size);
        return [box.width / 2 + scale * near * x, box.height / 2 - scale * near * y, z, near];
      };
      const cage = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
      const pieces = [];
      const stroke = (a, b, width, colour) => {
        pen.strokeStyle = colour; pen.lineWidth = width;
        pen.beginPath(); pen.moveTo(a[0], a[1]); pen.lineTo(b[0], b[1]); pen.stroke();
      };
      const between = (p, q, f) => p.map((v, i) => v + f * (q[i] - v));
      const apart = (p, q) => Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
      const hidden = p => scene.atoms.some(atom => apart(p, atom.position) < atom.radius);
      for (const [p, q] of scene.edges) for (let i = 0; i < 12; i++) {
        if (hidden(between(p, q, (i + 0.5) / 12))) continue;
        const a = place(between(p, q, i / 12)), b = place(between(p, q, (i + 1) / 12));
        pieces.push([(a[2] + b[2]) / 2, () => stroke(a, b, 1.2, cage)]);
      }
      const spots = scene.atoms.map(atom => place(atom.position));
      for (const [i, j] of scene.bonds) {
        const ends = [scene.atoms[i], scene.atoms[j]], length = apart(ends[0].position, ends[1].position);
        const middle = place(between(ends[0].position, ends[1].position, 0.5));
        for (const k of [0, 1]) {
          // From the surface of the ball: what is within is not seen.
          const from = 0.93 * ends[k].radius / length;
          if (from >= 0.5) continue;
          const spot = place(between(ends[k].position, ends[1 - k].position, from)), colour = ends[k].colour;
          pieces.push([(spot[2] + middle[2]) / 2, () => {
            const width = 0.2 * scale * spot[3];
            stroke(spot, middle, width + 1.6, "#3a3d42");
            stroke(spot, middle, width, shade(colour, 0.86));
            stroke(spot, middle, width * 0.35, tint(colour, 0.45));
          }]);
        }
      }
      scene.atoms.forEach((atom, k) => {
        const [x, y, z, near] = spots[k], r = atom.radius * scale * near;
        pieces.push([z, () => {
          const light = pen.createRadialGradient(x - 0.3 * r, y - 0.36 * r, 0.05 * r, x - 0.1 * r, y - 0.1 * r, 1.25 * r);
          light.addColorStop(0, tint(atom.colour, 0.78));
          light.addColorStop(0.4, atom.colour);
          light.addColorStop(1, shade(atom.colour, 0.5));
          pen.beginPath(); pen.arc(x, y, r, 0, 2 * Math.PI);
          pen.fillStyle = light; pen.fill();
          pen.strokeStyle = shade(atom.colour, 0.45); pen.lineWidth = 0.8; pen.stroke();
          pen.font = `600 ${Math.max(11, Math.min(15, 0.9 * r))}px Inter, sans-serif`;
          pen.textAlign = "center"; pen.textBaseline = "middle"; pen.lineJoin = "round";
          pen.strokeStyle = "rgba(255,255,255,.82)"; pen.lineWidth = 2.6; pen.strokeText(atom.symbol, x, y);
          pen.fillStyle = "#16181b"; pen.fillText(atom.symbol, x, y);
        }]);
      });
      pieces.sort((a, b) => a[0] - b[0]).forEach(piece => piece[1]());
    }
    const redraw = () => { if (!asked) { asked = true; requestAnimationFrame(draw); } };
    const move = (dx, dy) => { view = times(turn(dx, dy), view); redraw(); };

    let last = null;
    canvas.addEventListener("pointerdown", event => {
      last = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", event => {
      if (!last) return;
      move((event.clientX - last[0]) * 0.011, (event.clientY - last[1]) * 0.011);
      last = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
    const reset = () => { view = first; zoom = 1; redraw(); };
    canvas.addEventListener("dblclick", reset);
    canvas.addEventListener("keydown", event => {
      const step = 0.13;
      const keys = {
        ArrowLeft: () => move(-step, 0), ArrowRight: () => move(step, 0),
        ArrowUp: () => move(0, -step), ArrowDown: () => move(0, step),
        "+": () => { zoom = Math.min(3, zoom * 1.15); redraw(); },
        "-": () => { zoom = Math.max(0.4, zoom / 1.15); redraw(); },
        Home: reset,
      };
      const act = keys[event.key === "=" ? "+" : event.key];
      if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { act(); event.preventDefault(); }
    });
    new ResizeObserver(redraw).observe(canvas);
    window.matchMedia("(prefers-color-scheme:dark)").addEventListener("change", redraw);
    redraw();
  });
}
