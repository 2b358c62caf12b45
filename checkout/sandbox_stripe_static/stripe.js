// The twin's Stripe.js: the part of https://js.stripe.com/v3/ that a pay page uses, against the twin's API.
(() => {
  "use strict";
  const root = new URL("..", document.currentScript.src); // .../sandbox/stripe/v3/ -> .../sandbox/stripe/
  const TEXT = {
    en: { number: "Card number", expiry: "Expiry (MM / YY)", cvc: "Security code", wrong: "Please check the card details." },
    zh: { number: "卡号", expiry: "有效期（月 / 年）", cvc: "安全码", wrong: "请检查银行卡信息。" },
  };

  const flat = (value, name = "", into = new URLSearchParams()) => {
    if (value !== null && typeof value === "object") {
      for (const [key, part] of Object.entries(value)) flat(part, name ? `${name}[${key}]` : key, into);
    } else if (value !== undefined && value !== null) {
      into.append(name, value);
    }
    return into;
  };

  const call = async (key, method, path, params) => {
    const url = new URL(`v1/${path}`, root);
    const options = { method, headers: { Authorization: `Bearer ${key}` } };
    if (method === "GET") url.search = flat(params);
    else options.body = flat(params);
    try {
      const answer = await fetch(url, options);
      return await answer.json();
    } catch (failure) {
      return { error: { type: "api_connection_error", message: String(failure) } };
    }
  };

  const intentOf = (secret) => String(secret).split("_secret_")[0];

  class CardElement {
    constructor(options) {
      this.words = TEXT[String(options.locale || document.documentElement.lang).startsWith("zh") ? "zh" : "en"];
      this.listeners = {};
      this.fields = {};
    }

    mount(target) {
      const place = typeof target === "string" ? document.querySelector(target) : target;
      if (!place) throw new Error(`The selector ${target} applies to no element on the page.`);
      if (!document.querySelector("link[data-twin]")) {
        const sheet = document.createElement("link");
        sheet.rel = "stylesheet";
        sheet.href = new URL("static/elements.css", root);
        sheet.dataset.twin = "";
        document.head.append(sheet);
      }
      const box = document.createElement("div");
      box.className = "twin-card";
      for (const [name, hint, fill] of [["number", "4242 4242 4242 4242", "cc-number"], ["expiry", "12 / 34", "cc-exp"], ["cvc", "123", "cc-csc"]]) {
        const label = document.createElement("label");
        const input = document.createElement("input");
        label.textContent = this.words[name];
        Object.assign(input, { inputMode: "numeric", placeholder: hint, autocomplete: fill, required: true });
        input.dataset.stripe = name; // no name attribute: card details never go to the shop with its form
        input.addEventListener("input", () => this.changed());
        label.append(input);
        box.append(label);
        this.fields[name] = input;
      }
      this.note = document.createElement("p");
      this.note.setAttribute("role", "alert");
      box.append(this.note);
      place.replaceChildren(box);
      this.box = box;
      queueMicrotask(() => this.tell("ready", { elementType: "payment" }));
    }

    on(name, listener) {
      (this.listeners[name] ||= []).push(listener);
      return this;
    }

    tell(name, event) {
      for (const listener of this.listeners[name] || []) listener(event);
    }

    changed() {
      this.note.textContent = "";
      for (const input of Object.values(this.fields)) input.removeAttribute("aria-invalid");
      this.tell("change", { elementType: "payment", complete: !this.invalid(), empty: !this.fields.number.value, value: { type: "card" } });
    }

    card() {
      const digits = (name) => this.fields[name].value.replace(/\D/g, "");
      const expiry = digits("expiry");
      return { number: digits("number"), exp_month: expiry.slice(0, 2), exp_year: expiry.slice(2), cvc: digits("cvc") };
    }

    invalid() {
      const card = this.card();
      if (card.number.length < 12) return "number";
      if (!/^(0[1-9]|1[0-2])$/.test(card.exp_month) || !/^\d{2}(\d{2})?$/.test(card.exp_year)) return "expiry";
      return /^\d{3,4}$/.test(card.cvc) ? "" : "cvc";
    }

    refuse(name, message) {
      this.note.textContent = message;
      this.fields[name]?.setAttribute("aria-invalid", "true");
      this.fields[name]?.focus();
      return { error: { type: "validation_error", code: `incomplete_${name}`, message } };
    }

    unmount() {
      this.box?.remove();
    }

    destroy() {
      this.unmount();
    }
  }

  window.Stripe = (key) => {
    const retrievePaymentIntent = async (secret) => {
      const answer = await call(key, "GET", `payment_intents/${intentOf(secret)}`, { client_secret: secret });
      return answer.error ? answer : { paymentIntent: answer };
    };

    const elements = (options = {}) => {
      let element = null;
      return {
        secret: options.clientSecret,
        create: (_, more = {}) => (element = new CardElement({ ...options, ...more })),
        getElement: () => element,
        update: (more) => Object.assign(options, more),
        current: () => element,
        submit: async () => {
          const wrong = element ? element.invalid() : "number";
          return wrong ? (element ? element.refuse(wrong, element.words.wrong) : { error: { type: "validation_error" } }) : {};
        },
      };
    };

    const confirmPayment = async ({ elements: group, clientSecret, confirmParams = {}, redirect = "always" }) => {
      const secret = clientSecret || group.secret;
      const params = { ...confirmParams, client_secret: secret };
      if (group) {
        const checked = await group.submit();
        if (checked.error) return checked;
        params.payment_method_data = { type: "card", card: group.current().card() };
      }
      const intent = await call(key, "POST", `payment_intents/${intentOf(secret)}/confirm`, params);
      if (intent.error) {
        if (group) group.current().note.textContent = intent.error.message;
        return { error: intent.error };
      }
      if (intent.next_action?.redirect_to_url) {
        window.location.assign(intent.next_action.redirect_to_url.url);
        return new Promise(() => {}); // the page goes away
      }
      if (redirect === "if_required" || !confirmParams.return_url) return { paymentIntent: intent };
      const back = new URL(confirmParams.return_url, window.location.href);
      back.searchParams.set("payment_intent", intent.id);
      back.searchParams.set("payment_intent_client_secret", secret);
      back.searchParams.set("redirect_status", "succeeded");
      window.location.assign(back);
      return new Promise(() => {});
    };

    return { elements, confirmPayment, retrievePaymentIntent };
  };
  window.Stripe.version = "twin";
})();
