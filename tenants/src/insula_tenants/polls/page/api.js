// Who the visitor is, and how to ask the server.
"use strict";

const base = location.pathname.replace(/\/page$/, "");
const visitor = { bearer: null, token: new URLSearchParams(location.hash.slice(1)).get("token") };

function headers() {
  const all = {};
  if (visitor.bearer) all["Authorization"] = `Bearer ${visitor.bearer}`;
  if (visitor.token) all["Voting-Token"] = visitor.token;
  return all;
}

class Refused extends Error {
  constructor(problem) {
    super((problem.errors || []).map((each) => each.detail).join("; ") || problem.detail || problem.title);
    this.slug = problem.type.replace("/docs/problems/", "");
  }
}

async function ask(path, { method = "GET", body } = {}) {
  const options = { method, headers: headers() };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  const said = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Refused(said);
  return said;
}

const find = (id) => document.getElementById(id);

function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
