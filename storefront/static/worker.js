// Where there is no line, a page says so; everything else goes to the shop, which alone knows what is free.
"use strict";
const KEPT = "haoka-offline-" + new URL(self.location.href).searchParams.get("v");

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const kept = await caches.open(KEPT);
    const page = await fetch("/offline", { cache: "reload" });
    const html = await page.clone().text();
    // What the page needs stands in it, by addresses that never change what they mean.
    const needs = [...html.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map(([, address]) => address.replaceAll("&amp;", "&"));
    await kept.put("/offline", page);
    await kept.addAll([...new Set(needs)]);
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith("haoka-offline-") && name !== KEPT) await caches.delete(name);
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const { request } = event, { pathname } = new URL(request.url);
  if (request.method !== "GET") return;  // nothing is ever sent twice or later
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => caches.match("/offline")));
  else if (pathname.startsWith("/static/")) event.respondWith(fetch(request).catch(() => caches.match(request)));
});
