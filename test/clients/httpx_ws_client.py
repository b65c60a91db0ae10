"""httpx-ws against an echo server: `httpx_ws_client.py URL`. Prints one line of JSON."""

import asyncio
import json
import sys

import httpx
from httpx_ws import WebSocketUpgradeError, aconnect_ws

SENT = ["hello", "grüße €" * 300, "", bytes([0, 1, 255]), bytes(200_000)]


async def main(url: str) -> None:
    async with httpx.AsyncClient() as client:
        got = []
        async with aconnect_ws(f"{url}/echo", client, max_message_size_bytes=2**20) as socket:
            for message in SENT:
                if isinstance(message, str):
                    await socket.send_text(message)
                    got.append(await socket.receive_text() == message)
                else:
                    await socket.send_bytes(message)
                    got.append(await socket.receive_bytes() == message)
            await (await socket.ping()).wait()
        try:
            async with aconnect_ws(f"{url}/deny", client):
                denied = None
        except WebSocketUpgradeError as error:
            denied = error.response.status_code
        print(json.dumps({"got": all(got), "denied": denied}))


asyncio.run(main(*sys.argv[1:]))
