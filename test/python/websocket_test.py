"""The ASGI contract of a WebSocket, without a process."""

import asyncio
import contextvars
import unittest

from support import Bench, response, run, turns, websocket, wire

ACCEPT = {"type": "websocket.accept"}
HELD = contextvars.ContextVar("HELD", default=None)


def with_app(app, use):
    async def go():
        bench = Bench(asyncio.get_running_loop(), app)
        await use(bench)

    run(go())


def message(data, flags=0, request_id=1):
    if isinstance(data, str):
        return Bench.record(wire.WS_MESSAGE, flags | wire.TEXT, request_id, data.encode())
    return Bench.record(wire.WS_MESSAGE, flags, request_id, data)


def closed(code, reason="", request_id=1):
    return Bench.record(wire.WS_CLOSED, 0, request_id, wire.U16.pack(code) + reason.encode())


def credit(count, request_id=1):
    return Bench.record(wire.CREDIT, 0, request_id, wire.U32.pack(count))


def sent(bench, kind=wire.WS_SEND):
    return [payload for each, _, _, payload in bench.records() if each == kind]


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


class Ends(unittest.TestCase):
    def test_the_peers_end_is_told_behind_its_messages_and_again(self):
        got = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            got.extend([await receive() for _ in range(3)])
            try:
                await send({"type": "websocket.send", "text": "late"})
            except OSError as error:
                got.append(type(error).__name__)
            await send({"type": "websocket.close"})

        async def use(bench):
            bench.socket()
            await turns()
            bench.receive(message("a"), closed(4001, "bye"))
            await turns()
            end = {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
            self.assertEqual(got[1:], [end, end, "ClientDisconnected"])
            self.assertEqual([kind for kind, *_ in bench.records()], [wire.WS_ACCEPT, wire.DONE])

        with_app(app, use)

    def test_a_sender_that_waits_for_credit_is_told(self):
        got = []

        async def app(scope, receive, send):
            await send(ACCEPT)
            try:
                while True:
                    await send({"type": "websocket.send", "bytes": bytes(50_000)})
            except OSError:
                got.append("told")

        async def use(bench):
            bench.socket()
            await turns()
            self.assertEqual(got, [])
            bench.receive(Bench.record(wire.DISCONNECT, wire.GONE))
            await turns()
            self.assertEqual(got, ["told"])

        with_app(app, use)

    def test_an_application_that_lets_the_end_through_has_not_failed(self):
        class WebSocketDisconnect(Exception):
            pass

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            if (await receive())["type"] == "websocket.disconnect":
                raise WebSocketDisconnect

        async def use(bench):
            bench.socket()
            bench.receive(closed(1001))
            with self.assertNoLogs("ringcorn.error"):
                await turns()
            self.assertEqual(bench.records()[-1][:2], (wire.DONE, 0))

        if hasattr(self, "assertNoLogs"):
            with_app(app, use)

    def test_of_the_application(self):
        async def returns(scope, receive, send):
            await send(ACCEPT)

        async def raises(scope, receive, send):
            raise ValueError("no")

        async def closes(scope, receive, send):
            await send(ACCEPT)
            await send({"type": "websocket.close", "code": 4002, "reason": "ü" * 100})
            await send({"type": "websocket.close"})
            try:
                await send({"type": "websocket.send", "text": "late"})
            except OSError:
                await send({"type": "websocket.close"})

        async def refuses(scope, receive, send):
            await send({"type": "websocket.close"})

        cut = wire.U16.pack(4002) + ("ü" * 61).encode()
        wanted = {
            returns: [(wire.WS_ACCEPT, 0, b"\0\0\0\0"), (wire.DONE, 0, b"")],
            raises: [(wire.DONE, wire.RAISED, b"ValueError: no")],
            closes: [(wire.WS_ACCEPT, 0, b"\0\0\0\0"), (wire.WS_CLOSE, 0, cut), (wire.DONE, 0, b"")],
            refuses: [(wire.WS_CLOSE, 0, wire.U16.pack(1000)), (wire.DONE, 0, b"")],
        }
        for app, records in wanted.items():

            async def use(bench, records=records):
                bench.socket()
                await turns()
                found = [(kind, flags, payload) for kind, flags, _, payload in bench.records()]
                self.assertEqual(found, records)
                self.assertEqual(bench.requests, {})

            with self.subTest(app.__name__):
                if app is raises:
                    with self.assertLogs("ringcorn.error"):
                        with_app(app, use)
                else:
                    with_app(app, use)

    def test_the_fronts_end_is_1006(self):
        got = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            got.append(await receive())

        async def use(bench):
            socket = bench.socket()
            await turns()
            bench.outlet.dead = True
            socket.disconnect(wire.GONE)
            await turns()
            self.assertEqual(got[0]["code"], 1006)

        with_app(app, use)


class Order(unittest.TestCase):
    def test_events_out_of_order_are_refused(self):
        async def app(scope, receive, send):
            for event in (
                {"type": "websocket.send", "text": "early"},
                {"type": "http.response.start", "status": 200},
                {"type": "websocket.http.response.body"},
                {**ACCEPT, "subprotocol": "other"},
                {**ACCEPT, "headers": [("a", "b")]},
                ACCEPT,
                ACCEPT,
                {"type": "websocket.http.response.start", "status": 200},
                {"type": "websocket.send"},
                {"type": "websocket.send", "text": "a", "bytes": b"b"},
                {"type": "websocket.send", "text": 1},
                {"type": "websocket.close", "code": 1006},
                {"type": "websocket.close", "code": 1000, "reason": 1},
            ):
                try:
                    await send(event)
                    said.append("taken")
                except (RuntimeError, wire.FieldError):
                    said.append("refused")

        said = []

        async def use(bench):
            bench.socket(subprotocols=["one"])
            await turns()
            self.assertEqual(said, ["refused"] * 5 + ["taken"] + ["refused"] * 7)

        with_app(app, use)

    def test_a_subprotocol_and_fields(self):
        async def app(scope, receive, send):
            await send({**ACCEPT, "subprotocol": "two", "headers": [(b"x-own", b"yes")]})

        async def use(bench):
            bench.socket(subprotocols=["one", "two"])
            await turns()
            self.assertEqual(sent(bench, wire.WS_ACCEPT), [b"\3\0\1\0twox-own\0yes"])

        with_app(app, use)

    def test_a_denial_is_a_response(self):
        async def app(scope, receive, send):
            start = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"a", b"b")]}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": b"who", "more_body": True})
            await send({"type": "websocket.http.response.body", "body": b"?"})

        async def use(bench):
            bench.socket()
            await turns()
            first, second, done = bench.records()
            self.assertEqual(response(first[3]), (401, [(b"a", b"b")], b"who"))
            self.assertEqual((second[0], second[1], second[3]), (wire.RESPONSE_BODY, wire.LAST, b"?"))
            self.assertEqual(done[:2], (wire.DONE, 0))

        with_app(app, use)

    def test_half_a_denial_is_a_failure(self):
        async def app(scope, receive, send):
            await send({"type": "websocket.http.response.start", "status": 401, "headers": []})

        async def use(bench):
            bench.socket()
            await turns()
            self.assertEqual([record[:2] for record in bench.records()], [(wire.DONE, wire.RAISED)])

        with self.assertLogs("ringcorn.error"):
            with_app(app, use)

    def test_what_the_front_refuses_is_raised_by_the_next_send(self):
        got = []

        async def app(scope, receive, send):
            await send({**ACCEPT, "headers": [(b"a", b"\n")]})
            got.append(await receive())
            got.append(await receive())
            try:
                await send({"type": "websocket.send", "text": "a"})
            except RuntimeError as error:
                got.append(str(error))

        async def use(bench):
            bench.socket()
            await turns()
            bench.receive(Bench.record(wire.REFUSED, 0, 1, b"bad value\0WebSocket /"))
            await turns()
            self.assertEqual([got[1]["type"], got[2]], ["websocket.disconnect", "bad value"])

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
