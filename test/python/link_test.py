"""The worker's end of the stream: how records are cut, when answers leave, what a full stream does."""

import asyncio
import marshal
import threading
import unittest

from support import GENERATION, START, Bench, encoded_scope, link, response, run, turns, wire


async def hello(scope, receive, send):
    await send(START)
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def count(scope, receive, send):
    size = 0
    more = True
    while more:
        event = await receive()
        size += len(event["body"])
        more = event["more_body"]
    await send(START)
    await send({"type": "http.response.body", "body": b"%d" % size})


def with_bench(app, use):
    async def go():
        await use(Bench(asyncio.get_running_loop(), app))

    run(go())


class Reading(unittest.TestCase):
    def test_cut_anywhere(self):
        data = b"".join(
            (
                Bench.head(1, 0, method="POST"),
                Bench.head(2, path="/two"),
                Bench.record(wire.BODY, 0, 1, b"abc"),
                Bench.record(wire.BODY, wire.LAST, 1, b"de"),
            )
        )

        async def app(scope, receive, send):
            await (count if scope["method"] == "POST" else hello)(scope, receive, send)

        for size in (1, 5, 12, 13, len(data) - 1):

            async def use(bench, size=size):
                for at in range(0, len(data), size):
                    bench.feed(data[at : at + size])
                await turns()
                found = {rid: response(payload)[2] for _, _, rid, payload in bench.records()}
                self.assertEqual(found, {1: b"5", 2: b"/two"})

            with self.subTest(size):
                with_bench(app, use)

    def test_a_scope_in_several_records(self):
        headers = [(b"x-%d" % number, b"v" * 8000) for number in range(20)]
        encoded = encoded_scope(headers=headers, path="/long")
        most = wire.MOST_PAYLOAD_BYTES
        pieces = [encoded[at : at + most] for at in range(0, len(encoded), most)]
        self.assertGreater(len(pieces), 2)
        seen = []

        async def app(scope, receive, send):
            seen.append((scope["path"], len(scope["headers"])))
            await hello(scope, receive, send)

        async def use(bench):
            for number, piece in enumerate(pieces):
                more = wire.MORE if number + 1 < len(pieces) else 0
                bench.receive(wire.record(wire.HEAD, wire.LAST | more, 1, GENERATION, piece))
            bench.receive(Bench.head(2, path="/short"))
            await turns()
            self.assertEqual(seen, [("/long", 20), ("/short", 0)])
            self.assertEqual(bench.link._heads, {})

        with_bench(app, use)

    def test_pieces_of_a_body_that_arrive_together_are_one_event(self):
        seen = {}

        async def app(scope, receive, send):
            events = seen[scope["path"]] = [await receive()]
            while events[-1]["more_body"]:
                events.append(await receive())
            await hello(scope, receive, send)

        async def use(bench):
            bench.receive(
                Bench.head(1, 0, method="POST", path="/one"),
                Bench.head(2, 0, method="POST", path="/two"),
                Bench.record(wire.BODY, 0, 1, b"a" * 20_000),
                Bench.record(wire.BODY, 0, 2, b"b" * 20_000),
                Bench.record(wire.BODY, wire.LAST, 1, b"c" * 20_000),
                # Of a request that the worker does not have any more.
                Bench.record(wire.BODY, wire.LAST, 3, b"d"),
            )
            await turns()
            bench.receive(Bench.record(wire.BODY, wire.LAST, 2, b""))
            await turns()
            one = {"type": "http.request", "body": b"a" * 20_000 + b"c" * 20_000, "more_body": False}
            self.assertEqual(seen["/one"], [one])
            self.assertEqual([event["body"] for event in seen["/two"]], [b"b" * 20_000, b""])
            self.assertEqual([event["more_body"] for event in seen["/two"]], [True, False])

        with_bench(app, use)

    def test_after_a_large_read_what_comes_meanwhile_belongs_to_the_same_turn(self):
        seen = []

        async def app(scope, receive, send):
            seen.append(await receive())
            await hello(scope, receive, send)

        async def use(bench):
            most = wire.MOST_PAYLOAD_BYTES
            first = Bench.record(wire.BODY, 0, 1, b"a" * most)
            last = Bench.record(wire.BODY, wire.LAST, 1, b"b" * 5_000)
            bench.sock.coming = [last[:3], last[3:4_000], last[4_000:], Bench.head(2)[:20], b""]
            bench.receive(Bench.head(1, 0, method="POST"), first)
            await turns()
            whole = {"type": "http.request", "body": b"a" * most + b"b" * 5_000, "more_body": False}
            self.assertTrue(seen == [whole])
            self.assertEqual(bench.link._rest, 20)
            self.assertEqual(bench.sock.coming, [])

        with_bench(app, use)

    def test_a_turn_reads_no_more_than_its_buffer_holds(self):
        async def use(bench):
            piece = Bench.record(wire.BODY, 0, 9, b"x" * wire.MOST_PAYLOAD_BYTES)
            bench.sock.coming = [piece] * 100
            bench.receive(piece)
            taken = 100 - len(bench.sock.coming)
            self.assertEqual(taken, -(-link.READ_BYTES // len(piece)) - 1)
            self.assertEqual(bench.link._rest, 0)

        with_bench(hello, use)

    def test_a_record_for_a_request_that_has_ended_is_dropped(self):
        async def use(bench):
            bench.receive(Bench.head())
            await turns()
            for kind, payload in (
                (wire.BODY, b"late"),
                (wire.CREDIT, wire.U32.pack(5)),
                (wire.DISCONNECT, b""),
            ):
                bench.receive(Bench.record(kind, 0, 1, payload))
            self.assertEqual(len(bench.records()), 1)

        with_bench(hello, use)

    def test_a_refusal_of_a_request_that_has_ended_is_logged(self):
        async def use(bench):
            bench.receive(Bench.head())
            await turns()
            with self.assertLogs("ringcorn.error") as log:
                bench.receive(Bench.record(wire.REFUSED, 0, 1, b"no such field\0GET /a"))
            (line,) = (record.getMessage() for record in log.records)
            self.assertEqual(line, "The response to GET /a could not be sent: no such field")

        with_bench(hello, use)

    def test_trailers_of_a_request(self):
        seen = []

        async def app(scope, receive, send):
            seen.append(await receive())
            await hello(scope, receive, send)

        async def use(bench):
            fields = marshal.dumps([(b"x-sum", b"1")], 2)
            bench.receive(
                Bench.head(1, 0, method="POST"),
                Bench.record(wire.BODY, wire.TRAILERS, 1, fields),
                Bench.record(wire.BODY, wire.LAST, 1),
            )
            await turns()
            self.assertEqual(seen[0]["trailers"], [(b"x-sum", b"1")])

        with_bench(app, use)


class Writing(unittest.TestCase):
    def test_answers_of_one_turn_leave_in_one_write(self):
        async def use(bench):
            bench.receive(*(Bench.head(number + 1) for number in range(20)))
            await turns()
            self.assertEqual((len(bench.records()), bench.sock.writes), (20, 1))

        with_bench(hello, use)

    def test_they_leave_before_the_loop_looks_for_events_again(self):
        """One more turn for each answer would be one more system call for each."""
        order = []

        async def app(scope, receive, send):
            await hello(scope, receive, send)
            asyncio.get_running_loop().call_soon(order.append, "next turn")

        async def use(bench):
            send = bench.sock.send

            def noted(data):
                order.append("written")
                return send(data)

            bench.sock.send = noted
            bench.receive(Bench.head())
            await turns()
            self.assertEqual(order, ["written", "next turn"])

        with_bench(app, use)

    def test_a_full_stream_holds_answers_back_and_nothing_is_lost(self):
        async def use(bench):
            sent = []
            bench.loop = asyncio.get_running_loop()
            room = [10]

            def send(data):
                if room[0] == 0:
                    raise BlockingIOError
                taken = data[: room[0]]
                room[0] -= len(taken)
                sent.append(bytes(taken))
                return len(taken)

            bench.sock.send = send
            bench.outlet._watch = lambda: None
            for number in range(5):
                bench.receive(Bench.head(number + 1, path=f"/{number}"))
                await turns(3)
            self.assertTrue(bench.outlet.blocked)
            self.assertEqual(b"".join(sent), wire.record(wire.RESPONSE, 1, 1, GENERATION, b"x" * 8)[:10])
            room[0] = 1 << 20
            bench.outlet.write()
            found, used = wire.records(b"".join(sent))
            self.assertEqual([rid for _, _, rid, _, _ in found], [1, 2, 3, 4, 5])
            self.assertEqual(used, len(b"".join(sent)))
            self.assertFalse(bench.outlet.blocked)

        with_bench(hello, use)

    def test_a_thread_that_fills_the_stream_while_it_ceases_to_be_watched(self):
        class Stream:
            """Takes what it is told to."""

            def __init__(self):
                self.data = b""
                self.takes = 0

            def send(self, data):
                if not self.takes:
                    raise BlockingIOError
                self.data += data
                return len(data)

            def fileno(self):
                return -1

        class Loop:
            """In the middle of `remove_writer` a thread has its turn."""

            watched = None
            thread = None

            def add_writer(self, _, call):
                self.watched = call

            def remove_writer(self, _):
                self.watched = None
                if self.thread is not None:
                    self.thread()

            def call_soon_threadsafe(self, call):
                call()

        loop = Loop()
        stream = Stream()
        outlet = link.Outlet(loop, stream)

        def full():
            loop.thread = None
            stream.takes = 0
            thread = threading.Thread(target=outlet.put_now, args=(b"two",))
            thread.start()
            thread.join()

        outlet.put_now(b"one")
        loop.thread = full
        stream.takes = 1
        loop.watched()
        self.assertEqual((stream.data, outlet.blocked), (b"one", True))
        stream.takes = 1
        loop.watched()
        self.assertEqual((stream.data, outlet.blocked, loop.watched), (b"onetwo", False, None))

    def test_control_records_overtake(self):
        async def use(bench):
            bench.outlet.put(Bench.record(wire.RESPONSE))
            bench.outlet.put_control(Bench.record(wire.RESPONSE_CREDIT))
            await turns()
            self.assertEqual([kind for kind, *_ in bench.records()], [wire.RESPONSE_CREDIT, wire.RESPONSE])

        with_bench(hello, use)


if __name__ == "__main__":
    unittest.main()
