/** Tells of crashed workers: each of the first ones, a crash loop once, and when it is over. */
import type { Logger } from "./log.ts";

/** So many deaths, with no worker in between that served well, are a loop. */
export const CRASH_LOOP_DEATHS = 5;

export class CrashReport {
  private readonly logger: Logger;
  private inLoop = false;
  private lastFailure: string | undefined;

  constructor(logger: Logger) {
    this.logger = logger;
  }

  /**
   * A worker died.
   * @param failure what it said of its failure to start
   * @param end how it ended: "was ended by SIGKILL"
   * @param waitMs until another is started
   * @param deaths quick deaths so far
   */
  died(pid: number, failure: string | undefined, end: string, waitMs: number, deaths: number): void {
    const news = failure !== undefined && failure !== this.lastFailure ? `${failure}\n` : "";
    if (failure !== undefined) this.lastFailure = failure;
    const text = `${news}Worker ${pid} ${end}; another one starts${waitMs > 0 ? ` in ${waitMs} ms` : ""}.`;
    if (this.inLoop) this.logger.debug(text);
    else if (deaths < CRASH_LOOP_DEATHS) this.logger.error(text);
    else {
      this.inLoop = true;
      this.logger.critical(
        `${news}Workers keep dying (${deaths} times, the last one ${end}): look at the messages above. ` +
          "They are started again at growing intervals; this is not reported again until they serve.",
      );
    }
  }

  /** No worker is in trouble any more. */
  calm(): void {
    this.lastFailure = undefined;
    if (!this.inLoop) return;
    this.inLoop = false;
    this.logger.info("The workers serve again.");
  }
}
