// What a file of rules may say, as the naive evaluator reads it (./naive.ts), what a selection covers, and what conditions say.

import type { Principal } from '@mcp-overlay/overlay';
import type { PolicyRequest } from '../../src/policy/policy.ts';

type Words = readonly string[];
// biome-ignore format: one line for each thing that a file may say
export type NaiveArg = { any?: true; optional?: boolean; enum?: readonly unknown[]; const_from?: string; pattern?: string; max_bytes?: number; path?: { under: Words }; each?: NaiveArg; args?: Record<string, NaiveArg>; additional?: string };
// biome-ignore format: as above
export type NaiveSelection = { backend?: string; backends?: Words; tools?: Words; prompts?: Words; resources?: Words; methods?: Words };
export type NaiveEffect = NaiveSelection & { args?: Record<string, NaiveArg>; additional?: string; when?: string };
export type NaiveRule = { allow?: NaiveEffect; deny?: NaiveEffect; enforce?: boolean };
export interface NaivePolicy {
  enforce: boolean;
  roles: Record<string, NaiveRule[]>;
  identities: Record<string, { is: Words; roles: Words }>;
  views: Record<string, { roles?: Words; show: NaiveSelection[] }>;
}
/** What conditions say, by their text. */
export const CONDITIONS: Readonly<Record<string, (who: Principal, request: PolicyRequest) => boolean>> = {
  'identity.proven': (who) => who.proven,
  'identity.id == "ziti:ann"': (who) => who.id === 'ziti:ann',
  '"staff" in identity.groups': (who) => who.groups.includes('staff'),
  'has(args.n) && args.n == 1': (_who, { args }) => args?.n === 1,
  'tool.startsWith("read")': (_who, { name }) => name.startsWith('read'),
  'args.gone == 1': (_who, { args }) => {
    if (!args || !('gone' in args)) throw new Error('no such key');
    return args.gone === 1;
  },
};

const glob = (globs: Words, word: string): boolean =>
  globs.some((one) =>
    new RegExp(
      `^${one
        .replace(/[.+^${}()|\\]/g, '\\$&')
        .replace(/\*/g, '[^]*')
        .replace(/\?/g, '[^]')}$`,
      'u',
    ).test(word),
  );
const KEYS = { tool: 'tools', prompt: 'prompts', resource: 'resources', method: 'methods', task: 'methods' } as const;

const KINDS = ['tools', 'prompts', 'resources', 'methods'] as const;

export function covers(it: NaiveSelection, { backend, kind, name }: PolicyRequest, methods: boolean): boolean {
  if (!glob(it.backends ?? (it.backend === undefined ? ['*'] : [it.backend]), backend)) return false;
  const spoken = KINDS.some((key) => it[key]);
  const globs = it[KEYS[kind]] ?? (!spoken && (methods || KEYS[kind] !== 'methods') ? ['*'] : []);
  return glob(globs, name);
}

/** Whoever may call some tool of a backend may ask for its tasks. */
export function ofTasks({ backend, backends, ...one }: NaiveSelection, request: PolicyRequest): boolean {
  const tools = one.tools ?? (KINDS.some((key) => one[key]) ? [] : ['*']);
  const on = { ...(backends && { backends }), ...(backend !== undefined && { backend }) };
  return request.kind === 'task' && tools.length > 0 && covers(on, request, true);
}
