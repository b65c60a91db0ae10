"""What a request's task must be to an application, on every event loop: the contract for eager starts too."""

import asyncio
import contextvars
import sys
import time
import unittest

from support import START, Bench, has, loops, response, run, turns, wire

HELD = contextvars.ContextVar("HELD", default=None)


async def answer(send, body=b""):
    await send(START)
    await send({"type": "http.response.body", "body": body})


class Contract:
    """Each of these on each loop."""

    def new_loop(self):
        raise NotImplementedError

    def use(self, app, use):
        async def go():
            await use(Bench(asyncio.get_running_loop(), app))

        run(go(), self.new_loop)

    def serve(self, app, count=1, state=None):
        """The bodies of the answers to as many requests, that arrive together."""
        bodies = {}

        async def use(bench):
            bench.state.update(state or {})
            bench.receive(*(Bench.head(number + 1, path=f"/{number}") for number in range(count)))
            while bench.requests:
                await asyncio.sleep(0.001)
            await turns(2)
            for kind, _, rid, payload in bench.records():
                self.assertEqual(kind, wire.RESPONSE)
                bodies[rid] = response(payload)[2]

        self.use(app, use)
        return [bodies[number + 1] for number in range(count)]

    def test_context_variables_are_each_requests_own(self):
        seen = []

        async def app(scope, receive, send):
            seen.append(HELD.get())
            HELD.set(scope["path"])
            if scope["path"] != "/1":
                await asyncio.sleep(0)
            await answer(send, HELD.get().encode())

        self.assertEqual(self.serve(app, 40), [b"/%d" % number for number in range(40)])
        self.assertEqual(set(seen), {None})
        self.assertIsNone(HELD.get())

    def test_current_task_is_one_and_the_same(self):
        tasks = []

        async def app(scope, receive, send):
            before = asyncio.current_task()
            self.assertIsInstance(before, asyncio.Task)
            self.assertIn(before, asyncio.all_tasks())
            await answer(send)
            self.assertIs(asyncio.current_task(), before)
            await asyncio.sleep(0)
            self.assertIs(asyncio.current_task(), before)
            tasks.append(before)

        self.serve(app, 3)
        self.assertEqual(len({id(task) for task in tasks}), 3)

    def test_the_reading_turn_has_no_current_task_afterwards(self):
        async def app(scope, receive, send):
            await answer(send)

        async def use(bench):
            here = asyncio.current_task()
            bench.receive(Bench.head())
            self.assertIs(asyncio.current_task(), here)

        self.use(app, use)

    def test_wait_for(self):
        async def app(scope, receive, send):
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.sleep(60), 0.01)
            await answer(send, b"ok")

        self.assertEqual(self.serve(app), [b"ok"])

    @unittest.skipIf(sys.version_info < (3, 11), "asyncio.timeout came with 3.11")
    def test_timeout_before_and_after_the_first_await(self):
        async def app(scope, receive, send):
            for first in (0, 0.001):
                with self.assertRaises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await asyncio.sleep(first)
                        await asyncio.sleep(60)
            self.assertEqual(asyncio.current_task().cancelling(), 0)
            await answer(send, b"ok")

        self.assertEqual(self.serve(app), [b"ok"])

    @unittest.skipIf(sys.version_info < (3, 11), "TaskGroup came with 3.11")
    def test_task_groups(self):
        async def app(scope, receive, send):
            async def one(number):
                await asyncio.sleep(0)
                return number

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(number)) for number in range(3)]
            with self.assertRaises(BaseExceptionGroup):  # noqa: F821 (came with 3.11)
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(60))
                    raise ValueError
            await answer(send, b"%d" % sum(task.result() for task in tasks))

        self.assertEqual(self.serve(app, 2), [b"3", b"3"])

    def test_an_application_may_cancel_its_own_task(self):
        async def app(scope, receive, send):
            asyncio.current_task().cancel()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if sys.version_info >= (3, 11):
                    asyncio.current_task().uncancel()
                await answer(send, b"ok")

        self.assertEqual(self.serve(app), [b"ok"])

    def test_a_task_that_waits_is_kept(self):
        import gc

        async def app(scope, receive, send):
            # Only this frame knows the future.
            await asyncio.get_running_loop().create_future()

        async def use(bench):
            bench.receive(Bench.head())
            await turns()
            gc.collect()
            (request,) = bench.requests.values()
            self.assertFalse(request.task.done())
            request.task.cancel()
            with self.assertLogs("ringcorn.error"):
                await turns()
            self.assertEqual(bench.requests, {})

        self.use(app, use)

    def test_background_tasks_outlive_the_request(self):
        done = []

        async def app(scope, receive, send):
            async def later():
                await asyncio.sleep(0.01)
                done.append(HELD.get())

            HELD.set("mine")
            app.task = asyncio.ensure_future(later())
            await answer(send, b"ok")

        async def use(bench):
            bench.receive(Bench.head())
            await turns()
            self.assertEqual(bench.requests, {})
            await app.task
            self.assertEqual(done, ["mine"])

        self.use(app, use)

    def test_work_behind_the_answer_goes_on(self):
        done = []

        async def app(scope, receive, send):
            await answer(send, b"ok")
            await asyncio.sleep(0.01)
            done.append(await receive())

        self.assertEqual(self.serve(app), [b"ok"])
        self.assertEqual(done, [{"type": "http.disconnect"}])

    def test_the_applications_own_task_factory_is_used(self):
        made = []

        async def app(scope, receive, send):
            self.assertIn(asyncio.current_task(), made)
            await answer(send, b"ok")

        async def use(bench):
            def factory(loop, coroutine, **more):
                made.append(asyncio.Task(coroutine, loop=loop, **more))
                return made[-1]

            bench.loop.set_task_factory(factory)
            bench.receive(Bench.head())
            bench.loop.set_task_factory(None)
            await turns()
            self.assertEqual((len(made), len(bench.records())), (1, 1))

        self.use(app, use)

    def test_a_synchronous_stretch_yields_to_what_arrives(self):
        """No more than 5 ms or 32 applications run before the loop may read again."""
        started = []

        async def app(scope, receive, send):
            started.append(scope["path"])
            time.sleep(0.002)
            await answer(send)

        async def use(bench):
            bench.receive(*(Bench.head(number + 1) for number in range(100)))
            inside = len(started)
            self.assertLessEqual(inside, 1 + loops.START_SECONDS / 0.002)
            while bench.requests:
                await asyncio.sleep(0)
            self.assertEqual(len(started), 100)

        self.use(app, use)

    def test_so_many_are_started_at_once_at_most(self):
        started = []

        async def app(scope, receive, send):
            started.append(scope["path"])
            await answer(send)

        async def use(bench):
            bench.receive(*(Bench.head(number + 1) for number in range(100)))
            self.assertLessEqual(len(started), loops.MOST_EAGER)
            await turns()
            self.assertEqual(len(bench.records()), 100)

        self.use(app, use)

    @unittest.skipUnless(has("anyio"), "anyio is not installed")
    def test_anyio(self):
        import anyio

        async def app(scope, receive, send):
            with anyio.move_on_after(0.01) as scope_one:
                await anyio.sleep(60)
            self.assertTrue(scope_one.cancelled_caught)
            with anyio.CancelScope() as scope_two:
                scope_two.cancel()
                await anyio.sleep(60)
            self.assertTrue(scope_two.cancelled_caught)
            found = []
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 60)
                found.append(await anyio.to_thread.run_sync(lambda: HELD.get()))
                group.cancel_scope.cancel()
            with anyio.fail_after(5):
                await anyio.lowlevel.checkpoint()
            self.assertEqual(anyio.get_current_task().id, id(asyncio.current_task()))
            await answer(send, str(found).encode())

        self.assertEqual(self.serve(app, 3), [b"[None]"] * 3)


class Asyncio(Contract, unittest.TestCase):
    def new_loop(self):
        return loops.new_loop("asyncio")[0]


@unittest.skipUnless(has("uvloop"), "uvloop is not installed")
class Uvloop(Contract, unittest.TestCase):
    def new_loop(self):
        return loops.new_loop("uvloop")[0]


if __name__ == "__main__":
    unittest.main()
