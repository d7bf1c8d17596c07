// The refusals of the HTTP door (./server.ts has the table): what was asked for and is not given, and why.
// They name what to change; they never repeat what the peer sent.

import type { IncomingMessage } from 'node:http';
import type { RpcErrorValue } from '../../eras/envelope.ts';
import { RPC_ERRORS } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Fault, Message } from '../../message.ts';
import { LEGACY_VERSIONS } from '../../methods.ts';
import type { BodyFailure } from './body.ts';
import type { Refusal } from './reply.ts';
import { accepts, EVENTS_TYPE, JSON_TYPE, mediaType, VERSION_HEADER } from './wire.ts';

export function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

export function wrongPost(request: IncomingMessage): Refusal | undefined {
  const accept = header(request, 'accept') ?? '';
  if (!accepts(accept, JSON_TYPE) || !accepts(accept, EVENTS_TYPE)) {
    return notAcceptable(`${JSON_TYPE} and ${EVENTS_TYPE}`);
  }
  return wrongType(request);
}

export function wrongType(request: IncomingMessage): Refusal | undefined {
  if (mediaType(header(request, 'content-type')) !== JSON_TYPE) {
    return { status: 415, name: 'invalid_request', text: `Content-Type must be ${JSON_TYPE}` };
  }
  const encoding = header(request, 'content-encoding');
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return undefined;
  return { status: 415, name: 'invalid_request', text: 'Content-Encoding is not supported; send the body as it is' };
}

export function wrongVersion(request: IncomingMessage): Refusal | undefined {
  const version = header(request, VERSION_HEADER);
  if (version === undefined || LEGACY_VERSIONS.some((known) => known === version)) return undefined;
  const text = `MCP-Protocol-Version is not supported; supported: ${LEGACY_VERSIONS.join(', ')}`;
  return { status: 400, name: 'invalid_request', text, data: { supported: [...LEGACY_VERSIONS] } };
}

export function notAcceptable(types: string): Refusal {
  return { status: 406, name: 'invalid_request', text: `Accept must admit ${types}` };
}

export function missing(what: string): Refusal {
  return { status: 400, name: 'invalid_request', text: `${what} is missing; a session begins with initialize` };
}

export function unknownSession(): Refusal {
  return { status: 404, name: 'invalid_request', text: 'this session is not known here or has ended; begin a new one' };
}

export function again(message: Message): Refusal {
  return { status: 400, name: 'invalid_request', text: 'this session is initialized already', ...idOf(message) };
}

export function inUse(message: Message): Refusal {
  const text = 'a request with this id is open in this session';
  return { status: 400, name: 'invalid_request', text, ...idOf(message) };
}

export function brokenEnvelope({ code, message, data }: RpcErrorValue): Refusal {
  const name = code === RPC_ERRORS.unsupported_version ? 'unsupported_version' : 'invalid_params';
  return { status: 400, name, text: message, ...(data === undefined ? {} : { data: data as Record<string, unknown> }) };
}

export function headerMismatch(text: string): Refusal {
  return { status: 400, name: 'header_mismatch', text };
}

export function wrongKind(): Refusal {
  return { status: 400, name: 'invalid_request', text: 'a client of this revision sends requests and no answers' };
}

export function busy(text: string): Refusal {
  const data = { retryAfterMs: 1000 };
  return { status: 503, name: 'busy', text, headers: { 'retry-after': '1' }, data };
}

export function idOf(message: Message): { id?: string } {
  return message.kind === 'request' && message.id !== undefined ? { id: message.id } : {};
}

export function bodyRefusal(failure: BodyFailure, maxBytes: number): Refusal {
  switch (failure) {
    case 'too_large':
      return { status: 413, name: 'message_too_large', text: `the body is larger than ${maxBytes} bytes` };
    case 'busy':
      return busy('too many large bodies are on their way here');
    default:
      return { status: 408, name: 'invalid_request', text: 'the body did not arrive whole' };
  }
}

export function faultRefusal(fault: Fault): Refusal {
  const broken = fault.code === 'not_json' || fault.code === 'invalid_utf8';
  const id = fault.kind === 'request' && fault.id !== undefined ? { id: fault.id } : {};
  return { status: 400, name: broken ? 'parse_error' : 'invalid_request', text: FAULT_TEXT[fault.code], ...id };
}

const FAULT_TEXT: Record<Fault['code'], string> = {
  not_json: 'the body is not valid JSON',
  invalid_utf8: 'the body is not valid UTF-8',
  message_too_large: 'the message is too large',
  too_deep: 'the JSON is nested too deeply',
  too_many_tokens: 'the JSON has too many values',
  number_too_large: 'the JSON has a number beyond what its readers agree on (over 1.8e308)',
  not_json_rpc: 'the body is JSON but no JSON-RPC 2.0 message',
  batch: 'the body is a batch, which only revision 2025-03-26 has; send one message per POST',
  batch_too_large: `the body is a batch of more than ${LIMITS.batchMessages} messages`,
};
