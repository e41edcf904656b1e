// The page: what the server says is shown, what a person does is sent.  Texts of the data are set as
// text, never as HTML.

import { Editor, paint } from "./editor.js";
import { Words } from "./words.js";

const $ = (id) => document.getElementById(id);
const CELL = 96; // of pictures; what has a name alone has a line
const LINE = 56;

// Models, in the order of the table.
const KINDS = ["given", "labels", "marks", "corrected", "shuffled"];

let project = null; // see Studio.overview of the server
let models = {};
let order = []; // numbers of the items that are shown
let current = -1;
let saving = Promise.resolve();
const unsaved = new Map(); // masks that the server has not stored yet, by the numbers of the items

async function ask(path, options = {}) {
  const answer = await fetch(path, options).catch(() => {
    throw new Error("The server did not answer.");
  });
  if (!answer.ok) {
    const { error, revision } = await answer.json().catch(() => ({ error: answer.statusText }));
    throw Object.assign(new Error(error), { status: answer.status, revision });
  }
  return answer;
}

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

const attempt = (action) => async (...given) => {
  try {
    say("");
    await action(...given);
  } catch (error) {
    say(error.message);
  }
};

// -- pictures ------------------------------------------------------------------------------------

const FROM = {
  copied: "mask copied", suggested: "mask from a suggestion", propagated: "mask guessed",
  imported: "mask from a file",
};
const isGuess = (item) => item.annotated && item.by !== "person";

function statusOf(item) {
  if (!item.annotated) return "not looked at";
  return FROM[item.by] ?? "marked by you";
}

const ofPictures = () => project.kind === "pictures";
const ofSamples = () => project.kind !== "table"; // each item has a class and a prediction

function fillFilters() {
  const add = (value, text) => $("filter").append(new Option(text, value));
  add("all", "all");
  add("open", "not looked at");
  add("person", "marked by me");
  add("guessed", "guessed, to be checked");
  if (!ofSamples()) return;
  const labels = [...new Set(project.states.map((p) => p.label))];
  add("wrong", "wrong by the model");
  add("changed", "changed by the marks");
  for (const label of labels) add(`class ${label}`, `class ${label}`);
}

function chosen(number) {
  const picture = project.states[number];
  const filter = $("filter").value;
  const labels = models.labels?.predictions;
  const marks = models.marks?.predictions;
  if (filter === "open") return !picture.annotated;
  if (filter === "person") return picture.annotated && picture.by === "person";
  if (filter === "guessed") return isGuess(picture);
  if (filter === "wrong") return (marks ?? labels)?.[number] !== picture.label;
  if (filter === "changed") return labels && marks && labels[number] !== marks[number];
  return filter === "all" || filter === `class ${picture.label}`;
}

function arrange() {
  order = [...project.states.keys()].filter(chosen);
  const sure = (models.marks ?? models.labels)?.confidences;
  const next = $("filter").value === "guessed" ? models.propagated?.next : models.suggestions?.next;
  const rank = new Map((next ?? []).map((number, i) => [number, i]));
  const by = $("order").value;
  const n = project.states.length;
  const checking = $("filter").value === "guessed";
  // What was proposed and is done comes after what is not.
  const done = (number) => (
    !checking && number !== current && project.states[number].annotated
  );
  const rankOf = (number) => (rank.get(number) ?? n + number) + (done(number) ? 2 * n : 0);
  if (by === "next") order.sort((a, b) => rankOf(a) - rankOf(b));
  if (by === "sure" && sure && ofSamples()) order.sort((a, b) => sure[b] - sure[a]);
  if (by === "unsure" && sure && ofSamples()) order.sort((a, b) => sure[a] - sure[b]);
  $("count").textContent = `${order.length} of ${project.states.length} ${project.items}`;
  drawGrid();
}

const heightOf = () => (ofPictures() ? CELL : LINE);

function showSkipped() {
  const skipped = Object.entries(project.skipped);
  $("skipped").hidden = !skipped.length;
  $("skipped").firstElementChild.textContent = `${skipped.length} could not be read`;
  $("skipped").lastElementChild.replaceChildren(...skipped.slice(0, 100).map(([name, why]) => {
    const line = document.createElement("li");
    line.textContent = `${name}: ${why}`;
    return line;
  }));
}

function columnsOf(grid) {
  return ofPictures() ? Math.max(1, Math.floor(grid.clientWidth / CELL)) : 1;
}

// Only what is seen is in the page, so that ten thousand items scroll.
function drawGrid() {
  const grid = $("grid");
  const [columns, height] = [columnsOf(grid), heightOf()];
  const space = $("space");
  space.style.height = `${Math.ceil(order.length / columns) * height}px`;
  const first = Math.max(0, Math.floor(grid.scrollTop / height) - 1) * columns;
  const last = first + (Math.ceil(grid.clientHeight / height) + 3) * columns;
  space.replaceChildren(...order.slice(first, last).map((number, i) => {
    const cell = makeCell(number);
    cell.style.top = `${Math.floor((first + i) / columns) * height}px`;
    cell.style.left = `${((first + i) % columns) * CELL}px`;
    return cell;
  }));
  if ($(`cell-${current}`)) grid.setAttribute("aria-activedescendant", `cell-${current}`);
  else grid.removeAttribute("aria-activedescendant");
}

function makeCell(number) {
  const item = project.states[number];
  const cell = document.createElement("div");
  cell.className = ofPictures() ? "cell" : "cell line";
  cell.id = `cell-${number}`;
  cell.setAttribute("role", "option");
  cell.setAttribute("aria-selected", number === current);
  cell.setAttribute("aria-label", `${item.name}, ${item.label}, ${statusOf(item)}`);
  cell.title = item.name;
  cell.classList.toggle("held", item.held_out);
  cell.classList.toggle("marked", item.annotated);
  if (ofPictures()) {
    const image = document.createElement("img");
    image.src = `/thumbnails/${number}`;
    image.alt = "";
    cell.append(image);
  } else {
    const [name, label] = [document.createElement("b"), document.createElement("span")];
    name.textContent = item.name;
    label.textContent = `${item.label}; ${statusOf(item)}`;
    cell.append(name, label);
  }
  cell.addEventListener("click", () => open(number));
  return cell;
}

function showCurrent() {
  const grid = $("grid");
  const height = heightOf();
  const top = Math.floor(order.indexOf(current) / columnsOf(grid)) * height;
  if (top < grid.scrollTop) grid.scrollTop = top;
  if (top + height > grid.scrollTop + grid.clientHeight) {
    grid.scrollTop = top + height - grid.clientHeight;
  }
  drawGrid();
}

function step(by) {
  const place = order.indexOf(current) + by;
  if (place >= 0 && place < order.length) open(order[place]);
}

// -- the item in the editor -----------------------------------------------------------------------

// One after the other; what fails must not keep the next from being done.
const queue = (action) => { saving = saving.then(action).catch((error) => say(error.message)); };
const store = (mask) => {
  const number = current;
  say("");
  queue(() => save(number, mask));
};
let editor = null;

const open = attempt(async (number) => {
  await saving;
  current = number;
  editor.close(); // a mark would be one of another item
  const item = project.states[number];
  if (ofPictures()) {
    $("picture").src = `/pictures/${number}`;
    $("picture").alt = `${item.name}, class ${item.label}`;
  } else {
    const content = await (await ask(`/api/items/${number}`)).json();
    if (number !== current) return;
    editor.show(content.before ?? "", content.words ?? [[`${item.name} must not matter`, ""]]);
    showClasses(content.classes ?? []);
  }
  await readMask(number);
  showFacts();
  showCurrent();
  showLooks();
});

// What a column has in each class.
function showClasses(classes) {
  $("classes").replaceChildren(...classes.flatMap((texts) => texts.map((text, i) => {
    const part = document.createElement(i ? "dd" : "dt");
    part.textContent = text;
    return part;
  })));
}

async function readMask(number) {
  if (unsaved.has(number)) {
    editor.open(unsaved.get(number));
    return;
  }
  const answer = await ask(`/api/masks/${number}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (number !== current) return;
  project.states[number].revision = Number(answer.headers.get("etag").replaceAll('"', ""));
  editor.open(answer.headers.get("x-annotated") === "1" ? bytes : null);
}

async function save(number, mask) {
  unsaved.set(number, mask);
  try {
    const headers = { "If-Match": `"${project.states[number].revision}"` };
    const options = mask ? { method: "PUT", body: mask, headers } : { method: "DELETE", headers };
    const answer = await ask(`/api/masks/${number}`, options);
    const { revision } = await answer.json();
    // After the wait, not in it: an event may have replaced the record meanwhile.
    project.states[number].revision = revision;
    unsaved.delete(number);
    showUnsaved("");
  } catch (error) {
    if (error.status !== 409) {
      showUnsaved(error.message);
      return;
    }
    unsaved.delete(number);
    showUnsaved("");
    if (number === current) await readMask(number);
    throw new Error(`The mask of ${project.states[number].name} was changed in another window `
      + "meanwhile: its present state is shown, and your last mark may not be in it. Draw it again "
      + "if it is missing.");
  }
}

function showUnsaved(why) {
  $("unsaved").hidden = !unsaved.size;
  $("unsaved-text").textContent = `Masks that are not stored yet: ${unsaved.size}. ${why}`;
}

// Once more, on what they were drawn on.
function saveAll() {
  for (const number of [...unsaved.keys()]) {
    queue(async () => { if (unsaved.has(number)) await save(number, unsaved.get(number)); });
  }
}

function showFacts() {
  const item = project.states[current];
  if (!item) return;
  $("right").hidden = !isGuess(item);
  $("item-title").textContent = item.name;
  const facts = [ofSamples() ? `class ${item.label}` : item.label, statusOf(item)];
  if (item.held_out) facts.push("held out: models are compared on it");
  for (const kind of KINDS) {
    const model = models[kind];
    if (model && ofSamples() && kind !== "shuffled") {
      const sure = Math.round(100 * model.confidences[current]);
      facts.push(`${model.title}: ${model.predictions[current]} (${sure} %)`);
    }
  }
  $("facts").textContent = facts.join("; ");
}

// What a model looks at: the brighter, the more.
const showLooks = attempt(async () => {
  const [kind, number] = [$("looks-of").value, current];
  if (ofPictures()) [$("looks").height, $("looks").width] = project.shape; // clears it
  else editor.looks(null);
  if (!kind) return;
  const answer = await ask(`/api/saliency/${kind}/${number}`);
  const shares = new Uint8Array(await answer.arrayBuffer());
  if (number !== current) return;
  if (!ofPictures()) { editor.looks(shares); return; }
  const pen = $("looks").getContext("2d");
  const image = pen.createImageData(project.shape[1], project.shape[0]);
  shares.forEach((share, i) => image.data.set([255, 255, 0, share], 4 * i));
  pen.putImageData(image, 0, 0);
});

// -- models and suggestions -----------------------------------------------------------------------

async function readModels() {
  models = await (await ask("/api/models")).json();
  showModels();
  readSuggestions();
  showExports();
  arrange();
  showFacts();
  if ($("looks-of").value) showLooks();
}

function showModels() {
  const share = (value) => (value === null ? "–" : value.toFixed(2));
  const rows = KINDS.filter((kind) => models[kind]).map((kind) => {
    const model = models[kind];
    const row = document.createElement("tr");
    const verdict = model.verdict ?? model.reason;
    const texts = [model.title, share(model.accuracy), share(model.accuracy_after_swap), verdict];
    row.append(...texts.map((text, i) => {
      const cell = document.createElement(i ? "td" : "th");
      if (!i) cell.scope = "row";
      cell.textContent = text;
      return cell;
    }));
    row.title = model.reason;
    return row;
  });
  $("models").tBodies[0].replaceChildren(...rows);
  $("models").hidden = !rows.length;
  const [labels, marks] = [models.labels?.predictions, models.marks?.predictions];
  $("changed").textContent = labels && marks
    ? `${labels.filter((label, i) => label !== marks[i]).length} predictions are changed by the marks.`
    : "";
  const iou = models.propagated?.iou;
  $("iou").textContent = iou === undefined || iou === null
    ? "" : `Guesses overlap with masks left out by ${iou.toFixed(2)} (1 is best). Check them.`;
}

function showMarked() {
  const annotated = project.states.filter((p) => p.annotated);
  const held = annotated.filter((p) => p.held_out).length;
  const name = project.items[0].toUpperCase() + project.items.slice(1);
  $("marked").textContent = `${name} with a mask: ${annotated.length}`
    + (ofSamples() ? `, of them held out: ${held}.` : ".");
  showExports();
}

// What can be taken away is a link; what cannot, says what comes first.
function showExports() {
  const first = "train with marks first";
  const missing = {
    model: models.marks ? "" : first,
    corrected: models.corrected ? "" : "correct first",
    audit: models.marks?.verdict ? "" : models.marks?.reason ?? first,
  };
  const marked = project.states.some((item) => item.annotated) ? "" : "mark first";
  for (const link of document.querySelectorAll("[data-export]")) {
    const why = missing[link.dataset.export] ?? marked;
    if (why) link.removeAttribute("href");
    else link.href = `/export/${link.dataset.export}`;
    link.nextElementSibling.textContent = why && `: ${why}`;
  }
}

// Suggestions that are still to be decided on, by their numbers; the keys are for the first.
let pending = [];

function readSuggestions() {
  const found = models.suggestions?.found ?? [];
  pending = [...found.keys()].filter((number) => !found[number].decision);
  showSuggestions();
}

function showSuggestions() {
  const found = models.suggestions?.found;
  if (found && !found.length) {
    $("suggestions").textContent = "Nothing suspicious was found. That is no proof.";
    return;
  }
  if (found && !pending.length) {
    const all = found.length === 1 ? "The suggestion is" : `All ${found.length} suggestions are`;
    $("suggestions").textContent = `${all} decided on.`;
    return;
  }
  $("suggestions").replaceChildren(...pending.map(makeSuggestion));
}

function whatIs(one) {
  if (ofPictures()) return `${one.text} in ${one.items.length} pictures`;
  if (project.kind === "texts") return `“${one.text}” in ${one.items.length} texts`;
  return `The column “${one.text}”`;
}

const DECIDE = {
  a: ["It must not matter", attempt((number) => decide(number, "accept"))],
  r: ["It may", attempt((number) => decide(number, "reject"))],
  n: ["Not sure", (number) => {
    pending = [...pending.filter((other) => other !== number), number];
    showSuggestions();
  }],
};

async function decide(number, decision) {
  await ask(`/api/suggestions/${number}/${decision}`, { method: "POST" });
  models.suggestions.found[number].decision = decision;
  pending = pending.filter((other) => other !== number);
  showSuggestions();
}

function makeSuggestion(number, place) {
  const one = models.suggestions.found[number];
  const box = document.createElement("div");
  box.className = "suggestion";
  const text = document.createElement("p");
  const flips = Math.round(100 * one.flip_rate);
  text.textContent = `${whatIs(one)}, p = ${one.p_value.toPrecision(2)}; without it ${flips} % of the `
    + "predictions change. Should it matter?";
  const buttons = document.createElement("div");
  buttons.className = "row";
  for (const [key, [title, answer]] of Object.entries(DECIDE)) {
    const button = document.createElement("button");
    button.textContent = `${title} `;
    if (!place) {
      const shown = document.createElement("kbd");
      shown.textContent = key;
      button.append(shown);
    }
    button.addEventListener("click", () => answer(number));
    buttons.append(button);
  }
  const shown = document.createElement("div");
  shown.className = "shown";
  for (const item of one.items.slice(0, 5)) {
    const button = document.createElement("button");
    if (ofPictures()) button.append(sketch(number, item));
    else button.textContent = project.states[item].name;
    button.addEventListener("click", () => open(item));
    shown.append(button);
  }
  box.append(text, shown, buttons);
  return box;
}

function sketch(number, row) {
  const canvas = document.createElement("canvas");
  [canvas.height, canvas.width] = project.shape;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", project.states[row].name);
  const image = new Image();
  image.addEventListener("load", attempt(async () => {
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    const answer = await ask(`/api/suggestions/${number}/${row}`);
    const mask = new Uint8Array(await answer.arrayBuffer());
    paint(pen, mask, ...project.shape, 1);
  }));
  image.src = `/thumbnails/${row}`;
  return canvas;
}

// -- what runs ------------------------------------------------------------------------------------

const TASKS = {
  first: "The first training",
  suggest: "The search",
  propagate: "The guess",
  marks: "The training with marks",
  shuffled: "The control",
  corrected: "The correction",
};
let ran = null;
let failed = "null";

function showJobs(jobs) {
  const running = jobs.running;
  const busy = Boolean(running) || jobs.waiting.length > 0; // between two tasks nothing runs
  $("share").hidden = $("cancel").hidden = !busy;
  for (const button of document.querySelectorAll("[data-tasks]")) button.disabled = busy;
  if (running) {
    $("share").value = running.share;
    const left = running.seconds_left;
    $("job-text").textContent = running.text
      + (left === null ? "" : `, about ${Math.max(1, Math.round(left))} s left`);
  } else {
    $("job-text").textContent = busy ? "starting" : "";
  }
  // Once: it is in all later events, too.
  const error = JSON.stringify(jobs.error);
  if (jobs.error && failed !== error) say(`${TASKS[jobs.error.task]} failed. ${jobs.error.text}`);
  failed = error;
  const runs = running ? `${running.task} ${jobs.waiting.length}` : "";
  if (ran !== null && ran !== runs) attempt(readModels)();
  ran = runs;
}

function listen() {
  const source = new EventSource(`/api/events?since=${project.version}`);
  source.addEventListener("message", (event) => {
    const state = JSON.parse(event.data);
    project.version = state.version;
    for (const [key, item] of Object.entries(state.changed)) receive(Number(key), item);
    showJobs(state.jobs);
    showMarked();
    if (Object.keys(state.changed).length) { drawGrid(); showFacts(); }
  });
  source.addEventListener("error", () => {
    $("connection").hidden = false;
    source.close();
    setTimeout(reconnect, 2000);
  });
}

// What the server has of an item.  The revision of a mask that is open, or not stored yet, stays the
// one that it was drawn on: another window, a copy or a guess may have changed it.
function receive(number, item) {
  const drawn = number === current || unsaved.has(number);
  const known = drawn ? project.states[number].revision : item.revision;
  project.states[number] = { ...item, revision: known };
  if (number === current) {
    queue(async () => {
      const older = project.states[number].revision < item.revision;
      if (older && number === current && !unsaved.has(number)) await readMask(number);
    });
  }
}

async function reconnect() {
  try {
    const { states, version } = await (await ask("/api/project")).json();
    states.forEach((item, number) => receive(number, item));
    project.version = version;
    $("connection").hidden = true;
    saveAll();
    if (!editor.ready && current >= 0) open(current);
    listen();
    arrange();
    showMarked();
    showFacts();
  } catch {
    setTimeout(reconnect, 2000);
  }
}

// -- keys and buttons -----------------------------------------------------------------------------

function setTool(tool) {
  editor.setTool(tool);
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", button.dataset.tool === tool);
  }
}

const copyTo = (to) => attempt(async () => {
  await saving;
  await ask(`/api/masks/${current}/copy?to=${to}`, { method: "POST" });
});

const KEYS = {
  b: () => setTool("box"),
  o: () => setTool("polygon"),
  p: () => setTool("brush"),
  e: () => setTool("eraser"),
  z: () => editor.undo(),
  y: () => editor.redo(),
  0: () => editor.store(editor.nothing()),
  u: () => editor.store(null),
  c: () => { if (isGuess(project.states[current])) editor.store(editor.mask); },
  ",": () => step(-1),
  ".": () => step(1),
  ...Object.fromEntries(Object.entries(DECIDE).map(([key, [, answer]]) => [key, () => {
    if (pending.length) answer(pending[0]);
  }])),
};

function connectAll() {
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => setTool(button.dataset.tool));
  }
  for (const button of document.querySelectorAll("[data-tasks]")) {
    button.addEventListener("click", attempt(async () => {
      await saving;
      const tasks = button.dataset.tasks.split(" ").map((task) => `task=${task}`).join("&");
      await ask(`/api/tasks?${tasks}`, { method: "POST" });
    }));
  }
  const click = {
    undo: "z", redo: "y", nothing: "0", unknown: "u", right: "c", before: ",", after: ".",
  };
  for (const [id, key] of Object.entries(click)) $(id).addEventListener("click", KEYS[key]);
  $("store").addEventListener("click", saveAll);
  window.addEventListener("beforeunload", (event) => { if (unsaved.size) event.preventDefault(); });
  $("copy-class").addEventListener("click", copyTo("class"));
  $("copy-all").addEventListener("click", copyTo("all"));
  $("cancel").addEventListener("click", attempt(() => ask("/api/cancel", { method: "POST" })));
  $("brush-size").addEventListener("change", () => {
    editor.size = Math.max(1, Math.min(64, Number($("brush-size").value) || 1));
  });
  $("import").addEventListener("change", attempt(async () => {
    const [file] = $("import").files;
    if (!file) return;
    const ending = encodeURIComponent(file.name.split(".").pop());
    const answer = await ask(`/api/import?ending=${ending}`, { method: "POST", body: file });
    say(`${(await answer.json()).stored} masks were read; masks that were there are as they were.`);
    $("import").value = "";
  }));
  $("filter").addEventListener("change", arrange);
  $("order").addEventListener("change", arrange);
  $("looks-of").addEventListener("change", showLooks);
  $("grid").addEventListener("scroll", drawGrid);
  $("grid").addEventListener("keydown", (event) => {
    const columns = columnsOf($("grid"));
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (by) { event.preventDefault(); step(by); }
    if (event.key === "Enter") (ofPictures() ? $("mask") : $("words").querySelector("button"))?.focus();
  });
  window.addEventListener("resize", drawGrid);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (typing || event.altKey || event.metaKey) return;
    if (event.ctrlKey && !"zy".includes(event.key)) return;
    if (event.key in KEYS && current >= 0) { event.preventDefault(); KEYS[event.key](); }
  });
}

// Shows what the kind of data has, and makes its editor.
function fit() {
  for (const name of ["stage", "keys", "tools"]) $(name).hidden = !ofPictures();
  $("words").hidden = ofPictures();
  $("word-keys").hidden = project.kind !== "texts";
  for (const name of ["classes", "column-keys"]) $(name).hidden = ofSamples();
  for (const name of ["copy-class", "copy-all", "bring"]) $(name).hidden = !ofSamples();
  document.querySelector('[data-tasks="propagate"]').hidden = !project.propagates;
  for (const option of $("order").querySelectorAll('[value$="sure"]')) option.hidden = !ofSamples();
  if (ofPictures()) {
    editor = new Editor($("mask"), store);
    editor.resize(...project.shape);
    const [height, width] = project.shape;
    $("stage").style.aspectRatio = `${width} / ${height}`; // before a picture is there
  } else {
    editor = new Words($("words"), store);
    if (project.kind === "texts") {
      $("copy-class").textContent = "These words in this class";
      $("copy-all").textContent = "These words in all texts";
    } else {
      $("words").setAttribute("aria-label", "column to mark");
      $("words").setAttribute("aria-describedby", "column-keys");
    }
  }
  if (project.network) $("network").textContent = `It is ${project.network}.`;
  for (const name of project.exports) {
    const [line, link] = [document.createElement("li"), document.createElement("a")];
    link.dataset.export = name;
    link.download = "";
    link.textContent = `marks: ${name.replace("_", " ")}`;
    line.append(link, document.createElement("span"));
    $("exports").append(line);
  }
}

async function start() {
  project = await (await ask("/api/project")).json();
  const name = project.source.split(/[\\/]/).pop();
  document.title = `${name} – skexplain studio`;
  $("source").firstElementChild.textContent = name;
  $("source-path").textContent = project.source;
  $("project-path").textContent = project.folder;
  $("list-title").textContent = project.items[0].toUpperCase() + project.items.slice(1);
  fit();
  showSkipped();
  fillFilters();
  connectAll();
  await readModels();
  showMarked();
  listen();
  if (order.length) await open(order[0]);
}

attempt(start)();
