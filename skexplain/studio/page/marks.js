// The mask of one item, a byte per entry, with what was done and undone; editors draw it.

export class Marks {
  // onChange(mask) is called after each mark; mask is a Uint8Array, or null: not looked at.
  constructor(onChange) {
    this.onChange = onChange;
    this.undone = [];
    this.done = [];
    this.mask = null;
    this.ready = false;
  }

  open(mask) {
    this.drop();
    this.mask = mask;
    [this.done, this.undone] = [[], []];
    this.ready = true;
    this.draw();
  }

  // Nothing can be marked until the mask of the next item is here.
  close() {
    this.open(null);
    this.ready = false;
  }

  copy() {
    return this.mask ? this.mask.slice() : this.nothing();
  }

  store(mask) {
    if (!this.ready) return;
    this.done.push(this.mask);
    this.undone = [];
    this.mask = mask;
    this.draw();
    this.onChange(mask);
  }

  undo() { this.swap(this.done, this.undone); }
  redo() { this.swap(this.undone, this.done); }

  swap(from, to) {
    if (!from.length) return;
    this.drop();
    to.push(this.mask);
    this.mask = from.pop();
    this.draw();
    this.onChange(this.mask);
  }
}
