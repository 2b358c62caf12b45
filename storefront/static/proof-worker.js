// Finds the number behind the salt whose SHA-256 is the one asked for: ALTCHA's first scheme. What all tries have in
// common is hashed once.
"use strict";

const roots = new Uint32Array(64), start = new Uint32Array(8);
for (let prime = 2, found = 0; found < 64; prime++) {
  let whole = true;
  for (let by = 2; by * by <= prime; by++) if (prime % by === 0) whole = false;
  if (!whole) continue;
  const fraction = (root) => (root - Math.floor(root)) * 0x100000000;
  if (found < 8) start[found] = fraction(Math.sqrt(prime));
  roots[found++] = fraction(Math.cbrt(prime));
}

const words = new Uint32Array(64);
const turn = (x, by) => (x >>> by) | (x << (32 - by));

function block(state, bytes, from) {
  for (let i = 0; i < 16; i++) {
    const at = from + i * 4;
    words[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  for (let i = 16; i < 64; i++) {
    const x = words[i - 15], y = words[i - 2];
    words[i] = words[i - 16] + words[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + roots[i] + words[i]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

function solve({ salt, challenge, maxnumber }) {
  const head = new TextEncoder().encode(salt), common = head.length - (head.length % 64), shared = start.slice();
  for (let at = 0; at < common; at += 64) block(shared, head, at);
  const wished = challenge.match(/.{8}/g).map((hex) => parseInt(hex, 16)), rest = head.slice(common);
  const tail = new Uint8Array(128), state = new Uint32Array(8);
  for (let number = 0; number <= maxnumber; number++) {
    if (number % 20000 === 0) postMessage({ share: number / maxnumber });
    const digits = String(number), length = rest.length + digits.length, end = length < 56 ? 64 : 128, bits = (common + length) * 8;
    tail.fill(0);
    tail.set(rest);
    for (let i = 0; i < digits.length; i++) tail[rest.length + i] = digits.charCodeAt(i);
    tail[length] = 0x80;
    tail[end - 3] = bits >>> 16; tail[end - 2] = bits >>> 8; tail[end - 1] = bits;
    state.set(shared);
    for (let at = 0; at < end; at += 64) block(state, tail, at);
    if (wished.every((word, i) => state[i] === word)) return number;
  }
  return -1;
}

onmessage = (event) => postMessage({ number: solve(event.data) });
