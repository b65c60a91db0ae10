"""The heartbeat thread: tells the front that this process lives, works or is stuck.

Loading, busy and stuck look alike from outside. A beat carries the event loop's lag (how
long it has owed an answer), the processor time used so far and the requests in flight.
"""

import threading
import time

from . import wire

BEAT_SECONDS = 1.0


class Beat:
    def __init__(self, worker):
        self.worker = worker
        self._asked = 0.0
        self._turns = 0

    def answer(self):
        self._asked = 0.0
        self._turns += 1

    def payload(self, token=0):
        asked = self._asked
        lag = int((time.monotonic() - asked) * 1000) if asked else 0
        cpu = int(time.process_time() * 1e6)
        return wire.BEAT_PAYLOAD.pack(token, lag, cpu, len(self.worker.requests))

    def run(self):
        worker = self.worker
        while not worker.outlet.dead:
            if not self._asked:
                self._asked = time.monotonic()
                try:
                    worker.loop.call_soon_threadsafe(self.answer)
                except RuntimeError:
                    return  # the loop has ended
            time.sleep(BEAT_SECONDS)
            kind = wire.BEAT
            record = wire.record(kind, 0, 0, worker.generation, self.payload())
            worker.outlet.put_now(record, True)
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
