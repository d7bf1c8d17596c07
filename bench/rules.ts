// What rules cost: `node --import tsx bench/rules.ts`. One decision with 100 rules, with SQL, and a list of 1,000 tools. Best
// of many rounds, for the machine may be busy; medians beside it.

import { parseGatewayConfig } from '../packages/config/src/index.ts';
import { accessOf } from '../packages/gateway/src/policy/access.ts';
import { loadPolicy } from '../packages/gateway/src/policy/load-policy.ts';
import { Catalog } from '../packages/gateway/src/routing/catalog.ts';

const ROUNDS = 60;
const alice = { id: 'ziti:alice', name: 'alice', proven: true, via: 'ziti', groups: ['eng'] } as const;

/** A hundred rules of one role, as a large file has them: most are about other tools. */
function rules(spread: boolean): string {
  const lines = Array.from({ length: 97 }, (_, n) => {
    const tools = [`tool_${n}_*`, `read_${n}`, `"*_by_${n}"`].join(', ');
    const args =
      n % 3 === 0
        ? `, args: { path: { path: { under: [/data/${n}] } }, note: { max_bytes: 100, optional: true } }`
        : '';
    return `    - allow: { backend: b${spread ? n % 10 : 0}, tools: [${tools}]${args} }`;
  });
  return [
    'roles:',
    '  eng:',
    ...lines,
    '    - allow: { backend: b1, tools: [call], args: { path: { path: { under: [/data] } }, mode: { enum: [r, w] }, name: { pattern: "[a-z]+" } } }',
    '    - allow: { backend: b2, tools: [sql], args: { query: { sql: { dialect: postgres } } } }',
    '    - deny: { tools: ["*delete*"] }',
    'identities: { alice: { is: ["ziti:alice"], roles: [eng] } }',
  ].join('\n');
}

const backends = Array.from({ length: 10 }, (_, n) => `  - { id: b${n}, transport: { type: stdio, command: x } }`);
const configOf = (spread: boolean) =>
  parseGatewayConfig(`backends:\n${backends.join('\n')}\n${rules(spread)}`, { file: 'g.yml', env: {}, cwd: '/' })
    .config;
const config = configOf(true);
const policy = await loadPolicy(config);

const SQL =
  "SELECT u.id, u.name, count(*) AS orders FROM users u JOIN orders o ON o.user_id = u.id WHERE u.created > now() - interval '7 days' AND u.name ILIKE '%a%' GROUP BY u.id, u.name ORDER BY orders DESC LIMIT 20";
const call = { path: '/data/x/y.txt', mode: 'r', name: 'abc' };
let other = 0;

measure('decision, 100 rules, three arguments', 1000, () => decide('b1', 'call', call));
measure('decision, 100 rules, a name never seen', 200, () => {
  other += 1;
  decide('b1', `odd_${other}`, call);
});
measure('decision, 100 rules, SQL', 100, () => decide('b2', 'sql', { query: SQL }));

const tools = Array.from({ length: 1000 }, (_, n) => ({
  name: n % 2 === 0 ? `tool_${n % 97}_${n}` : `read_${n}`,
  inputSchema: { type: 'object' },
}));
const filters = new Map([['b0', () => 'all tools']]);
function shown(fresh: typeof policy): number {
  const access = accessOf(fresh, filters, alice, 1);
  return tools.filter(({ name }) => access.shows('b0', 'tool', name)).length;
}
const fresh = await Promise.all(Array.from({ length: ROUNDS }, () => loadPolicy(config)));
measure('1,000 tools filtered by 100 rules, the first time', 1, (round) => void shown(fresh[round] ?? policy));
const narrow = await Promise.all(Array.from({ length: ROUNDS }, () => loadPolicy(configOf(false))));
measure('the same, all rules about this backend', 1, (round) => void shown(narrow[round] ?? policy));
measure('1,000 tools filtered by 100 rules, again', 1, () => void shown(policy));
await measureList();

function decide(backend: string, name: string, args: Record<string, unknown>): void {
  const { rule } = policy.decide(alice, { backend, kind: 'tool', name, args });
  if (rule === 'error') throw new Error('cannot be');
}

/** The whole of tools/list in the catalog: filter, names, public items. */
async function measureList(): Promise<void> {
  const answer = { bytes: Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools } })), kind: 'response' };
  const backend = {
    id: 'b0',
    up: true,
    welcome: {},
    has: () => true,
    ask: () => ({ id: '1', answer: Promise.resolve(answer) }),
  };
  const list = (access: ReturnType<typeof accessOf>) =>
    new Catalog({
      backends: [backend as never],
      naming: { prefixOf: (id: string) => `${id}__` },
      uris: { toPublic: (_backend: string, uri: string) => uri, toNative: () => undefined },
      access,
      listed: () => {},
      hid: () => {},
      limits: { toolsPerBackend: 10_000, definitionBytes: 1e9 },
      patienceMs: 1000,
      pageMs: 1000,
      late: () => {},
    } as never).list({
      method: 'tools/list',
      member: 'tools',
      capability: 'tools',
      changed: 'notifications/tools/list_changed',
    } as never);
  const open = { personal: false, shows: () => true } as never;
  const took: Record<string, number[]> = { open: [], ruled: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [kind, access] of [
      ['open', open],
      ['ruled', accessOf(policy, filters, alice, 1)],
    ] as const) {
      const since = performance.now();
      await list(access);
      took[kind]?.push(performance.now() - since);
    }
  }
  for (const [kind, samples] of Object.entries(took))
    report(`tools/list of 1,000, ${kind === 'open' ? 'no rules' : '100 rules'}`, samples, 'ms');
}

function measure(what: string, times: number, run: (round: number) => void): void {
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const since = performance.now();
    for (let one = 0; one < times; one += 1) run(round);
    samples.push((performance.now() - since) / times);
  }
  report(what, samples, times === 1 ? 'ms' : 'µs');
}

function report(what: string, samples: readonly number[], unit: 'ms' | 'µs'): void {
  const factor = unit === 'ms' ? 1 : 1000;
  const sorted = [...samples].sort((a, b) => a - b);
  const [best = 0] = sorted;
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  process.stdout.write(
    `${what}: best ${(best * factor).toFixed(2)} ${unit}, median ${(median * factor).toFixed(2)} ${unit}\n`,
  );
}
