// Ticks the clocks, keeps the drop fresh, swaps the picker in place. Every page works without it.
"use strict";

// The time of the server, never of this device: what the page was sent with plus what has passed since.
let origin = Number(document.body.dataset.now) - (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
const serverNow = () => origin + performance.now();

async function syncClock() {
  const sent = performance.now();
  const answer = await fetch("/clock", { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const { now } = await answer.json();
  origin = now - (sent + performance.now()) / 2;
}

const two = (n) => String(n).padStart(2, "0");
function inWords(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const days = Math.floor(s / 86400), hours = Math.floor((s % 86400) / 3600), minutes = Math.floor((s % 3600) / 60);
  const day = document.documentElement.lang === "en" ? " d " : " 天 ";
  if (days) return `${days}${day}${two(hours)}:${two(minutes)}:${two(s % 60)}`;
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${two(minutes)}:${two(s % 60)}`;
}

function tick() {
  for (const clock of document.querySelectorAll("[data-countdown]")) {
    const ms = Number(clock.dataset.countdown) - serverNow();
    clock.textContent = inWords(ms);
    if (ms <= 0 && !clock.dataset.done) {
      clock.dataset.done = "1";
      if ("arm" in clock.dataset) arm();
      if ("reload" in clock.dataset) setTimeout(() => location.reload(), 500 + Math.random() * 1500);
    }
  }
  const hold = document.querySelector("[data-hold-until]");
  if (hold) tickHold(hold, Number(hold.dataset.holdUntil) - serverNow());
}

function tickHold(hold, ms) {
  hold.querySelector("[data-left]").textContent = inWords(ms);
  const say = hold.querySelector("[data-say]");
  if (ms < 120000 && !hold.classList.contains("short")) {
    hold.classList.add("short");
    say.textContent = say.dataset.two;
  }
  if (ms <= 0 && !hold.dataset.over) {
    hold.dataset.over = "1";
    say.textContent = say.dataset.over;
    say.classList.remove("sr");
    for (const control of hold.querySelectorAll("a, form")) control.hidden = true;
    keepTyped();
  }
}

// What stands in the checkout when its number goes back is there again with the next one.
function keepTyped() {
  const order = document.getElementById("order");
  if (!order) return;
  const sent = new URLSearchParams(new FormData(order));
  sent.set("look", "1");
  fetch(order.action, { method: "POST", body: sent }).catch(() => {});
}

// Opening: the buttons arm themselves; whether it is really open, the server decides at the press.
function arm() {
  for (const button of document.querySelectorAll("button[data-arms]")) {
    button.disabled = false;
    const go = button.querySelector("[data-go]");
    if (go) go.textContent = go.dataset.go;
  }
  setTimeout(refreshLive, 800 + Math.random() * 1200);
}

async function fetchPage(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

async function refreshLive() {
  const live = document.querySelector("[data-live]");
  if (!live || document.hidden) return;
  const fresh = await fetchPage(live.dataset.live).catch(() => null);
  const state = fresh?.querySelector("[data-state]");
  if (!state) return;
  const before = live.querySelector("[data-state]")?.dataset.state;
  live.replaceChildren(state);
  if (before && before !== state.dataset.state) await swap(location.href, false);
}

// Plans, searches and batches replace the picker only, and the address follows.
async function swap(address, follow = true) {
  const picker = document.querySelector("[data-swaps]");
  picker?.setAttribute("aria-busy", "true");
  const page = await fetchPage(address).catch(() => null);
  const fresh = page?.querySelector("[data-swaps]");
  if (!picker || !fresh) { location.assign(address); return; }
  const focus = document.activeElement?.id;
  picker.replaceWith(fresh);
  if (follow) history.replaceState(null, "", address);
  if (focus) document.getElementById(focus)?.focus();
  showChosen();
}

// On a phone the offers are a row to swipe: the chosen one comes into sight.
function showChosen() {
  const chosen = document.querySelector(".offer[aria-current]"), row = chosen?.closest(".offers");
  if (row && row.scrollWidth > row.clientWidth) row.scrollLeft = chosen.parentElement.offsetLeft - row.offsetLeft - 20;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  swap(link.href);
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("form[data-swap]")) {
    event.preventDefault();
    swap(`${form.action}?${new URLSearchParams(new FormData(form))}`);
  } else if (form.method === "post") {
    if (form.querySelector("[data-repeats]")) return;  // a download leaves the page as it is
    if (form.dataset.sent) event.preventDefault();  // a double click is one press
    form.dataset.sent = "1";
  }
});
document.addEventListener("change", (event) => {
  if (event.target.matches("form[data-swap] select, form[data-swap] input[type=checkbox]")) event.target.form.requestSubmit();
});

// Favourites: the mark changes in place.
document.addEventListener("click", async (event) => {
  const star = event.target.closest("button.star");
  if (!star || !star.form?.elements.csrf?.value) return;  // who is not signed in does that first
  event.preventDefault();
  const { csrf } = star.form.elements, kept = star.getAttribute("aria-pressed") === "true";
  const sent = new URLSearchParams({ csrf: csrf.value, quiet: "1", [star.name]: star.value });
  const answer = await fetch(star.formAction, { method: "POST", body: sent }).catch(() => null);
  if (answer?.status !== 204) { star.form.requestSubmit(star); return; }
  for (const each of document.querySelectorAll(`button.star[value="${star.value}"]`)) {
    each.setAttribute("aria-pressed", String(!kept));
    each.name = kept ? "mark" : "unmark";
  }
});

// A part of a form that the server fills in: a pasted address split, the districts of a chosen city.
async function swapPart(control, action) {
  const { form } = control, id = control.dataset.swapsPart;
  const sent = new URLSearchParams(new FormData(form));
  sent.set(action, "1");
  const answer = await fetch(form.action, { method: "POST", body: sent }).catch(() => null);
  const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  const fresh = page?.getElementById(id);
  if (!fresh) return false;
  const focus = action === "split" ? fresh.querySelector("[aria-invalid]")?.id ?? "receiver_name" : control.id;
  document.getElementById(id).replaceWith(fresh);
  document.getElementById(focus)?.focus();
  return true;
}
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-swaps-part]")) swapPart(event.target, "look");
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-swaps-part]");
  if (!button) return;
  event.preventDefault();
  if (!await swapPart(button, button.name)) button.form.requestSubmit(button);
});

// Checkout: a choice that has a price shows it at once.
async function showPrice(form) {
  const chosen = new URLSearchParams([...new FormData(form)].filter(([name]) => /^(first_month|holder|extra_)/.test(name)));
  const page = await fetchPage(`${form.dataset.price}?${chosen}`).catch(() => null);
  const fresh = page?.querySelector("#price");
  if (!fresh) return;  // the order itself tells when it would cost something else
  document.getElementById("price").replaceWith(fresh);
  form.querySelector("[data-price-due]").value = fresh.dataset.due;
  form.querySelector("[data-price-now]").replaceChildren(fresh.querySelector(".price-now").firstChild.cloneNode(true));
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-priced]")) showPrice(event.target.form);
});

addEventListener("pageshow", (event) => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  if (event.persisted) location.reload();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) { syncClock(); refreshLive(); } });

// What waits for something looks again by itself, but never while something is typed.
const { again } = document.body.dataset;
if (again) setTimeout(() => { if (!document.activeElement?.matches("input, textarea, select")) location.reload(); }, again * 1000);

navigator.serviceWorker?.register(`/worker.js?v=${new URL(document.currentScript.src).searchParams.get("v")}`).catch(() => {});  // private windows refuse; the shop needs none
document.querySelector("[data-focus]")?.focus();
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
showChosen();
tick();
setInterval(tick, 250);
if (document.querySelector("[data-live]")) setInterval(refreshLive, 4000 + Math.random() * 2000);
