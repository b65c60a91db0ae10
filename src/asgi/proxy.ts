/**
 * X-Forwarded-For and X-Forwarded-Proto from trusted peers.
 * The client is the rightmost address that is not itself a trusted proxy: what stands left of it is hearsay.
 */
import ipaddr from "ipaddr.js";

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Hosts whose trust is kept: most connections come from few, and parsing an address costs more than the rest of accepting one. */
const MOST_KNOWN = 1024;

/** Decides which peers may say where a request came from. */
export class TrustedPeers {
  readonly #all: boolean;
  readonly #networks: Network[] = [];
  /** Names that are no addresses, such as a Unix socket's empty peer name. */
  readonly #literals = new Set<string>();
  readonly #known = new Map<string, boolean>();

  /**
   * @param entries addresses, CIDR networks, or "*"
   * @throws Error when an entry that has the shape of a network is malformed
   */
  constructor(entries: readonly string[]) {
    this.#all = entries.includes("*");
    for (const entry of entries) {
      if (entry === "*" || entry === "") continue;
      if (entry.includes("/")) this.#networks.push(plainNetwork(ipaddr.parseCIDR(entry)));
      else if (ipaddr.isValid(entry)) {
        const address = ipaddr.process(entry);
        this.#networks.push([address, address.kind() === "ipv4" ? 32 : 128]);
      } else this.#literals.add(entry);
    }
  }

  /** Whether the connection's own peer, by its address, is one of them. */
  has(host: string): boolean {
    const known = this.#known.get(host);
    if (known !== undefined) return known;
    const found = this.#isListed(host);
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(host, found);
    return found;
  }

  #isListed(host: string): boolean {
    if (this.#all) return true;
    if (host === "" || !ipaddr.isValid(host)) return this.#literals.has(host);
    const address = ipaddr.process(host);
    return this.#networks.some(([network, bits]) => {
      if (address.kind() === "ipv4" && network.kind() === "ipv4")
        return (address as ipaddr.IPv4).match(network as ipaddr.IPv4, bits);
      if (address.kind() === "ipv6" && network.kind() === "ipv6")
        return (address as ipaddr.IPv6).match(network as ipaddr.IPv6, bits);
      return false;
    });
  }

  /**
   * The client's address from the list in X-Forwarded-For: the rightmost untrusted one, or the leftmost when all
   * are trusted. Undefined when the list is empty or that entry is no address.
   */
  clientOf(forwardedFor: string): readonly [host: string, port: number] | undefined {
    const entries = forwardedFor.split(",").map((entry) => entry.trim());
    let chosen: readonly [string, number] | undefined;
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = parseEntry(entries[i]);
      if (entry === undefined) return chosen;
      chosen = entry;
      // Not remembered: this is what clients say, not where they are.
      if (this.#all ? i === 0 : !this.#isListed(entry[0])) return entry;
    }
    return chosen;
  }
}

/** ::ffff:0:0/96 (RFC 4291 section 2.5.5.2): what stands in there are IPv4 addresses, as a socket for both says them. */
const MAPPED_BITS = 96;

function plainNetwork([network, bits]: Network): Network {
  if (network.kind() !== "ipv6" || bits < MAPPED_BITS) return [network, bits];
  const address = network as ipaddr.IPv6;
  return address.isIPv4MappedAddress() ? [address.toIPv4Address(), bits - MAPPED_BITS] : [network, bits];
}

const PORT_MAX = 65_535;

/** `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; no octal or short forms of IPv4. */
function parseEntry(text: string): readonly [host: string, port: number] | undefined {
  if (isPlainAddress(text)) return [text, 0];
  const parts = /^(?:\[([^\]]+)\]|([\d.]+)(?=:))(?::(\d{1,5}))?$/.exec(text);
  if (parts === null) return undefined;
  const [, bracketed, dotted, digits = "0"] = parts;
  const port = Number(digits);
  if (port > PORT_MAX) return undefined;
  if (bracketed !== undefined) return ipaddr.IPv6.isValid(bracketed) ? [bracketed, port] : undefined;
  return ipaddr.IPv4.isValidFourPartDecimal(dotted) ? [dotted, port] : undefined;
}

function isPlainAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || (text.includes(":") && ipaddr.IPv6.isValid(text));
}

/** The scheme that the nearest proxy states (the rightmost of a list), or undefined when it is not a known one. */
export function forwardedScheme(value: string): "http" | "https" | undefined {
  const last = value
    .slice(value.lastIndexOf(",") + 1)
    .trim()
    .toLowerCase();
  if (last === "https" || last === "wss") return "https";
  if (last === "http" || last === "ws") return "http";
  return undefined;
}
