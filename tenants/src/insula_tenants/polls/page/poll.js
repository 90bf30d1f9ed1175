// The page: a ballot while one can vote, the results once one may see them.
"use strict";

const state = { ballot: null, results: null };

async function load() {
  try {
    state.ballot = await ask(`${base}/ballot`);
  } catch (error) {
    find("sign-in").hidden = error.slug !== "unauthenticated";
    find("token").hidden = error.slug !== "polls-voting-token-refused";
    if (error.slug !== "unauthenticated") say(error.message);
    return;
  }
  const { ballot } = state;
  document.title = find("question").textContent = ballot.question;
  find("description").textContent = ballot.description;
  find("description").hidden = !ballot.description;
  find("sign-in").hidden = true;
  find("token").hidden = ballot.voters !== "token" || Boolean(visitor.token) || ballot.state !== "open";
  drawBallot();
  tell();
  if (ballot.shows_results) await loadResults();
  else find("results").hidden = true;
  watch(state.results ? state.results.channel : `polls/${ballot.id}`);
}

async function loadResults() {
  state.results = await ask(`${base}/results`);
  find("results").hidden = false;
  draw();
}

function draw() {
  drawChart(state.ballot, state.results);
  if (state.ballot.kind === "open") drawAnswers();
}

function say(text) {
  find("notice").textContent = text;
}

const WAITING = {
  always: "", after_vote: "You see the results once you have voted.",
  after_close: "The results are shown when the poll is closed.",
};

function tell() {
  const { ballot } = state, parts = [];
  if (ballot.has_voted) parts.push("Your vote is counted.");
  if (ballot.verdict) {
    parts.push(ballot.verdict.right ? `Right! ${ballot.verdict.points} points.` : "That was not right.");
  }
  if (ballot.state === "scheduled") parts.push(`Opens ${new Date(ballot.opens_at).toLocaleString()}.`);
  if (ballot.state === "closed") parts.push("This poll is closed.");
  else if (!ballot.shows_results) parts.push(WAITING[ballot.results]);
  say(parts.join(" "));
}

// The ballot

let drawn = "";

// Drawn again only if what it asks has changed: whoever is filling it in keeps what they have put.
function drawBallot() {
  const { ballot } = state, form = find("ballot");
  form.hidden = ballot.state !== "open" || (ballot.has_voted && !ballot.may_change)
    || (ballot.voters === "token" && !visitor.token);
  const { kind, options, min_choices, max_choices, scale, vote, has_voted } = ballot;
  const asked = JSON.stringify([kind, options, min_choices, max_choices, scale, vote, has_voted]);
  if (form.hidden || asked === drawn) return;
  drawn = asked;
  const fields = make("fieldset", {}, make("legend", { textContent: hint(ballot) }), ...choices(ballot));
  form.replaceChildren(fields, make("button", { textContent: ballot.has_voted ? "Change vote" : "Vote" }));
  if (ballot.kind === "multiple" || (ballot.kind === "quiz" && ballot.max_choices > 1)) limit(form, ballot);
}

function hint(ballot) {
  const { kind, min_choices: least, max_choices: most } = ballot;
  if (kind === "ranked") return "Put them in order, the best first.";
  if (kind === "rating") return `From 1 to ${ballot.scale}`;
  if (kind === "open") return "In your own words";
  if (most === 1) return "Choose one.";
  return least === most ? `Choose ${least}.` : `Choose ${least} to ${most}.`;
}

function choices(ballot) {
  const chosen = ballot.vote ? ballot.vote.choices : [];
  if (ballot.kind === "open") {
    const text = ballot.vote ? ballot.vote.answer : "";
    return [make("label", { textContent: "Answer" }, make("textarea", { name: "answer", value: text, required: true, maxLength: 1000, rows: 3 }))];
  }
  if (ballot.kind === "ranked") {
    return Array.from({ length: ballot.max_choices }, (_, place) => {
      const nobody = make("option", { value: "", textContent: "–" });
      const options = ballot.options.map((each) => make("option", { value: each.id, textContent: each.text, selected: chosen[place] === each.id }));
      const select = make("select", { name: "choice", required: place < ballot.min_choices }, nobody, ...options);
      return make("label", { textContent: `${place + 1}. ` }, select);
    });
  }
  const type = ballot.kind === "rating" || ballot.max_choices === 1 ? "radio" : "checkbox";
  const labels = barsOf(ballot).map(({ key, name }) => {
    const input = make("input", { type, name: "choice", value: key, checked: chosen.includes(key), required: type === "radio" });
    return make("label", {}, input, name);
  });
  return ballot.kind === "rating" ? [make("div", { className: "scale" }, ...labels)] : labels;
}

// No more boxes than may be ticked.
function limit(form, ballot) {
  const boxes = [...form.elements.choice];
  const update = () => {
    const full = boxes.filter((box) => box.checked).length >= ballot.max_choices;
    boxes.forEach((box) => { box.disabled = full && !box.checked; });
  };
  form.onchange = update;
  update();
}

function vote(form, ballot) {
  const filled = new FormData(form);
  if (ballot.kind === "open") return { answer: filled.get("answer") };
  const chosen = filled.getAll("choice").filter(Boolean).map(Number);
  return ballot.kind === "rating" ? { rating: chosen[0] } : { choices: chosen };
}

function onSubmit(id, act) {
  find(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.target.querySelector("button");
    button.disabled = true;
    try {
      await act(event.target);
    } catch (error) {
      if (error.slug === "polls-already-voted") await load();
      say(error.message);
    } finally {
      button.disabled = false;
    }
  });
}

onSubmit("ballot", async (form) => {
  await ask(`${base}/votes`, { method: "POST", body: vote(form, state.ballot) });
  await load();
});

onSubmit("sign-in", async (form) => {
  const session = await ask("/api/v1/sessions", { method: "POST", body: Object.fromEntries(new FormData(form)) });
  visitor.bearer = session.access_token;
  say("");
  await load();
});

onSubmit("token", async (form) => {
  visitor.token = new FormData(form).get("token").trim();
  await load();
});

load();
