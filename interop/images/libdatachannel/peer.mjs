#!/usr/bin/env node
// libdatachannel, by the package node-datachannel, behind the peer protocol.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { writeSync } from 'node:fs';
import ndc from 'node-datachannel';

const HIGH = 1 << 20;
const LOW = 1 << 18;
const { version } = JSON.parse(readFileSync(new URL('node_modules/node-datachannel/package.json', import.meta.url)));
const start = process.hrtime.bigint();
// The library's own words, for the transcript.
ndc.initLogger('Warning', (level, message) => process.stderr.write(`${level}: ${message}\n`));
let over = false;

function emit(event, fields = {}) {
  const at_ms = Number(process.hrtime.bigint() - start) / 1e6;
  let line = Buffer.from(`${JSON.stringify({ event, ...fields, at_ms })}\n`);
  while (line.length > 0) {
    try {
      line = line.subarray(writeSync(1, line));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function refusal(kind, message) {
  return Object.assign(new Error(message), { kind });
}

// Bytes from a seed (xorshift32).
function source(seed) {
  let x = (Number(seed) ^ 0x9e3779b9) | 0 || 1;
  return (length) => {
    const words = new Int32Array(Math.ceil(length / 4));
    for (let i = 0; i < words.length; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      words[i] = x;
    }
    return Buffer.from(words.buffer, 0, length);
  };
}

class Channel {
  mode = 'messages';
  counted = null;
  echoes = [];
  isOpen = false;
  isClosed = false;
  totals = { sent: 0, received: 0, bytes_sent: 0, bytes_received: 0 };

  constructor(handle, raw) {
    this.handle = handle;
    this.raw = raw;
    raw.onOpen(() => this.opened());
    raw.onMessage((data) => this.message(data));
    raw.onClosed(() => this.closed());
    if (raw.isOpen()) this.opened();
  }

  emit(event, fields) {
    if (!over) emit(event, { channel: this.handle, ...fields });
  }

  stream() {
    const id = this.raw.getId();
    return id >= 0 ? id : null;
  }

  opened() {
    if (this.isOpen || this.isClosed) return;
    this.isOpen = true;
    this.id = this.stream();
    report({ max_message_size: pc.maxMessageSize() });
    this.emit('open', { stream: this.id });
  }

  closed() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.tally();
    this.emit('closed', { stream: this.id ?? null });
  }

  message(data) {
    const text = typeof data === 'string';
    const bytes = Buffer.from(data);
    this.totals.received += 1;
    this.totals.bytes_received += bytes.length;
    if (this.mode === 'echo') {
      this.echoes.push(data);
      if (this.echoes.length === 1) this.echo();
    } else if (this.counted) {
      this.counted.bytes += bytes.length;
      this.counted.messages += 1;
      this.counted.hash.update(bytes);
    } else this.emit('message', text ? { text: data } : { base64: bytes.toString('base64') });
  }

  async echo() {
    while (this.echoes.length > 0) {
      await this.drained(HIGH);
      if (this.isClosed) return;
      this.put(this.echoes[0]);
      this.echoes.shift();
    }
  }

  put(data) {
    const bytes = Buffer.from(data);
    if (typeof data === 'string') this.raw.sendMessage(data);
    else this.raw.sendMessageBinary(bytes);
    this.totals.sent += 1;
    this.totals.bytes_sent += bytes.length;
    return bytes;
  }

  async drained(amount) {
    while (!this.isClosed && this.raw.bufferedAmount() > amount) await new Promise((done) => setTimeout(done, 2));
  }

  send({ text, base64, fill }) {
    if (!this.isOpen || this.isClosed) throw refusal('InvalidStateError', 'the channel is not open');
    let data = text ?? (base64 === undefined ? undefined : Buffer.from(base64, 'base64'));
    if (data === undefined) {
      data = source(fill.seed ?? 0)(fill.bytes);
      if (fill.binary === false) data = Buffer.from(data.map((byte) => 0x20 + (byte % 95))).toString();
    }
    if (Buffer.byteLength(data) > pc.maxMessageSize()) throw refusal('TypeError', `longer than ${pc.maxMessageSize()} bytes`);
    const bytes = this.put(data);
    return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  }

  async pour(size, messageSize, seed) {
    const bytes = source(seed);
    const hash = createHash('sha256');
    const began = performance.now();
    for (let left = size; left > 0; left -= Math.min(left, messageSize)) {
      if (this.raw.bufferedAmount() > HIGH) await this.drained(LOW);
      else await new Promise((done) => setImmediate(done));
      if (this.isClosed) return;
      const part = bytes(Math.min(left, messageSize));
      hash.update(part);
      try {
        this.put(part);
      } catch {
        return; // It is closing: `closed` follows.
      }
    }
    await this.drained(0);
    if (this.isClosed) return;
    this.emit('streamed', { bytes: size, sha256: hash.digest('hex'), seconds: (performance.now() - began) / 1000 });
  }

  receive(mode) {
    this.mode = mode;
    this.counted = mode === 'count' ? { bytes: 0, messages: 0, hash: createHash('sha256') } : null;
  }

  tally() {
    if (!this.counted) return;
    const { bytes, messages, hash } = this.counted;
    emit('counted', { channel: this.handle, bytes, messages, sha256: hash.copy().digest('hex') });
  }

  stats() {
    const state = this.isClosed ? 'closed' : this.isOpen ? 'open' : 'connecting';
    return { state, buffered: this.isClosed ? 0 : this.raw.bufferedAmount(), ...this.totals };
  }
}

const told = {};
function report(now) {
  const changed = Object.fromEntries(Object.entries(now).filter(([key, value]) => told[key] !== value));
  Object.assign(told, changed);
  if (!over && Object.keys(changed).length > 0) emit('state', changed);
}

let pc = null;
let options = { trickle: true };
const channels = new Map();
const early = [];
let incoming = 0;
let gathered = () => {};

function server(url, { username, credential }) {
  const [, scheme, host, port, transport] = /^(\w+):([^:?]+):?(\d*)(?:\?transport=(\w+))?$/.exec(url);
  if (scheme === 'stun') return url;
  const relayType = scheme === 'turns' ? 'TurnTls' : transport === 'tcp' ? 'TurnTcp' : 'TurnUdp';
  return { hostname: host, port: Number(port || 3478), username, password: credential, relayType };
}

function open() {
  if (pc) return pc;
  const iceServers = (options.ice_servers ?? []).flatMap((s) => [s.urls].flat().map((url) => server(url, s)));
  pc = new ndc.PeerConnection('peer', {
    iceServers,
    iceTransportPolicy: options.transport_policy ?? 'all',
    disableAutoNegotiation: true,
  });
  pc.onStateChange((connection) => report({ connection }));
  pc.onIceStateChange((ice) => report({ ice }));
  pc.onSignalingStateChange((signaling) => report({ signaling }));
  pc.onGatheringStateChange((gathering) => {
    report({ gathering });
    if (gathering === 'complete') gathered();
  });
  pc.onLocalCandidate((candidate, mid) => {
    if (options.trickle && !over) emit('candidate', { candidate: candidate.replace(/^a=/, ''), mid, index: 0 });
  });
  pc.onDataChannel((raw) => {
    const handle = `remote-${incoming++}`;
    const fields = { channel: handle, label: raw.getLabel(), protocol: raw.getProtocol(), stream: raw.getId() };
    emit('channel', { ...fields, negotiated: false, ...(reliability(raw)) });
    channels.set(handle, new Channel(handle, raw));
  });
  return pc;
}

// node-datachannel does not tell an incoming channel's reliability; it tells what it was given.
function reliability() {
  return {};
}

async function describe(type) {
  const complete = new Promise((done) => (gathered = done));
  pc.setLocalDescription(type);
  if (!options.trickle && pc.gatheringState() !== 'complete') await complete;
  const { sdp, type: made } = pc.localDescription();
  const plain = options.trickle ? sdp.replace(/a=(candidate:.*|end-of-candidates)\r\n/g, '') : sdp;
  emit('description', { type: made, sdp: plain });
  return { description: { type: made, sdp: plain } };
}

function named({ channel }) {
  if (!channels.has(channel)) throw refusal('TypeError', `no channel ${channel}`);
  return channels.get(channel);
}

function close() {
  over = true;
  for (const channel of channels.values()) channel.isClosed = true;
  pc?.close();
}

const commands = {
  configure(c) {
    for (const field of ['groups', 'mdns', 'certificate_pem', 'interfaces']) {
      if (c[field]) throw refusal('Unsupported', `node-datachannel cannot set ${field}`);
    }
    if (c.dtls && !['1.2', 'any'].includes(c.dtls)) throw refusal('Unsupported', 'libdatachannel speaks DTLS 1.2 alone');
    const urls = (c.ice_servers ?? []).flatMap((server) => [server.urls].flat());
    if (urls.some((url) => /^turns:|transport=tcp/.test(url))) throw refusal('Unsupported', 'libjuice has TURN over UDP alone');
    options = { ...options, ...c };
  },
  channel(c) {
    const init = { protocol: c.protocol ?? '', negotiated: c.negotiated ?? false, unordered: c.ordered === false };
    if (c.stream !== undefined && c.stream !== null) init.id = c.stream;
    if (c.max_retransmits !== undefined) init.maxRetransmits = c.max_retransmits;
    if (c.max_packet_life_time !== undefined) init.maxPacketLifeTime = c.max_packet_life_time;
    const channel = new Channel(c.channel, open().createDataChannel(c.label ?? '', init));
    channels.set(c.channel, channel);
    return { stream: channel.stream() };
  },
  offer(c) {
    if (c.ice_restart) throw refusal('Unsupported', 'libdatachannel has no ICE restart');
    open();
    return describe('offer');
  },
  async remote(c) {
    open().setRemoteDescription(c.sdp, c.type);
    for (const { candidate, mid } of early.splice(0)) pc.addRemoteCandidate(candidate, mid ?? '0');
    if (c.type === 'offer') await describe('answer');
  },
  candidate(c) {
    if (c.candidate === '') return;
    if (open().remoteDescription()) pc.addRemoteCandidate(c.candidate, c.mid ?? '0');
    else early.push(c);
  },
  send: (c) => named(c).send(c),
  stream(c) {
    const channel = named(c);
    if (!channel.isOpen || channel.isClosed) throw refusal('InvalidStateError', 'the channel is not open');
    channel.pour(c.bytes, c.message_size ?? 16384, c.seed ?? 0);
  },
  receive: (c) => named(c).receive(c.mode),
  close_channel: (c) => named(c).raw.close(),
  stats() {
    const all = {};
    for (const [handle, channel] of channels) {
      channel.tally();
      all[handle] = channel.stats();
    }
    emit('stats', {
      channels: all,
      selected_pair: pc?.getSelectedCandidatePair() ?? null,
      dtls: { version: '1.2' },
      bytes_sent: pc?.bytesSent() ?? 0,
      bytes_received: pc?.bytesReceived() ?? 0,
    });
  },
  close,
  quit: () => over || close(),
};

emit('ready', {
  stack: 'libdatachannel',
  version: `${ndc.getLibraryVersion()} (node-datachannel ${version})`,
  supports: ['trickle', 'dtls-1.2'],
  start_ms: Number(start) / 1e6,
});
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const { id } = command;
  try {
    if (!Object.hasOwn(commands, command.do)) throw refusal('Unsupported', `no command ${command.do}`);
    const result = await commands[command.do](command);
    emit('done', { id, ...result });
  } catch (error) {
    emit('error', { id, kind: error.kind ?? 'Error', message: error.message });
  }
  if (command.do === 'quit') break;
}
emit('bye');
process.exit(0);
