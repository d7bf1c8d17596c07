// Whatever a controller answers, and whatever stands in the files of its environment: a value or an error of ours, never a crash.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { OverlayError } from '../../src/index.ts';
import { startFakeZrok } from '../../src/testing/index.ts';
import { ZrokApi } from '../../src/zrok/api.ts';
import { readZrokRoot } from '../../src/zrok/environment.ts';
import { tempHome } from './temp-home.ts';

const CALLS: Record<string, (api: ZrokApi) => Promise<unknown>> = {
  'POST /enable': (api) => api.enable({ description: '', host: '' }),
  'POST /disable': (api) => api.disable('z'),
  'POST /share': (api) => api.share({ envZId: 'z', token: 'abc', target: '', open: false }),
  'PATCH /share': (api) => api.addGrants('abc', ['a@example.com']),
  'DELETE /unshare': (api) => api.unshare('z', 'abc'),
  'POST /access': (api) => api.access({ envZId: 'z', token: 'abc', bindAddress: '' }),
  'DELETE /unaccess': (api) => api.unaccess({ envZId: 'z', token: 'abc', frontendToken: 'f' }),
  'GET /detail/share/abc': (api) => api.shareDetail('abc'),
  'GET /shares': (api) => api.shares(),
  'GET /accesses': (api) => api.accesses('z'),
  'GET /environments': (api) => api.environments(),
};

/** Members that calls look at, with any values. */
const answerBody = fc.oneof(
  fc.constant(undefined),
  fc.jsonValue({ maxDepth: 2 }),
  fc.record(
    {
      code: fc.jsonValue({ maxDepth: 1 }),
      message: fc.jsonValue({ maxDepth: 1 }),
      identity: fc.jsonValue({ maxDepth: 1 }),
      cfg: fc.jsonValue({ maxDepth: 1 }),
      shareToken: fc.oneof(fc.constant('abc'), fc.jsonValue({ maxDepth: 1 })),
      frontendToken: fc.jsonValue({ maxDepth: 1 }),
      shares: fc.array(fc.record({ shareToken: fc.string(), envZId: fc.string(), createdAt: fc.anything() as never })),
      accesses: fc.jsonValue({ maxDepth: 3 }),
      environments: fc.jsonValue({ maxDepth: 3 }),
    },
    { requiredKeys: [] },
  ),
);
const status = fc.constantFrom(200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503);

test('any status with any body, for every call', { timeout: 120_000 }, async () => {
  await using fake = await startFakeZrok();
  const api = new ZrokApi(fake.url, fake.addAccount('a@example.com'));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.keys(CALLS)), status, answerBody, async (call, code, body) => {
      fake.fault(call, { answer: { status: code, body } });
      try {
        await CALLS[call]?.(api);
      } catch (error) {
        assert.ok(error instanceof OverlayError, `${call} ${code}: ${String(error)}`);
        assert.ok(error.message.length < 1000 && error.hint !== undefined);
      }
    }),
    { numRuns: 600 },
  );
});

test('any contents of an environment’s files', { timeout: 60_000 }, async () => {
  await using home = await tempHome();
  await mkdir(home.zrok, { recursive: true });
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.constant('{"v":"v0.4"}'),
    fc
      .record(
        { zrok_token: fc.jsonValue(), ziti_identity: fc.jsonValue(), api_endpoint: fc.oneof(fc.webUrl(), fc.string()) },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(text, text, text, async (metadata, config, environment) => {
      await writeFile(join(home.zrok, 'metadata.json'), metadata);
      await writeFile(join(home.zrok, 'config.json'), config);
      await writeFile(join(home.zrok, 'environment.json'), environment);
      try {
        const root = await readZrokRoot({ HOME: home.path });
        assert.match(root.apiEndpoint, /^https?:\/\/[^/]+$/);
      } catch (error) {
        assert.ok(error instanceof OverlayError, String(error));
        assert.equal(error.code, 'zrok_files_invalid');
      }
    }),
    { numRuns: 300 },
  );
});
