"""How many applications begin in a turn of the loop, on every event loop: what arrives meanwhile is read in between."""

import asyncio
import itertools
import socket
import unittest
from unittest import mock

from support import START, Bench, asgi, body, encoded_socket_scope, failures, has, loops, run, turns, websocket, wire

#: What each application does before its first await, and how many of them are begun before the time is over.
STRETCH_SECONDS = 0.002
A_TURN = 3
CROWD = 40


def socket_head(request_id):
    return Bench.record(wire.WS_CONNECT, 0, request_id, encoded_socket_scope())


class Contract:
    """Each of these on each loop, with a clock that only the applications move."""

    loop_name = None

    def setUp(self):
        self.now = 0.0
        self.clock = lambda: self.now
        self.started = []
        for module in (loops, asgi, websocket):
            patch = mock.patch.object(module, "perf_counter", lambda: self.clock())
            patch.start()
            self.addCleanup(patch.stop)

    def use(self, use):
        async def go():
            await use(Bench(asyncio.get_running_loop(), self.app))

        run(go(), lambda: loops.new_loop(self.loop_name)[0])

    async def app(self, scope, receive, send):
        self.started.append(scope["path"])
        self.now += STRETCH_SECONDS
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        await send(START)
        await send(body())

    def behind(self, make):
        """How many of a crowd have begun when a PING and a DISCONNECT are seen that came after the first."""
        found = {}

        async def use(bench):
            ours, front = socket.socketpair()

            async def app(scope, receive, send):
                if not self.started:
                    front.sendall(Bench.record(wire.PING, 0, 0, b"\0\0\0\0") + Bench.record(wire.DISCONNECT, 0, CROWD))
                await self.app(scope, receive, send)

            bench.app = app
            bench.took = lambda kind, *_: found.setdefault(kind, len(self.started))
            bench.front_gone = lambda: None
            await bench.loop.create_connection(lambda: bench.link, sock=ours)
            front.sendall(b"".join(make(number + 1) for number in range(CROWD)))
            while len(self.started) < CROWD or bench.requests or len(found) < 2:
                await asyncio.sleep(0)
            bench.link.transport.close()
            front.close()
            await turns()

        self.use(use)
        return found

    def test_what_comes_behind_a_crowd_is_read_between_its_starts(self):
        for make in (Bench.head, socket_head):
            with self.subTest(make.__name__):
                self.started.clear()
                found = self.behind(make)
                # The turn in which it comes, and the one that may stand before the reading.
                self.assertLessEqual(max(found.values()), 2 * A_TURN)
                self.assertEqual(set(found), {wire.PING, wire.DISCONNECT})

    def crowd(self, count):
        """How many begin in each turn of the loop; they do so in their order."""
        found = []

        async def use(bench):
            bench.receive(*(Bench.head(number + 1, path=f"/{number}") for number in range(count)))
            while bench.requests:
                before = len(self.started)
                await asyncio.sleep(0)
                found.append(len(self.started) - before)

        self.use(use)
        self.assertEqual(self.started, [f"/{number}" for number in range(count)])
        return found

    def test_a_turn_ends_with_its_time(self):
        self.assertLessEqual(max(self.crowd(CROWD)), A_TURN)

    def test_a_turn_ends_with_its_number(self):
        self.clock = lambda: 0.0
        found = self.crowd(3 * loops.MOST_STARTS)
        self.assertLessEqual(max(found), loops.MOST_STARTS)
        # What takes no time does not wait for many turns.
        self.assertLessEqual(len(found), 10)

    def test_one_begins_in_each_turn_whatever_else_takes_the_time(self):
        self.clock = itertools.count().__next__
        self.assertEqual(max(self.crowd(CROWD)), 1)

    def test_what_arrives_while_others_wait_comes_behind_them(self):
        async def use(bench):
            for first in range(0, CROWD, 8):
                numbers = range(first, first + 8)
                bench.receive(*(Bench.head(number + 1, path=f"/{number}") for number in numbers))
                await asyncio.sleep(0)
            while bench.requests:
                await asyncio.sleep(0)

        self.use(use)
        self.assertEqual(self.started, [f"/{number}" for number in range(CROWD)])

    def test_one_that_is_cancelled_before_its_turn_holds_up_nobody(self):
        async def use(bench):
            bench.receive(*(Bench.head(number + 1, path=f"/{number}") for number in range(CROWD)))
            tasks = [(request.scope["path"], request.task) for request in bench.requests.values()]
            while bench.requests:
                await asyncio.sleep(0)
                # Those that have a task and wait: on Pythons that begin eagerly there are none.
                for path, task in tasks[10:20]:
                    if task is not None and path not in self.started:
                        cancelled.add(path)
                        task.cancel()

        cancelled = set()
        with mock.patch.object(failures.logger, "log") as log:
            self.use(use)
        self.assertEqual(log.call_count, len(cancelled))
        self.assertEqual(self.started, [path for number in range(CROWD) if (path := f"/{number}") not in cancelled])


class Asyncio(Contract, unittest.TestCase):
    loop_name = "asyncio"


@unittest.skipUnless(has("uvloop"), "uvloop is not installed")
class Uvloop(Contract, unittest.TestCase):
    loop_name = "uvloop"


if __name__ == "__main__":
    unittest.main()
