// A second judge of signed meter values: the npm package @road-labs/ocmf, which has a parser and curves of its own.
//
//     node ocmf.js FOLDER        FOLDER holds node_modules; standard input has a JSON object a line: record, key (hex of DER)
//
// Prints for each line one JSON object: verified, and where it is: the values of its registers.
'use strict';

const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const theirs = (name) => require(join(process.argv[2], 'node_modules', '@road-labs', name));
const { Verifier } = theirs('ocmf');
const { Crypto } = theirs('ocmf-crypto-noble');

(async () => {
  const crypto = new Crypto();
  const verifier = new Verifier(crypto);
  for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const { record, key } = JSON.parse(line);
    let said = { verified: false };
    try {
      const known = await crypto.decodeEcPublicKey(Buffer.from(key, 'hex'), 'spki-der');
      const { verified, value } = await verifier.parseAndVerify(record, known);
      said = { verified, registers: verified ? JSON.parse(record.split('|')[1]).RD.map((one) => one.RV) : [], parsed: Boolean(value) };
    } catch (error) {
      said.error = String(error.message ?? error);
    }
    process.stdout.write(`${JSON.stringify(said)}\n`);
  }
})();
