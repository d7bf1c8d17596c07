// `policy explain CONFIG --as WHO TOOL [ARGS]`: what the rules say of one request, rule by rule, in words.

import { EXIT, type Flags, printJson, UsageError } from '@mcp-overlay/cli';
import type { Principal } from '@mcp-overlay/overlay';
import { parseExact } from '@mcp-overlay/relay';
import type { Decision, TargetKind } from '../../call/call.ts';
import { asObject, type JsonObject } from '../../call/json.ts';
import type { PolicyRequest, RuleFinding } from '../../policy/policy.ts';
import { openOffline } from './offline.ts';

export async function explainPolicy(flags: Flags) {
  const { file, what, args: text } = flags;
  if (typeof flags.as !== 'string') throw new UsageError('policy explain: --as is missing', 'it says who asks');
  if (typeof what !== 'string')
    throw new UsageError('policy explain: TOOL is missing', 'backend/name, or the public name');
  const offline = await openOffline(String(file), process.cwd());
  const view = typeof flags.view === 'string' ? flags.view : undefined;
  const policy = offline.policy(view);
  if (!policy) throw new UsageError(`no view ${view}`);
  const roles = flags.role as readonly string[] | undefined;
  const principal = offline.who({ as: flags.as, roles, groups: (flags.group as readonly string[] | undefined) ?? [] });
  if (!principal)
    throw new UsageError(`nobody is called ${flags.as}`, 'a nickname of identities, or an id as peers shows it');
  const asked = offline.what(what);
  if (!asked) throw new UsageError(`no backend is meant by ${what}`, 'write backend/name');
  const args = typeof text === 'string' ? argumentsFrom(text) : undefined;
  const request: PolicyRequest = { ...asked, kind: flags.kind as TargetKind, ...(args && { args }) };
  const decision = policy.decide(principal, request);
  const findings = policy.explain(principal, request);
  const has = policy.rolesOf(principal);
  if (flags.json === true) printJson({ principal: principal.id, roles: has, ...request, decision, findings });
  else for (const line of inWords(principal, has, request, decision, findings)) process.stdout.write(`${line}\n`);
  return decision.allow && decision.shadow !== true ? EXIT.done : EXIT.refused;
}

function argumentsFrom(text: string): JsonObject {
  try {
    const args = asObject(parseExact(text));
    if (args) return args;
  } catch {
    // Said below.
  }
  throw new UsageError('policy explain: the arguments are not a JSON object', `write them like '{"path":"/data/x"}'`);
}

function inWords(
  { id, proven }: Principal,
  roles: readonly string[],
  { backend, kind, name, args }: PolicyRequest,
  { allow, shadow, rule, why }: Decision,
  findings: readonly RuleFinding[],
): string[] {
  const verb = args ? 'call it so' : 'see it';
  const said = shadow ? `may ${verb}, because rules are not enforced` : allow ? `may ${verb}` : `may not ${verb}`;
  const by =
    rule === 'default' ? (why ?? 'no rule allows it') : `rule ${rule} decides${why === undefined ? '' : `: ${why}`}`;
  return [
    `${id} (${proven ? 'proven' : 'without a proof'}) has ${roles.length === 0 ? 'no role' : `the roles ${roles.join(', ')}`}`,
    `${kind} ${name} of backend ${backend}: ${said}; ${by}`,
    ...findings.map(inOneLine),
    ...(findings.length === 0 ? ['  none of its rules is about it'] : []),
  ];
}

function inOneLine({ rule, effect, enforced, fits, why }: RuleFinding): string {
  const means = effect === 'allow' ? 'allows it' : 'refuses it';
  const said = fits === true ? means : `does not: ${why ?? 'its arguments decide'}`;
  return `  ${rule} (${effect}${enforced ? '' : ', only recorded'}): ${said}`;
}
