/** Where the parts of a shop stand inside its folder. */
import { join } from "node:path";

export type ShopPlaces = {
  readonly folder: string;
  readonly releases: string;
  /** Symlink to the live release. */
  readonly current: string;
  readonly uploads: string;
  /** HAProxy's configuration, and nothing else. */
  readonly proxy: string;
  /** Sockets, pids and other things that are true only while it runs. */
  readonly runtime: string;
  readonly postgres: string;
  readonly databasePassword: string;
  readonly logs: string;
};

/** @param folder absolute, e.g. `/srv/shop` */
export const shopPlaces = (folder: string): ShopPlaces => ({
  folder,
  releases: join(folder, "releases"),
  current: join(folder, "current"),
  uploads: join(folder, "uploads"),
  proxy: join(folder, "haproxy"),
  runtime: join(folder, "run"),
  postgres: join(folder, "postgres"),
  databasePassword: join(folder, "database-password"),
  logs: join(folder, "logs"),
});
