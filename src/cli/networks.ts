/** The list of trusted proxies: addresses, CIDR networks, or `*` for all. */
import ipaddr from "ipaddr.js";
import { type Kind, ValueError } from "./values.ts";

/** Only the usual spellings: not the octal, hexadecimal and short IPv4 forms that other programs read differently. */
function isAddressOrNetwork(text: string): boolean {
  const { IPv4, IPv6 } = ipaddr;
  return (
    IPv4.isValidFourPartDecimal(text) ||
    IPv4.isValidCIDRFourPartDecimal(text) ||
    ((IPv6.isValid(text) || IPv6.isValidCIDR(text)) && hasPlainTail(text))
  );
}

/** An IPv4 address at the end of an IPv6 one, such as ::ffff:10.0.0.1. */
function hasPlainTail(text: string): boolean {
  const [tail] = /[^:/%]*\.[^/%]*/.exec(text) ?? [];
  return tail === undefined || ipaddr.IPv4.isValidFourPartDecimal(tail);
}

function parseNetworks(given: string): readonly string[] {
  const parts = given
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const wrong = parts.find((part) => part !== "*" && !isAddressOrNetwork(part));
  if (wrong !== undefined) {
    throw new ValueError("a list with commas of IP addresses and networks such as 10.0.0.0/8, or *");
  }
  return parts;
}

/** `127.0.0.1,10.0.0.0/8` or `*`. An empty list trusts nobody. */
export const networks: Kind<readonly string[]> = {
  placeholder: "<list>",
  repeatable: false,
  parse: (texts) => parseNetworks(texts[texts.length - 1]),
  show: (values) => values.join(","),
  split: (text) => [text],
};
