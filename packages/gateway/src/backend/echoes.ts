// No agent ever holds a credential of a backend: what a server says that contains the very secrets it was given, in any
// usual form, has them replaced before anybody reads it. Only secrets that were referred to; other bytes stay as they are.

import type { OutputFilter } from '@mcp-overlay/cli';
import { isFault, type Limits, type Message, readMessage, type Transport } from '@mcp-overlay/relay';
import type { GatewayLog } from '../call/log.ts';

export interface EchoOptions {
  readonly id: string;
  readonly echoes: OutputFilter;
  readonly around: { readonly log: GatewayLog; readonly limits: Limits };
}

export function withoutEchoes(server: Transport, { id, echoes, around }: EchoOptions): Transport {
  if (echoes.size === 0) return server;
  const clean = (message: Message): Message => {
    if (!echoes.finds(message.bytes)) return message;
    around.log.warn(
      { backend: id, method: message.method },
      'the backend repeated its own credential; it was taken out',
    );
    const read = readMessage(Buffer.from(echoes.clean(message.bytes.toString('utf8'))), around.limits, message.call);
    // A secret that looks like a piece of JSON could break it: then nothing of the message is passed on.
    if (isFault(read)) return broken(message, around.limits);
    return message.relatedTo === undefined ? read : { ...read, relatedTo: message.relatedTo };
  };
  return {
    start: (handlers) =>
      server.start({
        message: (message) => handlers.message(clean(message)),
        fault: (fault) => handlers.fault({ ...fault, preview: echoes.clean(fault.preview) }),
        closed: (reason) => handlers.closed({ ...reason, reason: echoes.clean(reason.reason) }),
      }),
    send: (message) => server.send(message),
    drained: () => server.drained(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    close: (reason) => server.close(reason),
  };
}

function broken({ kind, id, method, relatedTo }: Message, limits: Limits): Message {
  const error = { code: -32603, message: 'the answer held a credential of its backend and was not passed on' };
  const head = id === undefined ? '' : `"id":${id},`;
  const body = kind === 'response' ? `"error":${JSON.stringify(error)}` : `"method":${JSON.stringify(method)}`;
  const message = readMessage(Buffer.from(`{"jsonrpc":"2.0",${head}${body}}`), limits) as Message;
  return relatedTo === undefined ? message : { ...message, relatedTo };
}
