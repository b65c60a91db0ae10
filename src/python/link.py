"""The worker's end of the stream: one Protocol that reads, one outlet that writes.

Reading is the event loop's transport. Writing is done here, under a lock, because the
heartbeat thread and WSGI threads write too, and a record must never be torn apart.
"""

import asyncio
import os
import threading
from collections import deque

from . import wire
from .asgi import HttpRequest, build_scope
from .collector import LOOK_AFTER_BYTES, looks
from .websocket import Socket
from .websocket import build_scope as build_socket_scope

HEAD = wire.HEAD
BODY = wire.BODY
TRAILERS = wire.TRAILERS
HEADER_BYTES = wire.HEADER_BYTES
MORE = wire.MORE
LAST = wire.LAST
WS_CONNECT = wire.WS_CONNECT
WS_MESSAGE = wire.WS_MESSAGE
#: More than this waits in memory only while the stream takes nothing.
FLUSH_BYTES = 256 * 1024
#: Parts of a write from this size on leave from where they stand; smaller ones are joined.
LARGE_BYTES = 16 * 1024
#: What one write takes of such parts; the system takes 1024.
MOST_PARTS = 256
#: What one turn reads, besides a record that has begun.
READ_BYTES = 1024 * 1024
#: After a read of this much there is likely to be more, once the front has had the core.
MUCH_BYTES = 64 * 1024
BUFFER_BYTES = READ_BYTES + wire.HEADER_BYTES + wire.MOST_PAYLOAD_BYTES


class Outlet:
    """Gathers the records of a loop turn and writes them at once."""

    def __init__(self, loop, sock):
        self.loop = loop
        self.sock = sock
        self.blocked = False
        self.dead = False
        #: Bytes of both directions since the collector looked; threads may miscount them.
        self.moved = 0
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._thread_room = threading.Condition()
        self._queue = deque()
        self._control = deque()
        # Parts that the stream has not taken.
        self._rest = []
        self._pending = 0
        self._scheduled = False
        self._watching = False
        self._waiters = deque()

    def put(self, record):
        """Queues a record for the end of this turn. For the loop's thread."""
        self._queue.append(record)
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self.flush)

    def put_body(self, head, body):
        """As `put`, for a record that may be large: its parts are joined when it leaves."""
        self._queue.append((head, body))
        self._pending += len(body)
        if self._pending >= FLUSH_BYTES:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self.flush)

    def put_control(self, record):
        """Queues a record that overtakes those of `put`."""
        self._control.append(record)
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self.flush)

    @property
    def waits(self):
        """Something is queued, or being written, that has not been offered to the stream."""
        return bool(self._queue or self._control or self._lock.locked())

    def keep(self, record):
        """Queues a record that leaves with the next ones, or with `write`. From any thread."""
        self._queue.append(record)

    def put_now(self, record, control=False):
        """Writes a record at once, from any thread."""
        (self._control if control else self._queue).append(record)
        self.write()

    def hold(self):
        """What is put from here on leaves with `release`. Returns whether it would have left at another time."""
        if self._scheduled:
            return False
        self._scheduled = True
        return True

    def release(self, later):
        """The end of what `hold` began: writes at once, or, if `later`, behind what the loop has queued."""
        if later:
            self.loop.call_soon(self.flush)
        elif self._queue or self._control:
            self.flush()
        else:
            self._scheduled = False

    def flush(self):
        self._scheduled = False
        self._pending = 0
        if not self.blocked:
            self.write()

    def _gather(self):
        """What is to be written, as few parts."""
        parts = self._rest
        self._rest = []
        small = []
        for queue in (self._control, self._queue):
            for _ in range(len(queue)):
                record = queue.popleft()
                if type(record) is not tuple:
                    small.append(record)
                    continue
                head, body = record
                small.append(head)
                if len(body) < LARGE_BYTES:
                    small.append(body)
                else:
                    parts.append(small[0] if len(small) == 1 else b"".join(small))
                    parts.append(body)
                    small = []
        if small:
            parts.append(small[0] if len(small) == 1 else b"".join(small))
        return parts

    def write(self):
        """Writes what is queued, or leaves it to the thread that is writing. From any thread."""
        lock = self._lock
        while lock.acquire(False):
            try:
                again = self._write_queued()
            finally:
                lock.release()
            # What was queued meanwhile, by a thread that found the lock taken, is this one's to write.
            if not (again and (self._queue or self._control)):
                return

    def _write_queued(self):
        """With the lock held. Returns whether the stream takes more."""
        if self.dead:
            self._queue.clear()
            self._control.clear()
            return False
        sock = self.sock
        while True:
            parts = self._gather()
            if not parts:
                self.blocked = False
                return True
            try:
                sent = sock.send(parts[0]) if len(parts) == 1 else sock.sendmsg(parts[:MOST_PARTS])
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self.dead = True
                return False
            self.moved += sent
            if not self._keep_rest(parts, sent):
                self.blocked = True
                if not self._watching:
                    self._watching = True
                    if threading.get_ident() == self._thread:
                        self._watch()
                    else:
                        self.loop.call_soon_threadsafe(self._watch)
                return False

    def _keep_rest(self, parts, sent):
        """Keeps what was not sent. Returns whether all was that was offered."""
        offered = parts[:MOST_PARTS]
        for at, part in enumerate(offered):
            sent -= len(part)
            if sent < 0:
                parts[at] = memoryview(part)[sent:]
                self._rest = parts[at:]
                return False
        self._rest = parts[MOST_PARTS:]
        return True

    def _watch(self):
        self.loop.add_writer(self.sock.fileno(), self._writable)

    def _writable(self):
        self.write()
        if self.blocked and not self.dead:
            return
        self.loop.remove_writer(self.sock.fileno())
        self._watching = False
        if self.blocked and not self.dead:
            # By a thread, just now, which took the stream for watched.
            self._watching = True
            self._watch()
            return
        for _ in range(len(self._waiters)):
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
        with self._thread_room:
            self._thread_room.notify_all()

    async def drained(self):
        """Waits until the stream takes bytes again."""
        while self.blocked and not self.dead:
            waiter = self.loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def wait_drained(self):
        """As `drained`, for a thread."""
        with self._thread_room:
            while self.blocked and not self.dead:
                self._thread_room.wait(1.0)


class Link(asyncio.BufferedProtocol):
    """Cuts what arrives into records and hands them to `worker`. Payloads are copied once, out of one buffer.

    Pieces of a request body that arrive together are one piece, and the task of a request is
    started once what has come of its body is there: then one event has all of it.
    """

    def __init__(self, worker):
        self.worker = worker
        self.transport = None
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        #: Bytes of a record that has begun; they stand at the buffer's start.
        self._rest = 0
        self._heads = {}

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, sizehint):
        return self._view[self._rest :]

    def buffer_updated(self, count):
        worker = self.worker
        outlet = worker.outlet
        starter = worker.starter
        requests = worker.requests
        view = self._view
        buffer = self._buffer
        # The answers of tasks that end inside this turn leave at its end, in one write.
        held = outlet.hold()
        bodies = {}
        late = []
        at = 0
        end = self._rest + count
        if count >= MUCH_BYTES:
            end = self._read_more(end)
        unpack = wire.HEADER.unpack_from
        while end - at >= HEADER_BYTES:
            length, kind, flags, request_id, _ = unpack(buffer, at)
            start = at + HEADER_BYTES
            stop = start + length
            if stop > end:
                break
            at = stop
            if kind == BODY and not flags & TRAILERS:
                parts = bodies.get(request_id)
                if parts is None:
                    bodies[request_id] = [flags, view[start:stop]]
                else:
                    parts[0] |= flags
                    parts.append(view[start:stop])
                continue
            if kind == WS_MESSAGE:
                parts = 1
                if flags & MORE and end - at >= HEADER_BYTES:
                    flags, parts, stop, at = self._rest_of_message(flags, request_id, start, stop, end)
                socket = requests.get(request_id)
                if socket is not None:
                    socket.message(flags, view[start:stop], parts)
                    # Its task is woken behind this turn, and what it sends leaves behind that.
                    starter.queued = True
                continue
            if kind != HEAD and kind != WS_CONNECT:
                worker.took(kind, flags, request_id, bytes(view[start:stop]))
                continue
            encoded = view[start:stop]
            if flags & MORE or self._heads:
                encoded = self._whole_head(flags, request_id, bytes(encoded))
                if encoded is None:
                    continue
            if kind == WS_CONNECT:
                self._connect(request_id, encoded)
                continue
            scope = build_scope(encoded, worker.lifespan.state)
            if worker.wsgi is not None:
                worker.wsgi.start(request_id, flags, scope)
                continue
            request = HttpRequest(worker, request_id, flags, scope)
            worker.requests[request_id] = request
            if flags & LAST:
                starter.start(request)
            else:
                late.append(request)
        if bodies:
            self._give(bodies)
        for request in late:
            starter.start(request)
        rest = end - at
        if rest and at:
            view[:rest] = view[at:end]
        self._rest = rest
        outlet.moved += at
        if outlet.moved >= LOOK_AFTER_BYTES:
            outlet.moved = 0
            looks.look()
        queued = starter.turn_read()
        if held:
            outlet.release(queued)

    def _rest_of_message(self, flags, request_id, start, stop, end):
        """Moves the parts that stand behind the one at `start` to its end, over the headers in between.

        Returns the flags of the last one, the number of parts, where they end, and where the next record begins.
        """
        view = self._view
        unpack = wire.HEADER.unpack_from
        parts = 1
        at = stop
        while flags & MORE and end - at >= HEADER_BYTES:
            length, kind, next_flags, next_id, _ = unpack(self._buffer, at)
            begin = at + HEADER_BYTES
            if kind != WS_MESSAGE or next_id != request_id or begin + length > end:
                break
            view[stop : stop + length] = view[begin : begin + length]
            stop += length
            at = begin + length
            flags = flags & ~MORE | next_flags & MORE
            parts += 1
        return flags, parts, stop, at

    def _connect(self, request_id, encoded):
        worker = self.worker
        socket = Socket(worker, request_id, build_socket_scope(encoded, worker.lifespan.state))
        worker.requests[request_id] = socket
        worker.starter.start(socket)

    def _read_more(self, end):
        """Lets the front, which may share this core, refill the stream; returns where what was read ends.

        Many requests a turn cost less each than one or two: the interpreter stays in the caches.
        """
        view = self._view
        receive = self.worker.outlet.sock.recv_into
        most = READ_BYTES
        while end < most:
            os.sched_yield()
            try:
                count = receive(view[end:])
            except OSError:
                # Nothing there, or what the transport will find as well.
                break
            if count == 0:
                break
            end += count
        return end

    def _give(self, bodies):
        """Hands each request what this read has brought of its body: its records' flags and views of the buffer."""
        worker = self.worker
        for request_id, parts in bodies.items():
            request = worker.requests.get(request_id)
            if request is None:
                continue
            if request.task is not None:
                # It is woken behind this turn, and what it sends leaves behind that.
                worker.starter.queued = True
            flags, first = parts[:2]
            request.body(flags, bytes(first) if len(parts) == 2 else b"".join(parts[1:]))

    def _whole_head(self, flags, request_id, encoded):
        """A scope that came in several records, or None while there are more to come."""
        encoded = self._heads.pop(request_id, b"") + encoded
        if flags & MORE:
            self._heads[request_id] = encoded
            return None
        return encoded

    def connection_lost(self, error):
        self.worker.front_gone()
