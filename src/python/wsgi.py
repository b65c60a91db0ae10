"""WSGI applications (PEP 3333), on the threads of threads.py.

One request occupies one thread from its start to the end of its iterator. Input and
output are streamed through the same credit as ASGI's.
"""

import threading
from marshal import loads

from . import wire
from .environ import FileWrapper, environ_of
from .failures import ClientDisconnected, is_disconnect, log_error, log_refused, shown

#: Answers that end with a record of fewer bytes may leave together.
KEPT_BYTES = 16 * 1024
#: Statuses that are remembered: the first so many that occur.
MOST_STATUSES = 512


class WsgiRequest:
    """A request and its response; `run` and what it calls belong to a pool thread."""

    __slots__ = (
        "id",
        "worker",
        "generation",
        "scope",
        "outlet",
        "task",
        "_changed",
        "_pieces",
        "_body_ended",
        "_on_demand",
        "_taken",
        "_disconnected",
        "_gone",
        "_error",
        "_granted",
        "_sent",
        "_head",
        "_head_sent",
        "_owed",
        "_complete",
    )

    def __init__(self, worker, request_id, flags, scope):
        self.id = request_id
        self.worker = worker
        self.generation = worker.generation
        self.scope = scope
        self.outlet = worker.outlet
        self.task = None
        self._changed = None
        self._pieces = []
        self._body_ended = bool(flags & wire.LAST)
        self._on_demand = flags & wire.ON_DEMAND
        self._taken = 0
        self._disconnected = False
        self._gone = False
        self._error = None
        # Each is changed by one thread only: credit from the front, and what the application has used of it.
        self._granted = wire.WINDOW_BYTES
        self._sent = 0
        self._head = None
        self._head_sent = False
        self._owed = None
        self._complete = False
        if not self._body_ended:
            self._changed = threading.Condition()

    # ---- from the front, in the loop's thread ----------------------------------

    def body(self, flags, payload):
        with self._condition():
            if payload and not flags & wire.TRAILERS:
                self._pieces.append(payload)
            elif flags & wire.TRAILERS:
                loads(payload)
            if flags & wire.LAST:
                self._body_ended = True
            self._changed.notify_all()

    def disconnect(self, flags):
        with self._condition():
            self._disconnected = True
            if flags & wire.GONE:
                self._gone = True
            self._changed.notify_all()

    def refused(self, text):
        why, line = wire.refusal(text)
        with self._condition():
            self._error = RuntimeError(why)
            late = self._complete
            self._changed.notify_all()
        if late:
            log_refused(why, line)

    def credit(self, payload):
        with self._condition():
            self._granted += wire.U32.unpack(payload)[0]
            self._changed.notify_all()

    def _condition(self):
        # Made on demand: most requests never wait for anything.
        if self._changed is None:
            with _MAKING:
                if self._changed is None:
                    self._changed = threading.Condition()
        return self._changed

    # ---- in the pool's thread --------------------------------------------------

    @property
    def is_empty(self):
        """All of the body is known, and it has no bytes."""
        return self._body_ended and not self._pieces

    def next_piece(self):
        """The next bytes of the body; empty at its end. Raises when the rest won't come."""
        with self._condition():
            if self._on_demand:
                self._on_demand = 0
                self._give_credit(wire.WINDOW_BYTES)
            while not self._pieces:
                if self._body_ended:
                    return b""
                if self._disconnected or self._complete:
                    raise ClientDisconnected()
                if self._error is not None:
                    # The front has ended the exchange: it sends neither the rest nor that the client has gone.
                    raise self._error
                self._changed.wait()
            pieces = self._pieces
            self._pieces = []
            ended = self._body_ended
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if not ended:
            self._taken += len(data)
            if self._taken >= wire.CREDIT_BYTES:
                self._give_credit(self._taken)
                self._taken = 0
        return data

    def run(self, app):
        if self._gone:
            # Before its turn came: the front waits for the end all the same.
            self._complete = True
            self._put(wire.DONE, 0, b"")
            return
        result = None
        try:
            try:
                result = app(environ_of(self), self._start_response)
                self._send_result(result)
            finally:
                if hasattr(result, "close"):
                    result.close()
        except BaseException as error:
            self._raised(error)

    def _raised(self, error):
        if isinstance(error, Exception) and is_disconnect(error):
            # To stop is what an application should do.
            flags, text = 0, b""
        else:
            log_error("Exception in WSGI application", exc_info=error)
            flags, text = wire.RAISED, shown(error).encode("utf-8", "replace")
        if not self._complete:
            self._complete = True
            self._put(wire.DONE, flags, text[:1000])

    def _send_result(self, result):
        if isinstance(result, FileWrapper) and self._head and not self._head_sent:
            path = result.path(self._owed)
            if path is not None and len(path) < 4096:
                self._send_path(path, waits=not result.only_closes)
                return
        # With one block the whole answer can leave at once, its length known.
        single = isinstance(result, (list, tuple)) and len(result) == 1
        if single and self._owed is None and self._head and not self._head_sent:
            self._send(result[0], True)
            return
        if single and self._head and len(result[0]) == self._owed:
            self._send(result[0], True)
            return
        for block in self._part_of(result) if isinstance(result, FileWrapper) else result:
            if block:
                self._send(block, False)
        self._send(b"", True)

    def _part_of(self, file):
        """To its end, or as much as Content-Length says (PEP 3333, "Optional Platform-Specific File Handling")."""
        for block in file:
            owed = self._owed
            if owed is not None and len(block) >= owed:
                yield block[:owed]
                return
            yield block

    def _start_response(self, status, headers, exc_info=None):
        if exc_info:
            try:
                if self._head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._head is not None:
            raise AssertionError("start_response called again without exc_info")
        code = _CODES.get(status)
        if code is None:
            code = _status(status)
        try:
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        except (AttributeError, UnicodeEncodeError):
            raise _header_error(headers) from None
        count, block, owed = wire.encode_head(pairs)
        if len(block) > wire.MOST_PAYLOAD_BYTES - 6:
            raise ValueError("More than 64 KB of headers.")
        if code == 204 or code == 304 or self.scope["method"] == "HEAD":
            owed = None
        self._owed = owed
        self._head = (code, count, block)
        return self._write

    def _write(self, data):
        """PEP 3333's `write` callable."""
        self._send(data, False)

    def _send(self, data, last):
        if self._head is None:
            raise AssertionError("write before start_response")
        if self._gone:
            raise ClientDisconnected()
        if self._error is not None:
            raise self._error
        if not isinstance(data, bytes):
            raise AssertionError(f"the body must be bytes, not {type(data).__name__}")
        if self._owed is not None:
            if len(data) > self._owed:
                raise ValueError("Response content longer than Content-Length")
            if last and len(data) < self._owed:
                raise ValueError("Response content shorter than Content-Length")
            self._owed -= len(data)
            # Complete though the iterator may not know it yet: the answer leaves in one record.
            last = self._owed == 0
        if self._complete:
            return
        at = 0
        length = len(data)
        while True:
            head = b"" if self._head_sent else wire.start_payload(*self._head)
            room = wire.MOST_PAYLOAD_BYTES - len(head)
            count = min(length - at, room)
            if count:
                count = min(count, self._claim(count))
            ends = last and at + count == length
            kind = wire.RESPONSE_BODY if self._head_sent else wire.RESPONSE
            self._head_sent = True
            self._complete = ends
            piece = data[at : at + count]
            self._put(kind, wire.LAST if ends else 0, head + piece)
            at += count
            if at >= length:
                return

    def _claim(self, count):
        """Waits for credit; returns how many bytes may go."""
        if self.outlet.blocked:
            self.outlet.wait_drained()
        if self._granted - self._sent < count:
            with self._condition():
                while self._granted <= self._sent and not self._gone and self._error is None:
                    self._changed.wait()
        if self._gone:
            raise ClientDisconnected()
        if self._error is not None:
            raise self._error
        count = min(count, self._granted - self._sent)
        self._sent += count
        return count

    def _send_path(self, path, waits):
        """`waits`: returns when the front has opened the file, since to close it may remove it."""
        granted = self._granted
        self._head_sent = True
        # Where nobody has to wait for it, it leaves with the answers that follow.
        self._complete = not waits
        self._put(wire.RESPONSE, wire.MORE, wire.start_payload(*self._head))
        self._put(wire.PATHSEND, wire.LAST | wire.MORE if waits else wire.LAST, path)
        if not waits:
            return
        with self._condition():
            while self._granted == granted and not self._gone and self._error is None:
                self._changed.wait()
            self._complete = True
        if self._error is not None:
            raise self._error

    def _put(self, kind, flags, payload):
        record = wire.record(kind, flags, self.id, self.generation, payload)
        if self._complete and len(record) < KEPT_BYTES:
            self.worker.wsgi.keep(record)
        else:
            self.outlet.put_now(record)

    def _give_credit(self, count):
        payload = wire.U32.pack(count)
        kind = wire.RESPONSE_CREDIT
        record = wire.record(kind, 0, self.id, self.generation, payload)
        self.outlet.put_now(record, True)


_MAKING = threading.Lock()

#: Statuses that have been used, by their text.
_CODES = {}


def _status(status):
    """The code of PEP 3333's `999 Message here`."""
    if not isinstance(status, str):
        raise AssertionError(f"the status must be a string, not {type(status).__name__}")
    code = status[:3]
    if not (code.isascii() and code.isdigit() and len(code) == 3 and status[3:4] in ("", " ")):
        raise AssertionError(f"not a status: {status!r}")
    if not 200 <= int(code) <= 599:
        raise AssertionError(f"a status must be 200 to 599, not {status!r}")
    if len(_CODES) < MOST_STATUSES:
        _CODES[status] = int(code)
    return int(code)


def _header_error(headers):
    """What is wrong with fields that can't be encoded."""
    for text in (part for pair in headers for part in pair):
        if not isinstance(text, str):
            return AssertionError(f"headers must be strings, not {type(text).__name__}")
        if any(ord(character) > 255 for character in text):
            return wire.FieldError(f"header {text!r} has a character above U+00FF")
    return AssertionError("headers must be a list of pairs of strings")
