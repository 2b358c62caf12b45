// Joining a queue that asks for work: it is done in the background from the moment the page is there, and the press
// waits for what is left of it.
"use strict";

const joining = document.querySelector("form[data-work]");
const work = JSON.parse(joining.dataset.work), button = joining.querySelector("button"), label = button.textContent;
const worker = new Worker(joining.dataset.worker);
let pressed = false;

const submit = () => { pressed = false; HTMLFormElement.prototype.submit.call(joining); };

worker.onmessage = ({ data }) => {
  if (data.share !== undefined) {
    if (pressed) button.textContent = `${joining.dataset.working} ${Math.round(100 * data.share)} %`;
    return;
  }
  const { algorithm, challenge, salt, signature } = work;
  joining.elements.proof.value = btoa(JSON.stringify({ algorithm, challenge, number: data.number, salt, signature }));
  worker.terminate();
  if (pressed) submit();
};
worker.onerror = () => { if (pressed) submit(); };  // the server says what is missing
worker.postMessage(work);

joining.addEventListener("submit", (event) => {
  if (joining.elements.proof.value) return;
  event.preventDefault();
  pressed = true;
  button.disabled = true;
  button.textContent = `${joining.dataset.working} …`;
});
addEventListener("pageshow", () => { button.disabled = false; button.textContent = label; });
