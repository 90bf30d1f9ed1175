// The live channel: a snapshot with a number, then numbered deltas. What came already is skipped,
// and where one is missing the results are read again, so the chart is never wrong for long.
"use strict";

const TRIES = 2; // of WebSockets that do not open, before server-sent events are tried
const line = { channel: null, close: () => {} };

function watch(channel) {
  if (channel === line.channel) return;
  line.close();
  line.channel = channel;
  openSocket(channel, { failures: 0, last: null });
}

async function ticket() {
  if (!visitor.bearer) return "";
  return (await ask("/api/v1/realtime/tickets", { method: "POST" })).ticket;
}

async function openSocket(channel, { failures, last }) {
  const url = new URL("/api/v1/realtime/ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const permit = await ticket();
  if (permit) url.searchParams.set("ticket", permit);
  if (channel !== line.channel) return;
  const socket = new WebSocket(url);
  let opened = false;
  line.close = () => { socket.onclose = null; socket.close(); };
  socket.onopen = () => {
    opened = true;
    socket.send(JSON.stringify({ subscribe: channel, after: last }));
  };
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.id) last = message.id;
    hear(message);
  };
  socket.onclose = () => {
    show("reconnecting …");
    const missed = opened ? 0 : failures + 1;
    if (missed >= TRIES) openEvents(channel);
    else setTimeout(openSocket, 500 + 1500 * Math.random(), channel, { failures: missed, last });
  };
}

async function openEvents(channel) {
  const query = new URLSearchParams({ channel });
  const permit = await ticket();
  if (permit) query.set("ticket", permit);
  if (channel !== line.channel) return;
  const events = new EventSource(`/api/v1/realtime/sse?${query}`);
  line.close = () => events.close();
  events.onmessage = (event) => hear(JSON.parse(event.data));
  events.onerror = () => {
    show("reconnecting …");
    if (events.readyState === EventSource.CLOSED) setTimeout(openEvents, 3000, channel);
  };
}

function show(text) {
  find("live").textContent = text;
}

function hear(message) {
  switch (message.type) {
    case "snapshot":
    case "reset":
      show("live");
      adopt(message.data);
      break;
    case "resumed":
      show("live");
      break;
    case "polls.tally.changed":
      if (message.omitted) reload();
      else add(message.data);
      break;
    case "polls.answer.shown":
      drawAnswers();
      break;
    case "polls.poll.closed":
      state.ballot.state = "closed";
      drawBallot();
      tell();
      break;
    case "polls.poll.opened":
    case "polls.poll.updated":
    case "polls.poll.concluded":
      reload();
  }
}

function adopt(snapshot) {
  if (snapshot.state !== state.ballot.state) reload();
  const { results } = snapshot;
  if (!results || !state.results || results.number < state.results.number) return;
  state.results = { ...results, quiz: results.quiz || state.results.quiz };
  redraw();
}

function add(delta) {
  const { results } = state;
  if (!results || delta.number <= results.number) return;
  if (delta.number > results.number + 1) {
    reload();
    return;
  }
  results.number = delta.number;
  results.voters += delta.voters;
  for (const [key, votes] of Object.entries(delta.counts)) {
    results.counts[key] = (results.counts[key] || 0) + votes;
  }
  redraw();
}

let drawing = 0;

function redraw() {
  if (!drawing) drawing = requestAnimationFrame(() => { drawing = 0; draw(); });
}

// Everybody hears at the same moment: the more there are, the longer they spread out.
let reloading = 0;

function reload() {
  const crowd = state.results ? state.results.voters : 0;
  if (!reloading) {
    reloading = setTimeout(() => { reloading = 0; load(); }, Math.random() * Math.min(5000, crowd));
  }
}
