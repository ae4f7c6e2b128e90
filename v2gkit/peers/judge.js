// A second judge of OCPP frames: the npm package typed-ocpp, which has schemas and code of its own.
//
//     node judge.js FOLDER FILE...        FOLDER holds node_modules; each line of a FILE is [version, call or null, frame]
//
// An answer is judged beside its call. Prints one JSON object: how many frames were judged, and what was refused.
'use strict';

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const [folder, ...files] = process.argv.slice(2);
const CALL = 2;
const SEND = 6;
const RESULT = 3;
const UNKNOWN_TO_IT = new Set(['FormatViolation']); // an error code of 2.1 that it lacks (1.6.2)

/** What is wrong with a frame, empty: nothing. */
function fault(theirs, call, frame) {
  const before = JSON.stringify(frame);
  if (frame[0] === CALL || frame[0] === SEND) {
    if (!theirs.validateCall(frame)) return theirs.validateCall.errors;
  } else if (frame[0] === RESULT) {
    if (!theirs.validateCallResult(frame)) return theirs.validateCallResult.errors;
    if (call && !theirs.checkCallResult(frame, call)) return theirs.checkCallResult.errors;
  } else if (!UNKNOWN_TO_IT.has(frame[2]) && !theirs.validateCallError(frame)) {
    return theirs.validateCallError.errors;
  }
  return JSON.stringify(frame) === before ? [] : ['it has fields that the schema does not know']; // which this judge takes away
}

(async () => {
  const { OCPP20, OCPP21 } = await import(pathToFileURL(join(folder, 'node_modules/typed-ocpp/dist/index.js')));
  const said = { judged: 0, actions: 0, refused: [] };
  const actions = new Set();
  for (const file of files) {
    for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
      const [version, call, frame] = JSON.parse(line);
      const theirs = version === 'ocpp2.1' ? OCPP21 : OCPP20;
      const errors = fault(theirs, call, frame);
      said.judged += 1;
      actions.add(`${version} ${(call ?? frame)[2]} ${frame[0]}`);
      if (errors.length) said.refused.push({ version, frame: JSON.parse(line)[2], errors });
    }
  }
  said.actions = actions.size;
  process.stdout.write(`${JSON.stringify(said)}\n`);
})();
