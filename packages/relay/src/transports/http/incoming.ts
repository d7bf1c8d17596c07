// What comes back to our HTTP client: one JSON body, or a stream of events, each read with the cap of a message and no
// faster than the owner takes it.

import type { IncomingMessage } from 'node:http';
import { splitBatch } from '../../batches.ts';
import { isFault, longLineFault, readMessage } from '../../json-rpc.ts';
import type { Limits } from '../../limits.ts';
import type { Fault, Message } from '../../message.ts';
import type { Inbox } from '../inbox.ts';
import { compactJson } from './compact.ts';
import { EventReader } from './event-reader.ts';

export interface EventsOptions {
  readonly response: IncomingMessage;
  readonly limits: Limits;
  readonly inbox: Inbox;
  /** A message, or what was sent instead of one. Not called for events without data. */
  readonly onMessage: (item: Message | Fault) => void;
  readonly onId?: (id: string) => void;
  readonly onRetry?: (ms: number) => void;
  /** Events that are no messages; `endpoint` of the older transport. */
  readonly onOther?: (name: string, data: Buffer) => void;
}

/** Resolves when the stream is over, however it ended. */
export function readEvents(options: EventsOptions): Promise<void> {
  const { response, limits, inbox, onMessage, onId, onRetry, onOther } = options;
  const reader = new EventReader(limits.messageBytes, {
    event(name, data, id) {
      if (id !== undefined) onId?.(id);
      if (name !== 'message') onOther?.(name, data);
      else if (data.length > 0) for (const item of readSome(data, limits)) onMessage(item);
    },
    retry: (ms) => onRetry?.(ms),
    tooLong: (ends) => onMessage(longLineFault(ends)),
  });
  return new Promise((resolve) => {
    const onData = (chunk: Buffer): void => {
      reader.push(chunk);
      if (inbox.taking) return;
      response.pause();
      void inbox.ready().then(() => response.resume());
    };
    response.on('data', onData);
    response.once('close', resolve);
    if (response.destroyed) resolve();
  });
}

/** A server of revision 2025-03-26 may send several messages at once. */
function readSome(data: Buffer, limits: Limits): readonly (Message | Fault)[] {
  const item = readOne(data, limits);
  if (!isFault(item) || item.code !== 'batch') return [item];
  const parts = splitBatch(data, limits);
  return 'code' in parts ? [parts] : parts;
}

export function readOne(body: Buffer, limits: Limits): Message | Fault {
  if (body.length <= limits.messageBytes) return readMessage(compactJson(body), limits);
  return longLineFault({ head: body.subarray(0, 4096), tail: body.subarray(-4096), bytes: body.length });
}
