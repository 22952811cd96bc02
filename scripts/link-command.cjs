/**
 * After `npm install` in a clone: puts the command where npx looks first. Without it npx would install the clone into the user's own
 * cache at the first call, for which it wants to change the clone itself, and nobody but its owner may. Old syntax: it runs on any Node.
 */
"use strict";

var fs = require("fs");
var path = require("path");

var folder = path.join(__dirname, "..", "node_modules", ".bin");
var link = path.join(folder, "refloat");

if (fs.existsSync(folder)) {
  fs.rmSync(link, { force: true });
  fs.symlinkSync(path.join("..", "..", "bin", "refloat.cjs"), link);
}
