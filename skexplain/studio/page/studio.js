// The page: what the server says is shown, what a person does is sent.  Texts of the data are set as
// text, never as HTML.

import { Editor, paint } from "/page/editor.js";

const $ = (id) => document.getElementById(id);
const CELL = 96;

let project = null; // see Studio.overview of the server
let models = {};
let order = []; // numbers of the pictures that are shown
let current = -1;
let saving = Promise.resolve();

async function ask(path, options = {}) {
  const answer = await fetch(path, options);
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

function statusOf(picture) {
  if (!picture.annotated) return "not looked at";
  return picture.by === "person" ? "marked by you" : `mask ${picture.by}`;
}

function fillFilters() {
  const labels = [...new Set(project.pictures.map((p) => p.label))];
  const add = (value, text) => $("filter").append(new Option(text, value));
  add("all", "all");
  add("open", "not looked at");
  add("person", "marked by me");
  add("guessed", "guessed, to be checked");
  add("wrong", "wrong by the model");
  add("changed", "changed by the marks");
  for (const label of labels) add(`class ${label}`, `class ${label}`);
}

function chosen(number) {
  const picture = project.pictures[number];
  const filter = $("filter").value;
  const labels = models.labels?.predictions;
  const marks = models.marks?.predictions;
  if (filter === "open") return !picture.annotated;
  if (filter === "person") return picture.annotated && picture.by === "person";
  if (filter === "guessed") return picture.annotated && picture.by !== "person";
  if (filter === "wrong") return (marks ?? labels)?.[number] !== picture.label;
  if (filter === "changed") return labels && marks && labels[number] !== marks[number];
  return filter === "all" || filter === `class ${picture.label}`;
}

function arrange() {
  order = [...project.pictures.keys()].filter(chosen);
  const sure = (models.marks ?? models.labels)?.confidences;
  const next = models.suggestions?.next ?? [];
  const by = $("order").value;
  if (by === "next") order.sort((a, b) => next.includes(b) - next.includes(a) || a - b);
  if (by === "sure" && sure) order.sort((a, b) => sure[b] - sure[a]);
  if (by === "unsure" && sure) order.sort((a, b) => sure[a] - sure[b]);
  const skipped = Object.keys(project.skipped).length;
  $("count").textContent = `${order.length} of ${project.pictures.length} pictures`
    + (skipped ? `; ${skipped} files could not be read` : "");
  drawGrid();
}

// Only what is seen is in the page, so that ten thousand pictures scroll.
function drawGrid() {
  const grid = $("grid");
  const columns = Math.max(1, Math.floor(grid.clientWidth / CELL));
  const space = $("space");
  space.style.height = `${Math.ceil(order.length / columns) * CELL}px`;
  const first = Math.max(0, Math.floor(grid.scrollTop / CELL) - 1) * columns;
  const last = first + (Math.ceil(grid.clientHeight / CELL) + 3) * columns;
  const cells = order.slice(first, last).map((number, i) => {
    const picture = project.pictures[number];
    const cell = document.createElement("div");
    cell.className = "cell";
    cell.id = `cell-${number}`;
    cell.setAttribute("role", "option");
    cell.setAttribute("aria-selected", number === current);
    cell.setAttribute("aria-label", `${picture.name}, ${picture.label}, ${statusOf(picture)}`);
    cell.title = picture.name;
    cell.classList.toggle("held", picture.held_out);
    cell.classList.toggle("marked", picture.annotated);
    const place = first + i;
    cell.style.top = `${Math.floor(place / columns) * CELL}px`;
    cell.style.left = `${(place % columns) * CELL}px`;
    const image = document.createElement("img");
    image.src = `/thumbnails/${number}`;
    image.alt = "";
    cell.append(image);
    cell.addEventListener("click", () => open(number));
    return cell;
  });
  space.replaceChildren(...cells);
  grid.setAttribute("aria-activedescendant", `cell-${current}`);
}

function showCurrent() {
  const grid = $("grid");
  const columns = Math.max(1, Math.floor(grid.clientWidth / CELL));
  const top = Math.floor(order.indexOf(current) / columns) * CELL;
  if (top < grid.scrollTop) grid.scrollTop = top;
  if (top + CELL > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + CELL - grid.clientHeight;
  drawGrid();
}

function step(by) {
  const place = order.indexOf(current) + by;
  if (place >= 0 && place < order.length) open(order[place]);
}

// -- the picture in the editor --------------------------------------------------------------------

const editor = new Editor($("mask"), (mask) => {
  const number = current;
  saving = saving.then(() => save(number, mask)); // one after the other
});

const open = attempt(async (number) => {
  await saving;
  current = number;
  const picture = project.pictures[number];
  $("picture").src = `/pictures/${number}`;
  $("picture").alt = `${picture.name}, class ${picture.label}`;
  await readMask(number);
  showFacts();
  showCurrent();
  showLooks();
});

async function readMask(number) {
  const answer = await ask(`/api/masks/${number}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (number !== current) return;
  project.pictures[number].revision = Number(answer.headers.get("etag").replaceAll('"', ""));
  editor.open(bytes.length ? bytes : null);
}

async function save(number, mask) {
  try {
    const headers = { "If-Match": `"${project.pictures[number].revision}"` };
    const options = mask ? { method: "PUT", body: mask, headers } : { method: "DELETE", headers };
    const answer = await ask(`/api/masks/${number}`, options);
    // Not kept from before: an event may have replaced the record meanwhile.
    project.pictures[number].revision = (await answer.json()).revision;
    say("");
  } catch (error) {
    if (error.status === 409) {
      if (number === current) await readMask(number);
      say("This mask was changed in another window meanwhile: its present state is shown, and your "
        + "last mark is not in it. Draw it again if it is missing.");
    } else if (error.status) {
      say(`The last mark is not stored: ${error.message}`);
    } else {
      say("The server did not answer: the last mark may not be stored. Change it to store it again.");
    }
  }
}

function showFacts() {
  const picture = project.pictures[current];
  if (!picture) return;
  $("picture-title").textContent = picture.name;
  const facts = [`class ${picture.label}`, statusOf(picture)];
  if (picture.held_out) facts.push("held out: models are compared on it");
  for (const kind of ["labels", "marks"]) {
    const model = models[kind];
    if (model) {
      const sure = Math.round(100 * model.confidences[current]);
      facts.push(`${model.title}: ${model.predictions[current]} (${sure} %)`);
    }
  }
  $("facts").textContent = facts.join("; ");
}

// What a model looks at: the brighter, the more.
const showLooks = attempt(async () => {
  const [canvas, kind, number] = [$("looks"), $("looks-of").value, current];
  [canvas.height, canvas.width] = [project.height, project.width]; // clears it
  if (!kind) return;
  const answer = await ask(`/api/saliency/${kind}/${number}`);
  const shares = new Uint8Array(await answer.arrayBuffer());
  if (number !== current) return;
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(project.width, project.height);
  shares.forEach((share, i) => image.data.set([255, 255, 0, share], 4 * i));
  pen.putImageData(image, 0, 0);
});

// -- models and suggestions -----------------------------------------------------------------------

async function readModels() {
  models = await (await ask("/api/models")).json();
  showModels();
  showSuggestions();
  arrange();
  showFacts();
  if ($("looks-of").value) showLooks();
}

function showModels() {
  const share = (value) => (value === null ? "–" : value.toFixed(2));
  const rows = ["labels", "marks", "shuffled"].filter((kind) => models[kind]).map((kind) => {
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
  const annotated = project.pictures.filter((p) => p.annotated);
  const held = annotated.filter((p) => p.held_out).length;
  $("marked").textContent = `Pictures with a mask: ${annotated.length}, of them held out: ${held}.`;
}

function showSuggestions() {
  const found = models.suggestions?.found;
  if (!found) { $("suggestions").replaceChildren(); return; }
  if (!found.length) {
    $("suggestions").textContent = "Nothing suspicious was found. That is no proof.";
    return;
  }
  $("suggestions").replaceChildren(...found.map((one, number) => {
    const box = document.createElement("div");
    box.className = "suggestion";
    const text = document.createElement("p");
    const flips = Math.round(100 * one.flip_rate);
    text.textContent = `${one.moves ? "A thing" : "A place"} in ${one.rows.length} pictures, `
      + `p = ${one.p_value.toPrecision(2)}; without it ${flips} % of the predictions change. `
      + "Should it matter?";
    const shown = document.createElement("div");
    shown.className = "shown";
    for (const row of one.rows.slice(0, 5)) shown.append(sketch(number, row));
    const accept = document.createElement("button");
    accept.textContent = "It must not matter";
    accept.addEventListener("click", attempt(async () => {
      await ask(`/api/suggestions/${number}/accept`, { method: "POST" });
      box.remove();
    }));
    const reject = document.createElement("button");
    reject.textContent = "It may";
    reject.addEventListener("click", () => box.remove());
    const buttons = document.createElement("div");
    buttons.className = "row";
    buttons.append(accept, reject);
    box.append(text, shown, buttons);
    return box;
  }));
}

function sketch(number, row) {
  const canvas = document.createElement("canvas");
  [canvas.height, canvas.width] = [project.height, project.width];
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", project.pictures[row].name);
  const image = new Image();
  image.addEventListener("load", attempt(async () => {
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    const answer = await ask(`/api/suggestions/${number}/${row}`);
    const mask = new Uint8Array(await answer.arrayBuffer());
    paint(pen, mask, project.height, project.width, 1);
  }));
  image.src = `/thumbnails/${row}`;
  return canvas;
}

// -- what runs ------------------------------------------------------------------------------------

let ran = null;

function showJobs(jobs) {
  const running = jobs.running;
  $("share").hidden = $("cancel").hidden = !running;
  for (const button of document.querySelectorAll("[data-tasks]")) button.disabled = Boolean(running);
  if (running) {
    $("share").value = running.share;
    const left = running.seconds_left;
    $("job-text").textContent = running.text
      + (left === null ? "" : `, about ${Math.max(1, Math.round(left))} s left`);
  } else {
    $("job-text").textContent = "";
  }
  if (jobs.error) say(`${jobs.error.task}: ${jobs.error.text}`);
  const runs = running ? `${running.task} ${jobs.waiting.length}` : "";
  if (ran !== null && ran !== runs) attempt(readModels)();
  ran = runs;
}

function listen() {
  const source = new EventSource(`/api/events?since=${project.version}`);
  source.addEventListener("message", (event) => {
    const state = JSON.parse(event.data);
    project.version = state.version;
    for (const [key, picture] of Object.entries(state.changed)) {
      const number = Number(key);
      const known = number === current ? project.pictures[number].revision : picture.revision;
      project.pictures[number] = { ...picture, revision: known };
      // Another window, a copy or a guess may have changed what is open here.
      if (number === current) {
        saving = saving.then(() => {
          const older = project.pictures[number].revision < picture.revision;
          return older && number === current ? readMask(number) : null;
        });
      }
    }
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

async function reconnect() {
  try {
    project = await (await ask("/api/project")).json();
    $("connection").hidden = true;
    listen();
    arrange();
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
  0: () => editor.store(new Uint8Array(project.height * project.width)),
  u: () => editor.store(null),
  ",": () => step(-1),
  ".": () => step(1),
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
  const click = { undo: "z", redo: "y", nothing: "0", unknown: "u", before: ",", after: "." };
  for (const [id, key] of Object.entries(click)) $(id).addEventListener("click", KEYS[key]);
  $("copy-class").addEventListener("click", copyTo("class"));
  $("copy-all").addEventListener("click", copyTo("all"));
  $("cancel").addEventListener("click", attempt(() => ask("/api/cancel", { method: "POST" })));
  $("brush-size").addEventListener("change", () => {
    editor.size = Math.max(1, Math.min(64, Number($("brush-size").value) || 1));
  });
  $("filter").addEventListener("change", arrange);
  $("order").addEventListener("change", arrange);
  $("looks-of").addEventListener("change", showLooks);
  $("grid").addEventListener("scroll", drawGrid);
  $("grid").addEventListener("keydown", (event) => {
    const columns = Math.max(1, Math.floor($("grid").clientWidth / CELL));
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (by) { event.preventDefault(); step(by); }
    if (event.key === "Enter") $("mask").focus();
  });
  window.addEventListener("resize", drawGrid);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (typing || event.altKey || event.metaKey) return;
    if (event.ctrlKey && !"zy".includes(event.key)) return;
    if (event.key in KEYS && current >= 0) { event.preventDefault(); KEYS[event.key](); }
  });
}

async function start() {
  project = await (await ask("/api/project")).json();
  $("folder").textContent = project.folder;
  editor.resize(project.height, project.width);
  $("stage").style.aspectRatio = `${project.width} / ${project.height}`; // before a picture is there
  fillFilters();
  connectAll();
  await readModels();
  showMarked();
  listen();
  if (order.length) await open(order[0]);
}

attempt(start)();
