// Generations as a state machine: any sequence of files, good and broken, and of sessions that ask. What a session may is what
// the rules it goes by let through and what those of now let through; what fails leaves everything as it was.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GatewayConfig, parseGatewayConfig } from '@mcp-overlay/config';
import { createLocalOverlay, type Principal } from '@mcp-overlay/overlay';
import fc from 'fast-check';
import { buildGeneration, type Generation, type World } from '../src/generation.ts';
import type { Pins } from '../src/pins/open.ts';
import type { Access } from '../src/policy/access.ts';
import { withoutRules } from '../src/policy/no-rules.ts';
import { SeenSecrets } from '../src/reload/credentials.ts';
import { lastingOf, sessionSettings } from '../src/session-settings.ts';
import { randomPolicy, randomPrincipal, randomRequest } from './policy/random-policy.ts';
import { randomFrom } from './policy/sql/generated.ts';

const RUNS = Number(process.env.MCP_GENERATION_RUNS ?? 150);
const log = { debug() {}, info() {}, warn() {} };
const IDS = ['fs', 'db', 'github'] as const;

function newWorld(): World {
  const options = { config: configOf({}), overlay: createLocalOverlay({ env: {} }), env: {}, version: '0', log };
  const lasting = lastingOf(options);
  return {
    now: undefined,
    pins: undefined,
    secrets: lasting.secrets,
    seen: new SeenSecrets(),
    scrub: undefined,
    surroundings: { env: {}, log },
    handRole: () => undefined,
    settingsOf: (config, more) => sessionSettings({ ...options, config, policy: withoutRules(), lasting, ...more }),
    openPins: async () => undefined,
  };
}

/** Which backends there are, as whom each runs, under which prefix, and the rules. */
interface Written {
  readonly backends?: readonly { readonly id: string; readonly command: string; readonly prefix?: string }[];
  readonly wait?: number;
  readonly rules?: number | undefined;
}

function configOf({ backends = [{ id: 'fs', command: 'a' }], wait = 1, rules }: Written): GatewayConfig {
  const written = rules === undefined ? undefined : randomPolicy(randomFrom(rules));
  const views = Object.keys(written?.views ?? {}).length > 0 ? written?.views : undefined;
  const file = {
    pins: 'off',
    aggregator: { connection: { call_timeout: `${wait}s` } },
    backends: [
      ...backends.map(({ id, command, prefix }) => ({ id, prefix, transport: { type: 'stdio', command } })),
      // Rules may name what does not run.
      ...IDS.filter((id) => !backends.some((one) => one.id === id)).map((id) => ({
        id,
        disabled: true,
        transport: { type: 'stdio', command: 'a' },
      })),
    ],
    ...written,
    views,
  };
  return parseGatewayConfig(JSON.stringify(file), { file: 'g.yml', env: {}, cwd: '/' }).config;
}

const backends = fc
  .subarray([...IDS], { minLength: 1 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        fc
          .record({ id: fc.constant(id), command: fc.constantFrom('a', 'a', 'a', 'b') })
          .chain((one) => fc.constantFrom({}, {}, { prefix: 'x_' }).map((more) => ({ ...one, ...more }))),
      ),
    ),
  );
const step = fc.oneof(
  fc.record({
    do: fc.constant('reload' as const),
    backends,
    wait: fc.constantFrom(1, 1, 1, 2),
    rules: fc.option(fc.nat(), { nil: undefined }),
  }),
  fc.record({ do: fc.constant('break' as const), how: fc.constantFrom('pattern' as const, 'many' as const) }),
  fc.record({ do: fc.constant('come' as const), who: fc.nat() }),
  fc.record({ do: fc.constant('ask' as const), what: fc.nat() }),
);

/** What a broken file comes to after it could be read. */
function brokenConfig(how: 'pattern' | 'many'): GatewayConfig {
  if (how === 'many') {
    return configOf({ backends: Array.from({ length: 65 }, (_, at) => ({ id: `b${at}`, command: 'x' })) });
  }
  const rule = { allow: { tools: ['*'], args: { n: { pattern: '(?=a)' } } } };
  const file = { backends: [{ id: 'fs', transport: { type: 'stdio', command: 'a' } }], roles: { r: [rule] } };
  return parseGatewayConfig(JSON.stringify(file), { file: 'g.yml', env: {}, cwd: '/' }).config;
}

interface Session {
  readonly who: Principal;
  readonly number: number;
  readonly access: Access;
  /** Whose rules it goes by, besides those of now. */
  under: Generation;
  readonly began: Generation;
}

/** Told again, in other words than the program's. */
function goesOn(before: GatewayConfig, after: GatewayConfig): boolean {
  const shown = ({ backends }: GatewayConfig): ReadonlyMap<string, string> => {
    const run = backends.filter(({ disabled }) => !disabled);
    const named = (id: string): string => (run.length === 1 ? '' : `${id}__`);
    return new Map(run.map(({ id, prefix, transport }) => [id, JSON.stringify([transport, prefix ?? named(id)])]));
  };
  const [old, now] = [shown(before), shown(after)];
  const kept = [...old].every(([id, what]) => now.get(id) === what);
  return kept && (old.size === 1) === (now.size === 1) && same(before.aggregator, after.aggregator);
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

test('a session may what its rules and those of now both let through, over any sequence of files', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const world = newWorld();
      const first = await buildGeneration(world, configOf({ rules: 1 }));
      first.apply();
      let now = first.generation;
      const sessions: Session[] = [];
      for (const one of steps) {
        if (one.do === 'break') {
          await assert.rejects(buildGeneration(world, brokenConfig(one.how), now));
          assert.equal(world.now, now);
        } else if (one.do === 'reload') {
          const config = configOf(one);
          const draft = await buildGeneration(world, config, now);
          assert.equal(world.now, now, 'nothing is in force before it is applied');
          const carries = goesOn(now.config, config);
          assert.equal(draft.carries, carries);
          for (const { backend } of now.settings.backends) {
            const next = draft.generation.settings.backends.find(({ backend: { id } }) => id === backend.id);
            const unchanged =
              next !== undefined &&
              same(next.backend.config.transport, backend.config.transport) &&
              same(now.config.aggregator.connectTimeoutMs, config.aggregator.connectTimeoutMs);
            assert.equal(next?.backend === backend, unchanged, 'what is the same goes on as the same');
          }
          draft.apply();
          const before = now;
          now = draft.generation;
          for (const session of sessions) {
            if (!carries || session.under !== before) continue;
            session.under = now;
            session.began.origin.generation = now;
          }
        } else if (one.do === 'come') {
          const who = randomPrincipal(randomFrom(one.who));
          const number = sessions.length;
          sessions.push({ who, number, access: now.settings.accessFor(who, number), under: now, began: now });
        } else {
          const { backend, kind, name, args } = randomRequest(randomFrom(one.what));
          for (const { who, number, access, under } of sessions) {
            const by = (generation: Generation): Access => generation.accessOf(undefined, who, number);
            const allowed = (of: Access): boolean => of.decide(backend, kind, name, args).allow;
            assert.equal(allowed(access), allowed(by(under)) && allowed(by(now)));
            assert.equal(access.reaches(backend), by(under).reaches(backend) && by(now).reaches(backend));
            assert.equal(
              access.mayAsk(backend, name),
              by(under).mayAsk(backend, name) && by(now).mayAsk(backend, name),
            );
          }
        }
      }
    }),
    { numRuns: RUNS, includeErrorInReport: true },
  );
});

test('what was opened for a configuration that fails after it is closed again', async () => {
  const did: string[] = [];
  const pins = { close: async () => void did.push('close') } as unknown as Pins;
  const world: World = {
    ...newWorld(),
    openPins: async () => {
      did.push('open');
      return pins;
    },
  };
  const first = await buildGeneration(world, configOf({}));
  first.apply();
  const many = Array.from({ length: 65 }, (_, at) => ({ id: `b${at}`, transport: { type: 'stdio', command: 'a' } }));
  const text = JSON.stringify({ backends: many });
  const { config } = parseGatewayConfig(text, { file: 'g.yml', env: {}, cwd: '/' });
  await assert.rejects(buildGeneration(world, config, first.generation), { code: 'usage' });
  assert.deepEqual(did, ['open', 'close']);
});
