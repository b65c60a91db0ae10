"""Python's websockets against an echo server: `ws_client.py URL MODE`. Prints one line of JSON."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

SENT = ["hello", "grüße €" * 300, "", bytes([0, 1, 255]), bytes(200_000)]
MODES = {
    "none": None,
    "default": [ClientPerMessageDeflateFactory()],
    "no-takeover": [ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)],
    "small-windows": [ClientPerMessageDeflateFactory(server_max_window_bits=10, client_max_window_bits=10)],
}


async def main(url: str, mode: str) -> None:
    async with connect(url, extensions=MODES[mode], compression=None, max_size=None) as socket:
        got = []
        for message in SENT:
            await socket.send(message)
            got.append(await socket.recv() == message)
        for message in SENT:
            await socket.send(message)
        for message in SENT:
            got.append(await socket.recv() == message)
        waiter = await socket.ping()
        await waiter
        extensions = [extension.name for extension in socket.protocol.extensions]
        await socket.close(4001, "done")
        ended = {"code": socket.close_code, "reason": socket.close_reason}
        print(json.dumps({"got": all(got), **ended, "extensions": extensions}))


asyncio.run(main(*sys.argv[1:]))
