"""WSGI applications on the pool's threads: PEP 3333, as wsgiref.validate sees it."""

import io
import os
import sys
import tempfile
import threading
import time
import unittest
from wsgiref.validate import validator

from support import Speechless, wire
from wsgi_support import Silence, Site, hello


class Validate(unittest.TestCase):
    def serve(self, app, flags=wire.LAST, pieces=(), **parts):
        site = Site(validator(app))
        request = site.start(flags, **parts)
        for piece, last in pieces:
            request.body(wire.LAST if last else 0, piece)
        return site.whole()

    def test_a_list(self):
        wanted = (200, [(b"Content-Type", b"text/plain")], b"hello")
        self.assertEqual(self.serve(hello), wanted)

    def test_a_generator_and_its_close(self):
        closed = []

        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            try:
                yield b"a"
                yield b""
                yield b"b"
            finally:
                closed.append(True)

        self.assertEqual(self.serve(app)[2], b"ab")
        self.assertEqual(closed, [True])

    def test_write(self):
        def app(environ, start_response):
            write = start_response("200 OK", [("Content-Type", "text/plain")])
            write(b"first ")
            return [b"second"]

        self.assertEqual(self.serve(app)[2], b"first second")

    def test_input_is_streamed(self):
        def app(environ, start_response):
            lines = [environ["wsgi.input"].readline()]
            lines += [environ["wsgi.input"].read(3), environ["wsgi.input"].read(-1)]
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"|".join(lines)]

        pieces = [(b"one\ntw", False), (b"o thr", False), (b"ee", True)]
        found = self.serve(app, 0, pieces, method="POST")
        self.assertEqual(found[2], b"one\n|two| three")

    def test_environ(self):
        seen = {}

        def app(environ, start_response):
            seen.update(environ)
            return hello(environ, start_response)

        headers = [
            (b"host", b"example.org"),
            (b"content-type", b"text/plain"),
            (b"x-one", b"1"),
            (b"x-one", b"2"),
            (b"x_two", b"forged"),
            (b"cookie", b"a=1"),
            (b"cookie", b"b=2"),
        ]
        self.serve(app, headers=headers, path="/app/caf\u00e9", query=b"q=1", root_path="/app")
        self.assertEqual(seen["SCRIPT_NAME"], "/app")
        self.assertEqual(seen["PATH_INFO"], "/caf\u00c3\u00a9")
        self.assertEqual(seen["QUERY_STRING"], "q=1")
        self.assertEqual(seen["CONTENT_TYPE"], "text/plain")
        self.assertEqual(seen["HTTP_X_ONE"], "1,2")
        self.assertEqual(seen["HTTP_COOKIE"], "a=1; b=2")
        self.assertEqual(seen["SERVER_PORT"], "8000")
        self.assertEqual(seen["REMOTE_ADDR"], "127.0.0.1")
        self.assertNotIn("HTTP_X_TWO", seen)

    def test_the_bytes_of_a_path_that_is_no_text(self):
        seen = []

        def app(environ, start_response):
            seen.append(environ["PATH_INFO"])
            return hello(environ, start_response)

        self.serve(app, path="/caf\ufffd a", raw_path=b"/caf%E9%20a")
        self.serve(app, path="/app/caf\ufffd", raw_path=b"/app/caf%e9", root_path="/app")
        self.serve(app, path="/\ufffd", raw_path=b"/%EF%BF%BD")
        self.assertEqual(seen, ["/caf\u00e9 a", "/caf\u00e9", "/\u00ef\u00bf\u00bd"])


class Responses(unittest.TestCase):
    def test_a_refusal_is_raised_by_the_next_block(self):
        caught = []
        go = threading.Event()

        def app(environ, start_response):
            write = start_response("200 OK", [])
            write(b"begun")
            go.wait(10)
            try:
                write(b"more")
            except RuntimeError as error:
                caught.append(str(error))
            return []

        site = Site(app)
        with self.assertLogs("ringcorn.error"):
            request = site.start()
            while not request._head_sent:
                time.sleep(0.001)
            request.refused(b"no such field\0GET /")
            go.set()
            site.finish()
        self.assertEqual(caught, ["no such field"])

    def test_statuses(self):
        for status in ("20", "2000 OK", "099 No", "100 Continue", "600 No", "\u0662\u0660\u0660 OK", 200, None):
            with self.subTest(status):
                site = Site(lambda _, start_response, status=status: start_response(status, []) and [b""])
                with self.assertLogs("ringcorn.error"):
                    site.start()
                    self.assertEqual(site.finish()[0][0], wire.DONE)

    def test_bad_headers(self):
        for headers in ([("a", b"b")], [(b"a", "b")], [("a", "\u20ac")], [("a", None)], [("a", "b\0c")], [("a",)]):
            with self.subTest(headers):
                site = Site(lambda _, start_response, headers=headers: start_response("200 OK", headers) and [b""])
                with self.assertLogs("ringcorn.error"):
                    site.start()
                    self.assertEqual(site.finish()[0][0], wire.DONE)

    def test_exc_info_after_the_head_has_left_is_raised(self):
        caught = []

        def app(environ, start_response):
            write = start_response("200 OK", [])
            write(b"begun")
            try:
                raise ValueError("late")
            except ValueError:
                try:
                    start_response("500 Oops", [], sys.exc_info())
                except ValueError as error:
                    caught.append(str(error))
            return []

        site = Site(app)
        site.start()
        self.assertEqual((site.whole(), caught), ((200, [], b"begun"), ["late"]))

    def test_a_body_shorter_than_its_length_is_told(self):
        for result in ([b"12"], [b"1", b"2"], []):
            with self.subTest(result):

                def app(environ, start_response, result=result):
                    start_response("200 OK", [("Content-Length", "3")])
                    return result

                site = Site(app)
                with self.assertLogs("ringcorn.error"):
                    site.start()
                    self.assertEqual(site.finish()[-1][:2], (wire.DONE, wire.RAISED))

    def test_head_may_leave_the_body_out(self):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "3")])
            return []

        site = Site(app)
        site.start(method="HEAD")
        self.assertEqual(site.whole(), (200, [(b"Content-Length", b"3")], b""))

    def test_a_temporary_file_that_closing_removes_is_read(self):
        def app(environ, start_response):
            file = tempfile.NamedTemporaryFile()  # noqa: SIM115 (the server closes it)
            file.write(b"content")
            file.flush()
            file.seek(0)
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](file)

        site = Site(app)
        site.start()
        self.assertEqual(site.whole()[2], b"content")

    def test_an_error_that_fails_to_say_what_it_is_is_told(self):
        def app(environ, start_response):
            raise Speechless()

        site = Site(app)
        with self.assertLogs("ringcorn.error"):
            site.start()
            ((kind, flags, _, payload),) = site.finish()
        self.assertEqual((kind, flags, payload), (wire.DONE, wire.RAISED, b"Speechless"))

    def test_an_error_before_the_response_is_told(self):
        def app(environ, start_response):
            raise KeyError("x")

        site = Site(app)
        with self.assertLogs("ringcorn.error"):
            site.start()
            ((kind, flags, _, payload),) = site.finish()
        self.assertEqual((kind, flags), (wire.DONE, wire.RAISED))
        self.assertIn(b"KeyError", payload)

    def test_exc_info_replaces_the_head_until_it_has_left(self):
        def app(environ, start_response):
            start_response("200 OK", [])
            try:
                raise ValueError("late")
            except ValueError:
                start_response("500 Oops", [], sys.exc_info())
            return [b"sorry"]

        site = Site(app)
        site.start()
        self.assertEqual(site.whole(), (500, [], b"sorry"))

    def test_a_second_start_without_exc_info_is_refused(self):
        def app(environ, start_response):
            start_response("200 OK", [])
            start_response("200 OK", [])
            return [b""]

        site = Site(app)
        with self.assertLogs("ringcorn.error"):
            site.start()
            self.assertEqual(site.finish()[0][0], wire.DONE)

    def test_content_length_is_kept_to(self):
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "3")])
            return [b"1234"]

        site = Site(app)
        with self.assertLogs("ringcorn.error"):
            site.start()
            self.assertEqual(site.finish()[-1][0], wire.DONE)

    def test_a_file_becomes_a_path(self):
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(b"content")
        self.addCleanup(os.unlink, file.name)

        def app(environ, start_response):
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](open(file.name, "rb"))

        site = Site(app)
        site.start()
        # Nothing waits for the front: to close it is to close it.
        (_, flags, _, _), (kind, waits, _, payload) = site.finish()
        self.assertEqual((flags, kind, waits), (wire.MORE, wire.PATHSEND, wire.LAST))
        self.assertEqual(payload, os.fsencode(os.path.realpath(file.name)))

    def test_a_file_that_closes_in_its_own_way_does_so_when_the_front_has_opened_it_or_can_t(self):
        class Own(io.FileIO):
            pass

        def with_a_close_of_its_own(name):
            file = open(name, "rb")  # noqa: SIM115 (the server closes it)
            close = file.close
            file.close = lambda: close()
            return file

        ends = (
            ("open", lambda request: request.credit(wire.U32.pack(1)), []),
            ("gone", lambda request: request.disconnect(wire.GONE), []),
            ("refused", lambda request: request.refused(b"no\0GET /"), ["Exception in WSGI application"]),
        )
        for make in (Own, lambda name: io.BufferedReader(Own(name)), with_a_close_of_its_own):
            for name, end, lines in ends:
                with self.subTest((make, name)), tempfile.NamedTemporaryFile() as made:
                    file = make(made.name)

                    def app(environ, start_response, file=file):
                        start_response("200 OK", [])
                        return environ["wsgi.file_wrapper"](file)

                    site = Site(app)
                    with Silence() as log:
                        request = site.start()
                        site.sees(lambda site=site: len(site.bench.records()) == 2)
                        self.assertFalse(file.closed)
                        self.assertEqual(site.bench.records()[1][1], wire.LAST | wire.MORE)
                        end(request)
                        self.assertEqual(len(site.finish()), 2)
                    self.assertEqual((file.closed, log.lines), (True, lines))

    def test_a_file_whose_name_is_no_text_is_read(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(os.fsencode(folder), b"caf\xe9")
            with open(path, "wb") as file:
                file.write(b"content")

            def app(environ, start_response):
                start_response("200 OK", [])
                return environ["wsgi.file_wrapper"](open(path, "rb"))

            site = Site(app)
            site.start()
            self.assertEqual(site.whole()[2], b"content")

    def test_a_file_from_its_middle_is_read(self):
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(b"content")
        self.addCleanup(os.unlink, file.name)

        def app(environ, start_response):
            start_response("200 OK", [])
            opened = open(file.name, "rb")  # noqa: SIM115 (the server closes it)
            opened.seek(3)
            return environ["wsgi.file_wrapper"](opened)

        site = Site(app)
        site.start()
        self.assertEqual(site.whole()[2], b"tent")

    def test_of_a_file_no_more_is_sent_than_its_length_says(self):
        for start, length in ((3, 4), (0, 5), (2, 0), (7, 3)):
            with self.subTest((start, length)):

                def app(environ, start_response, start=start, length=length):
                    start_response("206 Partial Content", [("Content-Length", str(length))])
                    file = tempfile.TemporaryFile()  # noqa: SIM115 (the server closes it)
                    file.write(b"0123456789")
                    file.seek(start)
                    return environ["wsgi.file_wrapper"](file, 2)

                site = Site(app)
                with Silence() as log:
                    site.start()
                    self.assertEqual(site.whole()[2], b"0123456789"[start : start + length])
                self.assertEqual(log.lines, [])

    def test_credit_holds_a_large_body_back(self):
        def app(environ, start_response):
            start_response("200 OK", [])
            return [b"x" * (2 * wire.WINDOW_BYTES)]

        site = Site(app)
        request = site.start()
        deadline = time.monotonic() + 10
        while request._granted > request._sent and time.monotonic() < deadline:
            time.sleep(0.001)
        self.assertIn(1, site.bench.requests)
        request.credit(wire.U32.pack(wire.WINDOW_BYTES))
        self.assertEqual(len(site.whole()[2]), 2 * wire.WINDOW_BYTES)


if __name__ == "__main__":
    unittest.main()
