"""The peer protocol for adapters in Python: lines, events, hashes; and W3C-shaped data channels.

An adapter makes a subclass of Peer with a coroutine for each command it has, and runs it.
"""
import asyncio
import base64
import collections
import hashlib
import json
import random
import sys
import time

HIGH, LOW = 1 << 20, 1 << 18


class Refusal(Exception):
    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def payload(command):
    """What `send` is to send: str or bytes."""
    if 'text' in command:
        return command['text']
    if 'base64' in command:
        return base64.b64decode(command['base64'])
    fill = command['fill']
    source = random.Random(fill.get('seed', 0)).randbytes(fill['bytes'])
    return source if fill.get('binary', True) else bytes(0x20 + b % 95 for b in source).decode()


def as_bytes(data):
    return data.encode() if isinstance(data, str) else bytes(data)


class Channel:
    """One channel: what the protocol asks of it beyond its stack. `raw` has send(), close() and `buffered()`."""

    def __init__(self, peer, handle, raw):
        self.peer, self.handle, self.raw = peer, handle, raw
        self.mode, self.counted = 'messages', None
        self.sent = self.received = self.bytes_sent = self.bytes_received = 0
        self.is_open = self.is_closed = False
        self.echoes = collections.deque()

    def emit(self, event, **fields):
        self.peer.emit(event, channel=self.handle, **fields)

    def opened(self):
        if not self.is_open and not self.is_closed:
            self.is_open = True
            self.emit('open', stream=self.raw.stream())

    def closed(self):
        if not self.is_closed:
            self.is_closed = True
            self.tally()
            self.emit('closed', stream=self.raw.stream())

    def message(self, data):
        body = as_bytes(data)
        self.received += 1
        self.bytes_received += len(body)
        if self.mode == 'echo':
            self.echoes.append(data)
            if len(self.echoes) == 1:
                asyncio.ensure_future(self.echo())
        elif self.mode == 'count':
            self.counted['bytes'] += len(body)
            self.counted['messages'] += 1
            self.counted['hash'].update(body)
        elif isinstance(data, str):
            self.emit('message', text=data)
        else:
            self.emit('message', base64=base64.b64encode(body).decode())

    async def echo(self):
        while self.echoes:
            await self.drained(HIGH)
            if self.is_closed:
                return
            self.put(self.echoes[0])
            self.echoes.popleft()

    def put(self, data):
        body = as_bytes(data)
        self.raw.send(data)
        self.sent += 1
        self.bytes_sent += len(body)
        return body

    async def drained(self, amount):
        while self.raw.buffered() > amount and not self.is_closed:
            await asyncio.sleep(0.002)

    def send(self, command):
        if not self.is_open or self.is_closed:
            raise Refusal('InvalidStateError', 'the channel is not open')
        data = payload(command)
        limit = self.peer.max_message_size()
        if limit and len(as_bytes(data)) > limit:
            raise Refusal('TypeError', f'longer than {limit} bytes')
        body = self.put(data)
        return {'bytes': len(body), 'sha256': hashlib.sha256(body).hexdigest()}

    async def stream(self, size, message_size, seed):
        """Sends so much; `streamed` follows when it has left the queue."""
        source, digest, start, left = random.Random(seed), hashlib.sha256(), time.monotonic(), size
        while left > 0:
            if self.raw.buffered() > HIGH:
                await self.drained(LOW)
            if self.is_closed:
                return
            part = source.randbytes(min(left, message_size))
            digest.update(part)
            try:
                self.put(part)
            except Exception:  # closing: `closed` follows
                return
            left -= len(part)
            await asyncio.sleep(0)
        await self.drained(0)
        if not self.is_closed:
            self.emit('streamed', bytes=size, sha256=digest.hexdigest(), seconds=time.monotonic() - start)

    def receive(self, mode):
        self.mode = mode
        self.counted = {'bytes': 0, 'messages': 0, 'hash': hashlib.sha256()} if mode == 'count' else None

    def tally(self):
        if self.counted:
            c = self.counted
            self.emit('counted', bytes=c['bytes'], messages=c['messages'], sha256=c['hash'].hexdigest())

    def stats(self):
        state = 'closed' if self.is_closed else 'open' if self.is_open else 'connecting'
        return {'state': state, 'buffered': self.raw.buffered(), 'sent': self.sent, 'received': self.received,
                'bytes_sent': self.bytes_sent, 'bytes_received': self.bytes_received}


class Peer:
    """One peer connection. A subclass has `do_offer` and so on, coroutines that take the command and give the result."""

    stack = version = ''
    supports = []

    def __init__(self):
        self.start = time.monotonic()
        self.channels, self.incoming, self.told = {}, 0, {}
        self.options = {}
        self.is_closed = False

    def emit(self, event, **fields):
        if self.is_closed and event not in ('done', 'error', 'bye', 'stats', 'counted'):
            return
        line = {'event': event, **fields, 'at_ms': round((time.monotonic() - self.start) * 1000, 3)}
        sys.stdout.write(json.dumps(line) + '\n')
        sys.stdout.flush()

    def state(self, **now):
        """One line with what has changed."""
        changed = {key: value for key, value in now.items() if value is not None and self.told.get(key) != value}
        if changed:
            self.told.update(changed)
            self.emit('state', **changed)

    def max_message_size(self):
        """The largest message that may be sent; 0 when there is no limit, or none is known."""
        return 0

    def channel(self, command):
        channel = self.channels.get(command.get('channel'))
        if not channel:
            raise Refusal('TypeError', f'no channel {command.get("channel")}')
        return channel

    def arrived(self, raw, **told):
        """A channel that the other side opened."""
        handle = f'remote-{self.incoming}'
        self.incoming += 1
        channel = self.channels[handle] = Channel(self, handle, raw)
        self.emit('channel', channel=handle, stream=raw.stream(), negotiated=False, **told)
        channel.opened()
        return channel

    async def do_send(self, command):
        return self.channel(command).send(command)

    async def do_stream(self, command):
        channel = self.channel(command)
        if not channel.is_open or channel.is_closed:
            raise Refusal('InvalidStateError', 'the channel is not open')
        size, seed = command['bytes'], command.get('seed', 0)
        asyncio.ensure_future(channel.stream(size, command.get('message_size', 16384), seed))

    async def do_receive(self, command):
        self.channel(command).receive(command['mode'])

    async def do_close_channel(self, command):
        self.channel(command).raw.close()

    async def do_stats(self, command):
        channels = {}
        for handle, channel in self.channels.items():
            channel.tally()
            channels[handle] = channel.stats()
        self.emit('stats', channels=channels, **await self.transport_stats())

    async def transport_stats(self):
        return {}

    async def do_close(self, command):
        await self.close()
        self.is_closed = True
        for channel in self.channels.values():
            channel.is_closed = True

    async def do_quit(self, command):
        if not self.is_closed:
            await self.do_close(command)

    async def carry_out(self, command):
        work = getattr(self, 'do_' + str(command.get('do')), None)
        answer = {'id': command['id']} if 'id' in command else {}
        try:
            if not work:
                raise Refusal('Unsupported', f'no command {command.get("do")}')
            result = await work(command)
        except Refusal as refusal:
            self.emit('error', kind=refusal.kind, message=str(refusal), **answer)
        except Exception as error:
            name = getattr(error, 'name', None) or type(error).__name__
            self.emit('error', kind=str(name), message=str(error), **answer)
        else:
            self.emit('done', **answer, **(result or {}))

    async def lines(self):
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=256 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        self.emit('ready', stack=self.stack, version=self.version, supports=self.supports, start_ms=self.start * 1000)
        async for line in reader:
            command = json.loads(line)
            await self.carry_out(command)
            if command.get('do') == 'quit':
                break
        self.emit('bye')

    @classmethod
    def main(cls):
        async def run():
            await cls().lines()
        asyncio.run(run())
