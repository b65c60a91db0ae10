"""One HTTP request under ASGI: its scope, receive and send.

ASGI HTTP specification 2.5, with the extensions trailers, pathsend and early hints
(debug is taken and dropped). What can't be known here (the client's socket, the message's framing) is the
front's; what it refuses comes back as REFUSED and is raised by the next `send`.
"""

from marshal import loads
from time import perf_counter

from . import undecodable, wire
from .carried import Carried
from .failures import ClientDisconnected, is_disconnect, log_error, shown

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
#: Pieces of a request body from this size on are given to the application one by one rather than joined.
LARGE_BYTES = 16 * 1024
#: In front of a body from this size on there is room for the head that the front makes.
ROOM_FROM_BYTES = 16 * 1024

# What is known of the request body; ENDED and ON_DEMAND are HEAD's own flags.
ENDED = wire.LAST
GIVEN = 2
ON_DEMAND = wire.ON_DEMAND
DISCONNECTED = 64
HAS_TRAILERS = 128

LAST = wire.LAST
RESPONSE = wire.RESPONSE
MOST_PAYLOAD_BYTES = wire.MOST_PAYLOAD_BYTES
ROOM = bytes(wire.ROOM_BYTES)

_pack_header = wire.HEADER.pack
_pack_response = wire.RESPONSE_HEADER.pack
_encode_head = wire.encode_head


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


class HttpRequest(Carried):
    """A request and its response. All of it runs in the event loop's thread."""

    # Those below the empty line have a value only once they are needed.
    __slots__ = (
        "_is_head",
        "_state",
        "_input",
        "_pieces",
        #
        "_taken",
        "_trailers",
        "_start",
        "_owed",
        "_wants_trailers",
        "_credit",
    )

    def __init__(self, worker, request_id, flags, scope):
        self.id = request_id
        self.worker = worker
        self.scope = scope
        self.task = None
        # Asked now: an application may change its scope.
        self._is_head = scope["method"] == "HEAD"
        self._state = IDLE
        self._failure = None
        self._input = flags
        self._pieces = None
        self._waiters = None
        if not flags & ENDED:
            self._taken = 0

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
            if self._state != COMPLETE or self._failure is not None:
                self._returned(result)
        finally:
            self.worker.finished(self)

    def _returned(self, result):
        if self._state == COMPLETE:
            self._tell_refusal()
            return
        if self._input & DISCONNECTED:
            # Nobody waits for an answer: to stop is what an application should do.
            self._done(0, b"")
            return
        if result is not None:
            log_error("ASGI callable should return None, but returned %r.", result)
        elif self._state == IDLE:
            log_error("ASGI callable returned without starting response.")
        else:
            log_error("ASGI callable returned without completing response.")
        self._done(wire.RAISED, b"the application returned without a whole response")

    def _raised(self, error):
        if self._failure is ClientDisconnected and is_disconnect(error):
            # The front may have nothing of it that it could refuse: it must be told the end.
            if self._state != COMPLETE:
                self._done(0, b"")
            return
        if isinstance(error, Exception) or not self.worker.leaving:
            log_error("Exception in ASGI application", exc_info=error)
        self._tell_refusal()
        if self._state != COMPLETE:
            self._done(wire.RAISED, shown(error).encode("utf-8", "replace")[:1000])

    def _done(self, flags, text):
        self._state = COMPLETE
        self._put(wire.DONE, flags, text)

    # ---- from the front --------------------------------------------------------

    def body(self, flags, payload):
        if flags & wire.TRAILERS:
            self._trailers = loads(payload)
            self._input |= HAS_TRAILERS
        elif payload:
            if self._pieces is None:
                self._pieces = [payload]
            else:
                self._pieces.append(payload)
        if flags & LAST:
            self._input |= ENDED
        self._wake_waiters()

    def disconnect(self, flags):
        self._input |= DISCONNECTED
        if flags & wire.GONE and self._failure is None:
            self._failure = ClientDisconnected
        self._wake_waiters()

    def fail(self, failure):
        """Of a WebSocket's denial: `send` raises `failure` from now on."""
        self._failure = failure
        self._wake_waiters()

    def refused(self, text):
        """The front would not send what came last: the next `send` raises it."""
        self._take_refusal(text)
        self._state = COMPLETE
        self._wake_waiters()

    def credit(self, payload):
        self._credit += wire.U32.unpack(payload)[0]
        self._wake_waiters()

    # ---- receive ---------------------------------------------------------------

    async def receive(self):
        while True:
            if self._state == COMPLETE:
                return {"type": "http.disconnect"}
            known = self._input
            if not known & GIVEN:
                if self._pieces:
                    return self._take()
                if known & ENDED:
                    return self._end()
                if known & ON_DEMAND and not known & DISCONNECTED:
                    self._input = known & ~ON_DEMAND
                    self._give_credit(wire.WINDOW_BYTES)
            if known & DISCONNECTED:
                return {"type": "http.disconnect"}
            await self._changed()

    def _end(self, body=b""):
        known = self._input
        self._input = known | GIVEN
        event = {"type": "http.request", "body": body, "more_body": False}
        if known & HAS_TRAILERS:
            event["trailers"] = self._trailers
        return event

    def _take(self):
        pieces = self._pieces
        if len(pieces) == 1:
            body = pieces[0]
            pieces = self._pieces = []
        elif len(pieces[0]) >= LARGE_BYTES:
            body = pieces.pop(0)
        else:
            body = b"".join(pieces)
            pieces = self._pieces = []
        if self._input & ENDED:
            return {"type": "http.request", "body": body, "more_body": True} if pieces else self._end(body)
        self._taken += len(body)
        if self._taken >= wire.CREDIT_BYTES:
            self._give_credit(self._taken)
            self._taken = 0
        return {"type": "http.request", "body": body, "more_body": True}

    # ---- send ------------------------------------------------------------------

    async def send(self, message):
        kind = message["type"]
        if self._failure is not None:
            raise self._failure
        state = self._state
        if kind == "http.response.body":
            if state != STARTED and state != BODY:
                raise self._unexpected(kind)
            # Half the time of message.get.
            body = message["body"] if "body" in message else b""  # noqa: SIM401 (a call less)
            if type(body) is not bytes:
                body = _as_bytes(body)
            more = "more_body" in message and message["more_body"]
            if more or state != STARTED or not self._send_whole(body):
                await self._send_body(body, more)
        elif kind == "http.response.start":
            if state != IDLE:
                raise self._unexpected(kind)
            self._begin(message)
        elif kind == "http.response.pathsend":
            await self._send_path(message, state)
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
        count, block, owed = _encode_head(message.get("headers") or ())
        if len(block) > MOST_PAYLOAD_BYTES - 6:
            raise RuntimeError("http.response.start: more than 64 KB of headers.")
        if owed is not None and (self._is_head or status == 304 or status == 204):
            owed = None
        self._owed = owed
        self._wants_trailers = "trailers" in message and bool(message["trailers"])
        self._start = (status, count, block)
        self._state = STARTED

    def _check_length(self, count, more):
        owed = self._owed
        if count > owed:
            raise RuntimeError("Response content longer than Content-Length")
        if not more and count < owed:
            raise RuntimeError("Response content shorter than Content-Length")
        self._owed = owed - count

    def _send_whole(self, body):
        """The whole response in one record, if it is an ordinary one; whether it was."""
        status, count, block = self._start
        size = len(block)
        length = 6 + size + len(body)
        owed = self._owed
        if len(body) >= ROOM_FROM_BYTES or length > MOST_PAYLOAD_BYTES:
            return False
        if self._wants_trailers or (owed is not None and owed != len(body)):
            return False
        self._state = COMPLETE
        worker = self.worker
        head = _pack_response(length, RESPONSE, LAST, self.id, worker.generation, status, count, size)
        if len(body) <= SMALL_BYTES:
            worker.outlet.put(b"".join((head, block, body)))
        else:
            worker.outlet.put_body(head + block, body)
        if self._waiters is not None:
            self._wake_waiters()
        return True

    async def _send_body(self, body, more):
        length = len(body)
        if self._owed is not None:
            self._check_length(length, more)
        start = None
        if self._state == STARTED:
            start = self._start
            self._credit = wire.WINDOW_BYTES
            self._state = BODY
        outlet = self.worker.outlet
        at = 0
        while True:
            if outlet.blocked:
                await outlet.drained()
            if length > at:
                while self._credit <= 0:
                    await self._credit_given()
                if self._failure is not None:
                    raise self._failure
            count = min(length - at, MOST_PAYLOAD_BYTES, self._credit)
            if start is not None:
                # The front joins what it is cut into.
                count = max(0, min(count, MOST_PAYLOAD_BYTES - 6 - len(start[2]) - len(ROOM)))
            piece = body if count == length else memoryview(body)[at : at + count]
            at += count
            self._credit -= count
            self._put_piece(start, LAST if at == length and not more else 0, piece)
            start = None
            if at == length:
                break
        if not more:
            self._state = TRAILERS if self._wants_trailers else COMPLETE
            if self._waiters is not None:
                self._wake_waiters()
        elif self._credit <= 0:
            await self._credit_given()

    def _put_piece(self, start, flags, piece):
        if start is not None:
            self._put_start(start, flags, piece)
            return
        worker = self.worker
        head = _pack_header(len(piece), wire.RESPONSE_BODY, flags, self.id, worker.generation)
        worker.outlet.put_body(head, piece)

    def _put_start(self, start, flags, piece):
        status, count, block = start
        if self._wants_trailers:
            flags |= wire.TRAILERS
        size = len(block)
        length = 6 + size + len(piece)
        if len(piece) >= ROOM_FROM_BYTES:
            flags |= wire.ROOM
            length += wire.ROOM_BYTES
            block += ROOM
        worker = self.worker
        head = _pack_response(length, RESPONSE, flags, self.id, worker.generation, status, count, size)
        worker.outlet.put_body(head + block, piece)

    async def _credit_given(self):
        while self._credit <= 0 and self._failure is None:
            await self._changed()
        if self._failure is not None:
            raise self._failure

    async def _send_path(self, message, state):
        """Returns when the front has opened the file: what runs next may remove it."""
        if state != STARTED:
            raise self._unexpected(message["type"])
        path = message["path"]
        if not isinstance(path, str) or not path.startswith("/"):
            raise RuntimeError("http.response.pathsend: path must be absolute.")
        try:
            name = path.encode()
        except UnicodeEncodeError:
            return await undecodable.send_file(path, self._send_body)
        self._credit = 0
        self._put_start(self._start, wire.MORE, b"")
        self._put(wire.PATHSEND, LAST | wire.MORE, name)
        self._state = TRAILERS if self._wants_trailers else COMPLETE
        self._wake_waiters()
        while self._credit == 0:
            if self._failure is not None:
                raise self._failure
            await self._changed()

    def _send_trailers(self, message, state):
        if state != TRAILERS:
            raise self._unexpected(message["type"])
        count, block = wire.encode_fields(message.get("headers") or ())
        more = message.get("more_trailers", False)
        self._put_fields(wire.RESPONSE_TRAILERS, 0 if more else LAST, count, block)
        if not more:
            self._state = COMPLETE
            self._wake_waiters()

    def _send_hint(self, message, state):
        if state != IDLE:
            raise self._unexpected(message["type"])
        pairs = [(b"link", link) for link in message["links"]]
        self._put_fields(wire.EARLY_HINT, 0, *wire.encode_fields(pairs))

    def _put_fields(self, kind, flags, count, block):
        payload = wire.START.pack(0, count, 0) + block
        if len(payload) > MOST_PAYLOAD_BYTES:
            raise RuntimeError("More than 64 KB of fields.")
        self._put(kind, flags, payload)


def _as_bytes(body):
    """A copy: what can change must not do so before it has left."""
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"http.response.body: body must be bytes, not {body!r:.50}.")
    return bytes(body)
