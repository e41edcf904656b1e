// The words of a text, or a column of a table: each is marked by a click, a stroke over several, or
// by keys.

import { Marks } from "./marks.js";

export class Words extends Marks {
  constructor(box, onChange) {
    super(onChange);
    this.box = box;
    this.words = [];
    this.focus = 0;
    this.from = null;
    box.addEventListener("pointerdown", (e) => this.press(e));
    box.addEventListener("pointerover", (e) => this.move(e));
    window.addEventListener("pointerup", () => this.lift());
    box.addEventListener("keydown", (e) => this.key(e));
  }

  // before: what stands before the first word; words: pairs of a word and what follows it.
  show(before, words) {
    this.words = words.map(([text]) => {
      const word = document.createElement("button");
      word.className = "word";
      word.textContent = text;
      word.tabIndex = -1;
      return word;
    });
    const parts = words.flatMap(([, gap], i) => [this.words[i], gap]);
    this.box.replaceChildren(before, ...parts);
    this.focus = 0;
    if (this.words.length) this.words[0].tabIndex = 0;
  }

  nothing() { return new Uint8Array(this.words.length); }

  drop() {
    [this.from, this.to] = [null, null];
    this.draw();
  }

  setTool() {}

  press(event) {
    const place = this.words.indexOf(event.target);
    if (place < 0 || event.button !== 0 || !this.ready) return;
    [this.from, this.to] = [place, place];
    this.draw();
  }

  move(event) {
    const place = this.words.indexOf(event.target);
    if (this.from === null || place < 0) return;
    this.to = place;
    this.draw();
  }

  lift() {
    if (this.from === null) return;
    const [from, to] = this.range();
    this.go(this.to);
    [this.from, this.to] = [null, null];
    this.toggle(from, to);
  }

  range() { return [this.from, this.to].sort((a, b) => a - b); }

  // A stroke marks all of its words, or none if its first was marked.
  toggle(from, to) {
    const mask = this.copy();
    mask.fill(mask[from] ? 0 : 1, from, to + 1);
    this.store(mask);
  }

  go(place) {
    this.words[this.focus].tabIndex = -1;
    this.focus = Math.max(0, Math.min(this.words.length - 1, place));
    this.words[this.focus].tabIndex = 0;
    this.words[this.focus].focus();
  }

  key(event) {
    if (!this.words.length || this.words.indexOf(event.target) < 0) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -10, ArrowDown: 10 };
    if (event.key in steps) this.go(this.focus + steps[event.key]);
    else if (event.key === "Home") this.go(0);
    else if (event.key === "End") this.go(this.words.length - 1);
    else if (event.key === " " || event.key === "Enter") this.toggle(this.focus, this.focus);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  looks(shares) {
    this.words.forEach((word, i) => {
      word.classList.remove(...[1, 2, 3, 4].map((n) => `looks-${n}`));
      const level = shares ? Math.ceil(shares[i] / 64) : 0;
      if (level) word.classList.add(`looks-${level}`);
    });
  }

  draw() {
    const [from, to] = this.from === null ? [-1, -2] : this.range();
    this.words.forEach((word, i) => {
      word.setAttribute("aria-pressed", Boolean(this.mask?.[i]));
      word.classList.toggle("drawn", i >= from && i <= to);
    });
  }
}
