import { Link } from "./link.js";
import { Plot } from "./plot.js";
import { RoundTrip } from "./roundtrip.js";
import { Throughput } from "./throughput.js";

const LOG_LINES = 500;
const NAMES = { starting: "Starting", connecting: "Connecting", connected: "Connected", interrupted: "Interrupted", failed: "Failed", closed: "Disconnected", unsupported: "Not supported" };

const $ = (id) => document.getElementById(id);
const plots = { throughput: new Plot($("throughput-plot"), "MiB/s"), rtt: new Plot($("rtt-plot"), "ms") };
let link = null;
let chat = null;
let throughput = null;
let roundTrip = null;
const pageBegan = performance.now();

function connect() {
  link?.close();
  $("problem").hidden = true;
  chat = throughput = roundTrip = null;
  const mine = new Link({ offerer: $("offerer").value, trickle: $("trickle").value === "yes" });
  link = mine;
  const on = (name, handle) => mine.addEventListener(name, (event) => mine === link && handle(event.detail));
  on("log", (text) => log(text));
  on("problem", problem);
  on("change", show);
  on("closed", () => log("connection ended"));
  on("channel", (channel) => {
    if (channel.label === "chat") chat = openChat(channel);
    if (channel.label === "throughput") throughput = new Throughput(channel, showThroughput);
    if (channel.label === "rtt") roundTrip = new RoundTrip(channel, showRoundTrip);
    show();
  });
  log("connecting");
  mine.open();
}

// --- connection ---

function show() {
  const state = link.state;
  $("state").dataset.state = state;
  $("state").textContent = NAMES[state];
  const { pc, socket } = link;
  $("socket-state").textContent = socket ? ["connecting", "open", "closing", "closed"][socket.readyState] : "new";
  $("signaling-state").textContent = pc?.signalingState ?? "new";
  $("gathering-state").textContent = pc?.iceGatheringState ?? "new";
  $("ice-state").textContent = pc?.iceConnectionState ?? "new";
  $("connection-state").textContent = pc?.connectionState ?? "new";
  $("sctp-state").textContent = pc?.sctp?.state ?? "new";
  $("setup-time").textContent = link.setupMs === null ? "–" : `${link.setupMs.toFixed(0)} ms`;
  buttons();
  showFacts(link).catch(() => {});
}

async function showFacts(of) {
  const facts = await of.facts();
  if (of !== link || !facts) {
    if (of === link) $("dtls-state").textContent = of.pc ? "closed" : "new";
    return;
  }
  const { transport, pair, local, remote } = facts;
  $("dtls-state").textContent = transport?.dtlsState ?? of.pc.sctp?.transport.state ?? "new";
  $("pair-local").textContent = describe(local);
  $("pair-remote").textContent = describe(remote);
  if (pair?.currentRoundTripTime !== undefined) $("pair-remote").textContent += ` (round trip ${(pair.currentRoundTripTime * 1000).toFixed(1)} ms)`;
  const version = { FEFD: "DTLS 1.2", FEFC: "DTLS 1.3" }[transport?.tlsVersion?.toUpperCase()];
  $("dtls-cipher").textContent = [version, transport?.dtlsCipher].filter(Boolean).join(", ") || "–";
}

function describe(candidate) {
  if (!candidate) return "–";
  const address = candidate.address || candidate.ip || "(hidden name)";
  const host = address.includes(":") ? `[${address}]` : address;
  return `${host}:${candidate.port} ${candidate.protocol} ${candidate.candidateType}`;
}

function buttons() {
  const up = link?.state === "connected" || link?.state === "interrupted";
  $("disconnect").disabled = !link || link.over;
  $("reconnect").textContent = link?.over ? "Connect" : "Reconnect";
  $("chat-send").disabled = !up || !chat;
  const moving = Boolean(throughput?.run);
  $("start-download").disabled = $("start-upload").disabled = !up || !throughput || moving;
  $("stop-throughput").disabled = !moving;
  const pinging = roundTrip !== null && roundTrip.timer !== null;
  $("start-rtt").disabled = !up || !roundTrip || pinging;
  $("stop-rtt").disabled = !pinging;
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = false;
  log(text, "problem");
}

function append(list, item, max) {
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
  list.append(item);
  while (list.children.length > max) list.firstChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function log(text, kind = "event") {
  const item = document.createElement("li");
  item.dataset.kind = kind;
  const time = document.createElement("time");
  time.textContent = `${((performance.now() - pageBegan) / 1000).toFixed(3)} s`;
  item.append(time, text);
  append($("log"), item, LOG_LINES);
}

// --- chat ---

function openChat(channel) {
  channel.addEventListener("message", ({ data }) => say("peer", typeof data === "string" ? data : `(${data.byteLength} bytes)`));
  return channel;
}

function say(from, text) {
  const item = document.createElement("li");
  item.dataset.from = from;
  item.textContent = text;
  append($("chat-log"), item, LOG_LINES);
}

$("chat-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("chat-input").value;
  if (chat?.readyState !== "open") return;
  chat.send(text);
  say("me", text);
  $("chat-input").value = "";
});

// --- throughput ---

function startThroughput(direction) {
  const amount = $("throughput-amount").value;
  const size = Number($("throughput-size").value);
  const wish = amount.endsWith("s") ? { seconds: parseInt(amount, 10), size } : { bytes: Number(amount), size };
  throughput?.start(direction, wish);
}

function showThroughput(event) {
  const result = $("throughput-result");
  switch (event.kind) {
    case "start":
      plots.throughput.clear();
      result.dataset.status = "running";
      result.dataset.direction = event.direction;
      result.textContent = event.direction === "download" ? "receiving…" : "sending…";
      log(`${event.direction} started`);
      break;
    case "progress":
      plots.throughput.add(event.rate / 1048576);
      $("throughput-rate").textContent = `${(event.rate / 1048576).toFixed(1)} MiB/s`;
      $("throughput-bytes").textContent = `${(event.bytes / 1048576).toFixed(1)} MiB`;
      return;
    case "result": {
      const good = event.complete && event.hashMatch !== false;
      result.dataset.status = good ? "ok" : "bad";
      result.dataset.bytes = event.bytes;
      result.dataset.mibps = event.mibPerSecond.toFixed(3);
      result.dataset.hashMatch = event.hashMatch ?? "";
      result.dataset.sha256 = event.sha256 ?? "";
      const hash = event.hashMatch === undefined ? "" : event.hashMatch ? ", SHA-256 equal" : ", SHA-256 DIFFERS";
      const lost = event.complete ? "" : ", INCOMPLETE";
      result.textContent = `${event.direction}: ${(event.bytes / 1048576).toFixed(1)} MiB in ${event.seconds.toFixed(2)} s = ${event.mibPerSecond.toFixed(1)} MiB/s${hash}${lost}`;
      log(result.textContent, good ? "event" : "problem");
      break;
    }
    case "failed":
      result.dataset.status = "bad";
      result.textContent = event.text;
      log(event.text, "problem");
  }
  buttons();
}

$("start-download").addEventListener("click", () => startThroughput("download"));
$("start-upload").addEventListener("click", () => startThroughput("upload"));
$("stop-throughput").addEventListener("click", () => throughput?.stop());

// --- round trip ---

function showRoundTrip(event) {
  const ms = (value) => (value === null ? "–" : `${value.toFixed(2)} ms`);
  const count = $("rtt-count");
  if (event.kind === "start") {
    plots.rtt.clear();
    count.dataset.status = "running";
    log("round-trip test started");
  } else {
    $("rtt-p50").textContent = ms(event.p50);
    $("rtt-p95").textContent = ms(event.p95);
    count.textContent = `${event.answered} of ${event.sent}`;
    count.dataset.answered = event.answered;
  }
  if (event.kind === "sample") {
    plots.rtt.add(event.ms);
    $("rtt-last").textContent = ms(event.ms);
    return;
  }
  if (event.kind === "stop") {
    count.dataset.status = event.answered > 0 ? "ok" : "bad";
    log(`round trip: p50 ${ms(event.p50)}, p95 ${ms(event.p95)}, ${event.answered} of ${event.sent} answered`);
  }
  buttons();
}

$("start-rtt").addEventListener("click", () => roundTrip?.start());
$("stop-rtt").addEventListener("click", () => roundTrip?.stop());

// --- begin ---

$("reconnect").addEventListener("click", connect);
$("disconnect").addEventListener("click", () => link?.close());
addEventListener("pagehide", () => link?.close());
setInterval(() => link && !link.over && showFacts(link).catch(() => {}), 1000);

if (typeof RTCPeerConnection === "undefined") {
  $("state").dataset.state = "unsupported";
  $("state").textContent = NAMES.unsupported;
  $("reconnect").disabled = $("disconnect").disabled = true;
  problem("This browser has no WebRTC (RTCPeerConnection), or it was turned off by a setting or an extension.");
} else {
  connect();
}
