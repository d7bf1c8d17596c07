// The fake controller against what a real one answered: every recorded exchange of ../shared/zrok-traces is asked again, in
// order, and must come out with the same status, media type and body; only ids, tokens and times differ, consistently.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type FakeZrok, startFakeZrok } from '../../src/testing/index.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../../..');
const traces = join(dirname(repository), 'shared/zrok-traces');
const skip = !existsSync(traces) && `the recorded exchanges are not here (${traces})`;

interface Exchange {
  readonly kind: string;
  readonly note?: string;
  readonly method: string;
  readonly path: string;
  readonly requestHeaders: Record<string, string>;
  readonly requestBody?: unknown;
  readonly status: number;
  readonly responseHeaders: Record<string, string>;
  readonly responseBody: unknown;
}

/** Differs from run to run, but the same value stands for the same thing. */
const IDS = new Set(['identity', 'envZId', 'zId', 'frontendToken', 'shareToken']);
/** Differs from run to run. */
const NUMBERS = new Set(['createdAt', 'updatedAt', 'id']);

describe('the fake zrok controller answers as the recorded one', { skip }, () => {
  const ours = new Map<string, string>();
  let fake: FakeZrok;

  before(async () => {
    fake = await startFakeZrok();
    ours.set('eeN4OB2eTapJ', fake.addAccount('a@example.com'));
    ours.set('jatgrognL0Ar', fake.addAccount('b@example.com'));
  });
  after(() => fake[Symbol.asyncDispose]());

  for (const scenario of ['version', 'environment', 'share', 'access', 'teardown']) {
    test(`${scenario}: every exchange`, async () => {
      const recorded = readFileSync(join(traces, `${scenario}.jsonl`), 'utf8')
        .trim()
        .split('\n');
      let asked = 0;
      for (const line of recorded) {
        const exchange = JSON.parse(line) as Exchange;
        if (exchange.kind !== 'rest') continue;
        const what = `${exchange.method} ${exchange.path} (${exchange.note ?? ''})`;
        const answer = await ask(exchange);
        asked += 1;
        assert.equal(answer.status, exchange.status, what);
        const { 'content-type': type, 'content-length': length } = exchange.responseHeaders;
        assert.equal(answer.type, type, what);
        if (length === '0') assert.equal(answer.text, '', what);
        if (exchange.status === 0 || length === '0') continue;
        same(exchange.responseBody, JSON.parse(answer.text), what);
      }
      assert.ok(asked >= 10, `${asked} exchanges`);
    });
  }

  function translated(value: unknown): unknown {
    if (typeof value === 'string') return ours.get(value) ?? value;
    if (Array.isArray(value)) return value.map(translated);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, translated(one)]));
  }

  function ask(exchange: Exchange): Promise<{ status: number; type: string | undefined; text: string }> {
    const { requestBody: body } = exchange;
    // A text is what was sent, byte for byte: the broken one.
    const sent = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(translated(body));
    const headers: Record<string, string | number> = { ...(translated(exchange.requestHeaders) as object) };
    if (sent !== undefined) headers['content-length'] = Buffer.byteLength(sent);
    const path = [...ours].reduce((text, [theirs, own]) => text.replaceAll(theirs, own), exchange.path);
    return new Promise((resolve) => {
      const asking = request(`${fake.url}${path}`, { method: exchange.method, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? -1, type: response.headers['content-type'], text }),
        );
      });
      asking.on('error', () => resolve({ status: 0, type: undefined, text: '' })).end(sent);
    });
  }

  /** Learns what stands for what where both are new. */
  function same(theirs: unknown, own: unknown, where: string): void {
    if (Array.isArray(theirs)) {
      assert.ok(Array.isArray(own), where);
      const known = theirs.filter(isOfThisRun);
      assert.equal(own.length, known.length, `${where}: entries`);
      for (const [at, one] of known.entries()) same(one, own[at], `${where}[${at}]`);
      return;
    }
    if (typeof theirs !== 'object' || theirs === null) {
      assert.deepEqual(own, translated(theirs), where);
      return;
    }
    assert.equal(typeof own, 'object', where);
    const [before, after] = [theirs as Record<string, unknown>, own as Record<string, unknown>];
    assert.deepEqual(Object.keys(after).sort(), Object.keys(before).sort(), where);
    for (const [key, value] of Object.entries(before)) {
      const mine = after[key];
      if (key === 'cfg') assert.ok(String(mine).endsWith('\n'), where);
      else if (NUMBERS.has(key)) assert.ok(Number.isInteger(mine), `${where}.${key}`);
      else if (IDS.has(key) && typeof value === 'string' && !ours.has(value)) ours.set(value, String(mine));
      else same(value, mine, `${where}.${key}`);
    }
  }

  /** The recorded controller had two older environments. */
  function isOfThisRun(entry: unknown): boolean {
    const { envZId, environment } = entry as { envZId?: string; environment?: { zId: string } };
    const id = envZId ?? environment?.zId;
    return id === undefined || ours.has(id);
  }
});
