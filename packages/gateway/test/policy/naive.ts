// The rules once more, written from docs/GOVERNANCE.md in the most obvious way, to compare the real ones with: no compiling,
// no remembering, every rule tried on every request.

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

type Found = 'no' | 'broken' | undefined;

function covers(it: NaiveSelection, { backend, kind, name }: PolicyRequest, methods: boolean): boolean {
  if (!glob(it.backends ?? (it.backend === undefined ? ['*'] : [it.backend]), backend)) return false;
  const spoken = KINDS.some((key) => it[key]);
  const globs = it[KEYS[kind]] ?? (!spoken && (methods || KEYS[kind] !== 'methods') ? ['*'] : []);
  return glob(globs, name);
}

/** Whoever may call some tool of a backend may ask for its tasks. */
function ofTasks({ backend, backends, ...one }: NaiveSelection, request: PolicyRequest): boolean {
  const tools = one.tools ?? (KINDS.some((key) => one[key]) ? [] : ['*']);
  const on = { ...(backends && { backends }), ...(backend !== undefined && { backend }) };
  return request.kind === 'task' && tools.length > 0 && covers(on, request, true);
}

/** undefined: it fits; `broken`: nobody can say. */
function misfit(arg: NaiveArg, value: unknown, who: { id: string; name: string | undefined }, deny: boolean): Found {
  const is = (fits: boolean): 'no' | undefined => (fits ? undefined : 'no');
  const text = (judge: (text: string) => Found) => (typeof value === 'string' ? judge(value) : 'broken');
  const checks = [
    () =>
      arg.max_bytes !== undefined &&
      is(Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value)) <= (arg.max_bytes ?? 0)),
    () => arg.enum && (typeof value === 'object' && value !== null ? 'broken' : is(arg.enum.includes(value))),
    () =>
      arg.const_from !== undefined && text((it) => is(it === (arg.const_from === 'identity.id' ? who.id : who.name))),
    () =>
      arg.pattern !== undefined &&
      text((it) => is(new RegExp(deny ? (arg.pattern ?? '') : `^(?:${arg.pattern})$`, deny ? 's' : '').test(it))),
    () =>
      arg.path &&
      text((it) => {
        const { under = [] } = arg.path ?? {};
        if (
          under.length > 0 &&
          (it === '' || /[\n]/.test(it) || it.split('/').includes('..') || /^[a-z]{2,}:/.test(it))
        )
          return 'broken';
        return is(under.some((at) => `${it}/`.startsWith(`${at}/`)));
      }),
    () =>
      arg.each &&
      (Array.isArray(value)
        ? worst(
            deny,
            value.map((item) => misfit(arg.each ?? {}, item, who, deny)),
          )
        : 'broken'),
    () => arg.args && misfits(arg.args, arg.additional, value, who, deny),
  ];
  return worst(
    deny,
    checks.map((check) => check() || undefined),
  );
}

/** All must fit; a refusal takes what is broken as fitting, unless something else plainly does not. */
function worst(deny: boolean, found: readonly Found[]): Found {
  return deny && found.includes('no') ? 'no' : found.find(Boolean);
}

function misfits(
  args: Record<string, NaiveArg>,
  additional: string | undefined,
  given: unknown,
  who: { id: string; name: string | undefined },
  deny: boolean,
): Found {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'broken';
  const found = Object.entries(args).map(([name, arg]) =>
    name in given ? misfit(arg, (given as Record<string, unknown>)[name], who, deny) : arg.optional ? undefined : 'no',
  );
  if (found.some(Boolean)) return worst(deny, found);
  return deny || additional === 'allow' || Object.keys(given).every((name) => name in args) ? undefined : 'no';
}

export function naive(policy: NaivePolicy, who: Principal, request: PolicyRequest): 'allow' | 'deny' | 'shadow' {
  const subjects = who.proven
    ? [who.id, 'network', ...who.groups.map((one) => `group:${one}`), ...(who.owner ? ['owner'] : [])]
    : [who.id];
  const found = Object.entries(policy.identities).filter(([, { is }]) => is.some((one) => subjects.includes(one)));
  const name = found.find(([nickname, { is }]) => !is.includes(nickname) && is.includes(who.id))?.[0];
  const has = new Set(who.roles ?? found.flatMap(([, { roles }]) => roles));
  let [refused, allowed, strictlyRefused, strictlyAllowed] = [false, false, false, false];
  for (const [role, rules] of Object.entries(policy.roles)) {
    const views = Object.values(policy.views).filter(({ roles }) => roles?.includes(role));
    for (const { allow, deny, enforce = true } of has.has(role) ? rules : []) {
      const it = (allow ?? deny) as NaiveEffect;
      const shows = (one: NaiveSelection): boolean =>
        covers(one, request, one !== it || deny !== undefined) || (allow !== undefined && ofTasks(one, request));
      if (!shows(it) || (allow && views.length > 0 && !views.some(({ show }) => show.some(shows)))) continue;
      let fits: boolean | 'error';
      try {
        const condition = it.when === undefined ? undefined : CONDITIONS[it.when];
        const fixed = !/args|time|session/.test(it.when ?? '');
        if (request.args && request.kind !== 'task') {
          const found =
            it.args && misfits(it.args, it.additional, request.args, { id: who.id, name }, deny !== undefined);
          fits = !(found === 'no' || (found === 'broken' && allow)) && (condition?.(who, request) ?? true);
        } else {
          const never = Object.values(it.args ?? {}).some(
            (arg) => !arg.optional && (arg.enum ?? arg.path?.under)?.length === 0,
          );
          fits = deny
            ? !it.args && (condition ? fixed && condition(who, request) : true)
            : !never && (condition && fixed ? condition(who, request) : true);
        }
      } catch {
        fits = 'error';
      }
      if (fits === 'error' || (deny && fits)) [strictlyRefused, refused] = [true, refused || enforce];
      if (allow && fits === true) strictlyAllowed = true;
      if (allow && (fits === true || !enforce)) allowed = true;
    }
  }
  const within = (who.restrictions ?? []).every(
    (one) => covers(one as NaiveSelection, request, true) || ofTasks(one as NaiveSelection, request),
  );
  if (!within) return 'deny';
  if (strictlyAllowed && !strictlyRefused) return 'allow';
  return (allowed && !refused) || !policy.enforce ? 'shadow' : 'deny';
}
