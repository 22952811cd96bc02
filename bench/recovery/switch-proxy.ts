/** `node switch-proxy.ts SOCKET PORT`: the administrator's last line, directing HAProxy to the application's new port. */
import { directProxy } from "../../examples/shop/stage/proxy.ts";

const [socket = "", port = ""] = process.argv.slice(2);
await directProxy(socket, Number(port));
