import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/observe/log.ts";
import { PlainError, type SignalName } from "../../src/runtime/types.ts";
import type { Handover } from "../../src/supervise/messages.ts";
import { SAME_SIGNAL_MS } from "../../src/supervise/signals.ts";
import { failureText, runWorker, type WorkerServer } from "../../src/supervise/worker.ts";
import { within } from "../harness/wait.ts";

const ADDRESS = { host: "127.0.0.1", port: 4711 };
const BIND = { host: "127.0.0.1", port: 0, reusePort: true, joins: false, replaceLive: false };

/** A worker with a pipe, signals and a clock of the test's own. */
class Bench {
  readonly sent: unknown[] = [];
  readonly log: string[] = [];
  readonly exitCode: Promise<number>;
  now = 0;
  stops = 0;
  hurries = 0;
  handover: Handover | undefined;
  retire = (): void => {};
  private tell: (message: unknown) => void = () => {};
  private readonly signals = new Map<SignalName, () => void>();

  constructor(
    start: () => Promise<void> = async () => {},
    stop: () => Promise<void> = async () => {},
    abandon?: () => Promise<void>,
  ) {
    this.exitCode = runWorker({
      runtime: {
        now: () => this.now,
        onSignal: (signal, listener) => {
          this.signals.set(signal, listener);
          return () => this.signals.delete(signal);
        },
      },
      logger: createLogger((line) => this.log.push(line), { level: "info", colours: false }),
      link: {
        send: (message) => {
          this.sent.push(message);
          return true;
        },
        onMessage: (listener) => {
          this.tell = listener;
        },
      },
      abandon,
      start: async (bind, retire): Promise<WorkerServer> => {
        assert.deepEqual(bind, BIND);
        this.retire = retire;
        await start();
        return {
          address: ADDRESS,
          stop: (handover, onClosed) => {
            this.stops += 1;
            this.handover = handover;
            onClosed();
            return stop();
          },
          hurry: () => {
            this.hurries += 1;
          },
        };
      },
    });
  }

  message(message: unknown): void {
    this.tell(message);
  }

  signal(name: SignalName): void {
    this.signals.get(name)?.();
  }

  async started(): Promise<this> {
    this.message({ type: "start", bind: BIND });
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    return this;
  }

  end(): Promise<number> {
    return within(this.exitCode, "the worker's end");
  }
}

const never = (): Promise<void> => new Promise(() => {});

test("start, ready, retiring, stop, closed", async () => {
  const bench = await new Bench().started();
  assert.deepEqual(bench.sent, [{ type: "ready", address: ADDRESS }]);
  bench.retire();
  bench.message({ type: "stop" });
  assert.equal(await bench.end(), 0);
  assert.deepEqual(bench.sent.slice(1), [{ type: "retiring" }, { type: "closed" }]);
  assert.equal(bench.stops, 1);
});

test("whether others go on at the address is passed on", async () => {
  for (const handover of [undefined, { successor: undefined }, { successor: 3 }]) {
    const bench = await new Bench().started();
    bench.message({ type: "stop", handover });
    assert.equal(await bench.end(), 0);
    assert.deepEqual(bench.handover, handover);
  }
});

test("who hands over is hurried by a stop of the whole server, and by nothing else", async () => {
  let stopped!: () => void;
  const stop = () =>
    new Promise<void>((resolve) => {
      stopped = resolve;
    });
  const bench = await new Bench(undefined, stop).started();
  bench.message({ type: "stop", handover: { successor: undefined } });
  bench.message({ type: "stop", handover: { successor: undefined } });
  assert.equal(bench.hurries, 0);
  bench.message({ type: "stop" });
  assert.equal(bench.hurries, 1);
  stopped();
  assert.equal(await bench.end(), 0);
  assert.equal(bench.stops, 1);
});

test("a user's mistake is told as its sentence", async () => {
  const bench = await new Bench(() => Promise.reject(new PlainError("No such file."))).started();
  assert.equal(await bench.end(), 1);
  assert.deepEqual(bench.sent, [{ type: "failed", message: "No such file.", exitCode: 1 }]);
});

test("anything else with its stack", () => {
  assert.match(failureText(new RangeError("deep")), /RangeError: deep[\s\S]*worker\.test\.ts/);
  assert.equal(failureText("text"), "text");
});

test("the supervisor's end stops the worker gracefully", async () => {
  const bench = await new Bench().started();
  bench.message(undefined);
  assert.equal(await bench.end(), 0);
  assert.equal(bench.stops, 1);
  assert.match(bench.log.join(""), /The supervisor is gone; stopping/);
});

test("its end during the start ends the worker at once", async () => {
  const bench = await new Bench(never).started();
  bench.message(undefined);
  assert.equal(await bench.end(), 0);
  assert.equal(bench.stops, 0);
});

test("Ctrl-C and a hang-up are the supervisor's to act on", async () => {
  const bench = await new Bench().started();
  bench.signal("SIGINT");
  bench.signal("SIGHUP");
  assert.equal(bench.stops, 0);
  bench.message({ type: "stop" });
  assert.equal(await bench.end(), 0);
});

test("SIGTERM stops gracefully, another one at once", async () => {
  const bench = await new Bench(undefined, never).started();
  bench.signal("SIGTERM");
  assert.equal(bench.stops, 1);
  bench.now += SAME_SIGNAL_MS + 1;
  bench.signal("SIGTERM");
  assert.equal(await bench.end(), 1);
  assert.equal(bench.stops, 1);
});

test("a signal that is passed on twice counts once", async () => {
  let finish = (): void => {};
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      finish = resolve;
    });
  const bench = await new Bench(undefined, stop).started();
  bench.signal("SIGTERM");
  bench.now += SAME_SIGNAL_MS;
  bench.signal("SIGTERM");
  finish();
  assert.equal(await bench.end(), 0);
});

test("messages of another version are left out", async () => {
  const bench = await new Bench().started();
  for (const odd of [null, 1, "stop", {}, { type: "dance" }]) bench.message(odd);
  assert.equal(bench.stops, 0);
  bench.message({ type: "stop" });
  assert.equal(await bench.end(), 0);
});

test("stopped while it starts, it ends when what has begun is abandoned", async () => {
  let ended = false;
  let abandoned = (): void => {};
  const abandon = () =>
    new Promise<void>((resolve) => {
      abandoned = resolve;
    });
  const bench = new Bench(() => new Promise(() => {}), undefined, abandon);
  void bench.exitCode.then(() => {
    ended = true;
  });
  await bench.started();
  bench.message({ type: "stop" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(ended, false);
  abandoned();
  assert.equal(await within(bench.exitCode, "the end"), 0);
});
