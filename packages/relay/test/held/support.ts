// A host whose sessions outlive their links, with dialers spoken by hand, line by line.

import {
  type AcceptedSession,
  Acceptor,
  type AcceptorOptions,
  LIMITS,
  type Limits,
  type Message,
} from '../../src/index.ts';
import type { CloseReason } from '../../src/transport.ts';
import { duplexPair, Raw, SESSION, tracked, WELCOME } from '../link/support.ts';

export const INIT = '{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}';

export interface Served {
  readonly accepted: AcceptedSession;
  readonly got: Message[];
  closed: CloseReason | undefined;
}

export interface House {
  readonly acceptor: Acceptor;
  /** In the order in which they were opened. */
  readonly served: Served[];
  readonly returned: [Served | undefined, string][];
  dial(more?: Record<string, unknown>): Promise<Dialer>;
}

export interface Dialer {
  readonly raw: Raw;
  readonly welcome: Record<string, unknown>;
  /** The next line that is no control line, parsed. */
  message(): Promise<Record<string, unknown>>;
  send(...messages: string[]): void;
}

export function house(
  options: Partial<Omit<AcceptorOptions, 'limits'>> & {
    readonly limits?: Partial<Limits>;
    readonly as?: () => string;
  } = {},
): House {
  const served: Served[] = [];
  const returned: House['returned'] = [];
  const { limits, as = () => 'owner', ...more } = options;
  const acceptor = tracked(
    new Acceptor({
      by: 'host/1',
      log: { debug: () => {}, info: () => {}, warn: () => {} },
      limits: { ...LIMITS, ...limits },
      judge: () => ({ principal: { id: as() } }),
      onReturn: (accepted, { id }) => returned.push([served.find((one) => one.accepted === accepted), id]),
      onSession: (accepted) => {
        const one: Served = { accepted, got: [], closed: undefined };
        served.push(one);
        accepted.transport.start({
          message: (message) => one.got.push(message),
          fault: () => {},
          closed: (reason) => {
            if (one.closed) throw new Error('closed twice');
            one.closed = reason;
          },
        });
      },
      ...more,
    }),
  );
  return {
    acceptor,
    served,
    returned,
    dial: async (more = {}) => {
      const [near, far] = duplexPair();
      acceptor.accept(far);
      const raw = new Raw(near);
      raw.write(`MCP-LINK/1 ${JSON.stringify({ link: null, got: 0, session: SESSION, by: 'raw/1', ...more })}`);
      const welcome = await raw.json(WELCOME);
      return {
        raw,
        welcome,
        message: async () => {
          for (;;) {
            const line = await raw.line();
            if (line === null) throw new Error('the link ended');
            if (!line.startsWith('!')) return JSON.parse(line) as Record<string, unknown>;
          }
        },
        send: (...messages) => raw.write(...messages),
      };
    },
  };
}

export function request(id: string, method: string, params = '{}', call?: number): string {
  const key = call === undefined ? '' : `@${call} `;
  return `${key}{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${params}}`;
}

export function notification(method: string, params = '{}'): string {
  return `{"jsonrpc":"2.0","method":"${method}","params":${params}}`;
}

/** What the layers above heard, in short. */
export function heard({ got }: Served): string[] {
  return got.map(({ kind, id, method, call }) => [kind, method, call && `@${call}`, id].filter(Boolean).join(' '));
}
