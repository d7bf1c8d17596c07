// Edge messages as values: headers for what we send, facts from what we get. Which one is sent when is the business of dial.ts,
// bind.ts and connection.ts. Layouts: openziti/sdk-golang ziti/edge/messages.go.

import { randomBytes } from 'node:crypto';
import { CHANNEL_HEADERS } from '../channel/content-types.ts';
import { Headers } from '../channel/headers.ts';
import type { Message } from '../channel/message.ts';
import { LIMITS } from '../limits.ts';
import { EDGE_HEADERS as H, PRECEDENCES, type Precedence } from './ids.ts';

export interface ConnectRequest {
  readonly publicKey: Uint8Array | undefined;
  readonly callerId: string;
  readonly instance: string | undefined;
  readonly appData: Uint8Array | undefined;
}

export function connectHeaders(connId: number, request: ConnectRequest): Headers {
  const headers = onConnection(connId).setString(H.connectionMarker, marker()).setBool(H.useXgressToSdk, false);
  headers.setString(H.callerId, request.callerId);
  if (request.publicKey) headers.setBytes(H.publicKey, request.publicKey);
  if (request.instance !== undefined) headers.setString(H.terminatorIdentity, request.instance);
  if (request.appData) headers.setBytes(H.appData, request.appData);
  return headers;
}

/** What of a terminator can be changed while it is bound. */
export interface TerminatorWeight {
  /** 0…65535; the lower one is preferred. */
  readonly cost: number;
  readonly precedence: Precedence;
}

export interface BindRequest extends TerminatorWeight {
  readonly listenerId: string;
  readonly publicKey: Uint8Array | undefined;
  readonly instance: string | undefined;
}

export function bindHeaders(connId: number, request: BindRequest): Headers {
  const headers = onConnection(connId)
    .setBool(H.supportsInspect, true)
    .setBool(H.supportsBindSuccess, true)
    .setBool(H.useXgressToSdk, false)
    .setBool(H.routerProvidedConnId, true)
    .setString(H.listenerId, request.listenerId);
  if (request.publicKey) headers.setBytes(H.publicKey, request.publicKey);
  if (request.cost > 0) headers.setU16(H.cost, request.cost);
  if (request.precedence !== 'default') headers.setU8(H.precedence, PRECEDENCES[request.precedence]);
  if (request.instance !== undefined) headers.setString(H.terminatorIdentity, request.instance);
  return headers;
}

export function updateBindHeaders(connId: number, weight: TerminatorWeight): Headers {
  return onConnection(connId).setU16(H.cost, weight.cost).setU8(H.precedence, PRECEDENCES[weight.precedence]);
}

/** A caller as the router announces it to a host. */
export interface Caller {
  /** What the caller says it is. */
  readonly claimed: string | undefined;
  /** What the router says it is; routers before 2.0 say nothing. */
  readonly identityId: string | undefined;
  readonly identityName: string | undefined;
  readonly appData: Uint8Array | undefined;
  readonly circuitId: string | undefined;
}

export interface DialRequest extends Caller {
  readonly sequence: number;
  /** Must be the token that this bind was made with. */
  readonly token: Uint8Array;
  /** Given by the router if the bind asked for it, which ours do. */
  readonly connId: number | undefined;
  readonly publicKey: Uint8Array | undefined;
  readonly methodKnown: boolean;
}

export function parseDial(message: Message): DialRequest {
  const { headers, body, sequence } = message;
  return {
    sequence,
    token: body,
    connId: headers.u32(H.routerProvidedConnId),
    publicKey: headers.bytes(H.publicKey),
    methodKnown: cryptoMethodKnown(headers),
    claimed: shortText(headers, H.callerId),
    identityId: shortText(headers, H.dialerIdentityId),
    identityName: shortText(headers, H.dialerIdentityName),
    appData: copyOf(headers.bytes(H.appData)),
    circuitId: shortText(headers, H.circuitId),
  };
}

export function dialSuccess(
  bindId: number,
  dialSequence: number,
  newConnId: number,
): { headers: Headers; body: Buffer } {
  const body = Buffer.allocUnsafe(4);
  body.writeUInt32LE(newConnId);
  return { headers: replyTo(dialSequence, bindId), body };
}

/** The host, as StateConnected describes it. */
export interface Connected {
  readonly publicKey: Uint8Array | undefined;
  readonly methodKnown: boolean;
  readonly circuitId: string | undefined;
  /** The router took us for one that does its own flow control. */
  readonly sdkFlowControl: boolean;
}

export function parseConnected({ headers }: Message): Connected {
  return {
    publicKey: headers.bytes(H.publicKey),
    methodKnown: cryptoMethodKnown(headers),
    circuitId: shortText(headers, H.circuitId),
    sdkFlowControl: headers.bool(H.useXgressToSdk) ?? false,
  };
}

export function replyTo(sequence: number, connId: number | undefined): Headers {
  const headers = new Headers().setI32(CHANNEL_HEADERS.replyFor, sequence);
  return connId === undefined ? headers : headers.setU32(H.connId, connId);
}

export function onConnection(connId: number): Headers {
  return new Headers().setU32(H.connId, connId);
}

/** undefined: the message is not about one connection. 0 is an id like any other. */
export function connIdOf(message: Message): number | undefined {
  return message.headers.u32(H.connId);
}

export function flagsOf(message: Message): number {
  return message.headers.u32(H.flags) ?? 0;
}

/** Eight letters that both ends and the routers' logs show. */
function marker(): string {
  return randomBytes(6).toString('base64url');
}

function cryptoMethodKnown(headers: Headers): boolean {
  const method = headers.bytes(H.cryptoMethod);
  return method === undefined || headers.u8(H.cryptoMethod) === 0 || headers.string(H.cryptoMethod) === 'libsodium';
}

function shortText(headers: Headers, key: number): string | undefined {
  return headers.string(key)?.slice(0, LIMITS.peerTextChars);
}

/** What outlives its message must not hold on to the buffer it came in. */
function copyOf(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes && Buffer.from(bytes);
}
