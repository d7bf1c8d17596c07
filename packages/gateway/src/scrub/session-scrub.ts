// Scrubbing of one session: calls on their way down and up, definitions, greetings, and what servers start by themselves.
// What needs no change leaves as it came, byte for byte.

import { type Message, notificationMessage, parseMessage, requestMessage, stringifyExact } from '@mcp-overlay/relay';
import type { PermittedCall, Reply, RpcError, ScrubHit } from '../call/call.ts';
import { deny } from '../call/denial.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import { SCRUB_LIMITS } from './limits.ts';
import { bodyOf, type Looked } from './look.ts';
import type { Modes } from './modes.ts';
import type { Surface } from './pattern.ts';
import type { HitSink, Scrubbed, Scrubber, ScrubPlace } from './scrubber.ts';

/** Where results tell what was found in them, where that is configured. */
export const SCRUB_META = 'mcp-overlay/scrub';

const SURFACES: Readonly<Record<string, Surface>> = {
  'prompts/get': 'prompt',
  'resources/read': 'resource',
  'notifications/message': 'log',
  'notifications/progress': 'log',
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
};

/** What routes, and therefore is shown as it is. */
const ROUTING = ['name', 'uri', 'uriTemplate'] as const;

export class SessionScrub {
  private readonly scrubber: Scrubber;
  private readonly sink: HitSink;
  /** Definitions that were looked through in this session. */
  private readonly items = new WeakMap<JsonObject, { readonly shown: JsonObject | undefined; readonly by: number }>();

  constructor(scrubber: Scrubber, sink: HitSink) {
    this.scrubber = scrubber;
    this.sink = sink;
  }

  /** A refusal, where the client's arguments may not pass. */
  down(call: PermittedCall): Reply | undefined | Promise<Reply | undefined> {
    const args = call.native.arguments;
    if (this.isOff || this.scrubber.argumentsMode === 'off' || asObject(args) === undefined) return undefined;
    const looked = isSmall(args) ? this.scrubber.lookNow(args, 'arguments') : undefined;
    if (looked && !looked.partly) return this.sent(call, args, looked);
    const looking = this.scrubber.lookLater(Buffer.from(stringifyExact(args)), 'body', 'arguments');
    return looking.then((all) => this.sent(call, args, all));
  }

  private sent(call: PermittedCall, args: unknown, looked: Looked): Reply | undefined {
    const mode = this.scrubber.argumentsMode;
    const modes = this.modesOf(call);
    const strict: Modes = { wraps: false, of: (rule) => (modes.of(rule) === 'off' ? 'off' : mode) };
    const scrubbed = this.scrubber.act(looked, strict, 'arguments', () => args);
    this.tell(placeOf(call), scrubbed.hits, call);
    return 'blocked' in scrubbed
      ? withheld(call.method, 'the arguments were not passed on', scrubbed.blocked)
      : undefined;
  }

  up(call: PermittedCall, reply: Reply): Reply | Promise<Reply> {
    if (this.isOff) return reply;
    const surface = SURFACES[call.method] ?? 'text';
    const modes = this.modesOf(call);
    if ('answer' in reply) {
      const { answer } = reply;
      const { length } = answer.bytes;
      if (length <= SCRUB_LIMITS.inlineBytes) {
        if (!modes.wraps && !this.scrubber.mayHold(answer.bytes)) return reply;
        const { body, isError } = bodyOf(answer, parseMessage(answer));
        const on = isError ? 'error' : surface;
        const looked = this.scrubber.lookNow(body, on);
        if (!looked.partly) return this.finish(call, reply, looked, modes, on, () => body, isError);
      }
      const read = (): { body: unknown; isError: boolean } => bodyOf(answer, parseMessage(answer));
      return this.later(call, reply, modes, surface, answer.bytes, 'message', read);
    }
    const isError = 'error' in reply;
    const body = isError ? reply.error : reply.result;
    const on = isError ? 'error' : surface;
    const looked = isSmall(body) ? this.scrubber.lookNow(body, on) : undefined;
    if (looked && !looked.partly) return this.finish(call, reply, looked, modes, on, () => body, isError);
    return this.later(call, reply, modes, on, Buffer.from(stringifyExact(body)), 'body', () => ({ body, isError }));
  }

  /** What a server starts by itself; undefined: it is withheld. */
  message(backend: string, message: Message): Message | undefined {
    if (this.isOff || !this.scrubber.mayHold(message.bytes)) return message;
    const { method = '' } = message;
    const surface = SURFACES[method] ?? 'text';
    const { params } = parseMessage(message);
    const modes = this.scrubber.modes.for(backend);
    const scrubbed = this.scrubber.act(this.scrubber.lookNow(params, surface), modes, surface, () => params);
    this.tell({ backend, method }, scrubbed.hits);
    if ('blocked' in scrubbed) return undefined;
    if (scrubbed.value === params) return message;
    const changed =
      message.id === undefined
        ? notificationMessage(method, scrubbed.value)
        : requestMessage(message.id, method, scrubbed.value, message.call);
    return message.relatedTo === undefined ? changed : { ...changed, relatedTo: message.relatedTo };
  }

  /** The server's own greeting. */
  welcome(backend: string, welcome: JsonObject): JsonObject {
    if (this.isOff) return welcome;
    const modes = this.scrubber.modes.for(backend);
    const changed: Record<string, unknown> = {};
    for (const [member, surface] of [
      ['instructions', 'instructions'],
      ['serverInfo', 'name'],
    ] as const) {
      const value = welcome[member];
      if (value === undefined) continue;
      const scrubbed = this.scrubber.act(this.scrubber.lookAgain(value, surface), modes, surface, () => value);
      this.tell({ backend, method: 'initialize' }, scrubbed.hits);
      const shown =
        'blocked' in scrubbed ? (member === 'serverInfo' ? { name: backend, version: '' } : undefined) : scrubbed.value;
      if (shown !== value) changed[member] = shown;
    }
    if (Object.keys(changed).length === 0) return welcome;
    return Object.fromEntries(Object.entries({ ...welcome, ...changed }).filter(([, value]) => value !== undefined));
  }

  /** A tool, prompt, resource or template; undefined: it is not shown. */
  item(backend: string, list: string, item: JsonObject): JsonObject | undefined {
    if (this.isOff) return item;
    const { version: by } = this.scrubber;
    const known = this.items.get(item);
    if (known?.by === by) return known.shown;
    const name = asString(item.name);
    const modes = this.scrubber.modes.for(backend, list === 'tools' ? name : undefined);
    const scrubbed = this.scrubber.act(this.scrubber.lookAgain(item, 'description'), modes, 'description', () => item);
    this.tell({ backend, method: `${list}/list`, ...(name === undefined ? {} : { target: name }) }, scrubbed.hits);
    const shown =
      'blocked' in scrubbed ? undefined : scrubbed.value === item ? item : routed(item, scrubbed.value as JsonObject);
    this.items.set(item, { shown, by });
    return shown;
  }

  /** Whether a definition of this backend could be withheld. */
  mayHide(backend: string): boolean {
    return this.scrubber.mayBlock(backend);
  }

  /** Until the configuration says otherwise. */
  private get isOff(): boolean {
    return this.scrubber.rules === 0;
  }

  private later(
    call: PermittedCall,
    reply: Reply,
    modes: Modes,
    surface: Surface,
    bytes: Uint8Array,
    holds: 'message' | 'body',
    read: () => { body: unknown; isError: boolean },
  ): Reply | Promise<Reply> {
    const looking = this.scrubber.lookLater(bytes, holds, surface);
    const done = (looked: Looked): Reply => {
      if (looked.texts.length === 0 && !looked.partly && !modes.wraps) return reply;
      const { body, isError } = read();
      return this.finish(call, reply, looked, modes, isError ? 'error' : surface, () => body, isError);
    };
    if (this.scrubber.modes.configured) return looking.then(done);
    // Nothing can come of it but a record, so nobody waits.
    void looking.then((looked) => {
      const { hits } = this.scrubber.act(looked, modes, surface, () => undefined);
      this.tell(placeOf(call), hits);
    });
    return reply;
  }

  private finish(
    call: PermittedCall,
    reply: Reply,
    looked: Looked,
    modes: Modes,
    surface: Surface,
    body: () => unknown,
    isError: boolean,
  ): Reply {
    const scrubbed = this.scrubber.act(looked, modes, surface, body);
    this.tell(placeOf(call), scrubbed.hits, call);
    if ('blocked' in scrubbed) return withheld(call.method, 'the answer was withheld', scrubbed.blocked);
    const note = this.scrubber.notes && scrubbed.hits.length > 0 && !isError;
    if (scrubbed.value === body() && !note) return reply;
    if (isError) return { error: scrubbed.value as RpcError };
    const result = asObject(scrubbed.value) ?? {};
    return { result: note ? noted(result, scrubbed.hits) : result };
  }

  private modesOf({ backend, target }: PermittedCall): Modes {
    return this.scrubber.modes.for(backend.id, target.kind === 'tool' ? target.name : undefined);
  }

  private tell(place: ScrubPlace, hits: Scrubbed['hits'], call?: PermittedCall): void {
    if (hits.length === 0) return;
    if (call) call.trail.scrub = [...(call.trail.scrub ?? []), ...hits];
    const of = call?.trail.intent?.seq;
    this.sink(of === undefined ? place : { ...place, of }, hits);
  }
}

function placeOf({ backend, method, target }: PermittedCall): ScrubPlace {
  return { backend: backend.id, method, target: target.name };
}

/** A tool's caller reads results, other callers errors. */
function withheld(method: string, what: string, rules: string): Reply {
  const text = `${what} by the gateway: its operator blocks what was found in it (${rules})`;
  if (method !== 'tools/call') return deny('withheld', text, { rules: rules.split(', ') });
  return { result: { content: [{ type: 'text', text }], isError: true } };
}

function noted(result: JsonObject, hits: readonly ScrubHit[]): JsonObject {
  const found = hits.map(({ rule, severity, surface, mode, count }) => ({ rule, severity, surface, mode, count }));
  return { ...result, _meta: { ...asObject(result._meta), [SCRUB_META]: { found } } };
}

function routed(item: JsonObject, shown: JsonObject): JsonObject {
  const kept = ROUTING.filter((key) => item[key] !== undefined).map((key) => [key, item[key]]);
  return { ...shown, ...Object.fromEntries(kept) };
}

/** Whether its texts together are small enough for this thread; stops counting when they are not. */
function isSmall(value: unknown): boolean {
  let left: number = SCRUB_LIMITS.inlineBytes;
  const visit = (one: unknown): boolean => {
    if (typeof one === 'string') left -= one.length;
    else if (typeof one === 'object' && one !== null) {
      for (const key in one) {
        left -= key.length;
        if (left < 0 || !visit((one as JsonObject)[key])) return false;
      }
    }
    return left >= 0;
  };
  return visit(value);
}
