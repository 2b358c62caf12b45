// The pay page: Stripe's own fields take the card, so that its digits never reach this shop.
"use strict";

const form = document.querySelector("[data-pay]");
const say = document.querySelector("[data-pay-say]");
const button = form.querySelector("button");

function tell(text) {
  say.textContent = text;
  say.hidden = !text;
}

async function pay(stripe, elements) {
  button.disabled = true;
  tell("");
  const { error } = await stripe.confirmPayment({ elements, confirmParams: { return_url: form.dataset.returnUrl } });
  // Only an error comes back here: otherwise the browser is already on its way to the order.
  tell(error?.message ?? form.dataset.failed);
  button.disabled = false;
}

if (typeof Stripe === "undefined") {
  tell(form.dataset.unreachable);
} else {
  const stripe = Stripe(form.dataset.publishableKey, { locale: document.documentElement.lang === "en" ? "en" : "zh" });
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const elements = stripe.elements({
    clientSecret: form.dataset.clientSecret,
    appearance: { theme: dark ? "night" : "stripe", variables: { colorPrimary: dark ? "#63d3ac" : "#0b6b51", borderRadius: "12px" } },
  });
  elements.create("payment").mount(document.querySelector("[data-pay-fields]"));
  button.disabled = false;
  form.addEventListener("submit", (event) => { event.preventDefault(); pay(stripe, elements); });
}
