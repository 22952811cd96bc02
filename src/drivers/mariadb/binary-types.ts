/** Types whose values are bytes and no text. */
const binaryTypes = new Set([
  "binary",
  "varbinary",
  "tinyblob",
  "blob",
  "mediumblob",
  "longblob",
  "vector",
  "geometry",
  "point",
  "linestring",
  "polygon",
  "multipoint",
  "multilinestring",
  "multipolygon",
  "geometrycollection",
]);

/** @param dataType as information_schema names it: `longblob` */
export const isBinaryType = (dataType: string): boolean => binaryTypes.has(dataType);
