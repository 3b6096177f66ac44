// Measures round trips on the channel "rtt": the native peer sends back what it gets.

const INTERVAL_MS = 20;
const KEPT = 2000;
const GIVE_UP_MS = 5000;

export class RoundTrip {
  /** @param {RTCDataChannel} channel @param {(event: object) => void} report */
  constructor(channel, report) {
    this.channel = channel;
    this.report = report;
    this.timer = null;
    channel.addEventListener("message", ({ data }) => this.receive(data));
    channel.addEventListener("close", () => this.stop());
  }

  start() {
    if (this.timer !== null) return;
    this.waiting = new Map();
    this.samples = [];
    this.sent = 0;
    this.answered = 0;
    this.timer = setInterval(() => this.ping(), INTERVAL_MS);
    this.report({ kind: "start" });
    this.ping();
  }

  stop() {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    this.report({ kind: "stop", ...this.summary() });
  }

  ping() {
    if (this.channel.readyState !== "open") return;
    const now = performance.now();
    for (const [number, at] of this.waiting) if (now - at > GIVE_UP_MS) this.waiting.delete(number);
    const message = new DataView(new ArrayBuffer(16));
    message.setFloat64(0, this.sent);
    this.waiting.set(this.sent, performance.now());
    this.sent += 1;
    this.channel.send(message);
  }

  receive(data) {
    if (this.timer === null || data.byteLength !== 16) return;
    const number = new DataView(data).getFloat64(0);
    const at = this.waiting.get(number);
    if (at === undefined) return;
    this.waiting.delete(number);
    this.answered += 1;
    const ms = performance.now() - at;
    this.samples.push(ms);
    if (this.samples.length > KEPT) this.samples.shift();
    this.report({ kind: "sample", ms, ...this.summary() });
  }

  summary() {
    const sorted = Float64Array.from(this.samples).sort();
    const at = (share) => (sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] : null);
    return { p50: at(0.5), p95: at(0.95), sent: this.sent, answered: this.answered };
  }
}
