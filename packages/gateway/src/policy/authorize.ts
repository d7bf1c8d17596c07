// Stage: does a rule let this call through? A permit, not a boolean. What is hidden answers like what does not exist; what is
// shown and refused for its arguments says which one, and nothing of the rule. What the rules said stays in the trail.

import { parseMessage } from '@mcp-overlay/relay';
import type { PermittedCall, Reply, RoutedCall, TargetKind } from '../call/call.ts';
import { deny, unknownTarget } from '../call/denial.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import { permit } from '../call/permit.ts';
import type { Stage } from '../call/stage.ts';
import type { Access } from './access.ts';

export function authorize(access: Access): Stage<RoutedCall, PermittedCall> {
  return (next) => async (call) => {
    const { backend, target, trail } = call;
    const { kind, name } = judged(call);
    trail.target = target;
    const args = argumentsOf(call);
    if (args === 'wrong' && access.personal) return deny('invalid_params', 'arguments must be an object');
    const decision = access.decide(backend.id, kind, name, args === 'wrong' ? {} : args);
    trail.decision = decision;
    if (!decision.allow)
      return access.shows(backend.id, kind, name) ? refused(call, decision.argument) : hidden(call, kind);
    const reply = await next({ ...call, permit: permit(decision.rule) });
    return access.personal ? forThisClient(reply, backend.id, access) : reply;
  };
}

/** What concerns a task is judged by its method: the task itself is the caller's, as ids are only told to whom they belong. */
function judged({ method, target }: RoutedCall): { readonly kind: TargetKind; readonly name: string } {
  return method.startsWith('tasks/') ? { kind: 'task', name: method } : target;
}

/** undefined: of a completion, which follows what it completes. */
function argumentsOf({ method, params, target }: RoutedCall): JsonObject | 'wrong' | undefined {
  if (method === 'completion/complete') return undefined;
  if (target.kind !== 'tool' && target.kind !== 'prompt') return {};
  const { arguments: given } = params;
  return given === undefined ? {} : (asObject(given) ?? 'wrong');
}

function hidden({ params, method, target }: RoutedCall, kind: TargetKind): Reply {
  const ref = asObject(params.ref);
  switch (kind) {
    case 'task':
      return method === 'tasks/list' || asString(params.taskId) === undefined
        ? unknownTarget('method', method)
        : deny('invalid_params', `Unknown task: ${asString(params.taskId)}`);
    case 'method':
      return unknownTarget('method', method);
    case 'resource':
      return unknownTarget('resource', asString(params.uri) ?? asString(ref?.uri) ?? target.name);
    default:
      return unknownTarget(kind, asString(params.name) ?? asString(ref?.name) ?? target.name);
  }
}

function refused({ params, target, method }: RoutedCall, argument: readonly string[] | undefined): Reply {
  const what = asString(params.name) ?? asString(params.uri) ?? target.name;
  const where = argument === undefined || argument.length === 0 ? undefined : argument.join('.');
  const why = where === undefined ? '' : `: argument ${where} is not what they let through`;
  const facts = where === undefined ? {} : { argument: where };
  return deny('refused', `the rules of this gateway do not allow this ${method} of ${what}${why}`, {
    code: 'rule',
    ...facts,
  });
}

/** An answer that this client may have and another may not is no cache's; a question that a rule denies is not asked. */
function forThisClient(reply: Reply, backend: string, access: Access): Reply {
  if ('error' in reply) return reply;
  if (
    'answer' in reply &&
    !reply.answer.bytes.includes('cacheScope') &&
    !reply.answer.bytes.includes('inputRequests')
  ) {
    return reply;
  }
  const result =
    'result' in reply ? reply.result : asObject((parseMessage(reply.answer) as { result?: unknown }).result);
  if (!result) return reply;
  for (const request of Object.values(asObject(result.inputRequests) ?? {})) {
    const method = asString(asObject(request)?.method) ?? '';
    if (!access.mayAsk(backend, method)) {
      return deny('refused', `backend ${backend} asks for ${method}, which the rules of this gateway do not allow`, {
        code: 'rule',
      });
    }
  }
  return result.cacheScope === 'public' ? { result: { ...result, cacheScope: 'private' } } : reply;
}
