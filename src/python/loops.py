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

    def __init__(self, loop):
        self.loop = loop
        # Eager tasks came with 3.12; they have their own context and current_task.
        self.eager = sys.version_info >= (3, 12)
        self._count = 0
        self._until = 0.0

    def start(self, coroutine):
        if self.eager and self.loop.get_task_factory() is None:
            count = self._count
            if count == 0:
                self._until = perf_counter() + EAGER_SECONDS
            if count < MOST_EAGER and (count == 0 or perf_counter() < self._until):
                self._count = count + 1
                return asyncio.Task(coroutine, loop=self.loop, eager_start=True)
        return self.loop.create_task(coroutine)

    def turn_read(self):
        self._count = 0
