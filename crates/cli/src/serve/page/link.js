// One connection to the native peer: signalling over a WebSocket, then a peer connection with three channels.
//
// Events: "change" (some state changed), "log" (detail: text), "problem" (detail: text for the reader),
// "channel" (detail: an open RTCDataChannel), "closed".

const LABELS = ["chat", "throughput", "rtt"];
const PATIENCE_MS = 20_000;

export class Link extends EventTarget {
  /** @param {{offerer: string, trickle: boolean}} options */
  constructor(options) {
    super();
    this.options = options;
    this.began = performance.now();
    this.setupMs = null;
    this.over = false;
    this.channels = new Map();
    this.pendingCandidates = [];
  }

  get state() {
    if (this.failed) return "failed";
    if (this.over) return "closed";
    if (this.pc?.connectionState === "disconnected") return "interrupted";
    return this.setupMs === null ? "connecting" : "connected";
  }

  open() {
    const url = new URL("ws", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("offerer", this.options.offerer);
    url.searchParams.set("trickle", this.options.trickle ? "yes" : "no");
    try {
      this.socket = new WebSocket(url);
    } catch (error) {
      this.fail(`The signalling server cannot be reached at ${url.host}: ${error.message}`);
      return;
    }
    let reached = false;
    this.socket.addEventListener("open", () => {
      reached = true;
      this.log("signalling connected");
      this.start().catch((error) => this.fail(`The peer connection could not be set up: ${error.message}`));
    });
    this.socket.addEventListener("message", ({ data }) => {
      this.receive(data).catch((error) => this.fail(`A signalling message could not be used: ${error.message}`));
    });
    this.socket.addEventListener("close", ({ code, reason }) => {
      this.log(`signalling closed (${code}${reason ? `: ${reason}` : ""})`);
      if (!reached) this.fail(`The signalling server at ${url.host} refused the WebSocket or is not running. Is “weft serve” up?`);
      else this.fail(`The server ended the visit${reason ? `: ${reason}` : ". Is “weft serve” still running?"}`);
    });
    this.timer = setTimeout(() => {
      if (this.setupMs === null) this.fail(this.slowness());
    }, PATIENCE_MS);
    this.changed();
  }

  slowness() {
    const ice = this.pc?.iceConnectionState;
    if (ice === "connected" || ice === "completed") {
      return `The network path works, but no channel opened within ${PATIENCE_MS / 1000} s (DTLS or SCTP).`;
    }
    return `No network path to the native peer was found within ${PATIENCE_MS / 1000} s (ICE: ${ice ?? "not started"}).`;
  }

  async start() {
    const pc = new RTCPeerConnection();
    this.pc = pc;
    const note = (name, state) => {
      this.log(`${name}: ${state()}`);
      this.changed();
    };
    pc.addEventListener("signalingstatechange", () => note("signalling state", () => pc.signalingState));
    pc.addEventListener("icegatheringstatechange", () => note("gathering", () => pc.iceGatheringState));
    pc.addEventListener("iceconnectionstatechange", () => {
      note("ICE", () => pc.iceConnectionState);
      if (pc.iceConnectionState === "failed") this.fail("ICE failed: no network path between this browser and the native peer works (any more). A firewall that drops UDP is the usual reason.");
    });
    pc.addEventListener("connectionstatechange", () => {
      note("connection", () => pc.connectionState);
      if (pc.connectionState === "failed") this.fail("The connection failed: the DTLS handshake was refused or the path was lost.");
    });
    pc.addEventListener("icecandidate", ({ candidate }) => {
      if (!this.options.trickle) return;
      if (candidate) {
        this.log(`our candidate: ${candidate.candidate || "(end)"}`);
        this.signal({ type: "candidate", ...candidate.toJSON() });
      }
    });
    pc.addEventListener("icecandidateerror", (event) => this.log(`candidate error: ${event.errorText}`));
    pc.addEventListener("datachannel", ({ channel }) => this.adopt(channel));
    if (this.options.offerer === "browser") {
      this.adopt(pc.createDataChannel("chat"));
      this.adopt(pc.createDataChannel("throughput"));
      this.adopt(pc.createDataChannel("rtt", { ordered: false }));
      await pc.setLocalDescription();
      await this.sendDescription();
    }
  }

  async sendDescription() {
    if (!this.options.trickle) await this.gathered();
    const { type, sdp } = this.pc.localDescription;
    this.log(`${type} sent`);
    this.signal({ type, sdp });
  }

  gathered() {
    const { pc } = this;
    return new Promise((resolve) => {
      const check = () => pc.iceGatheringState === "complete" && resolve();
      pc.addEventListener("icegatheringstatechange", check);
      check();
    });
  }

  adopt(channel) {
    channel.binaryType = "arraybuffer";
    this.channels.set(channel.label, channel);
    const opened = () => {
      this.log(`channel “${channel.label}” open`);
      this.dispatchEvent(new CustomEvent("channel", { detail: channel }));
      if (LABELS.every((label) => this.channels.get(label)?.readyState === "open")) {
        this.setupMs ??= performance.now() - this.began;
      }
      this.changed();
    };
    channel.addEventListener("open", opened);
    channel.addEventListener("error", ({ error }) => this.log(`channel “${channel.label}”: ${error?.message ?? "error"}`));
    channel.addEventListener("close", () => {
      this.log(`channel “${channel.label}” closed`);
      if (!this.over) this.fail(`The native peer closed the channel “${channel.label}”.`);
    });
    if (channel.readyState === "open") opened();
  }

  async receive(text) {
    const message = JSON.parse(text);
    switch (message.type) {
      case "offer":
      case "answer":
        this.log(`${message.type} received`);
        await this.pc.setRemoteDescription({ type: message.type, sdp: message.sdp });
        for (const candidate of this.pendingCandidates.splice(0)) await this.pc.addIceCandidate(candidate);
        if (message.type === "offer") {
          await this.pc.setLocalDescription();
          await this.sendDescription();
        }
        break;
      case "candidate": {
        const { type, ...candidate } = message;
        this.log(`their candidate: ${candidate.candidate || "(end)"}`);
        if (this.pc.remoteDescription) await this.pc.addIceCandidate(candidate);
        else this.pendingCandidates.push(candidate);
        break;
      }
      case "error":
        this.fail(`The native peer says: ${message.message}`);
        break;
      default:
        this.log(`unknown signalling message “${message.type}”`);
    }
  }

  signal(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** The transport and the chosen pair, out of getStats. */
  async facts() {
    if (!this.pc || this.pc.connectionState === "closed") return null;
    const report = await this.pc.getStats();
    const all = [...report.values()];
    const transport = all.find((s) => s.type === "transport");
    const pair = report.get(transport?.selectedCandidatePairId) ?? all.find((s) => s.type === "candidate-pair" && s.selected);
    return {
      transport,
      pair,
      local: report.get(pair?.localCandidateId),
      remote: report.get(pair?.remoteCandidateId),
    };
  }

  fail(text) {
    if (this.over) return;
    this.failed = true;
    this.dispatchEvent(new CustomEvent("problem", { detail: text }));
    this.close();
  }

  close() {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.pc?.close();
    this.socket?.close();
    this.dispatchEvent(new CustomEvent("closed"));
    this.changed();
  }

  log(text) {
    this.dispatchEvent(new CustomEvent("log", { detail: text }));
  }

  changed() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
