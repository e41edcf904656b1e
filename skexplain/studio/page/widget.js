// The editor in a notebook: what the page does with a server, this does with the kernel.  The package
// puts marks.js and editor.js before it.

const TOOLS = { box: "Box", polygon: "Outline", brush: "Brush", eraser: "Eraser" };

function render({ model, el }) {
  const button = (text, action) => {
    const made = document.createElement("button");
    made.textContent = text;
    made.addEventListener("click", action);
    return made;
  };
  const [facts, stage] = [document.createElement("p"), document.createElement("div")];
  const [picture, canvas] = [document.createElement("img"), document.createElement("canvas")];
  stage.style.cssText = "position: relative; width: min(100%, 30rem); touch-action: none";
  picture.style.cssText = "width: 100%; display: block; image-rendering: pixelated";
  canvas.style.cssText = "position: absolute; inset: 0; width: 100%; height: 100%; cursor: crosshair";
  picture.alt = "";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "mask: arrow keys move the cross, space starts and ends a mark");
  stage.append(picture, canvas);

  // The number goes with the marks, so that those of a picture that was left are not of the next.
  const editor = new Editor(canvas, (mask) => {
    model.send({ number: model.get("number"), annotated: mask !== null }, undefined,
      mask ? [mask.buffer] : []);
    say(mask);
  });
  const say = (mask) => {
    const state = !mask ? "not looked at" : mask.some(Boolean) ? "marked" : "nothing marked";
    facts.textContent = `${model.get("number") + 1} of ${model.get("n_samples")}: ${state}`;
  };
  const step = (by) => {
    const number = model.get("number") + by;
    if (number < 0 || number >= model.get("n_samples")) return;
    editor.close(); // until its marks are here
    model.set("number", number);
    model.save_changes();
  };
  const tools = Object.entries(TOOLS).map(([tool, text]) => button(text, () => {
    editor.setTool(tool);
    tools.forEach((made, i) => made.setAttribute("aria-pressed", Object.keys(TOOLS)[i] === tool));
  }));
  tools.forEach((made, i) => made.setAttribute("aria-pressed", i === 0));
  const bar = document.createElement("div");
  bar.append(...tools, button("Undo", () => editor.undo()), button("Redo", () => editor.redo()),
    button("Nothing here", () => editor.store(editor.nothing())),
    button("Not looked at", () => editor.store(null)),
    button("Back", () => step(-1)), button("Next", () => step(1)));

  // Picture and marks come together, in one message.
  const show = () => {
    const { png, marks } = model.get("shown");
    const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const old = picture.src;
    picture.src = URL.createObjectURL(new Blob([bytes(png)], { type: "image/png" }));
    if (old) URL.revokeObjectURL(old);
    editor.resize(...model.get("shape"));
    editor.open(marks ? bytes(marks).slice() : null);
    say(editor.mask);
  };
  model.on("change:shown", show);
  el.append(bar, facts, stage);
  show();
  return () => model.off("change:shown", show);
}

export default { render };
