// The scripted server's own truth of what it executed: one JSON line, on the disk before the call has any effect.

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';

export function createLedger({ ledger: path }) {
  return (event, facts) => {
    if (path === undefined) return;
    const file = openSync(path, 'a', 0o600);
    try {
      writeSync(file, `${JSON.stringify({ event, pid: process.pid, at: Date.now(), ...facts })}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  };
}
