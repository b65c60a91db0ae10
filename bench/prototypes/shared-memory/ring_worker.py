"""The real worker over rings in shared memory: only its way to read and its way to write are others.

Started by ring-child.ts as `python ring_worker.py PATH`, with descriptor 3 for doorbells.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import sys
import types

SOURCE = pathlib.Path(__file__).resolve().parents[3] / "src" / "python"
package = types.ModuleType("_ringcorn")
package.__path__ = [str(SOURCE)]
sys.modules["_ringcorn"] = package

from _ringcorn import link, wire, worker  # noqa: E402 (the path comes first)
from rings import ALWAYS_BELL, RING_BYTES, Rings  # noqa: E402 (the path comes first)

HEADER_BYTES = wire.HEADER_BYTES
BELL = b"\0"
BELLS = 64
#: Turns that find nothing before the other side is asked to ring.
EMPTY_LOOKS = int(os.environ.get("RING_LOOKS", "1"))
rings = None


class RingOutlet(link.Outlet):
    """Writes into the ring; the socket only rings."""

    def __init__(self, loop, sock):
        super().__init__(loop, sock)
        self._parts = []

    def ring(self):
        # A full socket holds bells enough.
        with contextlib.suppress(OSError):
            self.sock.send(BELL)

    def _write_queued(self):
        if self.dead:
            return super()._write_queued()
        parts = self._parts
        for queue in (self._control, self._queue):
            for _ in range(len(queue)):
                record = queue.popleft()
                if type(record) is tuple:
                    parts.extend(record)
                else:
                    parts.append(record)
        if not parts:
            self.blocked = False
            return True
        self._parts, wake = rings.writer.put(parts)
        if wake:
            self.ring()
        self.blocked = bool(self._parts)
        return not self.blocked


class RingLink(asyncio.BufferedProtocol):
    """As link.Link, for records in the ring: heads are read where they stand, payloads are copied once."""

    def __init__(self, owner):
        self.worker = owner
        self._bells = bytearray(BELLS)
        self._plain = link.Link(owner)
        self._look_queued = False
        self._empty_looks = 0

    def get_buffer(self, _):
        return self._bells

    def buffer_updated(self, _):
        if not self._look_queued:
            self._look()

    def connection_made(self, transport):
        self._queue_look()

    def connection_lost(self, error):
        self.worker.front_gone()

    def _queue_look(self):
        self._look_queued = True
        self.worker.loop.call_soon(self._look)

    def _look(self):
        self._look_queued = False
        outlet = self.worker.outlet
        if outlet.blocked:
            outlet._writable()
        if self._take():
            self._empty_looks = 0
        else:
            self._empty_looks += 1
        # The next look comes when this turn's tasks have run.
        if ALWAYS_BELL:
            return
        if self._empty_looks < EMPTY_LOOKS or not rings.reader.sleep():
            self._queue_look()

    def _take(self):
        """All whole records. Returns whether there were any."""
        reader = rings.reader
        available = reader.available()
        if available < HEADER_BYTES:
            return False
        owner = self.worker
        held = owner.outlet.hold()
        memory = reader.memory
        unpack = wire.HEADER.unpack_from
        used = 0
        while available - used >= HEADER_BYTES:
            at = (reader.head + used) & (RING_BYTES - 1)
            if at + HEADER_BYTES <= RING_BYTES:
                length, kind, flags, request_id, _ = unpack(memory, reader.base + at)
            else:
                length, kind, flags, request_id, _ = unpack(reader.peek(used, HEADER_BYTES))
            stop = used + HEADER_BYTES + length
            if stop > available:
                break
            payload = reader.peek(used + HEADER_BYTES, length)
            used = stop
            if kind == wire.HEAD:
                self._begin(flags, request_id, payload)
            else:
                owner.took(kind, flags, request_id, payload)
        if used and reader.used(used):
            owner.outlet.ring()
        queued = owner.starter.turn_read()
        if held:
            owner.outlet.release(queued)
        return used > 0

    def _begin(self, flags, request_id, encoded):
        owner = self.worker
        plain = self._plain
        if flags & wire.MORE or plain._heads:
            encoded = plain._whole_head(flags, request_id, encoded)
            if encoded is None:
                return
        scope = link.build_scope(encoded, owner.lifespan.state)
        request = link.HttpRequest(owner, request_id, flags, scope)
        owner.requests[request_id] = request
        owner.starter.start(request)


def read_hello(sock):
    """As worker.read_hello, from the ring."""
    reader = rings.reader
    while True:
        available = reader.available()
        if available >= HEADER_BYTES:
            length, _, _, _, generation = wire.HEADER.unpack(reader.peek(0, HEADER_BYTES))
            if available >= HEADER_BYTES + length:
                break
        if reader.sleep() and not sock.recv(BELLS):
            raise SystemExit(0)
    settings = json.loads(reader.peek(HEADER_BYTES, length))
    reader.used(HEADER_BYTES + length)
    return settings, generation


def main():
    global rings
    rings = Rings(sys.argv.pop())
    worker.link = types.SimpleNamespace(Outlet=RingOutlet, Link=RingLink)
    worker.read_hello = read_hello
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
