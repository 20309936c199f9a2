// Draws the figures of a model's page and keeps them fresh. Text only ever goes in as textContent.
"use strict";
(() => {
  const CONFIG = { displayModeBar: false, responsive: true };
  const tags = new Map();
  const trouble = document.getElementById("trouble");
  const model = document.querySelector("[data-model]").dataset.model;
  const metric = document.getElementById("metric");
  // A finger that drags scrolls the page; a mouse that drags zooms.
  const dragmode = matchMedia("(pointer: fine)").matches ? "zoom" : false;

  function say(text) {
    trouble.hidden = text === "";
    trouble.textContent = text;
  }

  async function fetchFresh(url) {
    const headers = tags.has(url) ? { "If-None-Match": tags.get(url) } : {};
    const answer = await fetch(url, { headers, credentials: "same-origin" });
    if (answer.status === 304) return null;
    if (answer.status === 401) throw new Error("You are signed out: run 'gyro link' for a new link.");
    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
    tags.set(url, answer.headers.get("ETag") || "");
    return answer.json();
  }

  async function draw(place) {
    const asks = metric && place.id === "figure-performance" ? `?metric=${encodeURIComponent(metric.value)}` : "";
    const url = place.dataset.figure + asks;
    if (place.dataset.shown !== url) tags.delete(url);
    const figure = await fetchFresh(url);
    if (figure === null) return;
    if (!place.dataset.drawn) place.replaceChildren();
    // Eight dates do not fit side by side on a telephone.
    const xaxis = { ...figure.layout.xaxis, nticks: place.clientWidth < 600 ? 4 : 9 };
    await Plotly.react(place, figure.data, { ...figure.layout, xaxis, dragmode }, CONFIG);
    place.dataset.shown = url;
    place.dataset.drawn = "yes";
  }

  async function tell() {
    const facts = await fetchFresh(`/models/${model}/facts.json`);
    for (const place of document.querySelectorAll("[data-fact]")) {
      place.textContent = facts.texts[place.dataset.fact] ?? "–";
    }
    if (facts.events.length) document.getElementById("events").replaceChildren(...facts.events.map(line));
  }

  function line(event) {
    const item = document.createElement("li");
    const time = document.createElement("time");
    const name = document.createElement("b");
    time.textContent = event.at.slice(0, 19).replace("T", " ");
    name.textContent = event.process;
    item.append(time, " ", name, ` ${event.event}${event.reason ? `: ${event.reason}` : ""}`);
    return item;
  }

  // One call after the other: a slow server is not asked again before it has answered.
  async function keep(step, seconds) {
    for (;;) {
      if (!document.hidden) {
        try {
          await step();
          say("");
        } catch (error) {
          say(error instanceof TypeError ? "The server cannot be reached; trying again." : error.message);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
  }

  async function decide(button) {
    const place = button.closest("[data-incident]");
    const because = document.getElementById("because").value;
    const answer = await fetch(`/v1/incidents/${place.dataset.incident}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "same-origin",
      body: JSON.stringify({ decision: button.dataset.decision, because }),
    });
    if (answer.ok) location.reload();
    else say((await answer.json()).error || `The server answered ${answer.status}.`);
  }

  for (const button of document.querySelectorAll("[data-decision]")) {
    button.addEventListener("click", () => decide(button).catch((error) => say(error.message)));
  }

  const places = [...document.querySelectorAll("[data-figure]")];
  metric?.addEventListener("change", () => draw(document.getElementById("figure-performance")).catch((error) => say(error.message)));
  for (const place of places) keep(() => draw(place), Number(place.dataset.refreshS));
  if (document.querySelector("[data-fact]")) keep(tell, 2);
})();
