// Keeps a drop's figures fresh on the ops console; without it the page reloads itself.
"use strict";

const figures = document.querySelector("[data-figures]");

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(figures.dataset.figures, { cache: "no-store" }).catch(() => null);
  figures.classList.toggle("stale", !answer?.ok);
  if (!answer?.ok) return;
  const fresh = await answer.json();
  if (fresh.state !== figures.dataset.state) { location.reload(); return; }
  let x = 0;
  for (const [name, count] of Object.entries(fresh.tally)) {
    for (const cell of figures.querySelectorAll(`[data-count="${name}"]`)) cell.textContent = count.toLocaleString("en");
    for (const cell of figures.querySelectorAll(`[data-share="${name}"]`)) cell.textContent = `${fresh.shares[name].toFixed(1)} %`;
    const bar = figures.querySelector(`[data-bar="${name}"]`);
    if (bar) {
      bar.setAttribute("x", `${x}%`);
      bar.setAttribute("width", `${fresh.shares[name]}%`);
      x += fresh.shares[name];
    }
  }
  for (const cell of figures.querySelectorAll("[data-as-of]")) cell.textContent = fresh.as_of;
}

if (figures) setInterval(refresh, 2000);
