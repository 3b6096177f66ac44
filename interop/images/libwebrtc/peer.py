#!/usr/bin/env python3
"""libwebrtc M152, by the package wrtc, behind the peer protocol."""
import asyncio
import importlib.metadata
import sys

sys.path.insert(0, '/usr/local/lib/interop')
import webrtc
from jsonl import Channel, Peer, Refusal

OPTIONS = {'ordered': 'ordered', 'max_retransmits': 'max_retransmits', 'max_packet_life_time': 'max_packet_life_time',
           'protocol': 'protocol', 'negotiated': 'negotiated', 'stream': 'id', 'priority': 'priority'}


class Raw:
    def __init__(self, dc):
        self.dc, self.send, self.close = dc, dc.send, dc.close

    def buffered(self):
        return self.dc.buffered_amount

    def stream(self):
        return self.dc.id


class LibWebRtc(Peer):
    stack, version = 'libwebrtc', f'M152 (wrtc {importlib.metadata.version("wrtc")})'
    supports = ['trickle', 'dtls-1.2', 'dtls-1.3', 'group-X25519', 'restart']

    def __init__(self):
        super().__init__()
        self.pc, self.trickle, self.early = None, True, []

    async def do_configure(self, c):
        for field in ('dtls', 'groups', 'mdns', 'certificate_pem', 'port', 'interfaces', 'max_message_size'):
            if c.get(field):
                raise Refusal('Unsupported', f'libwebrtc cannot set {field}')
        urls = [url for server in c.get('ice_servers', []) for url in server['urls']]
        if any(url.startswith('turns:') for url in urls):
            raise Refusal('Unsupported', "wrtc cannot be made to trust the TURN server's certificate")
        self.trickle = c.get('trickle', self.trickle)
        if not self.pc:
            servers = [webrtc.RTCIceServer(**server) for server in c.get('ice_servers', [])]
            self.open(webrtc.RTCConfiguration(ice_servers=servers,
                                              ice_transport_policy=c.get('transport_policy', 'all')))

    def open(self, configuration):
        self.pc = pc = webrtc.RTCPeerConnection(configuration)
        for event in ('signalingstatechange', 'iceconnectionstatechange', 'connectionstatechange',
                      'icegatheringstatechange'):
            pc.on(event, lambda _: self.report())
        pc.on('icecandidate', lambda event: self.candidate(event.candidate))
        pc.on('datachannel', lambda event: self.remote_channel(event.channel))

    def report(self):
        pc, sctp = self.pc, self.pc.sctp
        limit = sctp and sctp.max_message_size
        self.state(signaling=str(pc.signaling_state), gathering=str(pc.ice_gathering_state),
                   ice=str(pc.ice_connection_state), connection=str(pc.connection_state),
                   sctp=sctp and str(sctp.state), max_message_size=int(limit) if limit and limit < 1 << 40 else None)

    def max_message_size(self):
        return self.told.get('max_message_size', 0)

    def candidate(self, found):
        if found and self.trickle:
            self.emit('candidate', candidate=found.candidate, mid=found.sdp_mid, index=found.sdp_m_line_index,
                      ufrag=found.username_fragment)

    def watch(self, channel, dc):
        dc.on('open', lambda _: (self.report(), channel.opened()))
        dc.on('message', lambda event: channel.message(event.data))
        dc.on('close', lambda _: channel.closed())
        return channel

    def remote_channel(self, dc):
        self.report()
        self.watch(self.arrived(Raw(dc), label=dc.label, protocol=dc.protocol, ordered=dc.ordered,
                                max_retransmits=dc.max_retransmits, max_packet_life_time=dc.max_packet_life_time), dc)

    async def do_channel(self, c):
        options = {theirs: c[ours] for ours, theirs in OPTIONS.items() if c.get(ours) is not None}
        dc = self.connection().create_data_channel(c.get('label', ''), webrtc.RTCDataChannelInit(**options))
        self.channels[c['channel']] = self.watch(Channel(self, c['channel'], Raw(dc)), dc)
        return {'stream': dc.id}

    def connection(self):
        if not self.pc:
            self.open(webrtc.RTCConfiguration())
        return self.pc

    async def do_offer(self, c):
        offer = await self.connection().create_offer(webrtc.RTCOfferOptions(ice_restart=c.get('ice_restart', False)))
        return await self.set_local(offer)

    async def set_local(self, description):
        pc = self.pc
        await pc.set_local_description(description)
        self.report()
        if not self.trickle:
            while str(pc.ice_gathering_state) != 'complete':
                await asyncio.sleep(0.005)
        local = pc.local_description
        self.emit('description', type=str(local.type), sdp=local.sdp)
        return {'description': {'type': str(local.type), 'sdp': local.sdp}}

    async def do_remote(self, c):
        pc = self.connection()
        await pc.set_remote_description(webrtc.RTCSessionDescriptionInit(type=c['type'], sdp=c['sdp']))
        self.report()
        for early in self.early:
            await self.add(early)
        self.early = []
        if c['type'] == 'offer':
            await self.set_local(await pc.create_answer())

    async def do_candidate(self, c):
        if self.connection().remote_description:
            await self.add(c)
        else:
            self.early.append(c)

    async def add(self, c):
        if c['candidate'] == '' and c.get('mid') is None and c.get('index') is None:
            await self.pc.add_ice_candidate(None)
            return
        await self.pc.add_ice_candidate(webrtc.RTCIceCandidateInit(
            candidate=c['candidate'], sdp_mid=c.get('mid'), sdp_m_line_index=c.get('index'),
            username_fragment=c.get('ufrag')))

    async def transport_stats(self):
        report = await self.connection().get_stats()
        transport = next((s for s in report.values() if str(s.type) == 'transport'), None)
        version = {'FEFD': '1.2', 'FEFC': '1.3'}.get(getattr(transport, 'tls_version', None))
        return {'dtls': {'version': version, 'cipher': getattr(transport, 'dtls_cipher', None)},
                'bytes_sent': getattr(transport, 'bytes_sent', 0), 'bytes_received': getattr(transport, 'bytes_received', 0)}

    async def close(self):
        if self.pc:
            self.pc.close()
            await asyncio.sleep(0.05)


LibWebRtc.main()
