/** The keys of a `dns` cutover entry, and what they say. */
import { isIP } from "node:net";
import { z } from "zod";
import { parseDuration } from "../../core/time/duration.ts";

const hostName =
  /^(?=.{1,253}\.?$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)\.?$/;
const serverName = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;

const address = z.string().refine((text) => isIP(text) !== 0, "write an IP address, such as 192.0.2.7");

/** Above this a step that waits for it would take too long. */
const longestTtlMs = 5 * 60_000;
const isTimeToLive = (text: string): boolean => {
  const ms = parseDuration(text) ?? 0;
  return ms >= 1000 && ms <= longestTtlMs;
};

export const dnsOptionsSchema = z
  .strictObject({
    dns: z
      .string()
      .regex(hostName, "write a whole name, such as market.example.com")
      .meta({ description: "Name whose address (A or AAAA) is what users come by." }),
    server: z.string().regex(serverName, "write a host, or host:port").meta({
      description: "Primary server of the zone, which takes updates by RFC 2136: ns1.example.com, 127.0.0.1:5353.",
    }),
    zone: z.string().regex(hostName, "write a whole name, such as example.com").optional().meta({
      description: "Zone of the name. Asked from the server when left out.",
    }),
    key: z.string().min(1).optional().meta({
      description:
        "TSIG key: the text of a key file as tsig-keygen writes it, or hmac-sha256:NAME:SECRET. A reference, such as ${file:/etc/refloat/tsig}.",
    }),
    ttl: z
      .string()
      .refine(isTimeToLive, "write a time from 1s to 5m, such as 60s: a cutover waits for it")
      .default("60s")
      .meta({ description: "For how long resolvers may remember the address that a cutover writes." }),
    held: address.optional().meta({
      description:
        "Address of a page that says that the service is being recovered. Users are sent there while traffic is held.",
    }),
    resolvers: z.array(z.string().regex(serverName, "write a host, or host:port")).optional().meta({
      description:
        "Resolvers that users ask. A cutover goes on once all of them tell the new address, or their memory must have ended.",
    }),
    to: z
      .string()
      .optional()
      .meta({ description: "Address after the cutover, such as ${api.address}. A port in it is left out." }),
  })
  .meta({ description: "Users come by a name in DNS, whose address is replaced by RFC 2136." });
export type DnsOptions = z.infer<typeof dnsOptionsSchema>;

export const ttlSecondsOf = ({ ttl }: DnsOptions): number => Math.ceil((parseDuration(ttl) ?? 60_000) / 1000);
