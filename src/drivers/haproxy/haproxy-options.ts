/** The keys of a `haproxy` cutover entry. */
import { isIP } from "node:net";
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ServerName, ServerState } from "./runtime-api.ts";

export const haproxyOptionsSchema = z
  .strictObject({
    haproxy: z
      .string()
      .regex(/^[A-Za-z0-9_.:-]+\/[A-Za-z0-9_.:-]+$/, "write backend/server, such as shop/app")
      .meta({ description: "Back end and server as haproxy.cfg names them: shop/app." }),
    socket: z
      .string()
      .min(1)
      .meta({ description: "Admin socket: a path, or ipv4@host:port. Its level must be admin." }),
    to: z.string().optional().meta({ description: "Address of the server after the cutover, such as ${app.address}." }),
    stateFile: z.string().regex(/^\//, "stateFile is an absolute path").optional().meta({
      description: "HAProxy's server-state-file, written after each change so that a reload does not undo it.",
    }),
  })
  .meta({ description: "Traffic goes through one server of an HAProxy back end." });
export type HaproxyOptions = z.infer<typeof haproxyOptionsSchema>;

export const serverNameOf = (options: HaproxyOptions): ServerName => {
  const [backend = "", server = ""] = options.haproxy.split("/");
  return { backend, server };
};

/** `127.0.0.1:8082`, `[::1]:8082`. HAProxy changes a server's address to another address only, never to a name. */
export const readServerAddress = (text: string): { readonly host: string; readonly port: number } => {
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  if (isIP(host) !== 0 && Number(port) >= 1 && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new RefloatError(
    "config.invalid",
    `traffic cannot be directed to "${text}": HAProxy wants an IP address and a port`,
    {
      hint: "write to: ${app.address}, or 127.0.0.1:8082",
    },
  );
};

export const addressText = ({ host, port }: Pick<ServerState, "host" | "port">): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
