import { expect, test } from "vitest";
import { parseHaproxyConfig } from "./haproxy-config.ts";

test("finds the admin socket, the front ends and the servers", () => {
  const config = `
global
    log /dev/log local0
    stats socket /run/haproxy/stats.sock mode 600 level operator
    stats socket unix@/run/haproxy/admin.sock mode 660 level admin  # the one
defaults
    mode http
frontend web
    bind *:8080
    bind [::1]:8443 ssl crt /etc/x.pem
    bind unix@/run/web.sock
    default_backend shop
backend shop
    option httpchk GET /health
    server app 127.0.0.1:8081 check
    server old\\ one "10.0.0.5:80"
    # server gone 127.0.0.1:1
listen stats
    bind :9000
    server self [::1]:9001
peers mypeers
    server not-a-server 127.0.0.1:1024
`;
  expect(parseHaproxyConfig(config)).toEqual({
    adminSocket: "/run/haproxy/admin.sock",
    binds: [
      { host: "127.0.0.1", port: 8080 },
      { host: "::1", port: 8443 },
      { host: "127.0.0.1", port: 9000 },
    ],
    servers: [
      { backend: "shop", server: "app", host: "127.0.0.1", port: 8081 },
      { backend: "shop", server: "old one", host: "10.0.0.5", port: 80 },
      { backend: "stats", server: "self", host: "::1", port: 9001 },
    ],
  });
});

test("a configuration without any of it is no mistake", () => {
  expect(parseHaproxyConfig("")).toEqual({ adminSocket: null, binds: [], servers: [] });
  expect(parseHaproxyConfig("global\r\n  stats socket 127.0.0.1:9999 level admin\r\n")).toEqual({
    adminSocket: null,
    binds: [],
    servers: [],
  });
});
