/** Which files of a capture are left out, and that none is whose table got its name while it was copied. */
import { describe, expect, it } from "vitest";
import type { FileChange } from "../captured-server.ts";
import { type CapturedFile, chooseFiles, filesNamed } from "./choose-files.ts";

const filesOf = (...paths: readonly string[]): readonly CapturedFile[] =>
  paths.map((path) => ({ path, sizeBytes: 1, local: null, content: () => (async function* none() {})() }));

const notesOf = (texts: Readonly<Record<string, string>>): readonly CapturedFile[] =>
  Object.entries(texts).map(([path, told]) => ({
    path,
    sizeBytes: told.length,
    local: null,
    content: () =>
      (async function* one() {
        yield Buffer.from(told);
      })(),
  }));

const chosen = async (
  paths: readonly string[],
  { table = "orders", changes = [] }: { readonly table?: string | null; readonly changes?: readonly FileChange[] } = {},
): Promise<readonly string[]> =>
  (await chooseFiles(filesOf(...paths), changes, filesNamed({ database: "shop", table, ignoresCase: false }))).map(
    ({ path }) => path,
  );

describe("files for one table", () => {
  it("are those of the server, of the database as a whole, and its own", async () => {
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
    await expect(chosen([...others, ...wanted])).resolves.toEqual(wanted);
    await expect(chosen(["shop/customers.ibd", "other/orders.ibd"], { table: null })).resolves.toEqual([
      "shop/customers.ibd",
    ]);
  });

  it("have the names that they were copied under, when it was swapped with another meanwhile", async () => {
    const changes = [
      { path: "shop/orders.ibd", to: "shop/orders_old.ibd" },
      { path: "shop/draft.ibd", to: "shop/orders_new.ibd" },
      { path: "shop/orders_new.ibd", to: "shop/orders.ibd" },
      { path: "shop/customers.ibd", to: null },
    ];
    const paths = ["shop/orders.ibd", "shop/draft.ibd", "shop/customers.ibd", "shop/orders.frm"];
    await expect(chosen(paths, { changes })).resolves.toEqual(["shop/orders.ibd", "shop/draft.ibd", "shop/orders.frm"]);
  });

  it("have the name that an older program notes in a file of its own, and bring that note along", async () => {
    const notes = {
      "shop/draft.ren": "shop/orders",
      "shop/orders.ren": "shop/orders_old",
      "shop/early.ren": "shop/late",
    };
    const data = ["shop/draft.ibd", "shop/orders.ibd", "shop/early.ibd"];
    const files = [...filesOf(...data, "shop/orders.frm", "shop/gone.ibd", "shop/gone.del"), ...notesOf(notes)];
    const of = async (table: string): Promise<readonly string[]> =>
      (await chooseFiles(files, [], filesNamed({ database: "shop", table, ignoresCase: false }))).map(
        ({ path }) => path,
      );
    await expect(of("orders")).resolves.toEqual([
      "shop/draft.ibd",
      "shop/orders.ibd",
      "shop/orders.frm",
      "shop/draft.ren",
      "shop/orders.ren",
    ]);
    await expect(of("late")).resolves.toEqual(["shop/early.ibd", "shop/early.ren"]);
  });
});
