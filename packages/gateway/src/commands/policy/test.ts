// `policy test FILE`: every case against the rules; what came out otherwise is shown, and makes the exit code 1.

import { dirname, resolve } from 'node:path';
import { EXIT, type Flags, printJson, printTable, UsageError } from '@mcp-overlay/cli';
import { type PolicyCase, parsePolicyCases, readConfigText } from '@mcp-overlay/config';
import type { Decision } from '../../call/call.ts';
import { type Offline, openOffline } from './offline.ts';

interface Tried {
  readonly one: PolicyCase;
  /** A text: the case means nothing in this configuration. */
  readonly decision: Decision | string;
}

export async function testPolicy(flags: Flags) {
  const path = String(flags.file);
  const cwd = process.cwd();
  const { config, cases } = parsePolicyCases((await readConfigText(path, cwd)).text, { file: path, env: process.env });
  const named =
    typeof flags.config === 'string' ? resolve(cwd, flags.config) : config && resolve(cwd, dirname(path), config);
  if (named === undefined) {
    throw new UsageError(`${path} names no configuration`, 'write config: FILE at its top, or --config FILE');
  }
  const offline = await openOffline(named, cwd);
  const tried = cases.map((one): Tried => ({ one, decision: decide(one, offline) }));
  const failed = tried.filter((result) => !asExpected(result));
  if (flags.json === true) printJson({ ok: failed.length === 0, cases: tried.map(plain) });
  else {
    if (failed.length > 0) printTable(['line', 'who', 'asks for', 'expected', 'came out', 'because'], failed.map(row));
    process.stdout.write(`${cases.length} cases, ${failed.length} failed\n`);
  }
  return failed.length === 0 ? EXIT.done : EXIT.failed;
}

function decide(one: PolicyCase, offline: Offline): Decision | string {
  const policy = offline.policy(one.view);
  if (!policy) return `no view ${one.view}`;
  const principal = offline.who(one);
  if (!principal) return `nobody is called ${one.as}`;
  const asked = offline.what(one.name);
  if (!asked) return `no backend is meant by ${one.name}`;
  return policy.decide(principal, { ...asked, kind: one.kind, args: one.args });
}

function asExpected({ one, decision }: Tried): boolean {
  if (typeof decision === 'string') return false;
  const came = outcomeOf(decision);
  return came === one.expect && (one.rule === undefined || one.rule === decision.rule);
}

/** What would be refused counts as refused, whether or not it is enforced yet. */
function outcomeOf({ allow, shadow }: Decision): 'allow' | 'deny' {
  return allow && shadow !== true ? 'allow' : 'deny';
}

function row({ one, decision }: Tried): string[] {
  const expected = one.rule === undefined ? one.expect : `${one.expect} by ${one.rule}`;
  const asks = `${one.kind} ${one.name}`;
  if (typeof decision === 'string') return [String(one.line), one.as, asks, expected, '', decision];
  const { rule, why = '' } = decision;
  return [String(one.line), one.as, asks, expected, `${outcomeOf(decision)} by ${rule}`, why];
}

function plain({ one, decision }: Tried): object {
  const { line, as, kind, name, expect } = one;
  const said = typeof decision === 'string' ? { problem: decision } : decision;
  return { ok: asExpected({ one, decision }), line, as, kind, name, expect, ...said };
}
