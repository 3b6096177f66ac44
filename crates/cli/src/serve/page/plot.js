// A line plot of the last values, on a canvas: no dependency, sharp on every display.

const POINTS = 400;

export class Plot {
  /** @param {HTMLCanvasElement} canvas @param {string} unit what the values are in */
  constructor(canvas, unit) {
    this.canvas = canvas;
    this.unit = unit;
    this.values = [];
    this.scheduled = false;
    new ResizeObserver(() => this.schedule()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.schedule());
  }

  clear() {
    this.values = [];
    this.schedule();
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > POINTS) this.values.shift();
    this.schedule();
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.draw();
    });
  }

  draw() {
    const { canvas, values } = this;
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (width === 0 || height === 0) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const left = 52, right = 10, top = 10, bottom = 12;
    const ceiling = nice(Math.max(...values, 0));
    const y = (v) => top + (height - top - bottom) * (1 - v / ceiling);

    c.font = "11px system-ui, sans-serif";
    c.fillStyle = style.getPropertyValue("--soft");
    c.strokeStyle = style.getPropertyValue("--line");
    c.textAlign = "right";
    c.textBaseline = "middle";
    for (const share of [0, 0.5, 1]) {
      const v = ceiling * share;
      c.beginPath();
      c.moveTo(left, y(v));
      c.lineTo(width - right, y(v));
      c.stroke();
      c.fillText(label(v), left - 6, y(v));
    }
    c.textAlign = "left";
    c.fillText(this.unit, left + 4, top + 8);
    if (values.length === 0) return;

    const step = (width - left - right) / Math.max(values.length - 1, 30);
    c.strokeStyle = style.getPropertyValue("--plot");
    c.lineWidth = 2;
    c.lineJoin = "round";
    c.beginPath();
    values.forEach((v, i) => (i === 0 ? c.moveTo(left, y(v)) : c.lineTo(left + i * step, y(v))));
    c.stroke();
  }
}

/** The next round number at or above `v`. */
function nice(v) {
  if (!(v > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= v) ?? 10 * power;
}

function label(v) {
  return v >= 100 ? v.toFixed(0) : v.toPrecision(2).replace(/\.0$/, "");
}
