"""The ASGI contract of a WebSocket, without a process: its messages, their credit, its tasks."""

import asyncio
import contextvars
import unittest

from socket_support import ACCEPT, closed, credit, message, sent
from support import turns, websocket, wire, with_app

HELD = contextvars.ContextVar("HELD", default=None)


async def echo(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    await send(ACCEPT)
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        await send({**event, "type": "websocket.send"})


class Messages(unittest.TestCase):
    def test_come_back_as_they_were(self):
        async def use(bench):
            bench.socket()
            await turns()
            bench.receive(message("grüße"), message(b"\0\xff"), message(""))
            await turns()
            records = [(kind, flags, payload) for kind, flags, _, payload in bench.records()]
            wanted = [
                (wire.WS_ACCEPT, 0, b"\0\0\0\0"),
                (wire.WS_SEND, wire.TEXT, "grüße".encode()),
                (wire.WS_SEND, 0, b"\0\xff"),
                (wire.WS_SEND, wire.TEXT, b""),
            ]
            self.assertEqual(records, wanted)
            bench.receive(closed(1000))
            await turns()

        with_app(echo, use)

    def test_of_one_turn_are_answered_in_one_write(self):
        async def use(bench):
            for request_id in range(1, 21):
                bench.socket(request_id)
            await turns()
            before = bench.sock.writes
            bench.receive(*(message("a", 0, request_id) for request_id in range(1, 21)))
            await turns()
            self.assertEqual(len(sent(bench)), 20)
            self.assertEqual(bench.sock.writes - before, 1)
            bench.receive(*(closed(1000, "", request_id) for request_id in range(1, 21)))
            await turns()

        with_app(echo, use)

    def test_parts_are_one_message(self):
        events = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            events.append(await receive())
            events.append(await receive())

        async def use(bench):
            bench.socket()
            bench.receive(message("gr", wire.MORE), message("üß", wire.MORE))
            await turns()
            self.assertEqual(events, [])
            bench.receive(message("e"), message(b"b"))
            await turns()
            self.assertEqual([events[0]["text"], events[1]["bytes"]], ["grüße", b"b"])
            self.assertEqual([events[0]["bytes"], events[1]["text"]], [None, None])

        with_app(app, use)

    def test_parts_are_moved_together_only_within_one_message(self):
        events = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            for _ in range(4):
                events.append((await receive())["bytes"])

        async def use(bench):
            bench.socket()
            parts = [
                message(b"a" * 60_000, wire.MORE),
                message(b"", wire.MORE),
                message(b"b" * 50_000, wire.MORE),
                message(b"c"),
                message(b"alone"),
                message(b"d", wire.MORE),
                # Of a WebSocket that the worker does not have any more.
                message(b"other", wire.MORE, 9),
                message(b"e"),
                message(b"f", wire.MORE),
            ]
            bench.receive(*parts)
            bench.receive(message(b"g"))
            await turns()
            self.assertEqual(events, [b"a" * 60_000 + b"b" * 50_000 + b"c", b"alone", b"de", b"fg"])
            # Each record is paid for.
            first = sent(bench, wire.RESPONSE_CREDIT)[0]
            self.assertEqual(wire.U32.unpack(first)[0], 110_001 + 4 * 64)

        with_app(app, use)

    def test_a_large_one_goes_in_parts_as_credit_allows(self):
        done = []

        async def app(scope, receive, send):
            await send(ACCEPT)
            await send({"type": "websocket.send", "bytes": bytes(500_000)})
            done.append(True)

        async def use(bench):
            bench.socket()
            await turns()
            first = sent(bench)
            size = sum(map(len, first)) + websocket.ENTRY_BYTES * len(first)
            self.assertGreaterEqual(size, wire.WINDOW_BYTES)
            self.assertLess(size, wire.WINDOW_BYTES + wire.MOST_PAYLOAD_BYTES + websocket.ENTRY_BYTES)
            self.assertEqual(done, [])
            bench.receive(credit(size))
            await turns()
            self.assertEqual(sum(map(len, sent(bench))), 500_000)
            flags = [flags for kind, flags, _, _ in bench.records() if kind == wire.WS_SEND]
            self.assertEqual(flags, [wire.MORE] * (len(flags) - 1) + [0])
            self.assertEqual(done, [True])

        with_app(app, use)

    def test_tasks_that_send_at_once_do_not_tear_each_others_messages(self):
        async def app(scope, receive, send):
            await send(ACCEPT)
            tasks = [
                asyncio.create_task(send({"type": "websocket.send", "bytes": bytes([which]) * 200_000}))
                for which in (1, 2, 3)
            ]
            tasks[1].cancel()
            await asyncio.wait(tasks)

        async def use(bench):
            bench.socket()
            for _ in range(5):
                await turns()
                bench.receive(credit(150_000))
            await turns()
            whole = b"".join(sent(bench))
            self.assertEqual([whole[at] for at in range(0, len(whole), 200_000)], [1, 3])
            self.assertEqual(whole, b"\1" * 200_000 + b"\3" * 200_000)

        with_app(app, use)

    def test_one_whose_sender_is_cancelled_half_way_still_leaves_whole(self):
        async def app(scope, receive, send):
            await send(ACCEPT)
            task = asyncio.create_task(send({"type": "websocket.send", "bytes": bytes(400_000)}))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            await send({"type": "websocket.send", "text": "behind"})

        async def use(bench):
            bench.socket()
            await turns(10)
            bench.receive(credit(wire.WINDOW_BYTES))
            await turns(10)
            payloads = sent(bench)
            self.assertEqual(payloads.pop(), b"behind")
            self.assertEqual(sum(map(len, payloads)), 400_000)

        with_app(app, use)

    def test_what_is_sent_is_taken_as_it_is_now(self):
        async def app(scope, receive, send):
            await send(ACCEPT)
            data = bytearray(b"a" * 5000)
            await send({"type": "websocket.send", "bytes": data})
            data[:] = b"b" * 5000
            await send({"type": "websocket.send", "bytes": memoryview(data)})

        async def use(bench):
            bench.socket()
            await turns()
            self.assertEqual(sent(bench), [b"a" * 5000, b"b" * 5000])

        with_app(app, use)


class Credit(unittest.TestCase):
    def test_is_given_back_for_what_the_application_has_received(self):
        gate = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            gate.append(asyncio.Event())
            await gate[0].wait()
            for _ in range(3):
                await receive()

        async def use(bench):
            bench.socket()
            await turns()
            bench.receive(*(message(bytes(30_000)) for _ in range(3)))
            await turns()
            self.assertEqual(sent(bench, wire.RESPONSE_CREDIT), [])
            gate[0].set()
            await turns()
            wanted = 3 * (30_000 + websocket.ENTRY_BYTES)
            self.assertEqual(sent(bench, wire.RESPONSE_CREDIT), [wire.U32.pack(wanted)])

        with_app(app, use)

    def test_parts_of_a_message_larger_than_the_window_are_paid_once_nothing_waits_before_it(self):
        gate = []
        got = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            gate.append(asyncio.Event())
            await gate[0].wait()
            for _ in range(2):
                got.append(len((await receive())["bytes"]))

        async def use(bench):
            bench.socket()
            await turns()
            part = bytes(60_000)
            bench.receive(message(b"before"), *(message(part, wire.MORE) for _ in range(4)))
            await turns()
            self.assertEqual(sent(bench, wire.RESPONSE_CREDIT), [])
            gate[0].set()
            await turns()
            self.assertEqual(sent(bench, wire.RESPONSE_CREDIT), [wire.U32.pack(4 * (60_000 + websocket.ENTRY_BYTES))])
            bench.receive(message(part))
            await turns()
            self.assertEqual(got, [6, 300_000])

        with_app(app, use)


class Tasks(unittest.TestCase):
    def test_each_socket_has_its_task_and_its_context(self):
        seen = []

        async def app(scope, receive, send):
            seen.append((HELD.get(), asyncio.current_task()))
            HELD.set("mine")
            await send(ACCEPT)
            await receive()
            await receive()
            seen.append((HELD.get(), asyncio.current_task()))

        async def use(bench):
            bench.socket(1)
            bench.socket(2)
            await turns()
            bench.receive(message("a"), message("a", 0, 2))
            await turns()
            self.assertEqual([held for held, _ in seen], [None, None, "mine", "mine"])
            self.assertEqual([task for _, task in seen[:2]], [task for _, task in seen[2:]])
            self.assertIsNot(seen[0][1], seen[1][1])

        with_app(app, use)

    def test_a_receive_that_is_cancelled_loses_nothing(self):
        got = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            for _ in range(3):
                try:
                    await asyncio.wait_for(receive(), 0.001)
                except asyncio.TimeoutError:
                    got.append("late")
            got.append((await receive())["text"])

        async def use(bench):
            bench.socket()
            while len(got) < 3:
                await asyncio.sleep(0.001)
            bench.receive(message("kept"))
            await turns()
            self.assertEqual(got, ["late"] * 3 + ["kept"])

        with_app(app, use)

    def test_two_tasks_that_receive_get_a_message_each(self):
        got = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)

            async def one():
                got.append((await receive())["text"])

            await asyncio.gather(one(), one())
            got.append((await receive())["code"])

        async def use(bench):
            bench.socket()
            await turns()
            bench.receive(message("a"))
            await turns()
            self.assertEqual(got, ["a"])
            bench.receive(message("b"), closed(1000))
            await turns()
            self.assertEqual(got, ["a", "b", 1000])

        with_app(app, use)


if __name__ == "__main__":
    unittest.main()
