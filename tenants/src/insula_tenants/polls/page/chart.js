// The results as bars. Text says everything; the bars only show it.
"use strict";

function barsOf(ballot) {
  if (ballot.kind === "rating") {
    return Array.from({ length: ballot.scale }, (_, index) => ({ key: index + 1, name: String(index + 1) }));
  }
  return ballot.options.map((option) => ({ key: option.id, name: option.text }));
}

// First preferences, where the poll is ranked; else the counts as they are.
function votesByBar(ballot, counts) {
  if (ballot.kind !== "ranked") return counts;
  const first = {};
  for (const [ranking, votes] of Object.entries(counts)) {
    const option = ranking.split(">")[0];
    first[option] = (first[option] || 0) + votes;
  }
  return first;
}

function drawChart(ballot, results) {
  const chart = find("chart"), votes = votesByBar(ballot, results.counts);
  const bars = barsOf(ballot);
  if (chart.children.length !== bars.length) {
    chart.replaceChildren(...bars.map((bar) => newBar(bar)));
  }
  const most = Math.max(1, results.voters);
  const right = results.quiz ? results.quiz.correct : [];
  bars.forEach((bar, index) => {
    const item = chart.children[index], count = votes[bar.key] || 0;
    const share = Math.round((100 * count) / most);
    item.dataset.votes = count;
    item.classList.toggle("right", right.includes(bar.key));
    item.querySelector(".count").textContent = `${count} (${results.voters ? share : 0} %)`;
    item.querySelector(".bar").style.width = `${share}%`;
  });
  find("total").textContent = total(ballot, results);
  find("total").dataset.number = results.number;
  drawRounds(ballot, results);
  find("explanation").textContent = results.quiz ? results.quiz.explanation : "";
  find("explanation").hidden = !find("explanation").textContent;
}

function total(ballot, { voters, counts }) {
  const text = voters === 1 ? "1 vote" : `${voters} votes`;
  if (ballot.kind !== "rating" || !voters) return text;
  const sum = Object.entries(counts).reduce((so_far, [stars, votes]) => so_far + stars * votes, 0);
  return `${text}, ${(sum / voters).toFixed(1)} on average`;
}

function newBar(bar) {
  const row = make("div", { className: "row" });
  row.append(make("span", { className: "name", textContent: bar.name }), make("span", { className: "count" }));
  const track = make("div", { className: "track" }, make("div", { className: "bar" }));
  track.setAttribute("aria-hidden", "true");
  return make("li", {}, row, track);
}

function drawRounds(ballot, results) {
  const list = find("rounds");
  list.hidden = !results.outcome || !results.final;
  if (list.hidden) return;
  const name = (id) => ballot.options.find((option) => option.id === id).text;
  const lines = results.outcome.rounds.map((round, index) => {
    const standings = round.standings.map((each) => `${name(each.option)} ${each.votes}`).join(", ");
    const gone = round.eliminated ? `. ${name(round.eliminated)} is out` : "";
    const tie = round.tie ? `, by ${round.tie.broken_by}` : "";
    return make("li", { textContent: `Round ${index + 1}: ${standings}${gone}${tie}.` });
  });
  if (results.outcome.winner) {
    lines.push(make("li", { textContent: `${name(results.outcome.winner)} wins.` }));
  }
  list.replaceChildren(...lines);
}

async function drawAnswers() {
  const page = await ask(`${base}/answers?limit=100`);
  find("answers").replaceChildren(...page.items.map((each) => make("li", { textContent: each.answer })));
  find("answers").hidden = false;
}
