#!/usr/bin/env python3
"""A browser behind the peer protocol: `browser.py serve chromium` is the container's main program and keeps the browser
running; `browser.py` is one peer, a page of its own: lines of standard input to the page, lines of the page to standard output.
"""
import asyncio
import base64
import json
import os
import pathlib
import ssl
import subprocess
import sys
import time

import aiohttp
from aiohttp import web

PAGES = pathlib.Path('/usr/local/lib/interop/page')
TYPES = {'.html': 'text/html', '.js': 'text/javascript'}
PORT, LINE = 8000, 256 << 20


class Chromium:
    """By WebDriver."""

    async def start(self, http):
        trust_in_nss(pathlib.Path.home() / '.pki/nssdb')
        subprocess.Popen(['chromedriver', '--port=9515'], stdout=subprocess.DEVNULL)
        flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                 '--disable-background-timer-throttling', '--disable-renderer-backgrounding',
                 '--disable-backgrounding-occluded-windows']
        if os.environ.get('MDNS') != '1':
            flags.append('--disable-features=WebRtcHideLocalIpsWithMdns')
        capabilities = {'capabilities': {'alwaysMatch': {'browserName': 'chrome', 'goog:chromeOptions': {'args': flags}}}}
        self.http = http
        session = await answers(lambda: self.post('http://127.0.0.1:9515/session', capabilities))
        self.base = f'http://127.0.0.1:9515/session/{session["sessionId"]}'
        self.first = await self.get('/window')

    async def post(self, url, body):
        async with self.http.post(url, json=body) as answer:
            value = (await answer.json())['value']
            if answer.status != 200:
                raise OSError(value)
            return value

    async def get(self, path):
        async with self.http.get(self.base + path) as answer:
            return (await answer.json())['value']

    async def open(self, url):
        window = (await self.post(self.base + '/window/new', {'type': 'tab'}))['handle']
        await self.post(self.base + '/window', {'handle': window})
        await self.post(self.base + '/url', {'url': url})
        return window

    async def close(self, window):
        await self.post(self.base + '/window', {'handle': window})
        async with self.http.delete(self.base + '/window'):
            pass
        await self.post(self.base + '/window', {'handle': self.first})


class Firefox:
    """By WebDriver BiDi, which needs no driver."""

    async def start(self, http):
        profile = pathlib.Path('/tmp/profile')
        profile.mkdir()
        hide = 'true' if os.environ.get('MDNS') == '1' else 'false'
        (profile / 'user.js').write_text(
            f'user_pref("media.peerconnection.ice.obfuscate_host_addresses", {hide});\n'
            'user_pref("dom.min_background_timeout_value", 4);\n'
            'user_pref("dom.timeout.enable_budget_timer_throttling", false);\n'
            'user_pref("network.websocket.max-message-size", 268435456);\n'
            'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n')
        trust_in_nss(profile)
        subprocess.Popen(['firefox-esr', '--headless', '--no-remote', '--profile', str(profile),
                          '--remote-debugging-port', '9377'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.socket = await answers(lambda: http.ws_connect('ws://127.0.0.1:9377/session', max_msg_size=0))
        self.number, self.waiting = 0, {}
        asyncio.ensure_future(self.read())
        await self.ask('session.new', {'capabilities': {}})

    async def read(self):
        async for message in self.socket:
            answer = json.loads(message.data)
            waiting = self.waiting.pop(answer.get('id'), None)
            if waiting:
                waiting.set_result(answer)

    async def ask(self, method, params):
        self.number += 1
        waiting = self.waiting[self.number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({'id': self.number, 'method': method, 'params': params})
        answer = await waiting
        if answer.get('type') == 'error':
            raise OSError(answer)
        return answer['result']

    async def open(self, url):
        context = (await self.ask('browsingContext.create', {'type': 'tab', 'background': False}))['context']
        await self.ask('browsingContext.navigate', {'context': context, 'url': url, 'wait': 'none'})
        return context

    async def close(self, context):
        await self.ask('browsingContext.close', {'context': context})


async def answers(ask):
    """What something says once it answers, for half a minute."""
    for _ in range(300):
        try:
            return await ask()
        except (OSError, aiohttp.ClientError):
            await asyncio.sleep(0.1)
    return await ask()


def trust_in_nss(folder):
    """Makes a browser trust the TURN server of the tests."""
    certificate = os.environ.get('TURN_CERTIFICATE')
    if certificate:
        folder.mkdir(parents=True, exist_ok=True)
        pem = pathlib.Path('/tmp/turn.pem')
        pem.write_text(ssl.DER_cert_to_PEM_cert(base64.b64decode(certificate)))
        store = f'sql:{folder}'
        subprocess.run(['certutil', '-d', store, '-N', '--empty-password'], check=True)
        subprocess.run(['certutil', '-d', store, '-A', '-t', 'PC,,', '-n', 'turn', '-i', str(pem)], check=True)


class Serve:
    def __init__(self, browser):
        self.browser, self.links, self.number, self.turn = browser, {}, 0, asyncio.Lock()

    async def file(self, request):
        path = PAGES / (request.match_info['name'] or 'index.html')
        if path.parent != PAGES or not path.is_file():
            raise web.HTTPNotFound()
        return web.Response(text=path.read_text(), content_type=TYPES[path.suffix], charset='utf-8')

    async def link(self, request):
        """The far end of a page's WebSocket."""
        socket = web.WebSocketResponse(max_msg_size=LINE)
        await socket.prepare(request)
        reader, writer, called = self.links.pop(request.match_info['token'])
        called.set()
        await socket.send_json({'clock_ms': time.monotonic() * 1000})

        async def commands():
            async for line in reader:
                await socket.send_str(line.decode())
            await socket.close()

        task = asyncio.ensure_future(commands())
        async for message in socket:
            if message.type == aiohttp.WSMsgType.TEXT:
                writer.write(message.data.encode() + b'\n')
                await writer.drain()
        task.cancel()
        writer.close()
        return socket

    async def peer(self, reader, writer):
        """One peer process has called: gives it a page, until it goes."""
        self.number += 1
        token, called = str(self.number), asyncio.Event()
        self.links[token] = reader, writer, called
        async with self.turn:
            window = await self.browser.open(f'http://127.0.0.1:{PORT}/#{token}')
            await asyncio.wait_for(called.wait(), 20)
        await writer.wait_closed()
        async with self.turn:
            await self.browser.close(window)

    async def run(self):
        async with aiohttp.ClientSession() as http:
            app = web.Application()
            app.router.add_get('/link/{token}', self.link)
            app.router.add_get('/{name:.*}', self.file)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, '127.0.0.1', PORT).start()
            await self.browser.start(http)
            await asyncio.start_unix_server(self.peer, '/tmp/peers', limit=LINE)
            print('up', flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def peer():
    reader, writer = await asyncio.open_unix_connection('/tmp/peers', limit=LINE)
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader(limit=LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)

    async def commands():
        async for line in stdin:
            writer.write(line)
            await writer.drain()
        writer.write_eof()

    task = asyncio.ensure_future(commands())
    async for line in reader:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    task.cancel()


if sys.argv[1:2] == ['serve']:
    asyncio.run(Serve({'chromium': Chromium, 'firefox': Firefox}[sys.argv[2]]()).run())
else:
    asyncio.run(peer())
    os._exit(0)
