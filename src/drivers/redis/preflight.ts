/** What `validate --live` says of a server: can it be captured, restored beside and switched, with which rights. */
import { access, constants, readFile, readdir, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { nullWhenDown } from "../../core/components/null-when-down.ts";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { formatAmount, formatBytes } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { portFinding } from "../../platform/folder-server/instance-port.ts";
import {
  type Finding,
  failure,
  finding,
  listed,
  mountFindings,
  ofCapture,
} from "../../platform/postgres/preflight-finding.ts";
import { systemdUnitOf } from "../../platform/process-table.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { appendOnlyPlace } from "./append-only-files.ts";
import { type RedisTarget, describeAddress, resolveTarget } from "./connection-target.ts";
import { refuseCompany } from "./live-server.ts";
import { type RedisContext, dataPathOf } from "./redis-options.ts";
import { findRedisProcess } from "./redis-process.ts";
import { type RedisSession, replyOf, withRedis } from "./redis-session.ts";
import {
  type ServerFacts,
  type Settings,
  keyCountsIn,
  numberIn,
  readFolderSetting,
  readServerFacts,
  startOf,
} from "./server-facts.ts";
import { findRedisProgram, programOf, serverProgramVersion } from "./server-programs.ts";
import { type Standing, readStanding } from "./standing-users.ts";

/** What each right is for. Subcommands are rights of their own. */
const captureCommands = ["PSYNC", "SYNC", "REPLCONF", "INFO", "CONFIG|GET", "MODULE|LIST"] as const;
const recoveryCommands = ["PING", "SHUTDOWN", "CLIENT|LIST"] as const;

const askedCommands = ["PING", "CLIENT|LIST", "ACL|WHOAMI", "ACL|DRYRUN", "ACL|USERS"] as const;

const mendCommands = [
  "info",
  "select",
  "scan",
  "dump",
  "pexpiretime",
  "watch",
  "multi",
  "exec",
  "restore",
  "del",
] as const;

const grantsFor = ({ user }: RedisTarget, hasStop: boolean): readonly string[] => {
  const rights = [...captureCommands, ...askedCommands, hasStop ? "SAVE" : "SHUTDOWN"];
  const name = user === null || user === "default" ? "refloat" : user;
  return [
    `ACL SETUSER ${name} on >PASSWORD resetkeys resetchannels -@all ${rights.map((right) => `+${right.toLowerCase()}`).join(" ")}`,
    `# that alone is gone when the server is started anew. Where an aclfile is set: ACL SAVE. Else in redis.conf: user ${name} on >PASSWORD ...`,
    "# what checks read, besides: ~* +get +dbsize +exists +select",
    `# what assess and mend of keys do, besides, on the keys that come back: ~KEYS ${mendCommands.map((command) => `+${command}`).join(" ")}`,
  ];
};

/** Asks the server whether it would let the user; it does nothing. Servers before 7.0 cannot be asked. */
const rightsFinding = async (session: RedisSession, target: RedisTarget, hasStop: boolean): Promise<Finding> => {
  const subject = `rights of ${target.user ?? "default"}`;
  try {
    const user = String(await session.ask("ACL", "WHOAMI"));
    const missing: string[] = [];
    const asked = [...captureCommands, ...recoveryCommands.filter((command) => !(hasStop && command === "SHUTDOWN"))];
    for (const command of asked) {
      const words = command.split("|");
      const example =
        command === "CONFIG|GET"
          ? [...words, "dir"]
          : command === "REPLCONF"
            ? [...words, "capa", "eof"]
            : command === "PSYNC"
              ? [...words, "?", "-1"]
              : words;
      const reply = await session.ask("ACL", "DRYRUN", user, ...example);
      if (reply !== "OK") missing.push(command.toLowerCase());
    }
    return missing.length === 0
      ? finding(true, subject, "all that a capture and a recovery need")
      : finding(false, subject, `may not ${missing.join(", ")}`, "give the rights below, as an administrator");
  } catch (error) {
    if (replyOf(error) === null) throw error;
    return finding(true, subject, "cannot be looked at (that needs +acl|whoami +acl|dryrun, and Redis 7)");
  }
};

/** A switch starts the server anew, and whoever no file has does not come in any more. */
const standingFinding = (standing: Standing): Finding => {
  const subject = "users once it is started anew";
  switch (standing.kind) {
    case "stands":
      return finding(true, subject, `stand in ${standing.file}`);
    case "gone":
      return finding(false, subject, standing.found, standing.advice);
    case "unseen":
      return finding(
        true,
        subject,
        `could not be looked at: ${standing.why}. One that ACL SETUSER has made needs ACL SAVE (with an aclfile) or its line in redis.conf`,
      );
    default:
      return standing satisfies never;
  }
};

const persistenceFinding = ({ save, appendonly }: Settings): Finding => {
  const kept = [...(appendonly === "yes" ? ["an append-only file"] : []), ...(save === "" ? [] : [`save ${save}`])];
  return finding(
    true,
    "what the server keeps on its disk",
    kept.length === 0 ? "nothing: a crash loses all keys since the last point" : kept.join(", "),
  );
};

/** A capture makes the server fork; in the worst case each page that is written meanwhile is copied. */
const memoryFinding = async ({ info }: ServerFacts, isHere: boolean): Promise<readonly Finding[]> => {
  const used = numberIn(info, "used_memory");
  if (!isHere) return [];
  const text = await readFile("/proc/meminfo", "utf8").catch(() => "");
  const free = Number(/^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1_024;
  const overcommit = (await readFile("/proc/sys/vm/overcommit_memory", "utf8").catch(() => "")).trim();
  return [
    ofCapture(
      finding(
        overcommit === "1" || free > used,
        "memory for a fork",
        `the server uses ${formatBytes(used)}, ${formatBytes(free)} are free, vm.overcommit_memory is ${overcommit}`,
        "sysctl vm.overcommit_memory=1: a fork needs memory only for what is written meanwhile",
      ),
    ),
  ];
};

/** A switch puts another folder in the place of the whole one. */
const othersIn = async (folder: string, settings: Settings, version: string): Promise<readonly string[]> => {
  const own = new Set([settings.dbfilename, appendOnlyPlace(folder, settings, version).slice(folder.length + 1)]);
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => !own.has(name) && !/^temp-.*\.(?:rdb|aof)$/.test(name) && !name.endsWith(".log"));
};

const folderFindings = async (
  context: RedisContext,
  session: RedisSession,
  { settings, version }: ServerFacts,
): Promise<readonly Finding[]> => {
  const stable = await dataPathOf(context);
  const [dir, data] = await Promise.all(
    [await readFolderSetting(session), stable].map((path) => realpath(path).catch(() => path)),
  );
  const beside = dirname(stable);
  const refused = await access(beside, constants.W_OK | constants.X_OK).then(() => null, describeSystemError);
  const others = await othersIn(stable, settings, version);
  return [
    finding(
      dir === data,
      stable,
      dir === data
        ? "is the data folder of the server that answers"
        : `is not where the server that answers works: ${dir}`,
      "correct data: or url:",
    ),
    finding(
      refused === null,
      beside,
      refused === null ? "a restored server's folder can be put here" : `nothing can be restored here: ${refused}`,
    ),
    ...(others.length === 0
      ? []
      : [
          finding(
            false,
            stable,
            `holds what is not Redis' own, is not captured, and goes aside with the folder at a switch: ${listed(others)}`,
            "give the server a folder of its own (dir)",
          ),
        ]),
    ...(await mountFindings(stable)),
  ];
};

const supervisorFindings = async (context: RedisContext, { info }: ServerFacts): Promise<readonly Finding[]> => {
  const running = await findRedisProcess(await dataPathOf(context));
  const unit = running === null ? null : systemdUnitOf(running.pid);
  const { start, stop } = context.options;
  if (start !== undefined && stop !== undefined) return [];
  if (unit !== null)
    return [
      finding(
        false,
        "start and stop of the server",
        `systemd runs it as ${unit}, and would start it again, or not know of one that is started beside it`,
        `declare start: systemctl start ${unit} and stop: systemctl stop ${unit}`,
      ),
    ];
  return start === undefined && startOf(info) === null
    ? [
        finding(
          false,
          "start of the server",
          "it runs without a configuration file, so how it is started is not known",
          "declare start:",
        ),
      ]
    : [];
};

const commandsFor = async (context: RedisContext, { info, settings }: ServerFacts) => {
  const stable = await dataPathOf(context);
  const { start, stop } = context.options;
  const file = startOf(info);
  const program = file === null ? null : await nullWhenDown(context.signal, () => programOf(context, file));
  return {
    commands: [
      `INFO; CONFIG GET ${Object.keys(settings).join(" ")}; MODULE LIST`,
      "REPLCONF capa eof; REPLCONF rdb-only 1; SYNC",
    ],
    recoveryCommands: [
      `redis-server - < CONFIGURATION  -- in ${stable}.rN, on a port of ${context.options.ports}`,
      stop ?? "SHUTDOWN SAVE",
      `SHUTDOWN SAVE  -- of the one in ${stable}.rN`,
      `renameat2 ${stable} ${stable}.oldN  -- exchanges the two names`,
      ...(settings.appendonly === "yes" ? [`the base of an append-only file beside ${settings.dbfilename}`] : []),
      start ?? `${program ?? "redis-server"} ${file?.configFile ?? "FILE"} --daemonize yes`,
    ],
  };
};

const askServer = async (context: RedisContext, session: RedisSession, target: RedisTarget) => {
  const stable = await dataPathOf(context);
  const hasStop = context.options.stop !== undefined;
  const findings: Finding[] = [];
  const ask = async (subject: string, look: () => Promise<readonly Finding[]>): Promise<void> => {
    try {
      findings.push(...(await look()));
    } catch (error) {
      context.signal.throwIfAborted();
      findings.push(failure(subject, error));
    }
  };
  const server = await readServerFacts(session, context.component);
  const keys = Object.values(keyCountsIn(server.info)).reduce((sum, count) => sum + count.keys, 0);
  findings.push(
    finding(true, describeAddress(target), `Redis ${server.version}, ${formatAmount(keys, "keys")}`),
    await rightsFinding(session, target, hasStop),
    persistenceFinding(server.settings),
  );
  await ask("users once it is started anew", async () => [
    standingFinding(await readStanding(context, session, target)),
  ]);
  await ask("programs", async () => {
    const program = await findRedisProgram(context, "redis-server");
    return [finding(true, "programs", `${program} ${await serverProgramVersion(context, program)}`)];
  });
  const isHere = (await findRedisProcess(stable)) !== null;
  await ask("memory", () => memoryFinding(server, isHere));
  await ask(stable, () => folderFindings(context, session, server));
  await ask(stable, async () => {
    await refuseCompany(context, stable);
    return [
      finding(
        true,
        "company",
        isHere ? "no Sentinel watches it: it can be switched" : "no server of this folder is seen on this machine",
      ),
    ];
  });
  await ask("start and stop of the server", () => supervisorFindings(context, server));
  findings.push(portFinding(context, "server"));
  return { findings, ...(await commandsFor(context, server)), grants: grantsFor(target, hasStop) };
};

export const preflightRedis = async (context: RedisContext): Promise<PreflightReport> => {
  const target = await resolveTarget(context);
  const { signal } = context;
  try {
    return await withRedis({ target, signal }, (session) => askServer(context, session, target));
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return {
      findings: [failure(describeAddress(target), error)],
      commands: [],
      recoveryCommands: [],
      grants: grantsFor(target, context.options.stop !== undefined),
    };
  }
};
