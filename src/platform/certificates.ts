/** Certificates that an application is told of by its environment: when each ends, at its capture and on the machine that it would be restored to. */
import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { Fingerprint, FingerprintDifference } from "../model/fingerprint.ts";

type Certificate = NonNullable<Fingerprint["certificates"]>[number];

/** How long before its end one is told of: long enough to have it renewed. */
const warnedMs = 30 * 86_400_000;

/** A chain has a few kilobytes; a bundle of authorities is not the application's own. */
const largestBytes = 64 * 1024;

const pemName = /\.(?:pem|crt|cer|cert)$/;

/** Paths in a value: the value itself, or a parameter of it such as `sslrootcert=`. */
const pathsIn = (value: string): readonly string[] =>
  value.split(/[=&?\s:;,'"]/).filter((part) => part.startsWith("/") && pemName.test(part));

/** @returns null for a file that is not there, and `unreadable` for one that holds no certificate that can be read */
const readCertificate = async (path: string): Promise<Certificate | "unreadable" | null> => {
  try {
    if ((await stat(path)).size > largestBytes) return "unreadable";
    // Of a chain the first is the application's own.
    const { validTo } = new X509Certificate(await readFile(path));
    return { path, validTo: new Date(validTo).toISOString() };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? null : "unreadable";
  }
};

/** @param values of environment variables, which may be secret: nothing of them but paths of certificates is given back */
export const namedCertificates = async (values: Iterable<string>): Promise<readonly Certificate[]> => {
  const paths = [...new Set([...values].flatMap(pathsIn))].toSorted();
  const read = await Promise.all(paths.map(readCertificate));
  return read.filter((one): one is Certificate => one !== null && one !== "unreadable");
};

const day = (instant: string): string => instant.slice(0, 10);

/** What has ended, ends soon or is not there on this machine. */
export const compareCertificates = async (
  captured: readonly Certificate[],
  now: Date,
): Promise<readonly FingerprintDifference[]> => {
  const differences: FingerprintDifference[] = [];
  for (const { path, validTo } of captured) {
    const subject = `certificate ${path}`;
    const before = `valid to ${day(validTo)}`;
    const here = await readCertificate(path);
    if (here === null) {
      differences.push({ subject, captured: before, target: null, severity: "missing", stops: true });
      continue;
    }
    if (here === "unreadable") {
      differences.push({ subject, captured: before, target: "cannot be read", severity: "differs" });
      continue;
    }
    const leftMs = Date.parse(here.validTo) - now.getTime();
    if (leftMs > warnedMs) continue;
    const target = `${leftMs <= 0 ? "ended" : "ends"} ${day(here.validTo)}`;
    differences.push({
      subject,
      captured: before,
      target,
      severity: "differs",
      ...(leftMs <= 0 ? { stops: true } : {}),
    });
  }
  return differences;
};
