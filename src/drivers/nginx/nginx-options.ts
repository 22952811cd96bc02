/** The keys of an `nginx` cutover entry. */
import { z } from "zod";

const absolute = z.string().regex(/^\//, "write an absolute path");

export const nginxOptionsSchema = z
  .strictObject({
    nginx: absolute.meta({
      description:
        "File that declares the upstream block, such as /etc/nginx/conf.d/shop.conf. Its one server line is rewritten.",
    }),
    upstream: z
      .string()
      .regex(/^[A-Za-z0-9_.-]+$/, "write the name of an upstream block, such as shop")
      .meta({ description: "Name of the upstream block that users are sent to." }),
    to: z.string().optional().meta({ description: "Address of the server after the cutover, such as ${app.address}." }),
    pid: absolute.default("/run/nginx.pid").meta({ description: "File with the process number of the master." }),
    check: z.string().min(1).default("nginx -t").meta({
      description:
        "Line for /bin/sh that refuses a broken configuration. What it refuses is not loaded, and the file gets its old text back.",
    }),
    reload: z.string().min(1).default("nginx -s reload").meta({
      description: "Line for /bin/sh that makes nginx read its configuration again.",
    }),
  })
  .meta({ description: "Traffic goes through the one server of an upstream block of nginx." });
export type NginxOptions = z.infer<typeof nginxOptionsSchema>;
