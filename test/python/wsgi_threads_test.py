"""When WSGI requests get a thread, and when their answers leave."""

import sys
import threading
import time
import unittest

from support import response, wire
from wsgi_support import Silence, Site, hello


def wait_for(found):
    deadline = time.monotonic() + 10
    while not found():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.001)


class Threads(unittest.TestCase):
    def test_requests_that_wait_for_each_other_run_at_the_same_time(self):
        for count in (2, 5, 16):
            meeting = threading.Barrier(count, timeout=10)

            def app(environ, start_response, meeting=meeting):
                meeting.wait()
                return hello(environ, start_response)

            site = Site(app, count)
            for number in range(count):
                site.start(request_id=number + 1)
            self.assertEqual(len(site.finish()), count)

    def test_one_thread_runs_all_in_their_order(self):
        seen = []

        def app(environ, start_response):
            seen.append((threading.current_thread().name, environ["PATH_INFO"]))
            return hello(environ, start_response)

        site = Site(app, 1)
        for number in range(50):
            site.start(request_id=number + 1, path=f"/{number}")
        records = site.finish()
        self.assertEqual([rid for _, _, rid, _ in records], list(range(1, 51)))
        self.assertEqual(seen, [("ringcorn-wsgi-0", f"/{number}") for number in range(50)])

    def test_requests_that_come_later_find_a_thread(self):
        site = Site(hello, 2)
        for number in range(300):
            site.start(request_id=number + 1)
            if number % 7 == 0:
                site.finish()
        self.assertEqual(len(site.finish()), 300)


class Leaving(unittest.TestCase):
    def setUp(self):
        self.go = threading.Event()
        self.addCleanup(self.go.set)

    def waiting(self, environ, start_response):
        """The first request waits until all have come, one to /wait until the test is over."""
        if environ["PATH_INFO"] in ("/first", "/wait"):
            (self.gate if environ["PATH_INFO"] == "/first" else self.go).wait(10)
        return hello(environ, start_response)

    def site(self, count=1):
        self.gate = threading.Event()
        site = Site(self.waiting, count)
        site.start(path="/first")
        return site

    @unittest.skipUnless(getattr(sys, "_is_gil_enabled", lambda: True)(), "threads don't take turns")
    def test_answers_that_follow_each_other_leave_together(self):
        site = self.site()
        for number in range(2, 42):
            site.start(request_id=number)
        self.gate.set()
        self.assertEqual(len(site.finish()), 41)
        # Three by number; time, and threads that change places, may make it more.
        self.assertLess(site.bench.sock.writes, 41)

    def test_an_answer_leaves_while_the_next_application_waits(self):
        for count in (1, 4):
            site = self.site(count)
            site.start(request_id=2)
            site.start(request_id=3, path="/wait")
            self.gate.set()
            wait_for(lambda site=site: len(site.bench.records()) == 2)
            self.assertEqual(sorted(rid for _, _, rid, _ in site.bench.records()), [1, 2])
            self.go.set()
            self.assertEqual(len(site.finish()), 3)
            self.go.clear()

    def test_a_body_of_the_announced_length_needs_no_second_record(self):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "10")])
            yield b"hello"
            yield b"world"
            yield b""

        site = Site(app)
        site.start()
        kinds = [(kind, flags, payload[-5:]) for kind, flags, _, payload in site.finish()]
        self.assertEqual(kinds, [(wire.RESPONSE, 0, b"hello"), (wire.RESPONSE_BODY, wire.LAST, b"world")])

    def test_more_than_the_announced_length_harms_only_its_own_application(self):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "5")])
            yield b"hello"
            yield b"more"

        site = Site(app)
        with Silence() as log:
            site.start()
            ((kind, flags, _, payload),) = site.finish()
        self.assertEqual((kind, flags, response(payload)[2]), (wire.RESPONSE, wire.LAST, b"hello"))
        self.assertEqual(log.lines, ["Exception in WSGI application"])


if __name__ == "__main__":
    unittest.main()
