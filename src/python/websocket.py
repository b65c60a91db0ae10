"""One WebSocket under ASGI: its scope, receive and send.

ASGI WebSocket specification 2.5, with the extension websocket.http.response. Messages are whole here:
frames, pings, compression and limits are the front's. What the front refuses comes back as REFUSED.
"""

from collections import deque
from marshal import loads
from time import perf_counter

from . import wire
from .asgi import HttpRequest
from .carried import Carried
from .failures import ClientDisconnected, is_disconnect, log_error, shown

CONNECTING = 0
DENYING = 1
OPEN = 2
CLOSED = 3

EXPECTED = {
    CONNECTING: "'websocket.accept', 'websocket.close' or 'websocket.http.response.start'",
    DENYING: "'websocket.http.response.body'",
    OPEN: "'websocket.send' or 'websocket.close'",
}

#: What a record of a message counts for besides its bytes, in both directions.
ENTRY_BYTES = 64
#: As socket.ts has it; the front ends a worker that sends more.
MOST_MESSAGE_BYTES = 256 * 1024 * 1024
#: Up to here a message is copied once more rather than carried by itself.
SMALL_BYTES = 1024
#: RFC 6455 section 7.4: codes for the peer's end of a connection without a close frame, and for a normal end.
CLOSE_NORMAL = 1000
CLOSE_ABNORMAL = 1006
#: What a close frame can carry besides its code.
REASON_BYTES = 123

CREDIT_BYTES = wire.CREDIT_BYTES
MORE = wire.MORE
MOST_PAYLOAD_BYTES = wire.MOST_PAYLOAD_BYTES
TEXT = wire.TEXT
WS_SEND = wire.WS_SEND

_pack_header = wire.HEADER.pack


def build_scope(encoded, state):
    """The scope of a WebSocket; nothing in it is shared with another one."""
    (
        _,
        version,
        scheme,
        path,
        raw_path,
        query,
        root_path,
        headers,
        client,
        server,
        subprotocols,
    ) = loads(encoded)
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": version,
        "server": server,
        "client": client,
        "scheme": scheme,
        "root_path": root_path,
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "headers": headers,
        "subprotocols": subprotocols,
        "state": state.copy(),
        "extensions": {"websocket.http.response": {}},
    }


def is_close_code(code):
    """Whether a close frame may carry this code (RFC 6455 section 7.4, and its registry)."""
    return 1000 <= code <= 1014 and not 1004 <= code <= 1006 or 3000 <= code <= 4999


class Socket(Carried):
    """A WebSocket. All of it runs in the event loop's thread."""

    # Those below the empty line have a value only once they are needed.
    __slots__ = (
        "_offered",
        "_state",
        "_end",
        "_connect_due",
        "_queue",
        "_parts",
        "_taken",
        "_credit",
        "_backlog",
        "_receiver",
        #
        "_part_cost",
        "_denial",
    )

    def __init__(self, worker, request_id, scope):
        self.id = request_id
        self.worker = worker
        self.scope = scope
        self.task = None
        # An application may change its scope.
        self._offered = tuple(scope["subprotocols"])
        self._state = CONNECTING
        self._failure = None
        #: Code and reason of what `receive` ends with, once it is known.
        self._end = None
        self._connect_due = True
        #: (event, what it cost)
        self._queue = deque()
        #: Of a message that has not come whole.
        self._parts = None
        #: What the application has taken and the front has got no credit for.
        self._taken = 0
        self._credit = wire.WINDOW_BYTES
        #: Messages that wait for credit: [flags, bytes, where the rest begins].
        self._backlog = None
        #: Who waits in `receive`; others, and those who wait in `send`, are among the waiters.
        self._receiver = None
        self._waiters = None

    async def run(self, app):
        try:
            starter = self.worker.starter
            if starter.crowded and perf_counter() >= starter.until:
                await starter.turn()
            result = await app(self.scope, self.receive, self.send)
        except BaseException as error:
            self._raised(error)
            if not isinstance(error, Exception):
                raise
        else:
            if result is not None:
                log_error("ASGI callable should return None, but returned %r.", result)
            self._tell_refusal()
            if self._state == DENYING and self._failure is None:
                log_error("ASGI callable returned without completing response.")
                self._done(wire.RAISED, b"the application returned without a whole response")
            else:
                self._done(0, b"")
        finally:
            self.worker.finished(self)

    def _raised(self, error):
        if self._end is not None and is_disconnect(error):
            self._done(0, b"")
            return
        if isinstance(error, Exception) or not self.worker.leaving:
            log_error("Exception in ASGI application", exc_info=error)
        self._tell_refusal()
        self._done(wire.RAISED, shown(error).encode("utf-8", "replace")[:1000])

    def _done(self, flags, text):
        self._put(wire.DONE, flags, text)
        self._ended(CLOSE_ABNORMAL, "")  # For tasks that outlive it: the front tells nothing more.
        self._state = CLOSED

    # ---- from the front --------------------------------------------------------

    def message(self, flags, payload, parts=1):
        """`payload` is the link's to use again; it came in so many records."""
        cost = len(payload) + parts * ENTRY_BYTES
        if flags & MORE or self._parts is not None:
            payload, cost = self._joined(flags, bytes(payload), cost)
            if payload is None:
                return
        if flags & TEXT:
            event = {"type": "websocket.receive", "text": str(payload, "utf-8"), "bytes": None}
        else:
            event = {"type": "websocket.receive", "bytes": bytes(payload), "text": None}
        self._queue.append((event, cost))
        receiver = self._receiver
        if receiver is not None:
            self._receiver = None
            if not receiver.done():
                receiver.set_result(None)
        if self._waiters is not None:
            self._wake()

    def _joined(self, flags, payload, cost):
        """(the whole message, what of its cost is not paid), or (None, 0) while there is more to come."""
        parts = self._parts
        if parts is None:
            parts = self._parts = []
            self._part_cost = 0
        parts.append(payload)
        self._part_cost += cost
        if flags & MORE:
            self._credit_parts()
            return None, 0
        self._parts = None
        return b"".join(parts), self._part_cost

    def _credit_parts(self):
        """A message may be larger than the window: its parts are paid once nothing else waits to be received."""
        if not self._queue and self._part_cost:
            self._give_credit(self._part_cost)
            self._part_cost = 0

    def closed(self, payload):
        """The connection has ended: `receive` tells behind the messages before, `send` at once."""
        code = wire.U16.unpack_from(payload)[0]
        self._ended(code, payload[2:].decode("utf-8", "replace"))

    def _ended(self, code, reason):
        if self._end is None:
            self._end = (code, reason)
        self.disconnect(wire.GONE)

    def disconnect(self, flags):
        if flags & wire.GONE and self._failure is None:
            self._failure = ClientDisconnected
        self._backlog = None
        if self.worker.outlet.dead and self._end is None:
            self._end = (CLOSE_ABNORMAL, "")
        if self._state == DENYING:
            self._denial.fail(self._failure)
        self._wake()

    def refused(self, text):
        """The front would not send what came last: the next `send` raises it."""
        self._take_refusal(text)
        self._ended(CLOSE_ABNORMAL, "")
        self._state = CLOSED

    def credit(self, payload):
        if self._state == DENYING:
            self._denial.credit(payload)
            return
        self._credit += wire.U32.unpack(payload)[0]
        if self._backlog is not None:
            self._pump()

    def _wake(self):
        receiver = self._receiver
        if receiver is not None:
            self._receiver = None
            if not receiver.done():
                receiver.set_result(None)
        self._wake_waiters()

    # ---- receive ---------------------------------------------------------------

    async def receive(self):
        if self._connect_due:
            self._connect_due = False
            return {"type": "websocket.connect"}
        queue = self._queue
        while not queue:
            if self._end is not None:
                code, reason = self._end
                return {"type": "websocket.disconnect", "code": code, "reason": reason}
            receiver = self._receiver
            if receiver is None or receiver.done():
                receiver = self._receiver = self.worker.loop.create_future()
                await receiver
            else:
                # Another task receives too.
                await self._changed()
        event, cost = queue.popleft()
        taken = self._taken + cost
        if taken >= CREDIT_BYTES:
            self._give_credit(taken)
            taken = 0
        self._taken = taken
        if self._parts is not None:
            self._credit_parts()
        return event

    # ---- send ------------------------------------------------------------------

    async def send(self, message):
        kind = message["type"]
        if self._failure is not None:
            # To close what is closed does no harm.
            if kind == "websocket.close" and self._failure is ClientDisconnected:
                return
            raise self._failure
        if kind == "websocket.send":
            if self._state != OPEN:
                raise self._unexpected(kind)
            text = message.get("text")
            if isinstance(text, str) and message.get("bytes") is None:
                flags, payload = TEXT, text.encode()
            else:
                flags, payload = 0, bytes_of(message)
            size = len(payload)
            worker = self.worker
            outlet = worker.outlet
            if self._backlog is None and self._credit > 0 and size <= MOST_PAYLOAD_BYTES:
                self._credit -= size + ENTRY_BYTES
                head = _pack_header(size, WS_SEND, flags, self.id, worker.generation)
                if size <= SMALL_BYTES:
                    outlet.put(head + payload)
                else:
                    outlet.put_body(head, payload)
            else:
                await self._send_waiting(flags, payload)
            if outlet.blocked:
                await outlet.drained()
        elif kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._close(message)
        elif kind == "websocket.http.response.start" or kind == "websocket.http.response.body":
            await self._deny(kind, message)
        else:
            raise self._unexpected(kind)

    def _unexpected(self, kind):
        if self._state == CLOSED:
            return ClientDisconnected()
        return RuntimeError(f"Unexpected ASGI message '{kind}' sent when {EXPECTED[self._state]} was expected.")

    async def _send_waiting(self, flags, payload):
        """A message that is larger than a record, or for which there is no credit, or that others wait before."""
        if len(payload) > MOST_MESSAGE_BYTES:
            raise RuntimeError("websocket.send: a message of more than 256 MB.")
        if self._backlog is None and self._credit > len(payload):
            self._send_parts(flags, payload)
            return
        entry = [flags, memoryview(payload), 0]
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.append(entry)
        self._pump()
        # One whose task is cancelled leaves all the same: half of it may be on its way.
        while entry[1] is not None:
            if self._failure is not None:
                raise self._failure
            await self._changed()

    def _send_parts(self, flags, payload):
        """Sends a message for which there is credit."""
        worker = self.worker
        put_body = worker.outlet.put_body
        view = memoryview(payload)
        size = len(payload)
        for at in range(0, size, MOST_PAYLOAD_BYTES):
            piece = view[at : at + MOST_PAYLOAD_BYTES]
            length = len(piece)
            more = MORE if at + length < size else 0
            self._credit -= length + ENTRY_BYTES
            put_body(_pack_header(length, WS_SEND, flags | more, self.id, worker.generation), piece)

    def _pump(self):
        """Sends of what waits as much as there is credit for."""
        backlog = self._backlog
        worker = self.worker
        woken = False
        while backlog and self._credit > 0:
            entry = backlog[0]
            flags, payload, at = entry
            piece = payload[at : at + MOST_PAYLOAD_BYTES]
            size = len(piece)
            if at + size < len(payload):
                flags |= MORE
                entry[2] = at + size
            else:
                entry[1] = None
                backlog.popleft()
                woken = True
            self._credit -= size + ENTRY_BYTES
            worker.outlet.put_body(_pack_header(size, WS_SEND, flags, self.id, worker.generation), piece)
        if not backlog:
            self._backlog = None
        if woken:
            self._wake()

    def _accept(self, message):
        if self._state != CONNECTING:
            raise self._unexpected("websocket.accept")
        subprotocol = message.get("subprotocol")
        if subprotocol and subprotocol not in self._offered:
            raise RuntimeError(f"websocket.accept: the client does not offer the subprotocol {subprotocol!r}.")
        name = (subprotocol or "").encode("ascii")
        count, block = wire.encode_fields(message.get("headers") or ())
        payload = wire.ACCEPT.pack(len(name), count) + name + block
        if len(payload) > MOST_PAYLOAD_BYTES:
            raise RuntimeError("websocket.accept: more than 64 KB of headers.")
        self._state = OPEN
        self._put(wire.WS_ACCEPT, 0, payload)

    def _close(self, message):
        if self._state == CLOSED:
            return
        if self._state == DENYING:
            raise self._unexpected("websocket.close")
        if self._state == CONNECTING:
            # 403, whatever they are: FastAPI gives the list of what does not fit for the reason.
            code, reason = CLOSE_NORMAL, ""
        else:
            code, reason = farewell_of(message)
        if self._backlog is not None:
            # What tasks that do not wait have sent before is lost, as it would be with its connection.
            self._backlog = None
        self._state = CLOSED
        cut = reason.encode("utf-8", "replace")[:REASON_BYTES].decode("utf-8", "ignore")
        self._put(wire.WS_CLOSE, 0, wire.U16.pack(code) + cut.encode())

    async def _deny(self, kind, message):
        if kind == "websocket.http.response.start":
            if self._state != CONNECTING:
                raise self._unexpected(kind)
            self._denial = HttpRequest(self.worker, self.id, wire.LAST, {"method": "GET"})
            await self._denial.send({**message, "type": "http.response.start", "trailers": False})
            self._state = DENYING
            return
        if self._state != DENYING:
            raise self._unexpected(kind)
        await self._denial.send({**message, "type": "http.response.body"})
        if not message.get("more_body", False):
            self._state = CLOSED


def farewell_of(message):
    """The code and the reason of a websocket.close event."""
    code = message.get("code")
    if code is None:
        code = CLOSE_NORMAL
    if not isinstance(code, int) or not is_close_code(code):
        raise RuntimeError(f"websocket.close: {code!r} is no code for a close frame.")
    reason = message.get("reason") or ""
    if not isinstance(reason, str):
        raise RuntimeError("websocket.close: reason must be a string.")
    return code, reason


def bytes_of(message):
    """Of a websocket.send event that has no text. A copy of what can change: it must not do so before it has left."""
    data = message.get("bytes")
    if message.get("text") is None and isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise RuntimeError("websocket.send: exactly one of text (a string) and bytes must be given.")
