"""The Python half of the wire format between a front and its worker.

Drawn in docs/bridge.md; wire.ts is the other half, and test/python/vectors.json
holds both to the same bytes. Every record:

     0       2       3       4               8              12
    +-------+-------+-------+---------------+---------------+---------------+
    | length| type  | flags | request id    | generation    | payload ...   |
    +-------+-------+-------+---------------+---------------+---------------+

All numbers are little-endian; `length` counts the payload's bytes. Request id 0 is
the worker itself. The front is trusted here: it is the process that started this one.
"""

from struct import Struct

VERSION = 1
HEADER = Struct("<HBBII")
HEADER_BYTES = 12
#: So that no record, header included, is longer than 64 KiB.
MOST_PAYLOAD_BYTES = 65536 - HEADER_BYTES
#: Body bytes that may be on their way per request and direction (as HTTP/2's windows).
WINDOW_BYTES = 256 * 1024
#: Credit is given back once this much of a window has been used.
CREDIT_BYTES = WINDOW_BYTES // 4

# From the front.
HELLO = 1
HEAD = 2
BODY = 3
CREDIT = 4
DISCONNECT = 5
REFUSED = 6
PING = 7
DRAIN = 8
WS_CONNECT = 9
WS_MESSAGE = 10
WS_CLOSED = 11

# From the worker.
READY = 32
FAILED = 33
RESPONSE = 34
RESPONSE_BODY = 35
RESPONSE_TRAILERS = 36
EARLY_HINT = 37
PATHSEND = 38
RESPONSE_CREDIT = 39
DONE = 40
BEAT = 41
STOPPED = 42
RETIRING = 43
WS_ACCEPT = 44
WS_SEND = 45
WS_CLOSE = 46

# Flags; what they mean depends on the type.
LAST = 1  # nothing of this body (HEAD, BODY, RESPONSE, ...) follows
MORE = 2  # HEAD: the scope goes on in the next HEAD record
ON_DEMAND = 4  # HEAD: the body may be asked for only when the application wants it
TRAILERS = 8  # BODY: the payload is the trailers; RESPONSE: trailers will follow
GONE = 16  # DISCONNECT: what is sent can't arrive; else only receive is told
RAISED = 32  # DONE: the application raised
TEXT = 64  # WS_MESSAGE, WS_SEND: a text
ROOM = 128  # RESPONSE: ROOM_BYTES stand between the fields and the body

START = Struct("<HHH")
#: The front writes the response's head there, and both leave in one write.
ROOM_BYTES = 512
#: A RESPONSE record's header and START at once.
RESPONSE_HEADER = Struct("<HBBIIHHH")
U16 = Struct("<H")
U32 = Struct("<I")
#: What stands before a subprotocol and fields in WS_ACCEPT: the length of the one, the count of the others.
ACCEPT = Struct("<HH")
BEAT_PAYLOAD = Struct("<IIQI")


class FieldError(ValueError):
    """A name or value that can't be put into a record."""


def record(kind, flags, request_id, generation, payload=b""):
    """One record. `payload` has at most MOST_PAYLOAD_BYTES."""
    head = HEADER.pack(len(payload), kind, flags, request_id, generation)
    return head + payload


def encode_fields(headers):
    """Pairs of byte strings as (count, name NUL value NUL name NUL value ...)."""
    return encode_head(headers)[:2]


def encode_head(headers):
    """As `encode_fields`, and what Content-Length says, or None."""
    parts = []
    length = None
    try:
        for name, value in headers:
            parts.append(name)
            parts.append(value)
            if len(name) == 14 and name.lower() == b"content-length" and value.isdigit():
                length = int(value)
        block = b"\0".join(parts)
    except (TypeError, AttributeError):
        raise FieldError("header names and values must be byte strings") from None
    count = len(parts)
    if count and block.count(0) != count - 1:
        raise FieldError("header names and values must not contain NUL")
    return count >> 1, block, length


def decode_fields(count, block):
    """The opposite of `encode_fields`, for the tests and the shared vectors."""
    if count == 0:
        return []
    parts = iter(bytes(block).split(b"\0"))
    return list(zip(parts, parts))  # noqa: B905 (strict came with 3.10)


def refusal(payload):
    """(why, the request's line) of a REFUSED record."""
    text, _, line = payload.decode("utf-8", "replace").partition("\0")
    return text, line


def start_payload(status, count, block):
    """What stands before the first body bytes in a RESPONSE record."""
    return START.pack(status, count, len(block)) + block


def records(data):
    """Splits bytes into ([(type, flags, id, generation, payload)], bytes used)."""
    found = []
    at = 0
    end = len(data)
    while end - at >= HEADER_BYTES:
        length, kind, flags, request_id, generation = HEADER.unpack_from(data, at)
        stop = at + HEADER_BYTES + length
        if stop > end:
            break
        payload = bytes(data[at + HEADER_BYTES : stop])
        found.append((kind, flags, request_id, generation, payload))
        at = stop
    return found, at
