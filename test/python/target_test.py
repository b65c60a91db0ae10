"""Finding the application, and the lifespan protocol."""

import asyncio
import functools
import sys
import textwrap
import unittest
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from support import lifespan, run, target
from wsgi_support import Silence


async def asgi_app(scope, receive, send):
    pass


class Callable3:
    async def __call__(self, scope, receive, send):
        pass


class Callable2:
    def __init__(self, scope):
        pass


class Wsgi:
    def __call__(self, environ, start_response):
        pass


def wsgi_app(environ, start_response):
    pass


def curried(scope):
    pass


class Interface(unittest.TestCase):
    def test_is_told_from_the_signature(self):
        for app, wanted in (
            (asgi_app, "asgi"),
            (Callable3(), "asgi"),
            (functools.partial(asgi_app), "asgi"),
            (lambda scope, receive, send: asgi_app(scope, receive, send), "asgi"),
            (Callable2, "asgi2"),
            (curried, "asgi2"),
            (wsgi_app, "wsgi"),
            (Wsgi(), "wsgi"),
            (Wsgi().__call__, "wsgi"),
        ):
            with self.subTest(app):
                self.assertEqual(target.interface_of(app), wanted)

    def test_what_is_asked_for_must_be_possible(self):
        for app, interface, part in (
            (asgi_app, "wsgi", "is an async application, which --interface wsgi can't serve"),
            (Callable3(), "wsgi", "is an async application"),
            (wsgi_app, "asgi", "takes two arguments, as WSGI applications do, which --interface asgi can't serve"),
            (Wsgi(), "asgi2", "takes two arguments"),
        ):
            with self.subTest((app, interface)), self.assertRaises(target.TargetError) as caught:
                target.check_interface(app, interface, "main:app")
            self.assertIn(f"main:app {part}", caught.exception.sentence)
        for app, interface in (
            (asgi_app, "asgi"),
            (wsgi_app, "wsgi"),
            (Wsgi(), "wsgi"),
            (curried, "asgi2"),
            (Callable2, "asgi2"),
            (Callable2, "asgi"),
            (lambda *args: None, "wsgi"),
            (lambda scope, receive, send=None: None, "asgi"),
            (asgi_app, "auto"),
        ):
            target.check_interface(app, interface, "main:app")


class Load(unittest.TestCase):
    def setUp(self):
        self.folder = TemporaryDirectory()
        self.path = sys.path[:]
        self.modules = set(sys.modules)

    def tearDown(self):
        self.folder.cleanup()
        sys.path[:] = self.path
        for name in set(sys.modules) - self.modules:
            del sys.modules[name]

    def load(self, wanted, factory=False, **files):
        for name, text in files.items():
            path = Path(self.folder.name, *name.split("__"))
            path.parent.mkdir(exist_ok=True)
            path.with_suffix(".py").write_text(textwrap.dedent(text))
        return target.load(wanted, self.folder.name, factory)

    def fails(self, *arguments, **files):
        with self.assertRaises(target.TargetError) as caught:
            self.load(*arguments, **files)
        return caught.exception

    def test_what_a_target_may_be(self):
        text = "def app(scope): return 'app'\nclass Box: app = staticmethod(app)\n"
        for wanted in ("t1:app", "t1", "t1:Box.app"):
            with self.subTest(wanted):
                app, _ = self.load(wanted, t1=text)
                self.assertEqual(app({}), "app")

    def test_factories(self):
        text = "def make():\n    def app(s): pass\n    return app\n"
        for wanted, factory in (("t2:make", True), ("t2:make()", False)):
            app, _ = self.load(wanted, factory, t2=text)
            self.assertEqual(app.__name__, "app")

    def test_a_function_that_needs_no_arguments_is_a_factory(self):
        text = "def app(s): pass\ndef make(debug=False): return app\ndef any(*args): pass\nmakes = lambda: app\n"
        for wanted, found in (("make", "app"), ("makes", "app"), ("any", "any"), ("app", "app")):
            with self.subTest(wanted):
                self.assertEqual(self.load(f"t9:{wanted}", t9=text)[0].__name__, found)

    def test_an_async_factory_is_refused_without_a_warning(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            error = self.fails("t10:make()", t10="async def make(): pass\n")
        self.assertIn("t10:make is an async function", error.sentence)

    def test_a_package_with_an_asgi_module(self):
        files = {"t3__asgi": "def application(s): pass\n"}
        Path(self.folder.name, "t3").mkdir()
        Path(self.folder.name, "t3", "__init__.py").write_text("")
        app, shown = self.load("t3", **files)
        self.assertEqual((app.__name__, shown), ("application", "t3.asgi:application"))

    def test_mistakes_are_one_sentence(self):
        text = "def app(scope): pass\nnumber = 5\n"
        for wanted, factory, part in (
            ("t4:ap", False, "did you mean t4:app?"),
            ("t4:number", False, "can't be called"),
            ("t4:number", True, "not a function"),
            ("t4:", False, "names no application"),
            ("t4x:app", False, "no Python module t4x"),
            ("t4.app", False, "t4 is a module and no package; did you mean t4:app?"),
        ):
            with self.subTest(wanted):
                error = self.fails(wanted, factory, t4=text)
                self.assertIn(part, error.sentence)
                self.assertEqual(error.trace, "")

    def test_a_file_that_its_name_does_not_find(self):
        text = "def app(scope): pass\n"
        files = {"site": text, "time": text, "json__own": text, "t11": text}
        there = sys.modules["site"].__file__
        for file in ("t11.test.py", "t12.v2.py"):
            Path(self.folder.name, file).write_text(text)
        for wanted, part in (
            (
                "site:app",
                f"site.py can't be imported as site, since Python has another module site ({there});",
            ),
            ("time", "since Python has another module time (built in); give yours another name."),
            ("json.own:app", "own.py can't be imported as json.own, since Python has another module json ("),
            (
                "t11.test:app",
                "t11.test.py can't be imported, since Python takes a dot for a folder; rename it, as to t11_t",
            ),
            ("t12.v2:app", "t12.v2.py can't be imported, since"),
        ):
            with self.subTest(wanted):
                self.assertIn(part, self.fails(wanted, **files).sentence)

    def test_a_file_that_is_found_elsewhere_is_served(self):
        text = "def app(scope): pass\n"
        with TemporaryDirectory() as elsewhere:
            Path(elsewhere, "real.py").write_text(text)
            Path(self.folder.name, "t13.py").symlink_to(Path(elsewhere, "real.py"))
            Path(elsewhere, "package").mkdir()
            Path(elsewhere, "package", "main.py").write_text(text)
            Path(self.folder.name, "t14").symlink_to(Path(elsewhere, "package"))
            replaced = "import sys, types\nnew = %s\nnew.app = lambda scope: 0\nsys.modules[__name__] = new\n"
            files = {
                "t15": replaced % "types.SimpleNamespace(__name__='t15')",
                "t16": replaced % "types.ModuleType('t16')",
            }
            for wanted in ("t13:app", "t14.main:app", "t15:app", "t16:app"):
                with self.subTest(wanted):
                    self.load(wanted, **files)

    def test_the_application_s_own_traceback(self):
        error = self.fails("t5:app", t5="def f():\n    1 / 0\n\nf()\n")
        self.assertIn("failed to import", error.sentence)
        self.assertIn("line 2, in f", error.trace)
        self.assertIn("ZeroDivisionError", error.trace)
        self.assertNotIn("importlib", error.trace)
        self.assertNotIn("target.py", error.trace)

    def test_a_missing_package_and_a_syntax_error(self):
        error = self.fails("t6:app", t6="import no_such_package_here\n")
        self.assertIn("needs the package no_such_package_here", error.sentence)
        error = self.fails("t7:app", t7="def app(:\n")
        self.assertIn("SyntaxError", error.trace)

    def test_a_module_that_exits(self):
        self.assertIn("sys.exit", self.fails("t8", t8="raise SystemExit(3)").sentence)


class LifespanTest(unittest.TestCase):
    def drive(self, app, mode="auto"):
        async def go():
            loop = asyncio.get_running_loop()
            life = lifespan.Lifespan(app, mode, loop)
            await life.startup()
            return life.state, await life.shutdown()

        return run(go())

    def test_startup_state_and_shutdown(self):
        seen = []

        async def app(scope, receive, send):
            scope["state"]["pool"] = 1
            seen.append((await receive())["type"])
            await send({"type": "lifespan.startup.complete"})
            seen.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})

        self.assertEqual(self.drive(app), ({"pool": 1}, None))
        self.assertEqual(seen, ["lifespan.startup", "lifespan.shutdown"])

    def test_raising_means_unsupported_unless_on(self):
        async def app(scope, receive, send):
            raise NotImplementedError("no lifespan")

        self.assertEqual(self.drive(app), ({}, None))
        with self.assertRaises(lifespan.StartupFailed):
            self.drive(app, "on")

    def test_what_it_raises_behind_the_startup_is_told(self):
        def app(what):
            async def call(scope, receive, send):
                if what == "before":
                    raise ValueError(what)
                await receive()
                if what == "answers":
                    await send({"type": "http.response.start", "status": 200})
                if what == "answers amiss":
                    await send({"type": "lifespan.shutdown.complete"})
                raise ValueError(what)

            return call

        for what, told in (("startup", 1), ("before", 0), ("answers", 0), ("answers amiss", 1)):
            with self.subTest(what), Silence() as log:
                self.assertEqual(self.drive(app(what)), ({}, None))
                self.assertEqual(log.lines, [lifespan.NO_LIFESPAN] * told)

    def test_failures(self):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

        with self.assertRaisesRegex(lifespan.StartupFailed, "no database"):
            self.drive(app)

        async def late(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.failed", "message": "stuck"})

        self.assertEqual(self.drive(late)[1], "stuck")


if __name__ == "__main__":
    unittest.main()
