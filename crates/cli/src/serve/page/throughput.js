// Moves data one way through the channel "throughput" and measures it.
//
// Commands and answers are JSON text messages on the same channel (see the README of weft-cli); the data are binary.
// Both sides hash what they sent or received with SHA-256, outside the measured time.

const HIGH_WATER = 4 * 1024 * 1024;
const HASH_LIMIT = 256 * 1024 * 1024;
const MAX_SECONDS_BYTES = 1024 * 1024 * 1024;

export class Throughput {
  /** @param {RTCDataChannel} channel @param {(event: object) => void} report */
  constructor(channel, report) {
    this.channel = channel;
    this.report = report;
    this.run = null;
    channel.addEventListener("message", ({ data }) => this.receive(data));
    channel.addEventListener("close", () => this.end("The channel closed during the test."));
  }

  /** @param {"download"|"upload"} direction @param {{bytes?: number, seconds?: number, size: number}} wish */
  start(direction, wish) {
    if (this.run) return;
    const hash = wish.bytes !== undefined && wish.bytes <= HASH_LIMIT && crypto.subtle !== undefined;
    this.run = { direction, wish, hash, bytes: 0, messages: 0, began: performance.now(), kept: [], last: 0, lastAt: performance.now() };
    this.ticker = setInterval(() => this.tick(), 100);
    this.channel.send(JSON.stringify({ cmd: direction, bytes: wish.bytes, seconds: wish.seconds, size: wish.size, hash }));
    this.report({ kind: "start", direction });
  }

  stop() {
    if (!this.run) return;
    this.run.stopped = true;
    if (this.run.direction === "download") this.channel.send(JSON.stringify({ cmd: "stop" }));
  }

  tick() {
    const now = performance.now();
    const { run } = this;
    const rate = ((run.bytes - run.last) / (now - run.lastAt)) * 1000;
    run.last = run.bytes;
    run.lastAt = now;
    this.report({ kind: "progress", bytes: run.bytes, rate });
  }

  receive(data) {
    const { run } = this;
    if (!run) return;
    if (typeof data !== "string") {
      run.bytes += data.byteLength;
      run.messages += 1;
      run.doneAt = performance.now();
      if (run.hash) run.kept.push(data);
      return;
    }
    const message = JSON.parse(data);
    if (message.event === "error") this.end(`The native peer says: ${message.message}`);
    else if (message.event === "start") run.began = performance.now();
    else if (message.event === "ready") this.upload(run).catch((error) => this.end(error.message));
    else if (message.event === "received") run.bytes = message.bytes;
    else if (message.event === "end") this.finish(run, message).catch((error) => this.end(error.message));
  }

  async upload(run) {
    const { channel } = this;
    const { wish } = run;
    channel.bufferedAmountLowThreshold = HIGH_WATER / 2;
    const total = wish.bytes ?? MAX_SECONDS_BYTES;
    const block = new Uint8Array(wish.size);
    for (let at = 0; at < block.length; at += 65536) crypto.getRandomValues(block.subarray(at, at + 65536));
    run.began = performance.now();
    let sent = 0;
    for (let number = 0; sent < total && !run.stopped; number += 1) {
      if (wish.seconds !== undefined && performance.now() - run.began >= wish.seconds * 1000) break;
      const message = block.slice(0, Math.min(wish.size, total - sent));
      // Every message differs, so that a lost or swapped one changes the hash.
      if (message.length >= 4) new DataView(message.buffer).setUint32(0, number);
      if (channel.readyState !== "open") return;
      channel.send(message);
      sent += message.length;
      if (run.hash) run.kept.push(message.buffer);
      if (channel.bufferedAmount > HIGH_WATER) {
        await new Promise((resolve) => {
          channel.addEventListener("bufferedamountlow", resolve, { once: true });
          channel.addEventListener("close", resolve, { once: true });
        });
      }
    }
    run.sent = sent;
    channel.send(JSON.stringify({ cmd: "end" }));
  }

  async finish(run, message) {
    const seconds = (run.direction === "download" ? (run.doneAt ?? performance.now()) - run.began : performance.now() - run.began) / 1000;
    run.bytes = run.direction === "download" ? run.bytes : message.bytes;
    this.tick();
    clearInterval(this.ticker);
    const ours = run.direction === "download" ? run.bytes : run.sent;
    const result = { kind: "result", direction: run.direction, bytes: message.bytes, seconds, mibPerSecond: message.bytes / 1048576 / seconds };
    result.complete = ours === message.bytes;
    if (run.hash && message.sha256) {
      result.sha256 = hex(await crypto.subtle.digest("SHA-256", await new Blob(run.kept).arrayBuffer()));
      result.hashMatch = result.sha256 === message.sha256;
    }
    this.run = null;
    this.report(result);
  }

  end(text) {
    if (!this.run) return;
    clearInterval(this.ticker);
    this.run = null;
    this.report({ kind: "failed", text });
  }
}

function hex(buffer) {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
