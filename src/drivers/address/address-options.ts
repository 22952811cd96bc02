/** The keys of an `address` cutover entry. */
import { isIPv4 } from "node:net";
import { z } from "zod";

const isAddress = (text: string): boolean => {
  const [, ip = "", prefix = "32"] = /^([\d.]+)(?:\/(\d{1,2}))?$/.exec(text) ?? [];
  return isIPv4(ip) && Number(prefix) >= 8 && Number(prefix) <= 32;
};

const placeShape = {
  interface: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/, "write the name of a network interface, such as eth0")
    .meta({ description: "Network interface there: eth0." }),
  enter: z.string().min(1).optional().meta({
    description:
      "Words before each command that run it there: ssh -o ConnectTimeout=5 root@db-1, or ${box.enter}. This machine when left out.",
  }),
};
const placeSchema = z.strictObject(placeShape);
export type Place = z.infer<typeof placeSchema>;

export const addressOptionsSchema = z
  .strictObject({
    address: z
      .string()
      .refine(isAddress, "write an IPv4 address with the length of its prefix, such as 10.0.0.50/32")
      .meta({ description: "Floating address that users come by: 10.0.0.50/32." }),
    holders: z
      .record(z.string().regex(/^[A-Za-z0-9_.-]+$/, "a holder's name has letters, digits, _ . -"), placeSchema)
      .refine((holders) => Object.keys(holders).length >= 2, "name two holders at least: who has it, and who gets it")
      .meta({ description: "All who may have the address, by a name of your own." }),
    client: placeSchema.optional().meta({
      description: "Somebody else on the same network segment, who is asked by ARP who answers for the address.",
    }),
    to: z
      .string()
      .min(1)
      .meta({ description: "Holder that has the address after the cutover, by its name in holders." }),
  })
  .refine(({ holders, to }) => to.includes("${") || Object.hasOwn(holders, to), {
    path: ["to"],
    error: "name one of holders",
  })
  .meta({ description: "Users come by an IP address that is moved between machines of one network segment." });
export type AddressOptions = z.infer<typeof addressOptionsSchema>;

export const ipOf = ({ address }: AddressOptions): string => address.split("/")[0] ?? "";
export const withPrefix = ({ address }: AddressOptions): string => (address.includes("/") ? address : `${address}/32`);
