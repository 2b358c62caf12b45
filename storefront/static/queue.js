// The waiting page, live: one's own place and what is the same for all come as events; without them it asks, with jitter.
"use strict";

const queue = document.querySelector("[data-stream]");
let mine = Number(queue.dataset.place), served = Number(queue.dataset.served), state = queue.dataset.queue;
const grouped = (n) => n.toLocaleString("en-US");
const fill = (name, text) => { for (const one of queue.querySelectorAll(`[data-${name}]`)) one.textContent = text; };

// The page as the server writes it for another state; its own words, so nothing is said twice.
let coming = 0;
function showAnew(within) {
  clearTimeout(coming);
  coming = setTimeout(() => location.reload(), Math.random() * within);
}

function comeIn() {
  document.title = `● ${document.title}`;
  const form = document.querySelector("form[data-enter]");
  if (form && document.visibilityState === "visible") form.requestSubmit();
}

function tellEstimate(ahead, pace) {
  const line = queue.querySelector("[data-estimate]");
  if (!line || pace <= 0) return;
  const seconds = (ahead + 1) / pace;
  const words = seconds < 60 ? line.dataset.soon : line.dataset.minutes.replace("{n}", Math.round(seconds / 60));
  line.textContent = line.dataset.sentence.replace("{time}", words);
}

function tellChance(chance) {
  const line = queue.querySelector("[data-chance]");
  if (!line || !chance) return;
  line.className = `chance ${chance}`;
  line.textContent = line.dataset[chance];
}

function onPlace(told) {
  if (told.state !== state) { showAnew(told.state === "called" ? 0 : 1500); return; }
  mine = told.place;
  tellChance(told.chance);
}

function onNews(told) {
  served = told.served;
  fill("queued", grouped(told.queued));
  fill("free", grouped(told.free));
  if (!mine && !told.ended) return;
  const ahead = Math.max(0, mine - served - 1);
  fill("ahead", grouped(ahead));
  const bar = queue.querySelector("[data-progress]");
  if (bar) bar.value = served;
  tellEstimate(ahead, told.pace);
  if (told.ended) {
    document.querySelector("h1").textContent = queue.dataset.over;
    showAnew(4000);
  } else if (told.drawn && (told.second_at === null) === (state === "gone")) showAnew(4000);
}

async function ask() {
  const answer = await fetch(queue.dataset.poll, { cache: "no-store" }).catch(() => null);
  if (answer?.ok) { const told = await answer.json(); onPlace(told); return told; }
}

// Without events: every five to ten seconds.
let asking = 0;
function askOn() {
  clearTimeout(asking);
  asking = setTimeout(async () => { const told = await ask(); if (told) onNews({ ...told, ended: false, second_at: told.second_at }); askOn(); }, 5000 + Math.random() * 5000);
}

if (window.EventSource) {
  const events = new EventSource(queue.dataset.stream);
  events.addEventListener("place", (event) => onPlace(JSON.parse(event.data)));
  events.addEventListener("news", (event) => onNews(JSON.parse(event.data)));
  events.addEventListener("open", () => clearTimeout(asking));
  events.addEventListener("error", askOn);  // the browser tries again by itself; meanwhile the page asks
} else askOn();
document.addEventListener("visibilitychange", () => { if (state === "called") comeIn(); });
if (state === "called") comeIn();
