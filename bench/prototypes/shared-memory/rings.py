"""The Python half of the rings that ring.ts draws: standard library only.

Nothing in the standard library is documented to order one memory access before another. `fence` gives up a lock and
takes it again: what that orders, and on whose word, stands in docs/bridge.md under "Shared memory".
"""

import mmap
import os
import threading

RING_BYTES = 1024 * 1024
MASK = RING_BYTES - 1
PAGE_BYTES = 4096
WRAP = 0xFFFFFFFF
LINE = 16
TAIL, SLEEPS, HEAD, STUCK = 0, LINE, 2 * LINE, 3 * LINE
RING_LINES = 4 * LINE
#: Parts from this size on are copied by themselves instead of being joined first.
LARGE_BYTES = 4096
#: ring.ts says what for.
ALWAYS_BELL = os.environ.get("RING_BELLS") == "always"


class Fence:
    """Call it: accesses before it come before those after it."""

    def __init__(self):
        lock = threading.Lock()
        lock.acquire()
        self.release = lock.release
        self.acquire = lock.acquire

    def __call__(self):
        self.release()
        self.acquire()


class Writer:
    """The worker's end of the ring to the front. One thread at a time: the outlet's lock sees to that."""

    def __init__(self, memory, words, which):
        self.memory = memory
        self.words = words[which * RING_LINES : (which + 1) * RING_LINES]
        self.base = PAGE_BYTES + which * RING_BYTES
        self.fence = Fence()
        self.tail = 0
        self.head = 0
        self.stuck = 0
        self.rung = 0

    def _room(self):
        self.head = self.words[HEAD]
        self.fence()
        return RING_BYTES - ((self.tail - self.head) & WRAP)

    def put(self, parts):
        """Copies the parts that there is room for. Returns (the rest, whether the reader must be woken)."""
        total = sum(map(len, parts))
        room = RING_BYTES - ((self.tail - self.head) & WRAP)
        if room < total:
            room = self._room()
        if room < total:
            self.stuck = (self.stuck + 1) & WRAP
            self.words[STUCK] = self.stuck
            self.fence()
            room = self._room()
        rest = []
        if room < total:
            parts, rest = cut(parts, room)
        if total < LARGE_BYTES:
            self._copy(parts[0] if len(parts) == 1 else b"".join(parts))
        else:
            self._copy_each(parts)
        fence = self.fence
        fence()
        words = self.words
        words[TAIL] = self.tail
        if ALWAYS_BELL:
            return rest, True
        fence()
        sleeps = words[SLEEPS]
        if sleeps == self.rung:
            return rest, False
        self.rung = sleeps
        return rest, True

    def _copy_each(self, parts):
        small = []
        for part in parts:
            if len(part) < LARGE_BYTES:
                small.append(part)
                continue
            if small:
                self._copy(b"".join(small))
                small = []
            self._copy(part)
        if small:
            self._copy(b"".join(small))

    def _copy(self, part):
        count = len(part)
        at = self.tail & MASK
        base = self.base
        if at + count <= RING_BYTES:
            self.memory[base + at : base + at + count] = part
        else:
            first = RING_BYTES - at
            whole = memoryview(part)
            self.memory[base + at : base + RING_BYTES] = whole[:first]
            self.memory[base : base + count - first] = whole[first:]
        self.tail = (self.tail + count) & WRAP


def cut(parts, room):
    """(what fits into `room` bytes, the rest)"""
    fits = []
    for index, part in enumerate(parts):
        if len(part) > room:
            whole = memoryview(part)
            if room:
                fits.append(whole[:room])
            return fits, [whole[room:], *parts[index + 1 :]]
        room -= len(part)
        fits.append(part)
    return fits, []


class Reader:
    """The worker's end of the ring from the front."""

    def __init__(self, memory, words, which):
        self.memory = memory
        self.words = words[which * RING_LINES : (which + 1) * RING_LINES]
        self.base = PAGE_BYTES + which * RING_BYTES
        self.fence = Fence()
        self.head = 0
        #: The writer's position when it was last looked at.
        self.seen = 0
        self.sleeps = 0
        self.rung = 0

    def available(self):
        """Bytes that may be looked at."""
        self.seen = self.words[TAIL]
        self.fence()
        return (self.seen - self.head) & WRAP

    def peek(self, at, count):
        """`count` bytes, `at` behind the position, in one piece."""
        at = (self.head + at) & MASK
        start = self.base + at
        if at + count <= RING_BYTES:
            return self.memory[start : start + count]
        return self.memory[start : self.base + RING_BYTES] + self.memory[self.base : start + count - RING_BYTES]

    def used(self, count):
        """Gives the room of what has been read back. Returns whether the writer must be woken."""
        self.head = (self.head + count) & WRAP
        fence = self.fence
        fence()
        self.words[HEAD] = self.head
        fence()
        stuck = self.words[STUCK]
        if stuck == self.rung:
            return False
        self.rung = stuck
        return True

    def sleep(self):
        """Says that the reader goes to sleep; False when something has come meanwhile."""
        self.sleeps = (self.sleeps + 1) & WRAP
        self.words[SLEEPS] = self.sleeps
        self.fence()
        return self.words[TAIL] == self.seen


class Rings:
    """Both rings of a worker."""

    def __init__(self, path):
        file = os.open(path, os.O_RDWR)
        memory = mmap.mmap(file, PAGE_BYTES + 2 * RING_BYTES)
        os.close(file)
        os.unlink(path)
        # Numbers of four bytes at once: pack_into("<I") may write them byte by byte.
        words = memoryview(memory)[:PAGE_BYTES].cast("I")
        self.reader = Reader(memory, words, 0)
        self.writer = Writer(memory, words, 1)
