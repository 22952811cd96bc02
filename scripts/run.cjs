/** `node scripts/run.cjs NAME ...`: runs scripts/NAME.ts with a Node that is new enough, whatever `node` on the path is. */
"use strict";

var launch = require("../bin/launch.cjs").launch;

var name = process.argv.splice(2, 1)[0];
launch("scripts/" + name + ".ts");
