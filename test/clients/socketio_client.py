"""python-socketio's client: `socketio_client.py URL TRANSPORTS`. Prints one line of JSON."""

import asyncio
import json
import sys

import socketio


async def connected(url, transports, heard, auth=None):
    client = socketio.AsyncClient(reconnection=False)
    client.on("said", lambda data: heard.put_nowait(("said", data)))
    client.on("whispered", lambda text: heard.put_nowait(("whispered", text)))
    await client.connect(url, transports=transports, auth=auth)
    return client


async def main(url: str, transports: str) -> None:
    names = transports.split(",")
    one, two = asyncio.Queue(), asyncio.Queue()
    first = await connected(url, names, one)
    second = await connected(url, names, two)
    data = {"text": "grüße" * 5000, "bytes": b"\x00\xff" * 40_000, "list": [1, None]}
    result = {"echo": await first.call("echo", data) == data}
    await first.call("enter", "room")
    await second.emit("whisper", ("room", "psst"))
    result["whispered"] = await one.get()
    await second.emit("say", {"a": b"\x01"})
    result["said"] = [(await queue.get())[1] == {"a": b"\x01"} for queue in (one, two)]
    try:
        await connected(url, names, one, {"token": "wrong"})
    except socketio.exceptions.ConnectionError as error:
        result["refused"] = str(error)
    await second.disconnect()
    while not (ended := await first.call("ended")):
        await asyncio.sleep(0.01)
    result["ended"] = ended
    result["transport"] = first.transport()
    await first.disconnect()
    print(json.dumps(result))


asyncio.run(main(*sys.argv[1:]))
