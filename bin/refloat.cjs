#!/usr/bin/env node
/** The command `refloat`. In a clone it runs the sources, so that it is never behind them; in the published package, what was built. */
"use strict";

var fs = require("fs");
var path = require("path");
var launch = require("./launch.cjs").launch;

launch(fs.existsSync(path.join(__dirname, "..", "src", "main.ts")) ? "src/main.ts" : "dist/main.js", {
  lean: true,
});
