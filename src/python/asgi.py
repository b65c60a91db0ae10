"""One HTTP request under ASGI: its scope, receive and send.

ASGI HTTP specification 2.5, with the extensions trailers, pathsend and early hints
(debug is taken and dropped). What can't be known here (the client's socket, the message's framing) is the
front's; what it refuses comes back as REFUSED and is raised by the next `send`.
"""

import logging
from asyncio import CancelledError, shield
from marshal import loads

from . import wire

logger = logging.getLogger("ringcorn.error")

IDLE = 0
STARTED = 1
BODY = 2
TRAILERS = 3
COMPLETE = 4

EXPECTED = {
    IDLE: "'http.response.start'",
    STARTED: "'http.response.body' or 'http.response.pathsend'",
    BODY: "'http.response.body'",
    TRAILERS: "'http.response.trailers'",
}

#: Up to here a body is copied once more rather than carried by itself.
SMALL_BYTES = 1024

_pack_header = wire.HEADER.pack
_pack_start = wire.START.pack


class ClientDisconnected(OSError):
    """Raised by `send` when what is sent can't arrive any more."""

    def __init__(self):
        super().__init__("the client has disconnected")


def build_scope(encoded, state):
    """The scope of a request; nothing in it is shared with another one."""
    (
        method,
        version,
        scheme,
        path,
        raw_path,
        query,
        root_path,
        headers,
        client,
        server,
    ) = loads(encoded)
    if version == "1.0":
        extensions = {"http.response.pathsend": {}}
    else:
        extensions = {
            "http.response.trailers": {},
            "http.response.pathsend": {},
            "http.response.early_hint": {},
            "http.request.trailers": {},
        }
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": version,
        "server": server,
        "client": client,
        "scheme": scheme,
        "method": method,
        "root_path": root_path,
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "headers": headers,
        "state": state.copy(),
        "extensions": extensions,
    }


class HttpRequest:
    """A request and its response. All of it runs in the event loop's thread."""

    __slots__ = (
        "id",
        "worker",
        "outlet",
        "scope",
        "generation",
        "task",
        "error",
        "_pieces",
        "_body_ended",
        "_body_given",
        "_trailers",
        "_on_demand",
        "_taken",
        "_disconnected",
        "_gone",
        "_waiter",
        "_state",
        "_start",
        "_wants_trailers",
        "_owed",
        "_credit",
        "_credit_waiter",
    )

    def __init__(self, worker, request_id, flags, scope):
        self.id = request_id
        self.worker = worker
        self.outlet = worker.outlet
        self.generation = worker.generation
        self.scope = scope
        self.task = None
        self.error = None
        self._pieces = None
        self._body_ended = flags & wire.LAST
        self._body_given = False
        self._trailers = None
        self._on_demand = flags & wire.ON_DEMAND
        self._taken = 0
        self._disconnected = False
        self._gone = False
        self._waiter = None
        self._state = IDLE
        self._start = None
        self._wants_trailers = False
        self._owed = None
        self._credit = wire.WINDOW_BYTES
        self._credit_waiter = None

    async def run(self, app):
        try:
            result = await app(self.scope, self.receive, self.send)
        except BaseException as error:
            self._raised(error)
            if not isinstance(error, Exception):
                raise
        else:
            if self._state != COMPLETE:
                self._returned(result)
        finally:
            self.worker.finished(self)

    def _returned(self, result):
        if self._disconnected:
            # Nobody waits for an answer: to stop is what an application should do.
            self._done(0, b"")
            return
        if result is not None:
            logger.error("ASGI callable should return None, but returned %r.", result)
        elif self._state == IDLE:
            logger.error("ASGI callable returned without starting response.")
        else:
            logger.error("ASGI callable returned without completing response.")
        self._done(wire.RAISED, b"the application returned without a whole response")

    def _raised(self, error):
        if self._gone and _comes_from_disconnect(error):
            return
        if isinstance(error, Exception) or not self.worker.leaving:
            logger.error("Exception in ASGI application", exc_info=error)
        if self._state != COMPLETE:
            text = f"{type(error).__name__}: {error}"
            self._done(wire.RAISED, text.encode("utf-8", "replace")[:1000])

    def _done(self, flags, text):
        self._state = COMPLETE
        self.outlet.put(
            wire.record(wire.DONE, flags, self.id, self.generation, text),
        )

    # ---- from the front --------------------------------------------------------

    def body(self, flags, payload):
        if flags & wire.TRAILERS:
            self._trailers = loads(payload)
        elif payload:
            if self._pieces is None:
                self._pieces = [payload]
            else:
                self._pieces.append(payload)
        if flags & wire.LAST:
            self._body_ended = True
        self._wake()

    def disconnect(self, flags):
        self._disconnected = True
        if flags & wire.GONE:
            self._gone = True
            self._wake_credit()
        self._wake()

    def refused(self, text):
        """The front would not send what came last: the next `send` raises it."""
        late = self._state == COMPLETE
        self.error = RuntimeError(text.decode("utf-8", "replace"))
        self._state = COMPLETE
        if late:
            logger.error("The response could not be sent: %s", self.error)
        self._wake_credit()
        self._wake()

    def credit(self, payload):
        self._credit += wire.U32.unpack(payload)[0]
        self._wake_credit()

    def _wake(self):
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _wake_credit(self):
        waiter = self._credit_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # ---- receive ---------------------------------------------------------------

    async def receive(self):
        while True:
            if self._state == COMPLETE:
                return {"type": "http.disconnect"}
            if not self._body_given:
                if self._body_ended or self._pieces:
                    return self._take()
                if self._on_demand and not self._disconnected:
                    self._on_demand = False
                    self._give_credit(wire.WINDOW_BYTES)
            if self._disconnected:
                return {"type": "http.disconnect"}
            waiter = self._waiter
            if waiter is None or waiter.done():
                waiter = self._waiter = self.worker.loop.create_future()
            # Several tasks may wait; one that is cancelled must not wake the others.
            await _shielded(waiter)

    def _take(self):
        pieces = self._pieces
        if pieces is None:
            body = b""
        else:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._pieces = None
        if self._body_ended:
            self._body_given = True
            event = {"type": "http.request", "body": body, "more_body": False}
            if self._trailers is not None:
                event["trailers"] = self._trailers
            return event
        self._taken += len(body)
        if self._taken >= wire.CREDIT_BYTES:
            self._give_credit(self._taken)
            self._taken = 0
        return {"type": "http.request", "body": body, "more_body": True}

    def _give_credit(self, count):
        payload = wire.U32.pack(count)
        kind = wire.RESPONSE_CREDIT
        self.outlet.put_control(
            wire.record(kind, 0, self.id, self.generation, payload),
        )

    # ---- send ------------------------------------------------------------------

    async def send(self, message):
        kind = message["type"]
        if self._gone:
            raise ClientDisconnected()
        if self.error is not None:
            raise self.error
        state = self._state
        if kind == "http.response.body":
            if state != STARTED and state != BODY:
                raise self._unexpected(kind)
            body = message.get("body", b"")
            if type(body) is not bytes:
                body = _as_bytes(body)
            more = message.get("more_body", False)
            if state == STARTED and not more and len(body) <= self._start[3]:
                self._send_whole(body)
            else:
                await self._send_body(body, more)
        elif kind == "http.response.start":
            if state != IDLE:
                raise self._unexpected(kind)
            self._begin(message)
        elif kind == "http.response.pathsend":
            self._send_path(message, state)
        elif kind == "http.response.trailers":
            self._send_trailers(message, state)
        elif kind == "http.response.early_hint":
            self._send_hint(message, state)
        elif kind != "http.response.debug":
            raise self._unexpected(kind)

    def _unexpected(self, kind):
        if self._state == COMPLETE:
            text = "after the response had been completed"
        else:
            text = f"when {EXPECTED[self._state]} was expected"
        return RuntimeError(f"Unexpected ASGI message '{kind}' sent {text}.")

    def _begin(self, message):
        status = message["status"]
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise RuntimeError(f"http.response.start: status must be 200 to 599, not {status!r}.")
        count, block, owed = wire.encode_head(message.get("headers") or ())
        room = wire.MOST_PAYLOAD_BYTES - 6 - len(block)
        if room < 0:
            raise RuntimeError("http.response.start: more than 64 KB of headers.")
        self._wants_trailers = bool(message.get("trailers", False))
        if owed is not None:
            bodiless = status == 204 or status == 304 or self.scope["method"] == "HEAD"
            self._owed = None if bodiless else owed
        self._start = (int(status), count, block, room)
        self._state = STARTED

    def _check_length(self, count, more):
        owed = self._owed
        if count > owed:
            raise RuntimeError("Response content longer than Content-Length")
        if not more and count < owed:
            raise RuntimeError("Response content shorter than Content-Length")
        self._owed = owed - count

    def _send_whole(self, body):
        """The whole response in one record."""
        owed = self._owed
        if owed is not None and owed != len(body):
            self._check_length(len(body), False)
        status, count, block, _ = self._start
        self._start = None
        length = 6 + len(block) + len(body)
        flags = wire.LAST
        if self._wants_trailers:
            flags = wire.LAST | wire.TRAILERS
            self._state = TRAILERS
        else:
            self._state = COMPLETE
        header = _pack_header(length, wire.RESPONSE, flags, self.id, self.generation)
        start = _pack_start(status, count, len(block))
        if len(body) <= SMALL_BYTES:
            self.outlet.put(b"".join((header, start, block, body)))
        else:
            self.outlet.put_body(b"".join((header, start, block)), body)
        if self._waiter is not None and self._state == COMPLETE:
            self._wake()

    async def _send_body(self, body, more):
        length = len(body)
        if self._owed is not None:
            self._check_length(length, more)
        start = self._start
        self._start = None
        self._state = BODY
        at = 0
        worker_outlet = self.outlet
        while True:
            if worker_outlet.blocked:
                await worker_outlet.drained()
            room = start[3] if start is not None else wire.MOST_PAYLOAD_BYTES
            if length > at:
                while self._credit <= 0:
                    await self._credit_given()
                self._check_open()
            count = min(length - at, room, self._credit)
            last = at + count == length and not more
            self._put_piece(start, body[at : at + count] if count else b"", last)
            start = None
            at += count
            self._credit -= count
            if at == length:
                break
        if not more:
            self._state = TRAILERS if self._wants_trailers else COMPLETE
            if self._state == COMPLETE:
                self._wake()
        elif self._credit <= 0 and not self._gone:
            await self._credit_given()
            self._check_open()

    def _put_piece(self, start, piece, last):
        flags = wire.LAST if last else 0
        if start is None:
            kind = wire.RESPONSE_BODY
            head = _pack_header(len(piece), kind, flags, self.id, self.generation)
            self.outlet.put_body(head, piece)
            return
        if self._wants_trailers:
            flags |= wire.TRAILERS
        status, count, block, _ = start
        length = 6 + len(block) + len(piece)
        head = _pack_header(length, wire.RESPONSE, flags, self.id, self.generation)
        first = _pack_start(status, count, len(block))
        self.outlet.put_body(b"".join((head, first, block)), piece)

    async def _credit_given(self):
        while self._credit <= 0 and not self._gone and self.error is None:
            waiter = self._credit_waiter = self.worker.loop.create_future()
            await waiter
        self._credit_waiter = None
        self._check_open()

    def _check_open(self):
        if self._gone:
            raise ClientDisconnected()
        if self.error is not None:
            raise self.error

    def _send_path(self, message, state):
        if state != STARTED:
            raise self._unexpected(message["type"])
        path = message["path"]
        if not isinstance(path, str) or not path.startswith("/"):
            raise RuntimeError("http.response.pathsend: path must be absolute.")
        status, count, block, _ = self._start
        self._start = None
        flags = wire.MORE | (wire.TRAILERS if self._wants_trailers else 0)
        payload = wire.start_payload(status, count, block)
        self._put(wire.RESPONSE, flags, payload)
        self._put(wire.PATHSEND, wire.LAST, path.encode("utf-8", "surrogateescape"))
        self._state = TRAILERS if self._wants_trailers else COMPLETE
        if self._state == COMPLETE:
            self._wake()

    def _send_trailers(self, message, state):
        if state != TRAILERS:
            raise self._unexpected(message["type"])
        count, block = wire.encode_fields(message.get("headers") or ())
        more = message.get("more_trailers", False)
        flags = 0 if more else wire.LAST
        self._put_fields(wire.RESPONSE_TRAILERS, flags, count, block)
        if not more:
            self._state = COMPLETE
            self._wake()

    def _send_hint(self, message, state):
        if state != IDLE:
            raise self._unexpected(message["type"])
        pairs = [(b"link", link) for link in message["links"]]
        self._put_fields(wire.EARLY_HINT, 0, *wire.encode_fields(pairs))

    def _put_fields(self, kind, flags, count, block):
        payload = wire.START.pack(0, count, 0) + block
        if len(payload) > wire.MOST_PAYLOAD_BYTES:
            raise RuntimeError("More than 64 KB of fields.")
        self._put(kind, flags, payload)

    def _put(self, kind, flags, payload):
        self.outlet.put(wire.record(kind, flags, self.id, self.generation, payload))


def _as_bytes(body):
    """A copy: what can change must not do so before it has left."""
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"http.response.body: body must be bytes, not {body!r:.50}.")
    return bytes(body)


def _comes_from_disconnect(error):
    """Whether ClientDisconnected is the error, or what led to it."""
    seen = 0
    while error is not None and seen < 20:
        if isinstance(error, (ClientDisconnected, CancelledError)):
            return True
        error = error.__cause__ or error.__context__
        seen += 1
    return False


async def _shielded(waiter):
    """Waits for a future that others wait for too."""
    await shield(waiter)
