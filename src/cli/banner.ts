/** The few lines on standard error when the server has started. */
import picocolors from "picocolors";
import type { Runtime, SocketAddress } from "../runtime/types.ts";
import type { Config } from "./config.ts";

/** A URL for a browser on this machine: wildcard addresses become loopback ones. */
export function addressUrl(address: SocketAddress, isUnix: boolean): string {
  if (isUnix) return `unix:${address.host}`;
  const wildcards: Record<string, string> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  const host = wildcards[address.host] ?? address.host;
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

export interface BannerFacts {
  readonly version: string;
  readonly runtime: Pick<Runtime, "name" | "version" | "pid" | "stderrIsTerminal">;
  readonly config: Config;
  readonly address: SocketAddress;
  /** What is served when the command line names no application. Default: the built-in demo. */
  readonly builtIn?: string;
  readonly colours: boolean;
}

function details({ config, runtime, builtIn = "the built-in demo" }: BannerFacts): string {
  const { command } = config;
  const parts = [config.app ?? builtIn, `pid ${runtime.pid}`];
  if (command.fronts > 1) parts.push(`${command.fronts} fronts`);
  if (command.workers > 1) parts.push(`${command.workers} workers`);
  if (command.reload) parts.push("reloads on change");
  return parts.join(" · ");
}

export function banner(facts: BannerFacts): string {
  const pc = picocolors.createColors(facts.colours);
  const { runtime, address, config } = facts;
  const runtimeName = runtime.name === "bun" ? "Bun" : "Deno";
  const url = addressUrl(address, config.server.uds !== undefined);
  const everywhere = ["0.0.0.0", "::"].includes(address.host) ? pc.dim(" and the machine's other addresses") : "";
  const lines = [
    `${pc.bold(`Ringcorn ${facts.version}`)} on ${runtimeName} ${runtime.version}`,
    `  ${pc.cyan(pc.underline(url))}${everywhere}`,
    `  ${details(facts)}`,
    pc.dim("  Press Ctrl-C to stop"),
  ];
  return `${lines.join("\n")}\n`;
}
