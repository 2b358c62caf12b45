// Works the draw out again in the reader's browser; the same steps as `haoka draw verify`.
"use strict";

const hash = async (text) => Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
  (byte) => byte.toString(16).padStart(2, "0")).join("");
const before = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

async function faults(told) {
  const wrong = [], listed = [...new Set(told.order)].sort(before);
  if (listed.length !== told.order.length) wrong.push("a ticket stands in the list twice");
  if (await hash(told.seed) !== told.commitment) wrong.push("the seed does not fit what was published before");
  if (listed.length !== told.tickets) wrong.push(`${listed.length} tickets, ${told.tickets} were announced`);
  const digest = await hash(listed.map((ticket) => `${ticket}\n`).join(""));
  if (digest !== told.digest) wrong.push("the list of tickets is another one");
  const final = await hash([told.rule, told.drop, told.seed, listed.length, digest].join("\n"));
  if (final !== told.final_seed) wrong.push("the final seed does not follow from seed and tickets");
  const keyed = await Promise.all(listed.map(async (ticket) => [await hash(`${final}:${ticket}`), ticket]));
  keyed.sort((a, b) => before(a[0], b[0]) || before(a[1], b[1]));
  if (keyed.some(([, ticket], place) => ticket !== told.order[place])) wrong.push("the order is not the drawn one");
  return wrong;
}

const button = document.querySelector("[data-check]"), result = document.querySelector("[data-result]");
button?.addEventListener("click", async () => {
  button.disabled = true;
  try {
    const answer = await fetch(document.querySelector("[data-draw]").dataset.draw, { cache: "no-store" });
    const told = await answer.json();
    // What this page was shown with counts as what was published, not what the answer says of itself.
    told.commitment = document.querySelector(".hashes code").textContent;
    const wrong = await faults(told);
    result.textContent = wrong.length ? `${button.dataset.bad} ${wrong.join("; ")}` : button.dataset.good;
    result.dataset.faults = String(wrong.length);
  } catch (trouble) {
    result.textContent = `${button.dataset.bad} ${trouble}`;
  }
  button.disabled = false;
});
