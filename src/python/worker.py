"""A worker: serves one Python application over the stream that it inherits.

Started by the front as `python start.py` with a connected Unix stream as descriptor 3;
what it is to serve comes in the first record (HELLO). Standard library only, CPython
3.9 and later. It leaves when the front says so, or when the stream ends.
"""

import asyncio
import contextlib
import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback

from . import beat, failures, lifespan, link, loops, target, wire

_HERE = os.path.dirname(os.path.abspath(__file__))
CHANNEL = 3
#: What the stream takes before the front reads; the system may allow less. With the usual
#: 208 KB every second turn of large answers would end in a wait for the front.
SEND_BYTES = 1024 * 1024
#: Up to twice this much of what is freed stays with the process.
KEPT_BYTES = 2 * 1024 * 1024
#: After the stream's end: what the application's shutdown may take; after that: what its tasks and threads may.
LEAVE_SECONDS = 5.0
#: The signal may come before the stream's end, which the front's runtime sends a little later.
DISMISSAL_MILLISECONDS = 100


def read_hello(sock):
    """The first record, read before there is an event loop. (settings, generation)"""
    data = b""
    while True:
        if len(data) >= wire.HEADER_BYTES:
            length, kind, _, _, generation = wire.HEADER.unpack_from(data)
            if kind != wire.HELLO:
                raise SystemExit("The worker is started by Ringcorn, not by hand.")
            if len(data) >= wire.HEADER_BYTES + length:
                break
            wanted = wire.HEADER_BYTES + length - len(data)
        else:
            wanted = wire.HEADER_BYTES - len(data)
        piece = sock.recv(wanted)
        if not piece:
            raise SystemExit(0)
        data += piece
    return json.loads(data[wire.HEADER_BYTES :]), generation


def in_a_record(value):
    """JSON of a dictionary, its texts cut until they fit: a traceback's end and another's beginning tell most."""
    value = dict(value)
    while True:
        text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        if len(text) <= wire.MOST_PAYLOAD_BYTES:
            return text
        longest = max(value, key=lambda name: len(str(value[name])))
        half = len(value[longest]) // 2
        value[longest] = value[longest][-half:] if longest == "traceback" else value[longest][:half]


def leave_anyway():
    """Ends the process when nothing else has, a while later."""
    time.sleep(LEAVE_SECONDS)
    os._exit(1)


def leave_soon():
    """Lets `leave_anyway` wait in a thread."""
    threading.Thread(target=leave_anyway, daemon=True).start()


class Worker:
    """What the requests of this process share."""

    def __init__(self, settings, generation, loop, loop_name, sock):
        self.settings = settings
        self.generation = generation
        self.loop = loop
        self.loop_name = loop_name
        self.sock = sock
        self.outlet = link.Outlet(loop, sock.dup())
        self.outlet.sock.setblocking(False)
        # Where the system allows no such thing, it stays as it is.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        self.starter = loops.Starter(loop)
        self.requests = {}
        self.app = None
        self.lifespan = None
        self.interface = "asgi"
        self.wsgi = None
        self.leaving = False
        self.loading = True
        self._ended = asyncio.Event()
        self._idle = asyncio.Event()

    # ---- from the front --------------------------------------------------------

    def took(self, kind, flags, request_id, payload):
        """A record has arrived that begins no request."""
        if kind == wire.PING:
            self._put(wire.BEAT, beat.payload(self, payload))
        elif kind == wire.DRAIN:
            self.leaving = True
            self._ended.set()
        else:
            request = self.requests.get(request_id)
            if request is None:
                if kind == wire.REFUSED:
                    failures.log_refused(*wire.refusal(payload))
                return
            if kind == wire.BODY:
                request.body(flags, payload)
            elif kind == wire.CREDIT:
                request.credit(payload)
            elif kind == wire.DISCONNECT:
                request.disconnect(flags)
            elif kind == wire.REFUSED:
                request.refused(payload)
            elif kind == wire.WS_CLOSED:
                request.closed(payload)

    def finished(self, request):
        self.requests.pop(request.id, None)
        request.task = None
        if self.leaving and not self.requests:
            self._idle.set()

    def finished_in_thread(self, request):
        self.requests.pop(request.id, None)
        if self.leaving:
            self.loop.call_soon_threadsafe(self._check_idle)

    def _check_idle(self):
        if not self.requests:
            self._idle.set()

    def front_lost_while_stuck(self):
        """From the heartbeat's thread: nobody reads any more."""
        if not self._ended.is_set():
            if self.loading:
                # `watch_for_dismissal` ends it, if Python's own code runs.
                signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
            leave_anyway()

    def front_gone(self):
        self.leaving = True
        self.outlet.dead = True
        for request in list(self.requests.values()):
            request.disconnect(wire.GONE)
        self._ended.set()
        leave_soon()

    def _put(self, kind, payload):
        self.outlet.put_now(wire.record(kind, 0, 0, self.generation, payload), True)

    def _put_json(self, kind, value):
        self._put(kind, in_a_record(value))

    # ---- life ------------------------------------------------------------------

    def fail(self, sentence, trace=""):
        self._put_json(wire.FAILED, {"message": sentence[:8000], "traceback": trace[-16000:]})

    def retire(self):
        """SIGTERM: asks the front for a successor, and for DRAIN when it is ready."""
        self._put(wire.RETIRING, b"")

    def load(self):
        """Imports the application. Raises TargetError."""
        settings = self.settings
        app, shown = target.load(settings["target"], settings.get("appDir"), settings.get("factory", False))
        interface = settings.get("interface", "auto")
        if interface == "auto":
            interface = target.interface_of(app)
        target.check_interface(app, interface, shown)
        self.interface = interface
        if interface == "asgi2":
            app = target.as_asgi3(app)
        elif interface == "wsgi":
            from . import threads, wsgi

            self.wsgi = threads.Pool(self, app, settings.get("threads") or 0, wsgi.WsgiRequest)
        self.app = app
        return shown

    async def serve(self):
        """From loading to the end; returns the exit code."""
        beat.start(self)
        try:
            shown = self.load()
            mode = self.settings.get("lifespan", "auto")
            if self.wsgi is not None:
                mode = "off"
            self.lifespan = lifespan.Lifespan(self.app, mode, self.loop)
            await self.lifespan.startup()
        except target.TargetError as error:
            self.fail(error.sentence, error.trace)
            return 1
        except lifespan.StartupFailed as error:
            text = str(error)
            if error.__cause__:
                self.fail(f"The application's startup failed: {text}", target.own_trace(error.__cause__))
            elif "\n" in text:
                # What Starlette says of it is a traceback.
                self.fail("The application's startup failed.", text.rstrip())
            else:
                self.fail(f"The application's startup failed: {text}")
            return 1
        self.loading = False
        make = self.loop.create_connection
        await make(lambda: link.Link(self), sock=self.sock)
        facts = {
            "pid": os.getpid(),
            "python": ".".join(map(str, sys.version_info[:3])),
            "loop": self.loop_name,
            "interface": self.interface,
            "app": shown,
        }
        # What is there now stays: later collections need not look at it.
        if not self.settings.get("reload"):
            gc.collect()
        gc.freeze()
        self._put_json(wire.READY, facts)
        await self._ended.wait()
        return await self._leave()

    async def _leave(self):
        """Finishes what is in flight, then the lifespan."""
        if self.requests and not self.outlet.dead:
            await self._idle.wait()
        elif self.requests:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._idle.wait(), LEAVE_SECONDS / 2)
        problem = await self.lifespan.shutdown()
        self._put_json(wire.STOPPED, {"message": problem})
        # The last answers may still wait for the stream to take them.
        await self.outlet.drained()
        return 0 if problem is None else 1


def configure_logging(path):
    """--log-config: JSON, YAML (with PyYAML) or fileConfig's format."""
    import logging.config

    if path.endswith(".json"):
        with open(path, encoding="utf-8") as file:
            logging.config.dictConfig(json.load(file))
    elif path.endswith((".yaml", ".yml")):
        import yaml

        with open(path, encoding="utf-8") as file:
            logging.config.dictConfig(yaml.safe_load(file))
    else:
        # Up to 3.11 fileConfig takes a file that it can't read for an empty one.
        with open(path, encoding="utf-8"):
            pass
        logging.config.fileConfig(path, disable_existing_loggers=False)


def why_unusable(error):
    """What is wrong with a logging configuration, for behind "can't be used: "."""
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return str(error) if error.__cause__ is None else f"{error}: {error.__cause__}"


def watch_forks(sock, outlet_sock):
    """A child that the application forks is no worker: SIGTERM ends it, and the stream is not its own."""
    mine = signal.getsignal(signal.SIGTERM)
    before = threading.local()

    def hold():
        # One that comes while the child has its parent's handler would be lost.
        before.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def in_child():
        # Else what the child gets would wake this worker's loop, as if it had been told to retire.
        signal.set_wakeup_fd(-1)
        if signal.getsignal(signal.SIGTERM) is mine:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        release()
        nowhere = os.open(os.devnull, os.O_RDWR)
        # Not closed: what owns them here, too, would close their numbers once more.
        for stream in (sock, outlet_sock):
            if stream.fileno() >= 0:
                os.dup2(nowhere, stream.fileno(), False)
        os.close(nowhere)

    def release():
        signal.pthread_sigmask(signal.SIG_SETMASK, before.mask)

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=in_child)


def watch_for_dismissal(worker, sock):
    """Lets SIGTERM end a worker that is still loading when the front has let go of it.

    Nobody reads the stream then, and a signal that came for another reason has to wait. The interpreter's end ends what
    the application has started and left to `atexit`, as multiprocessing's processes: SIGKILL leaves them behind.
    """
    ended = select.poll()
    # Without it (macOS) the end of one direction can't be seen: SIGKILL comes a moment later.
    ended.register(sock, getattr(select, "POLLRDHUP", 0))

    def dismissed(*_):
        if worker.loading and ended.poll(DISMISSAL_MILLISECONDS):
            raise SystemExit(1)

    # In the place of the loop's own, which does nothing: the loop is woken as before.
    signal.signal(signal.SIGTERM, dismissed)
    signal.siginterrupt(signal.SIGTERM, False)


async def end_tasks(loop):
    """Cancels what the application has left running, as asyncio.run does: it may have something to tidy up."""
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            message = "exception of a task that was cancelled when the worker left"
            loop.call_exception_handler({"message": message, "exception": task.exception(), "task": task})
    await loop.shutdown_asyncgens()


def steady_output():
    """Lines leave when they are whole, so that the streams keep their order."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(line_buffering=True)


def warm_up(arguments):
    """--spare LOOP: HELLO comes later, and what can be loaded before it is."""
    if arguments[1:2] != ["--spare"]:
        return
    import importlib

    names = (
        ["_ringcorn.threads", "_ringcorn.wsgi"]
        if arguments[2] == "asyncio"
        else ["_ringcorn.threads", "_ringcorn.wsgi", "uvloop"]
    )
    # They are not the application's.
    del arguments[1:]
    for name in names:
        # What is missing is told when HELLO asks for it.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def keep_memory():
    """Lets the C library keep what is freed, where it is glibc: large bodies come and go.

    What is freed of the size it would map by itself raises that size, and with it what it
    keeps at its end (mallopt(3), M_MMAP_THRESHOLD). Else each body of 100 KB costs it 15
    page faults.
    """
    bytes(KEPT_BYTES)


def main():
    keep_memory()
    # A copy above 3 that no child of the application inherits.
    sock = socket.socket(fileno=os.dup(CHANNEL))
    os.close(CHANNEL)
    sock.setblocking(True)
    # What reaches the whole group: the front decides what it means. Not ignored, since
    # the application's children would inherit that.
    for name in ("SIGINT", "SIGHUP", "SIGTTIN", "SIGTTOU"):
        signal.signal(getattr(signal, name), lambda *_: None)
    warm_up(sys.argv)
    settings, generation = read_hello(sock)
    if settings.get("reload"):
        from . import bytecode

        bytecode.leave_out_what_is_new()
    # The folder of this file must not answer the application's imports.
    if sys.path and os.path.abspath(sys.path[0]) == _HERE:
        del sys.path[0]
    steady_output()
    failed = None
    try:
        if settings.get("logConfig"):
            configure_logging(settings["logConfig"])
        loop, loop_name = loops.new_loop(settings.get("loop", "auto"))
    except ImportError as error:
        failed = (
            f"{sys.executable} does not have the package {error.name}; install it "
            "there, or leave the option away that asks for it."
        )
    except Exception as error:
        failed = f"--log-config {settings['logConfig']} can't be used: {why_unusable(error)}."
    if failed is not None:
        message = in_a_record({"message": failed, "traceback": ""})
        sock.sendall(wire.record(wire.FAILED, 0, 0, generation, message))
        return 1
    asyncio.set_event_loop(loop)
    code = 1
    try:
        code = loop.run_until_complete(_run(settings, generation, loop, loop_name, sock))
    except BaseException as error:
        # The loop has ended in the middle. What the front still sends would wait for the application's threads to end.
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        leave_soon()
        if not isinstance(error, Exception):
            raise
        traceback.print_exc()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


async def _run(settings, generation, loop, loop_name, sock):
    sock.setblocking(False)
    worker = Worker(settings, generation, loop, loop_name, sock)
    loop.add_signal_handler(signal.SIGTERM, worker.retire)
    watch_for_dismissal(worker, sock)
    watch_forks(sock, worker.outlet.sock)
    code = await worker.serve()
    # Neither tasks nor threads of the application must keep a worker that has said goodbye.
    leave_soon()
    await end_tasks(loop)
    return code
