"""The heartbeat thread: tells the front that this process lives, works or is stuck.

Loading, busy and stuck look alike from outside. A beat carries the event loop's lag (how
long it has owed an answer), the processor time used so far and the requests in flight.
"""

import threading
import time

from . import wire
from .collector import looks

#: How often the loop is asked for an answer.
ASK_SECONDS = 0.25
#: A loop that is late is told of at once; otherwise a beat leaves this often.
BEAT_SECONDS = 1.0
#: An answer that takes longer is late. pulse.ts has the same number.
LATE_SECONDS = 0.2


class Beat:
    def __init__(self, worker):
        self.worker = worker
        self._asked = 0.0
        self._told_late = False

    def answer(self):
        """The loop turns."""
        self._asked = 0.0
        looks.tell(len(self.worker.requests))
        if self._told_late:
            self._told_late = False
            self.worker.outlet.put_control(self._record())

    def lag(self):
        asked = self._asked
        return time.monotonic() - asked if asked else 0.0

    def payload(self, token=0):
        lag = int(self.lag() * 1000)
        cpu = int(time.process_time() * 1e6)
        return wire.BEAT_PAYLOAD.pack(token, lag, cpu, len(self.worker.requests))

    def _record(self):
        return wire.record(wire.BEAT, 0, 0, self.worker.generation, self.payload())

    def run(self):
        worker = self.worker
        due = time.monotonic() + BEAT_SECONDS
        while not worker.outlet.dead:
            if not self._asked:
                self._asked = time.monotonic()
                try:
                    worker.loop.call_soon_threadsafe(self.answer)
                except RuntimeError:
                    return  # the loop has ended
            time.sleep(ASK_SECONDS)
            late = not self._told_late and self.lag() >= LATE_SECONDS
            if late or time.monotonic() >= due:
                due = time.monotonic() + BEAT_SECONDS
                self._told_late = self._told_late or late
                worker.outlet.put_now(self._record(), True)
        # The front is gone. A loop that still turns leaves by itself; one that is
        # stuck would stay for ever.
        worker.front_lost_while_stuck()


def start(worker):
    """Starts the thread."""
    worker.beat = Beat(worker)
    threading.Thread(target=worker.beat.run, name="ringcorn-beat", daemon=True).start()


def payload(worker, token):
    """A beat that answers a ping."""
    return worker.beat.payload(wire.U32.unpack(token)[0])
