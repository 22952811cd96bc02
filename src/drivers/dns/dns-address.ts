/** Addresses as `to:` gives them and as a record holds them: several of a name are one text, sorted. */
import { isIP } from "node:net";
import { RefloatError } from "../../model/refloat-error.ts";

export type Family = "A" | "AAAA";

export const familyOf = (address: string): Family => (isIP(address) === 6 ? "AAAA" : "A");

/** `127.0.0.1:8082`, `[::1]:8082` and `::1` without their port. A record knows none. */
const withoutPort = (text: string): string => {
  const [, bracketed] = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text) ?? [];
  if (bracketed !== undefined) return bracketed;
  return isIP(text) === 0 ? text.replace(/:\d{1,5}$/, "") : text;
};

/** One spelling of what a record holds: addresses without ports, each once, sorted. */
export const joinAddresses = (addresses: readonly string[]): string => [...new Set(addresses)].sort().join(", ");

/**
 * @param text `10.0.0.9:8080`, or several parted by commas, as `observe` tells them
 * @throws RefloatError config.invalid for what is no address, and for addresses of both families
 */
export const readAddresses = (text: string): readonly string[] => {
  const addresses = text.split(",").map((part) => withoutPort(part.trim()));
  const wrong = addresses.find((address) => isIP(address) === 0);
  if (wrong !== undefined) {
    throw new RefloatError(
      "config.invalid",
      `a name in DNS cannot be given the address "${text}": it is no IP address`,
      {
        hint: "write to: ${api.address}, or 192.0.2.7",
      },
    );
  }
  if (new Set(addresses.map(familyOf)).size > 1) {
    throw new RefloatError("config.invalid", `"${text}" has addresses of IPv4 and of IPv6, which are two records`, {
      hint: "write a cutover entry for each",
    });
  }
  return addresses;
};
