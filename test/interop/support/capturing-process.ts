/** A process that captures and tells how far it is, so that a test can kill it at a chosen moment. Arguments: vault, password, tree. */
import { systemClock } from "../../../src/platform/system-clock.ts";
import { openRepository } from "../../../src/vault/repository/open-repository.ts";
import { noise } from "./nasty-tree.ts";

const [vault = "", password = "", tree = ""] = process.argv.slice(2);
const never = new AbortController().signal;
const say = (what: string): void => void process.stdout.write(`${what}\n`);

async function* dump() {
  for (let part = 0; part < 60; part += 1) {
    yield noise(200_000, `dump ${part}`);
    say("dump");
  }
}

const repository = await openRepository(vault, password, { clock: systemClock });
say("open");
const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [tree] });
say("begun");
await Promise.all([
  writer.tree(tree, { exclude: [], oneFileSystem: false }, never, () => say("tree")),
  writer.stream("/db/1.dat", { bytes: dump(), seal: async () => ({}) }, never),
]);
say("captured");
await writer.commit();
say("committed");
await repository.close();
