"""What a request (asgi.py) and a WebSocket (websocket.py) share: who waits for the front, and what it is told."""

from . import wire
from .failures import Refused, log_refused


class Carried:
    """A worker carries it between the front and the application. All of it runs in the event loop's thread."""

    __slots__ = (
        "id",
        "worker",
        "scope",
        "task",
        #: What `send` raises: a class or an exception.
        "_failure",
        #: Of the request, once the front has refused what was sent.
        "_line",
        "_waiters",
    )

    def _put(self, kind, flags, payload):
        worker = self.worker
        worker.outlet.put(wire.record(kind, flags, self.id, worker.generation, payload))

    def _give_credit(self, count):
        worker = self.worker
        payload = wire.U32.pack(count)
        worker.outlet.put_control(wire.record(wire.RESPONSE_CREDIT, 0, self.id, worker.generation, payload))

    def _take_refusal(self, text):
        """The next `send` raises it."""
        why, self._line = wire.refusal(text)
        self._failure = Refused(why)

    def _tell_refusal(self):
        """Logs what no `send` of the application has raised."""
        failure = self._failure
        if isinstance(failure, Refused) and failure.__traceback__ is None:
            log_refused(failure, self._line)

    # ---- who waits in `receive` or `send` for something to come from the front ----

    def _wake_waiters(self):
        waiters = self._waiters
        if waiters is not None:
            self._waiters = None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def _changed(self):
        """Waits until something has come from the front, or the exchange has ended."""
        waiter = self.worker.loop.create_future()
        if self._waiters is None:
            self._waiters = [waiter]
        else:
            self._waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            # Cancelled: an application may poll with a timeout for hours.
            if self._waiters is not None and waiter in self._waiters:
                self._waiters.remove(waiter)
            raise
