"""The event loop and the way request tasks are started on it."""

import asyncio
import sys
from time import perf_counter

#: Requests started inside one reading turn, and for how long; the others queue up.
MOST_EAGER = 32
EAGER_SECONDS = 0.005


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
    """Starts a task per request; inside the reading turn where that is safe."""

    __slots__ = ("loop", "eager", "queued", "_count", "_until")

    def __init__(self, loop):
        self.loop = loop
        # Eager tasks came with 3.12; they have their own context and current_task.
        self.eager = sys.version_info >= (3, 12)
        #: A task of this turn waits for the loop.
        self.queued = False
        self._count = 0
        self._until = 0.0

    def start(self, coroutine):
        loop = self.loop
        if loop.get_task_factory() is not None:
            # The application's own way to make tasks.
            self.queued = True
            return loop.create_task(coroutine)
        if self.eager:
            count = self._count
            if count == 0:
                self._until = perf_counter() + EAGER_SECONDS
            if count < MOST_EAGER and (count == 0 or perf_counter() < self._until):
                self._count = count + 1
                return asyncio.Task(coroutine, loop=loop, eager_start=True)
        self.queued = True
        # What create_task does, without the call.
        return asyncio.Task(coroutine, loop=loop)

    def turn_read(self):
        """Ends a reading turn; returns whether tasks of it wait for the loop."""
        self._count = 0
        queued = self.queued
        self.queued = False
        return queued
