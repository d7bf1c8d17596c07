// Condition and arguments of a request against what a rule says of them, the plainest way (./naive.ts).

import type { Principal } from '@mcp-overlay/overlay';
import type { PolicyRequest } from '../../src/policy/policy.ts';
import { CONDITIONS, type NaiveArg, type NaiveEffect } from './naive-policy.ts';

export type Caller = { readonly who: Principal; readonly name: string | undefined };

type Found = 'no' | 'broken' | undefined;

export function fitOf(
  it: NaiveEffect,
  { who, name }: Caller,
  request: PolicyRequest,
  deny: boolean,
): boolean | 'error' {
  const condition = it.when === undefined ? () => true : CONDITIONS[it.when];
  const holds = (): boolean => condition?.(who, request) ?? true;
  const fixed = !/args|time|session/.test(it.when ?? '');
  try {
    if (request.args && request.kind !== 'task') {
      const found = it.args && misfits(it.args, it.additional, request.args, { id: who.id, name }, deny);
      return !(found === 'no' || (found === 'broken' && !deny)) && holds();
    }
    // A list asks whether some arguments could make it fit.
    if (deny) return !it.args && fixed && holds();
    const never = (arg: NaiveArg): boolean => !arg.optional && (arg.enum ?? arg.path?.under)?.length === 0;
    return !Object.values(it.args ?? {}).some(never) && (!fixed || holds());
  } catch {
    return 'error';
  }
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
