/** Connections that ask again and again, and keep an account of what they are told. */
import { type Address, RawClient } from "./raw.ts";
import { until } from "./wait.ts";

export class Load {
  /** Answers by status. */
  readonly answers = new Map<number, number>();
  /** Bodies of the answers with status 200. */
  readonly bodies = new Set<string>();
  /** Connections that ended while they waited for an answer. */
  lost = 0;
  readonly #address: Address;
  readonly #target: string;
  readonly #running: Promise<void>[] = [];
  #stopping = false;

  constructor(address: Address, target: string, connections: number) {
    this.#address = address;
    this.#target = target;
    for (let i = 0; i < connections; i++) this.#running.push(this.#run());
  }

  get total(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Answers that are no success. */
  get failed(): number {
    return this.total - (this.answers.get(200) ?? 0);
  }

  /** Waits until so many more answers have come. */
  async more(count: number): Promise<void> {
    const goal = this.total + count;
    await until(() => this.total >= goal, `${count} more answers have come`);
  }

  /** Lets each connection have its last answer. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
  }

  async #run(): Promise<void> {
    const client = await RawClient.connect(this.#address);
    try {
      while (!this.#stopping) {
        await client.send(`GET ${this.#target} HTTP/1.1\r\nHost: test\r\n\r\n`);
        const { status, body } = await client.response();
        this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
        if (status === 200) this.bodies.add(Buffer.from(body).toString());
      }
    } catch {
      this.lost += 1;
    } finally {
      client.close();
    }
  }
}
