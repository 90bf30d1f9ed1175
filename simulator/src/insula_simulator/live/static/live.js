"use strict";
const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const POINTS = 600, DOTS = 900, SECOND_OF_FLIGHT = 1.4;
const SIZES = [1e7, 1e13], SPEEDS = [0.1, 3600];
let socket, scene = null, frame = null, state = null, history = [], dots = [], links = [], usual = 0, asked = 0;

/* ---- talking ---- */
function connect() {
  socket = new WebSocket(`ws${location.protocol === "https:" ? "s" : ""}://${location.host}/live`);
  socket.onopen = () => link("live", true);
  socket.onclose = () => { link("reconnecting …", false); setTimeout(connect, 1000); };
  socket.onmessage = (event) => hear(JSON.parse(event.data));
}
function link(text, on) { $("link").textContent = text; $("link").classList.toggle("on", on); }
function ask(what) { $("notice").textContent = ""; if (socket.readyState !== 1) return; asked = performance.now(); socket.send(JSON.stringify(what)); }
function hear(told) {
  if (told.kind === "scene") { scene = told; history = told.history; dots = []; usual = 0; show(); obey(told.state); }
  else if (told.kind === "state") obey(told);
  else if (told.kind === "refused") { $("notice").textContent = told.why; if (state) obey(state); }
  else if (told.kind === "frame") take(told);
}
function take(told) {
  frame = told;
  history.push(["now", "rate", "hits", "offload", "errors", "p50", "p99"].map((name) => told[name]));
  if (history.length > POINTS) history.shift();
  usual = usual || told.rate;
  $("now").textContent = clock(told.now);
  figures(); sites(); route();
}

/* ---- writing ---- */
const percent = (value, digits = 1) => value === null ? "–" : (value * 100).toFixed(digits) + " %";
const millis = (value) => value === null ? "–" : value < 1 ? Math.round(value * 1000) + " ms" : value.toFixed(2) + " s";
function short(value) {
  for (const [size, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (value >= size) return +(value / size).toPrecision(3) + letter;
  return String(+value.toPrecision(3));
}
function clock(seconds) {
  const whole = Math.floor(seconds), days = Math.floor(whole / 86400);
  const part = (n) => String(n).padStart(2, "0");
  return (days ? days + "d " : "") + Math.floor(whole / 3600) % 24 + ":" + part(Math.floor(whole / 60) % 60) + ":" + part(whole % 60);
}
const FIGURES = {
  rate: { at: 1, text: (v) => short(v) + "/s", colour: "--accent" },
  hits: { at: 2, text: percent, colour: "--hit", top: 1 },
  offload: { at: 3, text: percent, colour: "--shield", top: 1 },
  errors: { at: 4, text: (v) => percent(v, 2), colour: "--error" },
  p50: { at: 5, text: millis, colour: "--edge" },
  p99: { at: 6, text: millis, colour: "--miss" },
};
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function figures() {
  for (const box of document.querySelectorAll("[data-figure]")) {
    const about = FIGURES[box.dataset.figure], last = history[history.length - 1];
    box.querySelector("b").textContent = last ? about.text(last[about.at]) : "–";
    spark(box.querySelector("canvas"), history.map((row) => row[about.at]), about);
  }
}
function sharp(canvas) {
  const wide = canvas.clientWidth, high = canvas.clientHeight, dense = devicePixelRatio || 1;
  if (canvas.width !== Math.round(wide * dense) || canvas.height !== Math.round(high * dense)) {
    canvas.width = Math.round(wide * dense); canvas.height = Math.round(high * dense);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(dense, 0, 0, dense, 0, 0); pen.clearRect(0, 0, wide, high);
  return [pen, wide, high];
}
function spark(canvas, values, about) {
  const [pen, wide, high] = sharp(canvas), known = values.filter((v) => v !== null);
  if (known.length < 2) return;
  const top = about.top || Math.max(...known) * 1.1 || 1, line = colour(about.colour);
  const x = (i) => wide * i / Math.max(120, values.length - 1), y = (v) => high - 3 - (high - 8) * Math.min(v, top) / top;
  pen.strokeStyle = colour("--line"); pen.lineWidth = 1; pen.beginPath();
  pen.moveTo(0, high - 2.5); pen.lineTo(wide, high - 2.5); pen.stroke();
  pen.beginPath(); let first = null, last = 0;
  values.forEach((v, i) => { if (v === null) return; if (first === null) { pen.moveTo(x(i), y(v)); first = i; } else pen.lineTo(x(i), y(v)); last = i; });
  pen.strokeStyle = line; pen.lineWidth = 1.8; pen.lineJoin = "round"; pen.stroke();
  pen.lineTo(x(last), high - 3); pen.lineTo(x(first), high - 3); pen.globalAlpha = 0.12; pen.fillStyle = line; pen.fill(); pen.globalAlpha = 1;
}

/* ---- controls ---- */
const log = ([low, high], share) => low * (high / low) ** (share / 100);
const unlog = ([low, high], value) => 100 * Math.log(value / low) / Math.log(high / low);
const round2 = (value) => +value.toPrecision(2);
function obey(told) {
  state = told; asked = 0;
  $("play").textContent = told.playing ? "Pause" : "Play";
  $("play").setAttribute("aria-pressed", told.playing);
  place($("speed"), unlog(SPEEDS, told.speed)); $("speed-is").textContent = "×" + short(told.speed);
  place($("load"), told.load ? Math.log10(told.load) * 10 : -20); $("load-is").textContent = "×" + short(told.load);
  for (const part of ["edges", "shields"]) {
    const cache = told.caches[part];
    document.querySelector(`[data-part=${part}]`).hidden = !cache;
    if (!cache) continue;
    $(part + "-policy").value = cache.policy;
    place($(part + "-size"), unlog(SIZES, cache.size)); $(part + "-size-is").textContent = short(cache.size) + "B";
  }
  failing(told.failing);
}
function place(input, value) { if (document.activeElement !== input || !input.matches(":active")) input.value = value; }
function failing(now) {
  for (const row of $("sites").children) {
    const kind = now[row.dataset.target] || "up";
    row.className = kind;
    row.querySelector(".up").checked = kind !== "down";
    row.querySelector(".slow").checked = kind === "brownout";
  }
}
function slide(id, shown, value, send) {
  $(id).addEventListener("input", () => { $(id + "-is").textContent = shown(value(+$(id).value)); });
  $(id).addEventListener("change", () => send(value(+$(id).value)));
}
slide("speed", (v) => "×" + short(v), (s) => round2(log(SPEEDS, s)), (value) => ask({ set: "speed", value }));
slide("load", (v) => "×" + short(v), (s) => s <= -20 ? 0 : round2(10 ** (s / 10)), (value) => ask({ set: "load", value }));
for (const part of ["edges", "shields"]) {
  const size = (s) => Math.round(round2(log(SIZES, s)));
  const send = () => ask({ set: "cache", part, policy: $(part + "-policy").value, size: size(+$(part + "-size").value) });
  slide(part + "-size", (v) => short(v) + "B", size, send);
  $(part + "-policy").addEventListener("change", () => ask({ set: "cache", part, policy: $(part + "-policy").value, size: state.caches[part].size }));
}
$("play").onclick = () => ask({ set: "play", on: !state.playing });
$("restart").onclick = () => ask({ set: "restart" });
$("flash").onclick = () => ask({ set: "flash", multiplier: 10, seconds: 120 });
addEventListener("keydown", (event) => {
  if (event.key === " " && event.target === document.body) { event.preventDefault(); $("play").click(); }
});

/* ---- scene ---- */
function show() {
  document.querySelector(".key .shield").parentElement.hidden = !scene.shields.length;
  document.title = scene.name; $("name").textContent = scene.name; $("text").textContent = scene.text;
  for (const part of ["edges", "shields"])
    $(part + "-policy").replaceChildren(...scene.policies.map((name) => new Option(name, name)));
  const rows = scene.edges.map((s) => ["edge", s.name]).concat(scene.shields.map((s) => ["shield", s.name]), [["origin", "origin"]]);
  $("sites").replaceChildren(...rows.map(([kind, name]) => row(kind, name)));
  sceneLinks(); figures();
}
function row(kind, name) {
  const line = document.createElement("tr"), target = kind === "origin" ? "origin" : `${kind}:${name}`;
  line.dataset.target = target;
  const head = line.insertCell(), mark = document.createElement("i");
  mark.className = kind; head.append(mark, name);
  for (const [which, label] of [["up", "is up"], ["slow", "is slow"]]) {
    const box = document.createElement("input");
    box.type = "checkbox"; box.className = "switch " + which; box.setAttribute("role", "switch");
    box.setAttribute("aria-label", `${target} ${label}`);
    box.onchange = () => ask({ set: "fail", target, kind: which === "up" ? (box.checked ? "up" : "down") : (box.checked ? "brownout" : "up") });
    line.insertCell().append(box);
  }
  for (let i = 0; i < 4; i++) line.insertCell();
  return line;
}
function told(target) {
  if (!frame) return null;
  const [kind, ...rest] = target.split(":"), name = rest.join(":");
  if (kind === "origin") return frame.origin;
  return frame[kind + "s"][scene[kind + "s"].findIndex((s) => s.name === name)];
}
function sites() {
  for (const line of $("sites").children) {
    const now = told(line.dataset.target), cells = line.cells;
    cells[3].textContent = short(now.rate) + "/s";
    cells[4].textContent = now.hits === undefined ? "–" : percent(now.hits);
    cells[5].textContent = `${now.busy} of ${now.servers}`;
    cells[6].textContent = now.wait > 0.0005 ? millis(now.wait) : "–";
  }
  if (performance.now() - asked > 1000) failing(frame.failing); // or a frame on its way would turn a switch back
}

/* ---- map ---- */
const WEST = -170, EAST = 190, NORTH = 80, SOUTH = -58;
let wide = 1, high = 1;
const spot = (p) => [(p.east - WEST) / (EAST - WEST) * wide + (p.aside || 0), (NORTH - p.north) / (NORTH - SOUTH) * high];
/* Sites of one town stand side by side. */
function sceneLinks() {
  links = [];
  const placed = [];
  for (const place of [...scene.edges, ...scene.shields, scene.origin]) {
    place.aside = 15 * placed.filter((p) => Math.abs(p.east - place.east) < 3 && Math.abs(p.north - place.north) < 3).length;
    placed.push(place);
  }
}
function route() {
  const found = [], add = (from, to, rate, hit, error, sort) => { if (rate > 0) found.push({ from, to, rate, hit: hit || 0, error: error || 0, sort }); };
  for (const [region, edge, rate] of frame.flows)
    add(scene.regions[region], scene.edges[edge], rate, frame.edges[edge].hits, frame.edges[edge].errors, "user");
  frame.edges.forEach((edge, i) => {
    const shield = frame.up[i];
    if (shield === undefined) add(scene.edges[i], scene.origin, edge.asks, 0, frame.failing.origin === "down" ? 1 : 0, "up");
    else add(scene.edges[i], scene.shields[shield], edge.asks, frame.shields[shield].hits, frame.shields[shield].errors, "up");
  });
  frame.shields.forEach((shield, i) => add(scene.shields[i], scene.origin, shield.asks, 0, frame.failing.origin === "down" ? 1 : 0, "up"));
  links = found;
}
function curve(link) {
  const [x1, y1] = spot(link.from), [x2, y2] = spot(link.to), far = Math.hypot(x2 - x1, y2 - y1);
  const lift = Math.min(far * 0.22, 90);
  return [x1, y1, (x1 + x2) / 2, (y1 + y2) / 2 - lift, x2, y2];
}
function along([x1, y1, cx, cy, x2, y2], t) {
  const u = 1 - t;
  return [u * u * x1 + 2 * u * t * cx + t * t * x2, u * u * y1 + 2 * u * t * cy + t * t * y2];
}
function emit(elapsed) {
  if (!state || !state.playing || still.matches || !usual) return;
  for (const link of links) {
    const expected = 70 * link.rate / usual * elapsed;
    let count = Math.floor(expected) + (Math.random() < expected % 1 ? 1 : 0);
    while (count-- > 0 && dots.length < DOTS) {
      const chance = Math.random();
      const fate = chance < link.error ? "--error" : chance < link.error + link.hit ? "--hit" : "--miss";
      dots.push({ path: curve(link), t: 0, fate, speed: (0.75 + Math.random() * 0.5) / SECOND_OF_FLIGHT, size: link.sort === "user" ? 2.1 : 2.6, off: (Math.random() - 0.5) * 5 });
    }
  }
}
function draw(elapsed) {
  const [pen, w, h] = sharp($("map"));
  wide = w; high = h;
  if (!scene) return;
  const paint = {}; for (const name of ["--land", "--line", "--ink", "--soft", "--hit", "--miss", "--error", "--edge", "--shield", "--origin", "--card", "--accent"]) paint[name] = colour(name);
  pen.fillStyle = paint["--land"];
  for (const shape of scene.land) {
    pen.beginPath();
    shape.forEach(([east, north], i) => { const [x, y] = spot({ east, north }); if (i) pen.lineTo(x, y); else pen.moveTo(x, y); });
    pen.closePath(); pen.fill();
  }
  pen.strokeStyle = paint["--soft"];
  for (const link of links) {
    const [x1, y1, cx, cy, x2, y2] = curve(link);
    pen.globalAlpha = 0.28; pen.lineWidth = Math.min(5, 0.6 + 3 * Math.sqrt(link.rate / (usual || 1)));
    pen.beginPath(); pen.moveTo(x1, y1); pen.quadraticCurveTo(cx, cy, x2, y2); pen.stroke();
  }
  pen.globalAlpha = 1;
  users(pen, paint); emit(elapsed);
  dots = dots.filter((dot) => {
    if (!state || state.playing) dot.t += dot.speed * elapsed;
    if (dot.t >= 1) return false;
    const [x, y] = along(dot.path, dot.t);
    pen.fillStyle = paint[dot.fate]; pen.beginPath(); pen.arc(x, y + dot.off * Math.sin(Math.PI * dot.t), dot.size, 0, 7); pen.fill();
    return true;
  });
  buildings(pen, paint);
}
function users(pen, paint) {
  const load = scene.regions.reduce((sum, each) => sum + each.weight, 0);
  pen.fillStyle = paint["--accent"]; pen.globalAlpha = 0.16;
  for (const region of scene.regions) {
    const [x, y] = spot(region);
    pen.beginPath(); pen.arc(x, y, (5 + 34 * Math.sqrt(region.weight / load)) * wide / 900, 0, 7); pen.fill();
  }
  pen.globalAlpha = 1;
}
function buildings(pen, paint) {
  const names = [], failing = frame ? frame.failing : {};
  const one = (place, kind, target, size) => {
    const [x, y] = spot(place), bad = failing[target];
    pen.fillStyle = bad === "down" ? paint["--card"] : paint["--" + kind];
    pen.strokeStyle = bad ? paint[bad === "down" ? "--error" : "--miss"] : paint["--card"]; pen.lineWidth = bad ? 2.5 : 1.5;
    pen.beginPath();
    if (kind === "origin") { pen.moveTo(x, y - size - 2); pen.lineTo(x + size + 2, y); pen.lineTo(x, y + size + 2); pen.lineTo(x - size - 2, y); pen.closePath(); }
    else pen.rect(x - size, y - size, 2 * size, 2 * size);
    pen.fill(); pen.stroke();
    if (bad === "down") { pen.strokeStyle = paint["--error"]; pen.beginPath(); pen.moveTo(x - 4, y - 4); pen.lineTo(x + 4, y + 4); pen.moveTo(x + 4, y - 4); pen.lineTo(x - 4, y + 4); pen.stroke(); }
    names.push([place.name, x, y, size]);
  };
  scene.edges.forEach((e) => one(e, "edge", "edge:" + e.name, 5));
  scene.shields.forEach((s) => one(s, "shield", "shield:" + s.name, 5));
  one(scene.origin, "origin", "origin", 6);
  label(pen, paint, names);
}
function label(pen, paint, names) {
  if (wide < 480) return;
  pen.font = "12px system-ui, sans-serif"; pen.textBaseline = "middle"; pen.lineWidth = 3;
  const taken = [];
  for (const [name, x, y, size] of names) {
    const long = pen.measureText(name).width;
    const places = [[x + size + 5, y], [x - size - 5 - long, y], [x - long / 2, y - size - 10], [x - long / 2, y + size + 10], [x + size + 5, y + 14], [x + size + 5, y + 28]];
    const covers = (a, b) => names.some(([, u, v, s]) => (u !== x || v !== y) && u + s > a && u - s < a + long && Math.abs(v - b) < s + 6);
    const free = places.find(([a, b]) => a > 2 && a + long < wide - 2 && !covers(a, b) && !taken.some(([c, d, l]) => Math.abs(b - d) < 13 && a < c + l + 4 && c < a + long + 4));
    if (!free) continue;
    taken.push([free[0], free[1], long]);
    pen.strokeStyle = paint["--card"]; pen.globalAlpha = 0.75; pen.strokeText(name, ...free); pen.globalAlpha = 1;
    pen.fillStyle = paint["--ink"]; pen.fillText(name, ...free);
  }
}
$("map").addEventListener("pointermove", (event) => {
  if (!scene || !frame) return;
  const every = scene.edges.map((s) => ["edge:" + s.name, s]).concat(scene.shields.map((s) => ["shield:" + s.name, s]), [["origin", scene.origin]]);
  const near = every.map(([target, s]) => { const [x, y] = spot(s); return [Math.hypot(x - event.offsetX, y - event.offsetY), target]; }).sort((a, b) => a[0] - b[0])[0];
  $("hint").hidden = near[0] > 14;
  if (near[0] > 14) return;
  const now = told(near[1]);
  $("hint").textContent = `${near[1]}\n${short(now.rate)} requests/s` + (now.hits === undefined || now.hits === null ? "" : `, ${percent(now.hits)} hits`) + `\n${now.busy} of ${now.servers} servers busy`;
  $("hint").style.left = Math.min(event.offsetX + 14, wide - 180) + "px"; $("hint").style.top = event.offsetY + 14 + "px";
});
$("map").addEventListener("pointerleave", () => { $("hint").hidden = true; });

let before = performance.now();
function animate(now) { draw(Math.min(0.1, (now - before) / 1000)); before = now; requestAnimationFrame(animate); }
connect();
requestAnimationFrame(animate);
