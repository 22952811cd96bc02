/**
 * What a service needs is provisioned by a real recovery: a place made by lines, a server that outlives Refloat; by a program that is
 * killed in the middle; and nothing is ever removed that this run has not made.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa, execaSync } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { findByEnvironment, isAlive, signalProcess } from "../../src/platform/process-table.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

const hasTerraform = execaSync("terraform", ["version"], { reject: false }).exitCode === 0;
if (!hasTerraform)
  process.stderr.write("SKIPPED: a person's word to what terraform makes, since it is not installed\n");

/** Tells of each start, and listens only when nothing holds it. */
const server = `
const { appendFileSync, existsSync } = require("node:fs");
appendFileSync(process.env.STARTS, process.pid + "\\n");
const serve = () => existsSync(process.env.HOLD) ? setTimeout(serve, 20)
  : require("node:http").createServer((_, to) => to.end("place " + process.env.PLACE)).listen(Number(process.env.PORT), "127.0.0.1");
serve();
`;

describe("provision", { timeout: 300_000 }, () => {
  let folder: string;
  let port: number;
  let refloat: RefloatProgram;
  const at = (name: string): string => join(folder, name);
  const starts = async (): Promise<number> =>
    (await readFile(at("starts"), "utf8").catch(() => "")).split("\n").filter((line) => line !== "").length;
  const answer = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();
  const servers = () => findByEnvironment({ STARTS: at("starts") });
  /** Its port is free then. */
  const endServers = async (): Promise<void> => {
    const all = servers();
    for (const one of all) signalProcess(one, "SIGKILL");
    while (all.some(isAlive)) await delay(10);
  };
  /** What a lost site leaves. */
  const loseAll = async (): Promise<void> => {
    await endServers();
    await rm(at("box"), { recursive: true, force: true });
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-provision-"));
    port = await findFreePort();
    await writeFile(at("server.cjs"), server);
    await declareIn(
      folder,
      `services:
  notes:
    provision:
      box:
        type: command
        apply: mkdir -p ${at("box")} && echo "$REFLOAT_RUN" > ${at("box")}/made-by && while [ -e ${at("hold-box")} ]; do sleep 0.05; done
        inspect: test -e ${at("box")} && echo done || echo absent
        destroy: rm -rf ${at("box")}
        outputs: { path: "echo ${at("box")}" }
      cache:
        type: process
        start: exec '${process.execPath}' ${at("server.cjs")}
        port: ${port}
        environment: { PORT: "${port}", PLACE: "\${box.path}", STARTS: ${at("starts")}, HOLD: ${at("hold-cache")} }
        checks:
          - http: \${self.url}/
            expect: { body: ${at("box")} }
      scratch:
        type: command
        temporary: true
        apply: touch ${at("scratch")}
        inspect: test -e ${at("scratch")} && echo done || echo absent
        destroy: rm -f ${at("scratch")}
    components:
      docs:
        type: files
        path: \${box.path}/docs
  cloud:
    provision:
      place:
        type: command
        apply: mkdir ${at("place")}
        inspect: test -e ${at("place")} && echo done || echo absent
        destroy: rm -rf ${at("place")}
        outputs: { path: "echo ${at("place")}" }
      site:
        type: terraform
        directory: ${at("module")}
        variables: { at: "\${place.path}" }
    components:
      pages: { type: files, path: ${at("pages")} }
`,
    );
    await mkdir(at("module"));
    await writeFile(
      at("module/main.tf"),
      'variable "at" { type = string }\nresource "terraform_data" "x" { input = var.at }\n',
    );
    refloat = refloatIn(folder);
    await mkdir(at("box/docs"), { recursive: true });
    await writeFile(at("box/docs/note.txt"), "a note\n");
    await refloat.succeed(["vault", "init"]);
    await refloat.succeed(["capture", "notes"]);
  });

  afterEach(endServers);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("is shown in the plan, and says what is there already", async () => {
    const { stdout } = await refloat.succeed(["plan", "notes"]);
    const said = stdout.replaceAll(/\s+/g, " ");
    expect(said).toContain("provision box inspect says done: used as it is");
    expect(said).toContain(`provision cache starts on port ${port}`);
    expect(said).toContain("tear down scratch if this recovery has made it");
    expect(existsSync(at("scratch"))).toBe(false);
    expect(await starts()).toBe(0);
  });

  it("makes what a lost site lacks, restores into it, and removes at its end what was needed only meanwhile", async () => {
    await loseAll();
    const plan = (await refloat.succeed(["plan", "notes"])).stdout.replaceAll(/\s+/g, " ");
    expect(plan).toContain("provision box by: mkdir");
    expect(plan).toContain(`provision cache starts on port ${port}`);
    await refloat.succeed(["recover", "notes", "--yes"]);
    expect(await readFile(at("box/docs/note.txt"), "utf8")).toBe("a note\n");
    // It outlives the program that started it, and knows the place that was provisioned before it.
    expect(await answer()).toBe(`place ${at("box")}`);
    expect(await starts()).toBe(1);
    expect(existsSync(at("scratch"))).toBe(false);
  });

  it("leaves alone what it found, at its end and when it is cancelled", async () => {
    await rm(at("starts"), { force: true });
    await writeFile(at("scratch"), "somebody's own");
    const { stderr } = await refloat.succeed(["recover", "notes", "--yes", "--no-cutover"]);
    expect(stderr).toContain("was there before, and stays");
    await refloat.succeed(["cancel", String(await lastRun())]);
    expect(await readFile(at("scratch"), "utf8")).toBe("somebody's own");
    await rm(at("scratch"));
    expect(existsSync(at("box/made-by"))).toBe(true);
  });

  it("is killed while the place is half made: resumed it makes it once, cancelled it leaves nothing", async () => {
    await loseAll();
    await writeFile(at("hold-box"), "");
    const first = refloat.spawn(["recover", "notes", "--yes"]);
    while (!existsSync(at("box/made-by"))) await delay(20);
    first.kill("SIGKILL");
    await first;
    const half = await refloat.run(["plan", "notes"]);
    expect(half.stderr).toContain("box is half there: its apply line has not come to its end");
    await rm(at("hold-box"));
    const unfinished = (await refloat.run(["cancel", String(await lastRun())])).stdout;
    expect(unfinished).not.toBe("");
    expect(existsSync(at("box"))).toBe(false);
    expect(servers()).toEqual([]);
    await refloat.succeed(["recover", "notes", "--yes"]);
    expect(await readFile(at("box/docs/note.txt"), "utf8")).toBe("a note\n");
  });

  it("is killed while the server starts: there is never a second one", async () => {
    await rm(at("starts"), { force: true });
    await writeFile(at("hold-cache"), "");
    const first = refloat.spawn(["recover", "notes", "--yes", "--no-cutover"]);
    while ((await starts()) === 0) await delay(20);
    first.kill("SIGKILL");
    await first;
    expect(servers()).toHaveLength(1);
    await rm(at("hold-cache"));
    await refloat.succeed(["resume", String(await lastRun())]);
    expect(servers()).toHaveLength(1);
    expect(await answer()).toBe(`place ${at("box")}`);
  });

  it("does not take a stranger on its port for what is declared, nor stop it", async () => {
    const stranger = execa(process.execPath, [at("server.cjs")], {
      reject: false,
      env: { PORT: String(port), STARTS: at("stranger"), HOLD: at("none"), PLACE: "elsewhere" },
    });
    while ((await answer().catch(() => "")) === "") await delay(20);
    const refused = await refloat.run(["plan", "notes"]);
    expect(refused.stderr).toContain(`cache is to listen on port ${port}`);
    expect(refused.stderr).toContain("which Refloat has not started");
    expect(await answer()).toBe("place elsewhere");
    stranger.kill("SIGKILL");
    await stranger;
  });

  it.skipIf(!hasTerraform)("makes what no plan could show once a person has seen it", async () => {
    await mkdir(at("pages"));
    await refloat.succeed(["capture", "cloud"]);
    expect((await refloat.succeed(["plan", "cloud"])).stdout).toContain("what it will be is seen once place is there");
    const waiting = await refloat.run(["recover", "cloud", "--yes", "--no-cutover"]);
    const said = waiting.stdout + waiting.stderr;
    expect(said).toContain("# terraform_data.x will be created");
    const [, run = "", evidence = ""] = /refloat done (\d+) provision:site --evidence (\w+)/.exec(said) ?? [];
    expect(existsSync(at("module/terraform.tfstate"))).toBe(false);
    await refloat.succeed(["done", run, "provision:site", "--evidence", evidence]);
    await refloat.succeed(["resume", run]);
    expect(await readFile(at("module/terraform.tfstate"), "utf8")).toContain(at("place"));
  });

  const lastRun = async (): Promise<number> => {
    const { lines } = await refloat.succeed(["runs", "--json"]);
    return resultEnvelopeSchema("runs").parse(lines.at(-1)).data[0]?.number ?? 0;
  };
});
