/** A certificate of its own authority for tests, by openssl: `tls.pem` and `tls.key` in the folder, for a year. */
import { runProgram } from "../platform/subprocess.ts";

/** @returns the path of the certificate */
export const writeCertificate = async (folder: string): Promise<string> => {
  const path = `${folder}/tls.pem`;
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "365"];
  await runProgram("openssl", [...words, "-keyout", `${folder}/tls.key`, "-out", path], {
    signal: new AbortController().signal,
  });
  return path;
};
