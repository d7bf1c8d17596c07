// `warm`, `start`, `idle` and `sandbox` of a backend: when its servers are started and ended, and how much of the machine they
// may have. A wish that cannot come true for this kind of server is refused, so that nobody relies on it.

import { type BackendConfig, compact, type SandboxConfig } from './config.ts';
import type { Spot } from './errors.ts';
import type { Reading } from './shape.ts';
import { bool, choice, count, field, list, type ObjectOf, object, parsed, path, type Shape, wrong } from './shape.ts';
import { DURATION_FORM, parseDuration, parseSize } from './units.ts';

const MiB = 1024 * 1024;
const size = { form: 'bytes (512MiB, 2048MiB)', parse: parseSize };
/** Shorter, and a server would be started for every second request. */
const MIN_IDLE_MS = 1000;

const WISHES = ['none', 'auto', 'strict'] as const;
const wish = choice(WISHES);

const rules = {
  tmp: field(choice(['private', 'shared']), 'private: a /tmp of its own, empty at first and gone with it', {
    default: 'private',
  }),
  network: field(bool(), 'false: nobody to talk to but itself', { default: 'true' }),
  read: field(list(path()), "folders and files it sees besides the system's; nothing else is there", {
    default: 'everything, but for our own keys',
    example: '[~/documents]',
    neverEmpty: true,
  }),
  write: field(list(path()), 'what it may change besides working_dir', { default: 'nothing', example: '[~/.npm]' }),
  memory: field(count(16 * MiB, 1024 * 1024 * MiB, size), 'data of each of its processes', {
    default: 'no limit',
    example: '512MiB',
  }),
  files: field(count(16, 1_048_576), 'open at a time, in each of its processes', { default: 'no limit' }),
  processes: field(count(4, 1_000_000), 'processes and threads (not counted for root)', { default: 'no limit' }),
};
const rulesObject = object(rules);

/** `sandbox: strict`, or a mapping. */
const sandboxShape: Shape<(typeof WISHES)[number] | ObjectOf<typeof rules>> = {
  ...rulesObject,
  form: `${wish.form}, or a mapping`,
  read: (node, spot, reading) => {
    if (node.kind === 'map') return rulesObject.read(node, spot, reading);
    if (node.kind === 'list') return wrong(node, spot, `${wish.form}, or a mapping`, reading);
    return wish.read(node, spot, reading);
  },
};

const idle = parsed<number>(DURATION_FORM, (value) => {
  const ms = parseDuration(value);
  return ms === undefined || ms < MIN_IDLE_MS ? { refused: `${DURATION_FORM}, at least 1s` } : ms;
});

export const childrenFields = {
  warm: field(count(0, 2), 'servers that are started before anybody needs them (stdio, one for each client)', {
    default: '0',
  }),
  start: field(
    choice(['eager', 'lazy']),
    'lazy: a session starts its server at its first call, where lists and greeting are known from pins',
    { default: 'eager: when the session begins' },
  ),
  idle: field(
    idle,
    'a server for everybody (shared, or of the era 2026-07-28) that nobody used for so long is ended, and started again by the next request',
    { default: 'it stays', example: '15m' },
  ),
  sandbox: field(
    sandboxShape,
    'how much of this machine the server may have (stdio). strict: processes of its own, a private /tmp, all but working_dir read-only, none of our keys; needs bubblewrap, and nothing starts without it. auto: the same as far as the system can, said in the log. A mapping: what it says, and nothing starts where that cannot be (docs/CHILDREN.md)',
    { default: 'none', example: '{ network: false, write: [~/data], memory: 512MiB }', neverEmpty: true },
  ),
};

export type RawChildren = Pick<ObjectOf<typeof childrenFields>, 'warm' | 'start' | 'idle' | 'sandbox'>;

type Where = Pick<BackendConfig, 'transport' | 'shared' | 'era'>;

export function buildChildren(
  raw: RawChildren & { spotOf(key: keyof typeof childrenFields): Spot },
  { transport, shared, era }: Where,
  { report }: Reading,
): Pick<BackendConfig, 'warm' | 'start' | 'idleMs' | 'sandbox'> {
  for (const key of ['warm', 'idle', 'sandbox'] as const) {
    if (raw[key] === undefined || transport.type === 'stdio' || report.failed()) continue;
    const where = transport.type === 'share' ? `: say --${key} to its bridge` : '';
    report.problem(raw.spotOf(key), `belongs to type stdio, not ${transport.type}${where}`);
  }
  if (raw.warm !== undefined && raw.warm > 0 && (shared === true || era === 'modern')) {
    report.problem(raw.spotOf('warm'), 'one server serves everybody here: there is nobody to keep a second one for');
  }
  if (raw.idle !== undefined && shared !== true && era === 'legacy') {
    const why = 'a server of this era holds the session of its client, which would be lost';
    report.problem(raw.spotOf('idle'), `belongs to shared: true, or to servers of the modern era: ${why}`);
  }
  return compact({
    warm: raw.warm,
    start: raw.start,
    idleMs: raw.idle,
    sandbox: raw.sandbox === undefined || typeof raw.sandbox === 'string' ? raw.sandbox : rulesOf(raw.sandbox),
  });
}

function rulesOf(raw: ObjectOf<typeof rules>): SandboxConfig {
  const { tmp, network, read, write, files, processes, memory } = raw;
  return compact({ tmp, network, read, write, files, processes, memoryBytes: memory });
}
