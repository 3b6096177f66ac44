// One data channel of the page's peer: what the protocol asks of it beyond W3C.
import { Sha256 } from './sha256.js';

// Chromium closes a channel whose queue passes 16 MiB: stay well below.
const QUEUE_HIGH = 4 << 20;
const QUEUE_LOW = 1 << 20;

export function base64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

const unbase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

const utf8 = new TextEncoder();

// Bytes from a seed, the same for every run (xorshift32).
class Source {
  #x;

  constructor(seed) {
    this.#x = (Number(seed) ^ 0x9e3779b9) | 0 || 1;
  }

  bytes(length) {
    const words = new Int32Array(Math.ceil(length / 4));
    let x = this.#x;
    for (let i = 0; i < words.length; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      words[i] = x;
    }
    this.#x = x;
    return new Uint8Array(words.buffer, 0, length);
  }

  ascii(length) {
    return new TextDecoder().decode(this.bytes(length).map((byte) => 0x20 + (byte % 95)));
  }
}

export class Channel {
  #emit;
  #mode = 'messages';
  #counted = null;
  #echoes = [];
  #streaming = false;
  #threshold = 0;
  #ours = false;
  #error = null;
  #opened = false;
  #totals = { sent: 0, received: 0, bytes_sent: 0, bytes_received: 0 };

  constructor(raw, emit) {
    this.raw = raw;
    this.#emit = emit;
    raw.binaryType = 'arraybuffer';
    raw.addEventListener('open', () => this.announce());
    raw.addEventListener('message', ({ data }) => this.#received(data));
    raw.addEventListener('bufferedamountlow', () => this.#low());
    raw.addEventListener('error', ({ error }) => (this.#error = error));
    raw.addEventListener('closing', () => {
      if (!this.#ours) this.#emit('closing', {});
    });
    raw.addEventListener('close', () => this.#closed());
  }

  // Says once that the channel is open, if it is: an incoming one may be so before its own event.
  announce() {
    if (this.#opened || this.raw.readyState !== 'open') return;
    this.#opened = true;
    this.#emit('open', { stream: this.raw.id });
  }

  send({ text, base64: encoded, fill }) {
    let payload;
    if (text !== undefined) payload = text;
    else if (encoded !== undefined) payload = unbase64(encoded);
    else if (fill?.binary) payload = new Source(fill.seed).bytes(fill.bytes);
    else if (fill) payload = new Source(fill.seed).ascii(fill.bytes);
    else throw new TypeError('a message needs text, base64 or fill');
    const bytes = typeof payload === 'string' ? utf8.encode(payload) : payload;
    this.#send(payload, bytes.length);
    return { bytes: bytes.length, sha256: new Sha256().update(bytes).hex() };
  }

  // Begins to send; `streamed` follows when all has left the queue.
  stream({ bytes, message_size = 16384, seed = 0 }) {
    if (this.raw.readyState !== 'open') throw new DOMException('the channel is not open', 'InvalidStateError');
    if (!(message_size > 0)) throw new RangeError('message_size is from 1');
    if (this.#streaming) throw new DOMException('a stream is under way on this channel', 'InvalidStateError');
    this.#streaming = true;
    this.#pour(bytes, message_size, new Source(seed)).finally(() => {
      this.#streaming = false;
      this.raw.bufferedAmountLowThreshold = this.#threshold;
    });
  }

  async #pour(bytes, size, source) {
    const hash = new Sha256();
    const start = performance.now();
    for (let left = bytes; left > 0; left -= Math.min(left, size)) {
      if (this.raw.bufferedAmount > QUEUE_HIGH) await this.#drained(QUEUE_LOW);
      // Closed meanwhile: `closed` has said so.
      if (this.raw.readyState !== 'open') return;
      const message = source.bytes(Math.min(left, size));
      hash.update(message);
      this.#send(message, message.length);
    }
    await this.#drained(0);
    if (this.raw.bufferedAmount > 0) return;
    this.#emit('streamed', { bytes, sha256: hash.hex(), seconds: (performance.now() - start) / 1000 });
  }

  // Until no more than `amount` is queued, or the channel is closed.
  #drained(amount) {
    this.raw.bufferedAmountLowThreshold = amount;
    if (this.raw.bufferedAmount <= amount || this.raw.readyState === 'closed') return Promise.resolve();
    return new Promise((resolve) => {
      for (const event of ['bufferedamountlow', 'close']) this.raw.addEventListener(event, resolve, { once: true });
    });
  }

  receive(mode) {
    if (!['messages', 'count', 'echo'].includes(mode)) throw new TypeError(`no mode ${mode}`);
    this.#mode = mode;
    this.#counted = mode === 'count' ? { bytes: 0, messages: 0, hash: new Sha256() } : null;
  }

  setThreshold(bytes) {
    this.#threshold = bytes;
    if (!this.#streaming) this.raw.bufferedAmountLowThreshold = bytes;
  }

  finish() {
    const closed = new Promise((resolve) => {
      if (this.raw.readyState === 'closed') resolve();
      else this.raw.addEventListener('close', () => resolve(), { once: true });
    });
    this.close();
    return closed;
  }

  close() {
    this.#ours = true;
    this.raw.close();
  }

  // Reports what was counted so far.
  tally() {
    if (!this.#counted) return;
    const { bytes, messages, hash } = this.#counted;
    this.#emit('counted', { bytes, messages, sha256: hash.hex() });
  }

  stats() {
    return { state: this.raw.readyState, buffered: this.raw.bufferedAmount, ...this.#totals };
  }

  #send(payload, bytes) {
    this.raw.send(payload);
    this.#totals.sent += 1;
    this.#totals.bytes_sent += bytes;
  }

  #received(data) {
    const text = typeof data === 'string';
    const bytes = text ? utf8.encode(data) : new Uint8Array(data);
    this.#totals.received += 1;
    this.#totals.bytes_received += bytes.length;
    if (this.#mode === 'echo') {
      this.#echoes.push([data, bytes.length]);
      this.#echo();
    } else if (this.#counted) {
      this.#counted.bytes += bytes.length;
      this.#counted.messages += 1;
      this.#counted.hash.update(bytes);
    } else this.#emit('message', text ? { text: data } : { base64: base64(bytes) });
  }

  #echo() {
    while (this.#echoes.length > 0 && this.raw.readyState === 'open') {
      if (this.raw.bufferedAmount > QUEUE_HIGH) {
        this.#drained(QUEUE_LOW).then(() => this.#echo());
        return;
      }
      this.#send(...this.#echoes.shift());
    }
    if (!this.#streaming) this.raw.bufferedAmountLowThreshold = this.#threshold;
  }

  #low() {
    if (!this.#streaming && this.#echoes.length === 0) this.#emit('buffered_low', { buffered: this.raw.bufferedAmount });
  }

  #closed() {
    this.tally();
    const e = this.#error;
    const error = e && {
      detail: e.errorDetail ?? null,
      message: e.message,
      sctp_cause: e.sctpCauseCode ?? null,
      sent_alert: e.sentAlert ?? null,
      received_alert: e.receivedAlert ?? null,
    };
    this.#emit('closed', { stream: this.raw.id, ...(error ? { error } : {}) });
  }
}
