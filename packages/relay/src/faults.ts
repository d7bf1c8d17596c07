// What is said of lines that were skipped: to the sender whose request it was, and to people.

import { errorMessage } from './json-rpc.ts';
import { LIMITS } from './limits.ts';
import type { Fault, Message } from './message.ts';

/** The answer to a client whose line was no message; none to a broken notification or response. */
export function faultReply(fault: Fault): Message | undefined {
  if (fault.kind === 'notification' || fault.kind === 'response') return undefined;
  const name =
    fault.code === 'not_json' || fault.code === 'invalid_utf8'
      ? 'parse_error'
      : fault.code === 'message_too_large'
        ? 'message_too_large'
        : 'invalid_request';
  const text = `the message was not passed on: ${describeFault(fault)}`;
  return errorMessage(fault.id ?? 'null', name, text, { fault: fault.code, bytes: fault.bytes });
}

export function describeFault(fault: Fault): string {
  switch (fault.code) {
    case 'message_too_large':
      return `it is too large (${fault.bytes} bytes)`;
    case 'too_deep':
      return 'its JSON is nested too deeply';
    case 'too_many_tokens':
      return 'its JSON has too many values';
    case 'number_too_large':
      return 'it has a number beyond what JSON readers agree on (over 1.8e308)';
    case 'invalid_utf8':
      return 'it is not valid UTF-8';
    case 'batch':
      return 'it is a batch, which only revision 2025-03-26 has';
    case 'batch_too_large':
      return `it is a batch of more than ${LIMITS.batchMessages} messages`;
    case 'not_json_rpc':
      return 'it is JSON but no JSON-RPC message';
    default:
      return 'it is not valid JSON';
  }
}
