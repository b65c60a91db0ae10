/**
 * What a connection borrows while it is busy: parser, ring, output buffer and encoder, in one pooled bundle.
 * An idle connection owns none of it.
 */
import { Pool } from "../channel/pool.ts";
import { HeadEncoder } from "../protocol/http1/encoder.ts";
import type { Http1Limits } from "../protocol/http1/limits.ts";
import { Intake } from "./intake.ts";
import { Outlet } from "./outlet.ts";

/** Bundles made at the start: about 10 KB each. */
const POOL_AHEAD = 64;
/** Free bundles kept: more connections than this are seldom busy in one turn. */
const POOL_KEEP = 1024;

export class Exchange {
  readonly intake: Intake;
  readonly outlet = new Outlet();
  readonly encoder = new HeadEncoder();

  constructor(limits: Http1Limits) {
    this.intake = new Intake(limits);
  }

  /** Forgets its last connection. */
  reset(): void {
    this.intake.detach();
    this.outlet.detach();
  }
}

export function exchangePool(limits: Http1Limits): Pool<Exchange> {
  return new Pool(() => new Exchange(limits), POOL_AHEAD, POOL_KEEP);
}
