// Falling back to HTTP is a step down: taken only where whoever knows the share allows it.

import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { dialShare } from '../src/dial-share.ts';
import type { HostCheck } from '../src/link/judgement.ts';
import { duplexPair, SESSION } from './link/support.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {} };
const events = { suspended: () => {}, resumed: () => {}, renewed: () => {} };

/** Dials a host that answers everything as an HTTP server answers a line that it does not know. */
async function dialHttpHost(check: HostCheck | undefined): Promise<{ error: unknown; dialled: number }> {
  let dialled = 0;
  const connect = async (): Promise<Duplex> => {
    dialled += 1;
    const [near, far] = duplexPair();
    far.on('error', () => {}).once('data', () => far.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'));
    return near;
  };
  const end = new AbortController();
  const error = await dialShare({
    name: 'share x',
    connect,
    session: SESSION,
    via: [],
    by: 't/1',
    events,
    signal: end.signal,
    log,
    check,
  }).then(
    async (transport) => {
      await transport.close();
      return undefined;
    },
    (failure: unknown) => failure,
  );
  return { error, dialled };
}

function check(plain: HostCheck['plain']): HostCheck {
  return { prove: () => null, verify: () => {}, plain };
}

test('a share that may not step down is not spoken to over HTTP, not even once', async () => {
  const downgraded = Object.assign(new Error('it proved itself before'), { code: 'host_downgraded' });
  const { error, dialled } = await dialHttpHost(
    check(async () => {
      throw downgraded;
    }),
  );
  assert.equal(error, downgraded);
  assert.equal(dialled, 1);
});

test('a share that may is asked over HTTP on another connection', async () => {
  let asked = 0;
  const { error, dialled } = await dialHttpHost(
    check(() => {
      asked += 1;
    }),
  );
  assert.equal(asked, 1);
  assert.ok(dialled > 1 || error === undefined, `dialled ${dialled} times: ${String(error)}`);
});

test('a host that does not pass its check is the failure of the dial', async () => {
  const changed = Object.assign(new Error('another host'), { code: 'host_changed' });
  const connect = async (): Promise<Duplex> => {
    const [near, far] = duplexPair();
    const welcome = { link: 'a'.repeat(32), got: 0, fresh: true, window: 1, by: 'x', proof: { sig: 'y' } };
    far.on('error', () => {}).once('data', () => far.write(`MCP-LINK/1 ${JSON.stringify(welcome)}\n`));
    return near;
  };
  const verify = (): never => {
    throw changed;
  };
  const signal = new AbortController().signal;
  const dialling = dialShare({
    name: 'share x',
    connect,
    session: SESSION,
    via: [],
    by: 't/1',
    events,
    signal,
    log,
    check: { prove: () => null, verify, plain: () => {} },
  });
  await assert.rejects(dialling, changed);
});
