"""Micro benchmark: the worker's half of the wire format (docs/bridge.md), and what a request costs beside it.

    python3 bench/micro/wire.py [--json] [--patience SECONDS]

Rounds, calibration and report are those of harness.ts. "Allocates" is the most that one operation holds at once, by
tracemalloc: CPython gives most of it back at once.
"""

import asyncio
import json
import marshal
import os
import pathlib
import pickle
import statistics
import sys
import time
import tracemalloc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import worker as rigs  # noqa: E402 (the path comes first)

ROUNDS = 9
ROUND_SECONDS = 0.06
SAMPLE_SECONDS = 0.0005
STEADY_SHARE = 0.8
BUSY_SHARE = 0.9
STEADY_ROUNDS_WANTED = 5
PAUSE_SECONDS = 5
DEFAULT_PATIENCE_SECONDS = 300
KEPT_SECONDS = 24 * 3600
SLICES = 9
CALIBRATION_STEPS = 8192
BATCH = 32
GENERATION = 1

BUFFER = bytes((i * 1103515245 + 12345) >> 7 & 0xFF for i in range(CALIBRATION_STEPS))
TABLE = [i * 2654435761 & 0xFFFF for i in range(256)]


def calibration_slice():
    start = time.perf_counter()
    total = 0
    for byte in BUFFER:
        total = (total + TABLE[byte]) & 0xFFFFFF
    return CALIBRATION_STEPS / (time.perf_counter() - start) / 1e6


def calibrate():
    """Million steps a second just now."""
    return statistics.median([calibration_slice() for _ in range(SLICES)])


def session_file():
    base = os.environ.get("XDG_CACHE_HOME", "")
    base = pathlib.Path(base) if os.path.isabs(base) else pathlib.Path.home() / ".cache"
    return base / "ringcorn-bench" / "calibration.json"


def session_key():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text("latin-1").splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model")))
    except (OSError, StopIteration):
        cpu = "unknown"
    return "{}, python {}.{}.{}".format(cpu, *sys.version_info[:3])


def read_session():
    try:
        return json.loads(session_file().read_text())
    except (OSError, ValueError):
        return {}


def fastest_known():
    kept = read_session().get(session_key())
    return kept["rate"] if kept and time.time() - kept["atMs"] / 1e3 < KEPT_SECONDS else 0


def keep_fastest(rate):
    if rate <= fastest_known():
        return fastest_known()
    path = session_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(f".{os.getpid()}")
    made.write_text(json.dumps({**read_session(), session_key(): {"rate": rate, "atMs": time.time() * 1e3}}))
    made.replace(path)
    return rate


class Case:
    def __init__(self, name, run, operations=1, together=None):
        self.name = name
        self.run = run
        self.operations = operations
        #: Operations that hold memory at the same time, where they are fewer.
        self.together = together
        self.rounds = []
        start = time.perf_counter()
        calls = 0
        while time.perf_counter() - start < 0.05:
            run()
            calls += 1
        self.calls = max(1, int(SAMPLE_SECONDS * calls / (time.perf_counter() - start)))

    def timed(self):
        run = self.run
        calls = range(self.calls)
        samples = []
        spent = time.process_time()
        begun = time.perf_counter()
        until = begun + ROUND_SECONDS
        now = begun
        # Quartiles want two samples at least.
        while now < until or len(samples) < 2:
            start = now
            for _ in calls:
                run()
            now = time.perf_counter()
            samples.append((now - start) * 1e9 / (self.calls * self.operations))
        busy = (time.process_time() - spent) / (now - begun)
        low, middle, high = statistics.quantiles(samples, n=4)
        return {"p25Ns": low, "p50Ns": middle, "p75Ns": high, "busy": busy}

    def held(self):
        """The most bytes that an operation holds at once."""
        tracemalloc.start()
        found = []
        for _ in range(5):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            self.run()
            found.append(tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
        return statistics.median(found) / (self.together or self.operations)

    def lacks(self, fastest):
        steady = [
            each for each in self.rounds if each["calibration"] >= STEADY_SHARE * fastest and each["busy"] >= BUSY_SHARE
        ]
        return len(steady) < STEADY_ROUNDS_WANTED


def round_of(cases, number, fastest):
    before = calibrate()
    for case in cases:
        figures = case.timed()
        after = calibrate()
        case.rounds.append({"round": number, **figures, "calibration": min(before, after)})
        fastest = max(fastest, before, after)
        before = after
    return fastest


def measure(cases, patience):
    """(the fastest calibration, seconds of waiting)"""
    fastest = max(fastest_known(), calibrate())
    for number in range(ROUNDS):
        fastest = round_of(cases, number, fastest)
    start = time.perf_counter()
    number = ROUNDS
    while time.perf_counter() - start < patience:
        disturbed = [case for case in cases if case.lacks(fastest)]
        if not disturbed:
            break
        if calibrate() >= STEADY_SHARE * fastest:
            fastest = round_of(disturbed, number, fastest)
            number += 1
        else:
            time.sleep(min(PAUSE_SECONDS, max(0, patience - (time.perf_counter() - start))))
    return keep_fastest(fastest), time.perf_counter() - start


def as_text(pairs):
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]


def codec_cases():
    payload = rigs.scope()
    parts = marshal.loads(payload)
    plain = [as_text(each) if isinstance(each, list) else each for each in parts]
    plain = [each.decode("latin-1") if isinstance(each, bytes) else each for each in plain]
    as_json = json.dumps(plain).encode()
    pickled = pickle.dumps(parts, pickle.HIGHEST_PROTOCOL)
    state = {}
    stream = b"".join(rigs.head_only(number + 1) for number in range(BATCH))
    fields = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"13")]

    def answer():
        count, block, _ = rigs.wire.encode_head(fields)
        body = rigs.wire.start_payload(200, count, block) + b"Hello, world!"
        return rigs.wire.record(rigs.wire.RESPONSE, rigs.wire.LAST, 1, GENERATION, body)

    return [
        Case("scope of nine fields, built", lambda: rigs.asgi.build_scope(payload, state)),
        Case("its parts loaded: marshal", lambda: marshal.loads(payload)),
        Case("its parts loaded: pickle", lambda: pickle.loads(pickled)),
        Case("its parts loaded: JSON, all as text", lambda: json.loads(as_json)),
        Case("heads cut from a stream", lambda: rigs.wire.records(stream), BATCH),
        Case("an answer of 13 bytes written", answer),
    ]


#: So many turns of the loop at once, since starting it costs more than a request.
TURNS = 32


def request_case(loop, batch):
    rig = rigs.Rig(loop, *rigs.WORKLOADS["hello"], batch)

    async def turns():
        for _ in range(TURNS):
            await rig.turn()

    name = f"hello through the worker, {batch} together"
    return Case(name, lambda: loop.run_until_complete(turns()), batch * TURNS, batch)


def main():
    patience = DEFAULT_PATIENCE_SECONDS
    if "--patience" in sys.argv:
        patience = float(sys.argv[sys.argv.index("--patience") + 1])
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    cases = [*codec_cases(), request_case(loop, 1), request_case(loop, BATCH)]
    fastest, waited = measure(cases, patience)
    results = []
    for case in cases:
        middle = statistics.median(each["p50Ns"] for each in case.rounds)
        figures = {"name": case.name, "p25Ns": middle, "p50Ns": middle, "p75Ns": middle}
        results.append({**figures, "allocatedBytes": case.held(), "rounds": case.rounds})
    report = {
        "suite": "wire format, worker",
        "fastest": fastest,
        "waitedSeconds": waited,
        "missing": [],
        "results": results,
    }
    if "--json" in sys.argv:
        # Without blanks, as the suite looks for it.
        print(json.dumps(report, separators=(",", ":")))
        return
    print(f"wire format, worker (calibration: at most {fastest:.0f} M steps/s)")
    for row in results:
        rates = [each["calibration"] for each in row["rounds"]]
        speed = f"calibration {statistics.median(rates):.0f} M/s"
        print(f"  {row['name']}: {row['p50Ns']:,.0f} ns, holds {row['allocatedBytes']:,.0f} B [{speed}]")


if __name__ == "__main__":
    main()
