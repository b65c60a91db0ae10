"""Finds the application that a target such as `main:app` names, and how it is called."""

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
import types

#: Taken when a target names no attribute, in this order.
DEFAULT_ATTRIBUTES = ("app", "application")
#: Tried below a package that has none of them (Django's projects).
DEFAULT_MODULES = ("asgi", "main", "app", "wsgi")


class TargetError(Exception):
    """A mistake of the user's: one sentence, and the application's traceback if any."""

    def __init__(self, sentence, trace=""):
        super().__init__(sentence)
        self.sentence = sentence
        self.trace = trace


def own_trace(error):
    """The traceback of `error` without the frames of this program and importlib."""
    here = os.path.dirname(os.path.abspath(__file__))
    frames = []
    for frame in traceback.extract_tb(error.__traceback__):
        name = frame.filename
        if name.startswith("<frozen importlib") or name == importlib.__file__:
            continue
        if os.path.dirname(os.path.abspath(name)) == here:
            continue
        frames.append(frame)
    lines = ["Traceback (most recent call last):\n"] if frames else []
    lines += traceback.format_list(frames)
    lines += traceback.format_exception_only(type(error), error)
    return "".join(lines).rstrip()


def _import(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and (name == missing or name.startswith(missing + ".")):
            parent, _, last = missing.rpartition(".")
            if parent in sys.modules and not hasattr(sys.modules[parent], "__path__"):
                raise TargetError(
                    f"There is no Python module {name}, since {parent} is a module and no package; "
                    f"did you mean {parent}:{last}?"
                ) from None
            raise TargetError(
                f"There is no Python module {name} in {sys.path[0]} or on Python's "
                "path; give module:attribute as in main:app, or its directory with "
                "--app-dir."
            ) from None
        raise TargetError(
            f"The application's module {name} needs the package {missing}, which "
            f"{sys.executable} does not have; install it there or choose another "
            "Python with --python.",
            own_trace(error),
        ) from None
    except SystemExit as error:
        raise TargetError(
            f"The module {name} ended the process with sys.exit({error.code!r}) while "
            "it was imported; a module to serve must not."
        ) from None
    except BaseException as error:
        raise TargetError(f"The application's module {name} failed to import.", own_trace(error)) from None


def _check_found(name, folder):
    """Tells why a file of the user's is not what Python finds by its name. Raises TargetError."""
    path = os.path.join(folder, *name.split("."))
    files = [file for file in (path + ".py", os.path.join(path, "__init__.py")) if os.path.isfile(file)]
    dotted = os.path.join(folder, f"{name}.py")
    if not files and os.path.isfile(dotted):
        raise TargetError(
            f"{dotted} can't be imported, since Python takes a dot for a folder; rename it, as to "
            f"{name.replace('.', '_')}.py."
        )
    first = name.partition(".")[0]
    module = sys.modules.get(first)
    if not files or not isinstance(module, types.ModuleType):
        return
    # What is built in, or has been loaded already, comes before what is in the folder.
    known = vars(module)
    places = list(known.get("__path__") or filter(None, [known.get("__file__")]))
    found = any(os.path.realpath(os.path.dirname(place)) == os.path.realpath(folder) for place in places)
    if not found and (places or first in sys.builtin_module_names):
        raise TargetError(
            f"{files[0]} can't be imported as {name}, since Python has another module {first} "
            f"({places[0] if places else 'built in'}); give yours another name."
        )


def _split(target):
    """(module, attribute or None, called)"""
    module, colon, attribute = target.partition(":")
    if not module or (colon and not attribute):
        raise TargetError(f"{target!r} names no application; give module:attribute, as in main:app.")
    called = attribute.endswith("()")
    if called:
        attribute = attribute[:-2]
    return module, attribute or None, called


def _attribute(module, path):
    value = module
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            names = sorted(n for n in vars(module) if not n.startswith("_"))
            near = _nearest(part, names)
            advice = f"; did you mean {module.__name__}:{near}?" if near else "."
            raise TargetError(f"The Python module {module.__name__} has no attribute {path}{advice}") from None
    return value


def _nearest(name, names):
    import difflib

    found = difflib.get_close_matches(name, names, 1)
    return found[0] if found else None


def _default(module):
    for name in DEFAULT_ATTRIBUTES:
        value = getattr(module, name, None)
        if callable(value):
            return value, f"{module.__name__}:{name}"
    if hasattr(module, "__path__"):
        for below in DEFAULT_MODULES:
            name = f"{module.__name__}.{below}"
            if importlib.util.find_spec(name) is None:
                continue
            inner = _import(name)
            for attribute in DEFAULT_ATTRIBUTES[::-1]:
                value = getattr(inner, attribute, None)
                if callable(value):
                    return value, f"{name}:{attribute}"
    raise TargetError(
        f"The Python module {module.__name__} has neither app nor application; name "
        f"the application as in {module.__name__}:name."
    )


def load(target, app_dir, factory):
    """The application's object and what it is called in messages."""
    try:
        folder = os.path.abspath(app_dir or os.getcwd())
    except FileNotFoundError:
        raise TargetError("The working directory has been removed; start the server in one that exists.") from None
    sys.path.insert(0, folder)
    name, path, called = _split(target)
    try:
        module = _import(name)
    except TargetError:
        _check_found(name, folder)
        raise
    _check_found(name, folder)
    if path is None:
        app, shown = _default(module)
    else:
        app, shown = _attribute(module, path), f"{name}:{path}"
    if factory or called or _takes_nothing(app):
        if not callable(app):
            raise TargetError(
                f"{shown} is a {type(app).__name__}, not a function that makes an application; leave --factory away."
            )
        app = _made(app, shown)
    if not callable(app):
        raise TargetError(
            f"{shown} is a {type(app).__name__}, which can't be called; an application "
            "is a function or an object with __call__."
        )
    return app, shown


def _made(make, shown):
    try:
        app = make()
    except BaseException as error:
        raise TargetError(f"{shown} failed to make the application.", own_trace(error)) from None
    if inspect.iscoroutine(app):
        app.close()
        raise TargetError(
            f"{shown} is an async function; one that makes an application must be an ordinary one, and leave what has "
            "to be awaited to the lifespan's startup."
        )
    return app


def _takes_nothing(function):
    """A function that needs no arguments is no application: it makes one. uvicorn takes it for that too."""
    return inspect.isroutine(function) and _positional(function) == 0 and _accepts(function, 0)


def _positional(function):
    """How many positional arguments it needs, or None when that can't be told."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return None
    return sum(1 for p in parameters if p.kind in kinds and p.default is p.empty)


def interface_of(app):
    """ "asgi", "asgi2" or "wsgi", as the application's signature says."""
    if inspect.isclass(app):
        return "asgi" if hasattr(app, "__await__") else "asgi2"
    if _is_async(app):
        return "asgi"
    count = _positional(app)
    if count == 2:
        return "wsgi"
    return "asgi2" if count == 1 else "asgi"


def _is_async(app):
    call = app if inspect.isfunction(app) else type(app).__call__
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call)


def check_interface(app, interface, shown):
    """What can't be true of what --interface says. Raises TargetError."""
    if interface == "wsgi" and _is_async(app):
        raise TargetError(f"{shown} is an async application, which --interface wsgi can't serve; leave that away.")
    if interface in ("asgi", "asgi2") and not inspect.isclass(app) and not _is_async(app):
        accepted = {"asgi": 3, "asgi2": 1}[interface]
        if _positional(app) == 2 and not _accepts(app, accepted):
            raise TargetError(
                f"{shown} takes two arguments, as WSGI applications do, which --interface {interface} can't serve; "
                "leave that away."
            )


def _accepts(function, count):
    """Whether so many positional arguments can be given."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def as_asgi3(app):
    """An ASGI 2 application (a callable that makes a callable) as an ASGI 3 one."""

    async def double_callable(scope, receive, send):
        instance = app(scope)
        await instance(receive, send)

    return double_callable
