"""What the tests of WebSockets share: the front's records, and what was sent."""

from support import Bench, wire

ACCEPT = {"type": "websocket.accept"}


def message(data, flags=0, request_id=1):
    if isinstance(data, str):
        return Bench.record(wire.WS_MESSAGE, flags | wire.TEXT, request_id, data.encode())
    return Bench.record(wire.WS_MESSAGE, flags, request_id, data)


def closed(code, reason="", request_id=1):
    return Bench.record(wire.WS_CLOSED, 0, request_id, wire.U16.pack(code) + reason.encode())


def credit(count, request_id=1):
    return Bench.record(wire.CREDIT, 0, request_id, wire.U32.pack(count))


def sent(bench, kind=wire.WS_SEND):
    return [payload for each, _, _, payload in bench.records() if each == kind]
