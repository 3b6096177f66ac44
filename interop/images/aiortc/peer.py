#!/usr/bin/env python3
"""aiortc behind the peer protocol."""
import asyncio
import sys

sys.path.insert(0, '/usr/local/lib/interop')
import aiortc
from aiortc.sdp import candidate_from_sdp
from jsonl import Channel, Peer, Refusal

OPTIONS = {'ordered': 'ordered', 'max_retransmits': 'maxRetransmits', 'max_packet_life_time': 'maxPacketLifeTime',
           'protocol': 'protocol', 'negotiated': 'negotiated', 'stream': 'id'}


class Raw:
    def __init__(self, dc):
        self.dc, self.send, self.close = dc, dc.send, dc.close

    def buffered(self):
        return self.dc.bufferedAmount

    def stream(self):
        return self.dc.id


class Aiortc(Peer):
    stack, version = 'aiortc', aiortc.__version__
    supports = ['dtls-1.2']

    def __init__(self):
        super().__init__()
        # Without a list of servers aiortc asks a public one, which takes it 5 s where there is no way out.
        self.pc, self.early, self.configuration = None, [], {'iceServers': []}

    async def do_configure(self, c):
        for field in ('groups', 'mdns', 'certificate_pem', 'port', 'interfaces', 'max_message_size'):
            if c.get(field):
                raise Refusal('Unsupported', f'aiortc cannot set {field}')
        if c.get('dtls') not in (None, '1.2', 'any'):
            raise Refusal('Unsupported', 'aiortc speaks DTLS 1.2 alone')
        if c.get('trickle'):
            raise Refusal('Unsupported', 'aiortc does not trickle its candidates')
        if 'ice_servers' in c:
            self.configuration['iceServers'] = [aiortc.RTCIceServer(**server) for server in c['ice_servers']]
        if 'transport_policy' in c:
            self.configuration['iceTransportPolicy'] = aiortc.RTCIceTransportPolicy(c['transport_policy'])

    def connection(self):
        if not self.pc:
            self.pc = pc = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(**self.configuration))
            for event in ('signalingstatechange', 'iceconnectionstatechange', 'connectionstatechange',
                          'icegatheringstatechange'):
                pc.on(event, self.report)
            pc.on('datachannel', self.remote_channel)
        return self.pc

    def report(self):
        pc = self.pc
        self.state(signaling=pc.signalingState, gathering=pc.iceGatheringState, ice=pc.iceConnectionState,
                   connection=pc.connectionState, sctp=pc.sctp and pc.sctp.state)

    def limit(self):
        """aiortc keeps to no limit of the other side: this tells it from the description."""
        remote = self.pc.remoteDescription
        lines = remote.sdp.splitlines() if remote else []
        said = [line.split(':')[1] for line in lines if line.startswith('a=max-message-size:')]
        self.state(max_message_size=int(said[0]) if said else 65536)

    def max_message_size(self):
        return self.told.get('max_message_size', 0)

    def watch(self, channel, dc):
        dc.on('open', channel.opened)
        dc.on('message', channel.message)
        dc.on('close', channel.closed)
        return channel

    def remote_channel(self, dc):
        channel = self.arrived(Raw(dc), label=dc.label, protocol=dc.protocol, ordered=dc.ordered,
                               max_retransmits=dc.maxRetransmits, max_packet_life_time=dc.maxPacketLifeTime)
        self.watch(channel, dc)

    async def do_channel(self, c):
        options = {theirs: c[ours] for ours, theirs in OPTIONS.items() if c.get(ours) is not None}
        dc = self.connection().createDataChannel(c.get('label', ''), **options)
        channel = self.channels[c['channel']] = self.watch(Channel(self, c['channel'], Raw(dc)), dc)
        if dc.readyState == 'open':
            channel.opened()
        return {'stream': dc.id}

    async def do_offer(self, c):
        if c.get('ice_restart'):
            raise Refusal('Unsupported', 'aiortc has no ICE restart')
        return await self.set_local(await self.connection().createOffer())

    async def set_local(self, description):
        await self.pc.setLocalDescription(description)
        self.report()
        local = self.pc.localDescription
        self.emit('description', type=local.type, sdp=local.sdp)
        return {'description': {'type': local.type, 'sdp': local.sdp}}

    async def do_remote(self, c):
        pc = self.connection()
        await pc.setRemoteDescription(aiortc.RTCSessionDescription(type=c['type'], sdp=c['sdp']))
        self.report()
        self.limit()
        for early in self.early:
            await self.add(early)
        self.early = []
        if c['type'] == 'offer':
            await self.set_local(await pc.createAnswer())

    async def do_candidate(self, c):
        if self.connection().remoteDescription:
            await self.add(c)
        else:
            self.early.append(c)

    async def add(self, c):
        if c['candidate'] == '':
            await self.pc.addIceCandidate(None)
            return
        candidate = candidate_from_sdp(c['candidate'].split(':', 1)[1])
        candidate.sdpMid, candidate.sdpMLineIndex = c.get('mid'), c.get('index')
        await self.pc.addIceCandidate(candidate)

    async def transport_stats(self):
        return {'dtls': {'version': '1.2'}}

    async def close(self):
        if self.pc:
            await self.pc.close()


Aiortc.main()
