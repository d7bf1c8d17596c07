// What a client is told of a server that it comes back to: nothing if it is as it was left, else that its memory is gone, or
// may be. Said in a log message, to clients that take them.

import { notificationMessage } from '../json-rpc.ts';
import type { HostTerms } from '../link/preamble.ts';
import type { Message } from '../message.ts';

/** Whether a server's memory is gone; `unknown`: its host cannot say. */
export type Lost = 'no' | 'yes' | 'unknown';

/** undefined: the server is no host of ours, so nobody kept it. */
export function lostWith(terms: HostTerms | undefined): Lost {
  if (terms === undefined || terms.kept === false) return 'yes';
  return terms.kept === true ? 'no' : 'unknown';
}

export function lostMemory(name: string, lost: Lost): Message | undefined {
  if (lost === 'no') return undefined;
  const data = `${name} was restarted; what it held in memory ${lost === 'yes' ? 'is' : 'may be'} gone`;
  return notificationMessage('notifications/message', { level: 'warning', logger: 'mcp-overlay', data });
}
