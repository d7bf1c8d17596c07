// Brings a new server to where the lost one was: the client's own initialize, its log level, its subscriptions. Then its
// lists are compared with what the client saw, page by page, so that list_changed is said only where it is true.

import { parseMessage, requestMessage, withId } from '../json-rpc.ts';
import type { Transport } from '../transport.ts';
import type { OwnRequests } from './own-requests.ts';
import { digestOfAnswer, isError, type ListSeen, type SessionMemory } from './session-memory.ts';

/** Whether the new server took the session. */
export async function rebuild(transport: Transport, memory: SessionMemory, own: OwnRequests): Promise<boolean> {
  const { initialize } = memory;
  if (!initialize) return true;
  const answer = await own.ask(transport, withId(initialize, own.newId()));
  if (!answer || isError(answer)) return false;
  // Read now: the client may have said it only while we asked.
  const { initialized } = memory;
  if (initialized) transport.send(initialized);
  const replayed = await Promise.all(
    memory.replay().map((request) => own.ask(transport, withId(request, own.newId()))),
  );
  if (replayed.includes(undefined)) return false;
  if (!initialized && memory.initialized) transport.send(memory.initialized);
  return true;
}

/** The list_changed notifications that are due. */
export async function changedLists(
  transport: Transport,
  memory: SessionMemory,
  own: OwnRequests,
): Promise<Set<string>> {
  const changed = new Set<string>();
  for (const seen of memory.listsSeen()) {
    if (!changed.has(seen.kind.changed) && !(await sameList(transport, seen, own))) changed.add(seen.kind.changed);
  }
  return changed;
}

async function sameList(transport: Transport, { kind, pages }: ListSeen, own: OwnRequests): Promise<boolean> {
  let cursor: string | undefined;
  for (const page of [...pages]) {
    const params = cursor === undefined ? {} : { cursor };
    const answer = await own.ask(transport, requestMessage(own.newId(), kind.method, params));
    // A server that is lost again, or refuses, says nothing about its lists.
    if (!answer || isError(answer)) return true;
    if (digestOfAnswer(answer) !== page) return false;
    const { result } = parseMessage(answer) as { result?: { nextCursor?: unknown } };
    if (typeof result?.nextCursor !== 'string') return true;
    cursor = result.nextCursor;
  }
  return true;
}
