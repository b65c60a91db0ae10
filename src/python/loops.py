"""The event loop and the way request tasks are started on it."""

import asyncio
import sys
from asyncio import Task
from collections import deque
from time import perf_counter

#: What is started inside one reading turn.
MOST_EAGER = 32
#: What is started in any turn, by number and for how long. The others have turns of their own, and the loop reads in
#: between: what is to end a request, or asks whether this process lives, must not wait for all that came before it.
MOST_STARTS = 256
START_SECONDS = 0.005


def new_loop(choice):
    """(loop, its name). `choice`: auto, asyncio or uvloop."""
    if choice in ("auto", "uvloop"):
        try:
            import uvloop
        except ImportError:
            if choice == "uvloop":
                raise
        else:
            return uvloop.new_event_loop(), "uvloop"
    return asyncio.new_event_loop(), "asyncio"


class Starter:
    """Starts a task per request: inside the reading turn where that is safe, and never too many in a turn.

    Before Python 3.12 a task begins in the turn after the one that made it, with all the others. How long they take is
    known only while they begin: so each, in a crowd, looks whether the time is over, and waits for another turn if so.
    """

    __slots__ = ("loop", "eager", "queued", "crowded", "until", "_count", "_waiting", "_held", "_later")

    def __init__(self, loop):
        self.loop = loop
        # Eager tasks came with 3.12; they have their own context and current_task.
        self.eager = sys.version_info >= (3, 12)
        #: A task of this turn waits for the loop.
        self.queued = False
        #: Several tasks begin in the next turn: what finds the clock past `until` then is to wait for `turn`.
        self.crowded = False
        self.until = 0.0
        #: Tasks made in this turn.
        self._count = 0
        #: What has no task yet; and futures of tasks that wait for a turn, which come before it.
        self._waiting = deque()
        self._held = []
        #: `_go_on` will run.
        self._later = False

    def start(self, carried):
        """Starts the task of a request or a WebSocket, in this turn or in one of the next."""
        loop = self.loop
        count = self._count
        if self._later or count >= MOST_STARTS:
            self._wait(carried)
        elif loop.get_task_factory() is not None:
            self._count = count + 1
            self._make_their_way(carried)
        elif self.eager:
            if count == 0:
                self.until = perf_counter() + START_SECONDS
            if count < MOST_EAGER and (count == 0 or perf_counter() < self.until):
                self._count = count + 1
                self._start_eagerly(carried)
            else:
                self._wait(carried)
        else:
            self._count = count + 1
            self.queued = True
            # What create_task does, without the call. The loop alone would not keep a task that waits.
            carried.task = Task(carried.run(carried.worker.app), loop=loop)

    def _start_eagerly(self, carried):
        task = Task(carried.run(carried.worker.app), loop=self.loop, eager_start=True)
        if not task.done():
            carried.task = task

    def _make_their_way(self, carried):
        """By the application's own factory, which may start it at once."""
        self.queued = True
        task = self.loop.create_task(carried.run(carried.worker.app))
        if not task.done():
            carried.task = task

    def turn_read(self):
        """Ends a reading turn; returns whether tasks of it wait for the loop."""
        queued = self.queued
        self.queued = False
        if queued and self._count > 1:
            self.crowded = True
            self.until = perf_counter() + START_SECONDS
        elif not self._later:
            self.crowded = False
        self._count = 0
        return queued

    # ---- turns of their own ----------------------------------------------------

    def _wait(self, carried):
        self._waiting.append(carried)
        self._call_later()

    async def turn(self):
        """For a task that has found its turn over: waits for another one."""
        while True:
            waiter = self.loop.create_future()
            self._held.append(waiter)
            self._call_later()
            is_first = await waiter
            # Others may have the loop for long: one begins in each turn.
            if is_first or perf_counter() < self.until:
                return

    def _call_later(self):
        if not self._later:
            self._later = True
            self.loop.call_soon(self._go_on)

    def _go_on(self):
        """A turn of what waits; it runs behind the tasks of the turn before."""
        held = self._held
        waiting = self._waiting
        if not held and not waiting:
            self._later = False
            return
        self._held = []
        self.crowded = True
        self.until = perf_counter() + START_SECONDS
        is_first = True
        for waiter in held:
            if not waiter.done():
                waiter.set_result(is_first)
                is_first = False
        has_factory = self.loop.get_task_factory() is not None
        eager = self.eager and not has_factory and not held
        for count in range(min(len(waiting), MOST_STARTS - len(held))):
            if eager and count > 0 and perf_counter() >= self.until:
                break
            carried = waiting.popleft()
            if eager:
                self._start_eagerly(carried)
            elif has_factory:
                self._make_their_way(carried)
            else:
                carried.task = Task(carried.run(carried.worker.app), loop=self.loop)
        self.loop.call_soon(self._go_on)
