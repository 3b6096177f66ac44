// One RTCPeerConnection behind the peer protocol: commands in by `run`, events out by the function given.
import { Channel, base64 } from './channel.js';

// What a page cannot choose about its own browser.
const FIXED = [
  'dtls', 'groups', 'certificate_pem', 'mdns', 'interfaces', 'loopback', 'port', 'max_message_size', 'interleaving',
  'snap', 'sped', 'controller',
];
const KINDS = [
  'TypeError', 'RangeError', 'InvalidStateError', 'InvalidAccessError', 'InvalidModificationError',
  'NotSupportedError', 'OperationError', 'SyntaxError', 'RTCError', 'Unsupported',
];

function refusal(kind, message) {
  const error = new Error(message);
  error.name = kind;
  return error;
}

const description = (d) => (d ? { type: d.type, sdp: d.sdp } : null);

const candidate = (c) => ({
  candidate: c.candidate,
  mid: c.sdpMid,
  index: c.sdpMLineIndex,
  ufrag: c.usernameFragment,
  url: c.url ?? null,
  relay_protocol: c.relayProtocol ?? null,
});

export class Peer {
  #write;
  #leave;
  #start = performance.now();
  #pc = null;
  #options = { trickle: true, manual: false };
  #channels = new Map();
  #incoming = 0;
  #early = [];
  #told = {};
  #needed = false;
  #queue = Promise.resolve();

  constructor(write, leave) {
    this.#write = write;
    this.#leave = leave;
  }

  // `clock_ms`: the machine's monotonic clock now.
  ready(clock_ms) {
    this.#start = performance.now();
    const [, stack, version] = /(Firefox|Chrome)\/([\d.]+)/.exec(navigator.userAgent) ?? ['', 'browser', ''];
    this.#emit('ready', {
      stack: stack === 'Chrome' ? 'chromium' : stack.toLowerCase(),
      version,
      supports: Object.keys(this.#commands),
      start_ms: clock_ms,
    });
  }

  // Carries commands out one after the other.
  run(command) {
    this.#queue = this.#queue.then(async () => {
      const { id } = command;
      try {
        if (!Object.hasOwn(this.#commands, command.do)) throw refusal('Unsupported', `no command ${command.do}`);
        const result = await this.#commands[command.do](command);
        // What waits for the other side does not hold up the commands behind it.
        if (result?.later) result.later.then(() => this.#done(id));
        else this.#done(id, result);
        if (command.do === 'quit') {
          this.#emit('bye', {});
          this.#leave();
        }
      } catch (error) {
        this.#report();
        this.refuse(id, error);
      }
    });
  }

  #done(id, result) {
    this.#report();
    if (id !== undefined) this.#emit('done', { id, ...result });
  }

  refuse(id, error) {
    const fields = { kind: KINDS.includes(error.name) ? error.name : 'Error', message: error.message };
    if (id !== undefined) fields.id = id;
    if (error.errorDetail) fields.detail = error.errorDetail;
    if (error.sdpLineNumber) fields.sdp_line = error.sdpLineNumber;
    this.#emit('error', fields);
  }

  #emit(event, fields) {
    this.#write({ event, ...fields, at_ms: Math.round((performance.now() - this.#start) * 1000) / 1000 });
  }

  get #connection() {
    if (!this.#pc) this.#open({});
    return this.#pc;
  }

  #channel(handle) {
    const channel = this.#channels.get(handle);
    if (!channel) throw refusal('TypeError', `no channel ${handle}`);
    return channel;
  }

  #commands = {
    configure: (c) => {
      for (const field of FIXED) if (c[field] !== undefined) throw refusal('Unsupported', `a page cannot set ${field}`);
      const configuration = {};
      if (c.ice_servers) configuration.iceServers = c.ice_servers;
      if (c.transport_policy) configuration.iceTransportPolicy = c.transport_policy;
      if (c.bundle_policy) configuration.bundlePolicy = c.bundle_policy;
      if (c.ice_candidate_pool_size !== undefined) configuration.iceCandidatePoolSize = c.ice_candidate_pool_size;
      if (this.#pc) this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), ...configuration });
      else this.#open(configuration);
      if (c.trickle !== undefined) this.#options.trickle = c.trickle;
      if (c.manual !== undefined) this.#options.manual = c.manual;
    },

    channel: (c) => {
      if (typeof c.channel !== 'string') throw refusal('TypeError', 'a channel needs a handle');
      if (this.#channels.has(c.channel)) throw refusal('OperationError', `handle ${c.channel} is taken`);
      const options = {};
      for (const [ours, theirs] of [
        ['ordered', 'ordered'], ['max_retransmits', 'maxRetransmits'], ['max_packet_life_time', 'maxPacketLifeTime'],
        ['protocol', 'protocol'], ['negotiated', 'negotiated'], ['stream', 'id'], ['priority', 'priority'],
      ]) if (c[ours] !== undefined && c[ours] !== null) options[theirs] = c[ours];
      const raw = this.#connection.createDataChannel(c.label ?? '', options);
      this.#adopt(c.channel, raw);
      return { stream: raw.id };
    },

    offer: async (c) => {
      const offer = await this.#connection.createOffer({ iceRestart: c.ice_restart ?? false });
      if (!this.#options.manual) await this.#setLocal(offer);
      return { description: description(offer) };
    },

    answer: async () => {
      const answer = await this.#connection.createAnswer();
      if (!this.#options.manual) await this.#setLocal(answer);
      return { description: description(answer) };
    },

    remote: async (c) => {
      const pc = this.#connection;
      await pc.setRemoteDescription({ type: c.type, sdp: c.sdp });
      for (const early of this.#early.splice(0)) await pc.addIceCandidate(early);
      if (c.type === 'offer' && !this.#options.manual) await this.#setLocal();
    },

    local: async (c) => {
      await this.#connection.setLocalDescription(c.type ? { type: c.type, sdp: c.sdp } : undefined);
    },

    restart_ice: () => this.#connection.restartIce(),

    candidate: async (c) => {
      const pc = this.#connection;
      const whole = c.candidate === '' && (c.mid ?? c.index) == null;
      const init = whole
        ? undefined
        : { candidate: c.candidate, sdpMid: c.mid, sdpMLineIndex: c.index, usernameFragment: c.ufrag };
      if (!pc.remoteDescription && !this.#options.manual) this.#early.push(init);
      else await pc.addIceCandidate(init);
    },

    send: (c) => this.#channel(c.channel).send(c),
    stream: (c) => this.#channel(c.channel).stream(c),
    receive: (c) => this.#channel(c.channel).receive(c.mode),
    threshold: (c) => this.#channel(c.channel).setThreshold(c.bytes),
    finish: (c) => ({ later: this.#channel(c.channel).finish() }),
    close_channel: (c) => this.#channel(c.channel).close(),
    stats: (c) => this.#stats(c.w3c ?? false),

    close: () => this.#pc?.close(),
    quit: () => this.#pc?.close(),
  };

  #open(configuration) {
    const pc = new RTCPeerConnection(configuration);
    this.#pc = pc;
    for (const change of ['signalingstatechange', 'iceconnectionstatechange', 'connectionstatechange']) {
      pc.addEventListener(change, () => this.#report());
    }
    pc.addEventListener('icegatheringstatechange', () => {
      this.#report();
      if (pc.iceGatheringState === 'complete') this.#gathered?.();
    });
    pc.addEventListener('icecandidate', ({ candidate: found }) => {
      // null only repeats that gathering is complete.
      if (!found) return;
      this.#report();
      if (this.#options.trickle) this.#emit('candidate', candidate(found));
    });
    pc.addEventListener('icecandidateerror', (e) => {
      this.#emit('ice_error', { url: e.url, address: e.address, port: e.port, code: e.errorCode, text: e.errorText });
    });
    pc.addEventListener('negotiationneeded', () => {
      this.#needed = true;
      this.#report();
      this.#emit('negotiation_needed', {});
    });
    pc.addEventListener('datachannel', ({ channel: raw }) => {
      const handle = `remote-${this.#incoming++}`;
      const channel = this.#adopt(handle, raw);
      this.#report();
      this.#emit('channel', {
        channel: handle,
        label: raw.label,
        ordered: raw.ordered,
        max_retransmits: raw.maxRetransmits,
        max_packet_life_time: raw.maxPacketLifeTime,
        protocol: raw.protocol,
        negotiated: raw.negotiated,
        stream: raw.id,
        priority: raw.priority ?? null,
      });
      channel.announce();
    });
  }

  #adopt(handle, raw) {
    const channel = new Channel(raw, (event, fields) => {
      if (this.#pc.signalingState === 'closed') return;
      this.#report();
      this.#emit(event, { channel: handle, ...fields });
    });
    this.#channels.set(handle, channel);
    return channel;
  }

  #gathered = null;

  async #setLocal(wanted) {
    const pc = this.#connection;
    await pc.setLocalDescription(wanted);
    this.#needed = false;
    this.#report();
    this.#watchTransports();
    const tell = () => this.#emit('description', description(pc.localDescription));
    if (this.#options.trickle || pc.iceGatheringState === 'complete') tell();
    else
      this.#gathered = () => {
        this.#gathered = null;
        tell();
      };
  }

  #watchTransports() {
    const sctp = this.#pc.sctp;
    if (!sctp || this.#watched === sctp) return;
    this.#watched = sctp;
    sctp.addEventListener('statechange', () => this.#report());
    sctp.transport.addEventListener('statechange', () => this.#report());
    sctp.transport.addEventListener('error', ({ error }) => {
      this.#emit('transport_error', {
        detail: error.errorDetail,
        message: error.message,
        sent_alert: error.sentAlert,
        received_alert: error.receivedAlert,
      });
    });
    sctp.transport.iceTransport.addEventListener('selectedcandidatepairchange', () => this.#report());
  }

  #watched = null;

  // One `state` line with everything that changed since the last.
  #report() {
    if (!this.#pc) return;
    const now = this.#snapshot();
    const changed = {};
    for (const [key, value] of Object.entries(now)) {
      if (value === undefined) continue;
      const text = JSON.stringify(value);
      if (this.#told[key] === text || (this.#told[key] === undefined && value === null)) continue;
      this.#told[key] = text;
      changed[key] = value;
    }
    if (Object.keys(changed).length > 0) this.#emit('state', changed);
  }

  #snapshot() {
    const pc = this.#pc;
    const sctp = pc.sctp;
    const dtls = sctp?.transport ?? null;
    const ice = dtls?.iceTransport ?? null;
    const pair = ice?.getSelectedCandidatePair?.() ?? null;
    // Firefox lets nobody ask a closed connection for these: what was told last stands.
    const asked = (what) => {
      try {
        return what();
      } catch {
        return undefined;
      }
    };
    const streams = {};
    for (const [handle, { raw }] of this.#channels) if (raw.id !== null) streams[handle] = raw.id;
    return {
      signaling: pc.signalingState,
      gathering: pc.iceGatheringState,
      ice: pc.iceConnectionState,
      connection: pc.connectionState,
      dtls: dtls?.state ?? null,
      sctp: sctp?.state ?? null,
      ice_role: ice?.role ?? null,
      can_trickle: asked(() => pc.canTrickleIceCandidates),
      negotiation_needed: this.#needed,
      current_local: asked(() => description(pc.currentLocalDescription)),
      pending_local: asked(() => description(pc.pendingLocalDescription)),
      current_remote: asked(() => description(pc.currentRemoteDescription)),
      pending_remote: asked(() => description(pc.pendingRemoteDescription)),
      max_message_size: sctp && Number.isFinite(sctp.maxMessageSize) ? sctp.maxMessageSize : null,
      max_channels: sctp?.maxChannels ?? null,
      streams,
      selected_pair: pair ? { local: candidate(pair.local), remote: candidate(pair.remote) } : null,
      remote_certificates: (dtls?.getRemoteCertificates?.() ?? []).map((der) => base64(new Uint8Array(der))),
    };
  }

  async #stats(w3c) {
    const pc = this.#connection;
    const report = [...(await pc.getStats()).values()];
    const byId = new Map(report.map((entry) => [entry.id, entry]));
    const transport = report.find(({ type }) => type === 'transport') ?? {};
    const pair = byId.get(transport.selectedCandidatePairId);
    const certificate = byId.get(transport.localCertificateId);
    const channels = {};
    for (const [handle, channel] of this.#channels) {
      channel.tally();
      channels[handle] = channel.stats();
    }
    this.#emit('stats', {
      selected_pair: pair
        ? {
            local: byId.get(pair.localCandidateId) ?? null,
            remote: byId.get(pair.remoteCandidateId) ?? null,
            rtt_ms: pair.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000,
          }
        : null,
      dtls: {
        version: { FEFD: '1.2', FEFC: '1.3' }[transport.tlsVersion] ?? null,
        cipher: transport.dtlsCipher ?? null,
        group: null,
        role: transport.dtlsRole ?? null,
        fingerprint: certificate?.fingerprint ?? null,
      },
      sctp: { max_message_size: pc.sctp?.maxMessageSize ?? null, max_channels: pc.sctp?.maxChannels ?? null },
      channels,
      bytes_sent: transport.bytesSent ?? 0,
      bytes_received: transport.bytesReceived ?? 0,
      ...(w3c ? { report } : {}),
    });
  }
}
