// The mask of one picture: a byte per pixel of the grid, drawn on, undone and redone.

import { Marks } from "./marks.js";

export class Editor extends Marks {
  constructor(canvas, onChange) {
    super(onChange);
    this.canvas = canvas;
    this.tool = "box";
    this.size = 5;
    this.start = null;
    this.points = [];
    this.cross = null;
    canvas.addEventListener("pointerdown", (e) => this.press(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    canvas.addEventListener("pointerup", (e) => this.lift(e));
    canvas.addEventListener("pointercancel", () => this.drop());
    canvas.addEventListener("keydown", (e) => this.key(e));
    canvas.addEventListener("blur", () => { this.cross = null; this.draw(); });
  }

  resize(height, width) {
    [this.height, this.width] = [height, width];
    // Four screen pixels for each of the grid, so that frames are thin.
    [this.canvas.height, this.canvas.width] = [4 * height, 4 * width];
  }

  nothing() { return new Uint8Array(this.height * this.width); }

  // Leaves what was begun, as if it had not been.
  drop() {
    if (this.before) this.mask = this.before;
    [this.start, this.now, this.points, this.before] = [null, null, [], null];
    this.draw();
  }

  setTool(tool) {
    this.tool = tool;
    this.drop();
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * this.width);
    const y = Math.floor((event.clientY - box.top) / box.height * this.height);
    return [Math.max(0, Math.min(this.width - 1, x)), Math.max(0, Math.min(this.height - 1, y))];
  }

  press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.begin(this.at(event));
  }

  move(event) {
    if (this.start === null && !this.points.length) return;
    this.go(this.at(event));
  }

  lift(event) {
    if (this.tool !== "polygon" && this.start !== null) this.end(this.at(event));
  }

  // A mark begins, goes on and ends; by pointer or by keys.
  begin(point) {
    if (!this.ready) return;
    if (this.tool === "polygon") {
      const [first] = this.points;
      const close = first && Math.hypot(first[0] - point[0], first[1] - point[1]) < 2;
      if (close && this.points.length > 2) { this.finishOutline(); return; }
      this.points.push(point);
      this.now = point;
    } else {
      this.start = this.now = point;
      if (this.tool !== "box") {
        this.before = this.mask;
        this.mask = this.copy();
        this.dab(point, point);
      }
    }
    this.draw();
  }

  go(point) {
    if (this.before) this.dab(this.now, point);
    this.now = point;
    this.draw();
  }

  end(point) {
    if (this.tool === "box") {
      const mask = this.copy();
      const [x0, x1] = [this.start[0], point[0]].sort((a, b) => a - b);
      const [y0, y1] = [this.start[1], point[1]].sort((a, b) => a - b);
      for (let y = y0; y <= y1; y++) mask.fill(1, y * this.width + x0, y * this.width + x1 + 1);
      this.start = null;
      this.store(mask);
    } else {
      this.dab(this.now, point);
      const [mask, before] = [this.mask, this.before];
      [this.mask, this.before, this.start] = [before, null, null];
      this.store(mask);
    }
  }

  finishOutline() {
    if (this.points.length < 3) { this.drop(); return; }
    const mask = this.copy();
    const points = this.points;
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        if (inside(points, x + .5, y + .5)) mask[y * this.width + x] = 1;
      }
    }
    for (const [x, y] of points) mask[y * this.width + x] = 1;
    this.points = [];
    this.store(mask);
  }

  dab(from, to) {
    const value = this.tool === "eraser" ? 0 : 1;
    const steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]), 1);
    const radius = this.size / 2;
    for (let step = 0; step <= steps; step++) {
      const cx = from[0] + (to[0] - from[0]) * step / steps + .5;
      const cy = from[1] + (to[1] - from[1]) * step / steps + .5;
      for (let y = Math.max(0, Math.floor(cy - radius)); y < Math.min(this.height, cy + radius); y++) {
        for (let x = Math.max(0, Math.floor(cx - radius)); x < Math.min(this.width, cx + radius); x++) {
          if (Math.hypot(x + .5 - cx, y + .5 - cy) <= radius) this.mask[y * this.width + x] = value;
        }
      }
    }
  }

  key(event) {
    const step = event.shiftKey ? 10 : 1;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    this.cross ??= [Math.floor(this.width / 2), Math.floor(this.height / 2)];
    if (event.key in moves) {
      const [dx, dy] = moves[event.key];
      this.cross = [
        Math.max(0, Math.min(this.width - 1, this.cross[0] + dx)),
        Math.max(0, Math.min(this.height - 1, this.cross[1] + dy)),
      ];
      if (this.start !== null || this.points.length) this.go(this.cross);
    } else if (event.key === " ") {
      if (this.tool === "polygon" || this.start === null) this.begin(this.cross);
      else this.end(this.cross);
    } else if (event.key === "Enter" && this.points.length) {
      this.finishOutline();
    } else if (event.key === "Escape") {
      this.drop();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.draw();
  }

  draw() {
    if (!this.height) return;
    const pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.mask) paint(pen, this.mask, this.height, this.width, 4);
    pen.lineWidth = 2;
    if (this.tool === "box" && this.start) {
      const [x0, x1] = [this.start[0], this.now[0]].sort((a, b) => a - b);
      const [y0, y1] = [this.start[1], this.now[1]].sort((a, b) => a - b);
      frame(pen, () => pen.strokeRect(4 * x0, 4 * y0, 4 * (x1 - x0 + 1), 4 * (y1 - y0 + 1)));
    }
    if (this.points.length) {
      frame(pen, () => {
        pen.beginPath();
        for (const [x, y] of [...this.points, this.now]) pen.lineTo(4 * x + 2, 4 * y + 2);
        pen.stroke();
      });
    }
    if (this.cross) {
      const [x, y] = this.cross.map((v) => 4 * v + 2);
      frame(pen, () => {
        pen.beginPath();
        pen.moveTo(x - 16, y); pen.lineTo(x + 16, y); pen.moveTo(x, y - 16); pen.lineTo(x, y + 16);
        pen.stroke();
      });
    }
  }
}

// Draws marks half transparent, with a full edge.
export function paint(pen, mask, height, width, scale) {
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!at(x, y)) continue;
      const edge = !(at(x - 1, y) && at(x + 1, y) && at(x, y - 1) && at(x, y + 1));
      pen.fillStyle = edge ? "rgb(213 94 0)" : "rgb(213 94 0 / 45%)";
      pen.fillRect(scale * x, scale * y, scale, scale);
    }
  }
}

// A line that shows on dark and on bright.
function frame(pen, stroke) {
  pen.strokeStyle = "#000"; pen.lineWidth = 4; stroke();
  pen.strokeStyle = "#fff"; pen.lineWidth = 2; stroke();
}

function inside(points, x, y) {
  let odd = false;
  for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
    const [xi, yi] = [points[i][0] + .5, points[i][1] + .5];
    const [xj, yj] = [points[j][0] + .5, points[j][1] + .5];
    if (yi > y !== yj > y && x < (xj - xi) * (y - yi) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}
