/** `/srv/shop/uploads.r42` is read as `uploads.r42`; a database's name as it is. */
export const shortName = (name: string): string =>
  name.startsWith("/") ? (name.split("/").findLast((part) => part !== "") ?? name) : name;
