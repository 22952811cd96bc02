/** The keys of an `etcd` component, and what they mean once references are resolved. */
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { bindStablePath, stablePathPattern } from "../../platform/path-operations.ts";
import { portRangeSchema } from "../../platform/port-range.ts";
import { hasPasswordLiteral, passwordReferenceSchema } from "../../platform/postgres/connection-keys.ts";

const file = (what: string) => z.string().regex(stablePathPattern, `${what} is an absolute path`).optional();

export const etcdOptionsSchema = z
  .strictObject({
    data: z.string().regex(stablePathPattern, "data is an absolute path, such as /var/lib/etcd/default").meta({
      description:
        "Data folder of the member on this machine (its --data-dir), absolute: /var/lib/etcd/default. It is switched as a whole.",
    }),
    url: z
      .string()
      .refine(
        (url) => !hasPasswordLiteral(url),
        "a password does not belong in the url: take it out and add `password: ${file:/etc/refloat/etcd-password}` (or ${env:NAME}, ${command:...})",
      )
      .meta({
        description:
          "Where the member answers clients: http://127.0.0.1:2379, or https://. Where authentication is on, with a user that has the role root: http://root@127.0.0.1:2379.",
      }),
    password: passwordReferenceSchema,
    authority: file("authority").meta({
      description: "File with the certificates of the authorities that the server's own is held against.",
    }),
    certificate: file("certificate").meta({ description: "File with the certificate that the server asks for." }),
    key: file("key").meta({ description: "File with the key of that certificate." }),
    ports: portRangeSchema.meta({
      description: "Ports of which a restored member gets two free ones until it is switched: 2390-2399.",
    }),
    start: z.string().min(1).meta({
      description: "Line for /bin/sh that starts the server at its stable place, such as systemctl start etcd.",
    }),
    stop: z.string().min(1).meta({ description: "Line that stops the server, such as systemctl stop etcd." }),
    programs: file("programs").meta({
      description: "Folder with etcd and etcdutl (or etcdctl); they are looked for on the path when left out.",
    }),
  })
  .meta({
    description:
      "An etcd cluster (3.4 or newer), captured by the snapshot of one member; restored beside it as a new cluster of one member.",
  });
export type EtcdOptions = z.infer<typeof etcdOptionsSchema>;

/** What every act of this driver is given. */
export type EtcdContext = DriverContext<EtcdOptions>;

/** The stable path: absolute, without a trailing slash. */
export const dataPathOf = (context: EtcdContext): Promise<string> =>
  bindStablePath(context.bind, context.options.data, `data of ${context.component}`);

export const pathOption = async (
  context: Pick<EtcdContext, "options" | "bind" | "component">,
  name: "programs" | "authority" | "certificate" | "key",
): Promise<string | null> => {
  const declared = context.options[name];
  return declared === undefined ? null : bindStablePath(context.bind, declared, `${name} of ${context.component}`);
};
