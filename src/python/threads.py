"""The threads that the requests of a WSGI application run on, and when their answers leave.

Threads take turns at the interpreter. One that has requests to run goes from one to the
next; a second is called to the side, gets its turn when the first waits for something,
and so on: an application that computes is not slowed down by threads that change places,
one that waits has as many of them as it needs. Answers of requests that follow each other
leave together, so that the front, which may share the core, is woken once for them; what
one thread has not written when its next application waits, another thread writes.
"""

import os
import threading

# Not from `queue`, which may be a module of the application's own.
from _queue import SimpleQueue
from collections import deque
from time import perf_counter

#: What a request can wait for: a file, a database, another server.
DEFAULT_THREADS = max(8, min(32, 4 * (os.cpu_count() or 1)))
#: So many answers leave together at most, or those of so much time.
MOST_KEPT = 16
KEPT_SECONDS = 0.005


class Pool:
    """Runs requests on a fixed number of threads, in the order of their arrival."""

    def __init__(self, worker, app, threads, request):
        """`request` makes one of a worker, an id, flags and a scope."""
        self.worker = worker
        self.app = app
        self._request = request
        self.count = threads or DEFAULT_THREADS
        self._jobs = deque()
        self._lock = threading.Lock()
        # A thread has been called that has not come yet.
        self._called = False
        self._calls = SimpleQueue()
        # Complete answers that wait in the outlet. Two threads may miscount them; each writes before it rests.
        self._kept = 0
        self._leave_by = 0.0
        self._watched = False
        self._watches = SimpleQueue()
        for number in range(self.count):
            name = f"ringcorn-wsgi-{number}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()
        threading.Thread(target=self._watch, name="ringcorn-output", daemon=True).start()

    def start(self, request_id, flags, scope):
        """Has a request run. For the loop's thread."""
        request = self._request(self.worker, request_id, flags, scope)
        # Known before a thread may have finished it.
        self.worker.requests[request_id] = request
        self._jobs.append(request)
        self._call()
        return request

    def keep(self, record):
        """Queues the end of an answer, which leaves with those that follow it at once. For the pool's threads."""
        if not self._kept:
            self._leave_by = perf_counter() + KEPT_SECONDS
        self.worker.outlet.keep(record)
        self._kept += 1

    def _call(self):
        with self._lock:
            if self._called:
                return
            self._called = True
        self._calls.put(None)

    def _serve(self):
        jobs = self._jobs
        while True:
            self._calls.get()
            # From here on whoever adds a request has to call: what was added before is seen below.
            with self._lock:
                self._called = False
            while True:
                try:
                    request = jobs.popleft()
                except IndexError:
                    break
                if jobs:
                    self._call()
                if self._kept:
                    self._leave_or_watch()
                try:
                    request.run(self.app)
                finally:
                    self.worker.finished_in_thread(request)
            self._release()

    def _leave_or_watch(self):
        """Before an application runs, which may wait for long."""
        if self._kept >= MOST_KEPT or perf_counter() >= self._leave_by:
            self._release()
        elif not self._watched:
            self._watched = True
            self._watches.put(None)

    def _watch(self):
        """Gets its turn when the thread that keeps answers waits, or has had the interpreter for long."""
        while True:
            self._watches.get()
            self._watched = False
            self._release()

    def _release(self):
        if self._kept:
            self._kept = 0
            self.worker.outlet.write()
