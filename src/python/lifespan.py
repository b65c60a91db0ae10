"""The lifespan protocol (ASGI lifespan specification 2.0): one task, as long as the worker."""

import asyncio
import logging

from .failures import log_error, shown

#: TypeScript applications are told the same (src/server/server.ts).
NO_LIFESPAN = (
    "The application raised in its lifespan's startup, and is served without a lifespan; with --lifespan on the server "
    "would not start."
)


class StartupFailed(Exception):
    """The application said so, or raised with --lifespan on."""


class Lifespan:
    """Drives one application's lifespan: `startup` once, then `shutdown` once."""

    def __init__(self, app, mode, loop):
        self.app = app
        self.mode = mode
        self.loop = loop
        #: What the application leaves for its requests; each gets a shallow copy.
        self.state = {}
        self._started = loop.create_future()
        self._stopped = loop.create_future()
        self._ask_shutdown = asyncio.Event()
        self._received = 0
        #: What `send` raised on an event of another protocol.
        self._strange = None
        self._phase = "startup"
        self._task = None

    async def startup(self):
        """Raises StartupFailed; its cause is what the application raised."""
        if self.mode == "off":
            self._phase = "ended"
            return
        self._task = self.loop.create_task(self._run())
        await self._started

    async def shutdown(self):
        """Returns what failed as text, or None."""
        if self._phase != "running":
            return None
        self._phase = "shutdown"
        self._ask_shutdown.set()
        return await self._stopped

    async def _run(self):
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self.app(scope, self._receive, self._send)
        except BaseException as error:
            self._raised(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._returned()

    async def _receive(self):
        self._received += 1
        if self._received == 1:
            return {"type": "lifespan.startup"}
        await self._ask_shutdown.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message):
        kind = message["type"]
        if self._phase == "startup" and kind == "lifespan.startup.complete":
            self._phase = "running"
            self._settle(self._started, None)
        elif self._phase == "startup" and kind == "lifespan.startup.failed":
            self._phase = "ended"
            text = message.get("message", "") or "the application gave no reason"
            self._fail(StartupFailed(text))
        elif self._phase == "shutdown" and kind == "lifespan.shutdown.complete":
            self._phase = "ended"
            self._settle(self._stopped, None)
        elif self._phase == "shutdown" and kind == "lifespan.shutdown.failed":
            self._phase = "ended"
            self._settle(self._stopped, message.get("message", "") or "failed")
        else:
            error = RuntimeError(f"{kind} can't be sent during lifespan {self._phase}")
            if not str(kind).startswith("lifespan."):
                self._strange = error
            raise error

    def _returned(self):
        phase = self._phase
        self._phase = "ended"
        if phase == "startup":
            if self.mode == "on":
                text = "the application returned without completing lifespan startup"
                self._fail(StartupFailed(text))
            else:
                self._settle(self._started, None)
        elif phase == "shutdown":
            self._settle(self._stopped, None)

    def _raised(self, error):
        phase = self._phase
        self._phase = "ended"
        if phase == "startup":
            if self.mode == "on":
                failed = StartupFailed(shown(error))
                failed.__cause__ = error
                self._fail(failed)
            else:
                # Raising is how an application says that it knows no lifespan: before it asks what there is to do, or
                # with the answer to a request.
                if self._received > 0 and error is not self._strange and isinstance(error, Exception):
                    log_error(NO_LIFESPAN, exc_info=error, level=logging.WARNING)
                self._settle(self._started, None)
        elif phase == "shutdown":
            log_error("Exception in lifespan shutdown", exc_info=error)
            self._settle(self._stopped, shown(error))
        elif phase == "running":
            log_error("Exception in 'lifespan' protocol", exc_info=error)

    def _fail(self, error):
        if not self._started.done():
            self._started.set_exception(error)

    @staticmethod
    def _settle(future, value):
        if not future.done():
            future.set_result(value)
