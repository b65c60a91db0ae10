"""Whoever waits in `receive` or `send` for something to come from the front: a request, or a WebSocket."""


class Waiting:
    """Tasks that wait for any change. All of it runs in the event loop's thread."""

    __slots__ = ("worker", "_waiters")

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
