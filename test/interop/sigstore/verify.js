// Verifies a proof of a ForgeOne log with @sigstore/verify:
//
//   node verify.js VKEYFILE PROOF
//
// The package's Verifier wants bundles of Sigstore's own entries, so the part of it
// that checks a log is called: the signature of the checkpoint, and the inclusion
// of the entry in its tree.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const { verifyTLogInclusion } = require('@sigstore/verify/dist/tlog');

// trust makes a log's instance of trusted material from a verifier key.
function trust(vkey) {
  const [name, hash, key] = vkey.split('+', 2).concat(vkey.split('+').slice(2).join('+'));
  const raw = Buffer.from(key, 'base64');
  if (raw.length !== 33 || raw[0] !== 1) throw new Error('not an Ed25519 verifier key');
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw.subarray(1)]);
  return {
    logID: Buffer.from(hash, 'hex'),
    publicKey: crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' }),
    baseURL: name,
    validFor: { start: new Date(0), end: new Date(8640000000000000) },
  };
}

// entry makes a transparency log entry from a tlog-proof.
function entry(proof) {
  const cut = proof.indexOf('\n\n');
  const [first, extra, index, ...hashes] = proof.slice(0, cut).split('\n');
  if (cut < 0 || first !== 'c2sp.org/tlog-proof@v1') throw new Error('not a tlog-proof');
  const envelope = proof.slice(cut + 2);
  const [, size, root] = envelope.split('\n');
  return {
    canonicalizedBody: Buffer.from(extra.slice('extra '.length), 'base64'),
    inclusionProof: {
      logIndex: index.slice('index '.length),
      treeSize: size,
      rootHash: Buffer.from(root, 'base64'),
      hashes: hashes.map((h) => Buffer.from(h, 'base64')),
      checkpoint: { envelope },
    },
  };
}

const [vkeyFile, proofFile] = process.argv.slice(2);
const e = entry(fs.readFileSync(proofFile, 'utf8'));
verifyTLogInclusion(e, [trust(fs.readFileSync(vkeyFile, 'utf8').split('\n')[0])]);
console.log(`sigstore: verified record ${e.inclusionProof.logIndex} of ${e.inclusionProof.treeSize}`);
