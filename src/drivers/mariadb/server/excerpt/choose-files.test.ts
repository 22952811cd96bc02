/** Which files of a capture are left out, and that none is whose table got its name while it was copied. */
import { describe, expect, it } from "vitest";
import type { FileChange } from "../captured-server.ts";
import { type CapturedFile, chooseFiles } from "./choose-files.ts";

const filesOf = (...paths: readonly string[]): readonly CapturedFile[] =>
  paths.map((path) => ({ path, sizeBytes: 1, content: () => (async function* none() {})() }));

const chosen = (
  paths: readonly string[],
  { table = "orders", changes = [] }: { readonly table?: string | null; readonly changes?: readonly FileChange[] } = {},
): readonly string[] =>
  chooseFiles(filesOf(...paths), changes, { database: "shop", table, ignoresCase: false }).map(({ path }) => path);

describe("files for one table", () => {
  it("are those of the server, of the database as a whole, and its own", () => {
    const wanted = [
      "ibdata1",
      "undo001",
      "ib_logfile0",
      "aria_log_control",
      "mysql/global_priv.MAD",
      "sys/version.frm",
      "shop/db.opt",
      "shop/orders.frm",
      "shop/orders.ibd",
      "shop/orders.TRG",
      "shop/noted.TRN",
      "shop/orders#P#p0.ibd",
      "shop/FTS_0000000000000013_CONFIG.ibd",
    ];
    const others = ["shop/orders_old.ibd", "shop/order.frm", "shop/orders2.MYD", "other/db.opt", "other/orders.ibd"];
    expect(chosen([...others, ...wanted])).toEqual(wanted);
    expect(chosen(["shop/customers.ibd", "other/orders.ibd"], { table: null })).toEqual(["shop/customers.ibd"]);
  });

  it("have the names that they were copied under, when it was swapped with another meanwhile", () => {
    const changes = [
      { path: "shop/orders.ibd", to: "shop/orders_old.ibd" },
      { path: "shop/draft.ibd", to: "shop/orders_new.ibd" },
      { path: "shop/orders_new.ibd", to: "shop/orders.ibd" },
      { path: "shop/customers.ibd", to: null },
    ];
    const paths = ["shop/orders.ibd", "shop/draft.ibd", "shop/customers.ibd", "shop/orders.frm"];
    expect(chosen(paths, { changes })).toEqual(["shop/orders.ibd", "shop/draft.ibd", "shop/orders.frm"]);
  });

  it("are all of them where the backup tells of changes in files of their own", () => {
    const paths = ["shop/orders.ibd", "other/ballast.ibd", "other/draft.ibd.ren"];
    expect(chosen(paths)).toEqual(paths);
  });
});
