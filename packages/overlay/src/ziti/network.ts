// An OpenZiti network behind the overlay contract: services as shares, its connections as ours. Both drivers stand on it.
// Loaded when it is used: the client brings libsodium with it, which `local` never needs.

import {
  type DialSoon,
  loadIdentity,
  type Service,
  type SessionCertificate,
  ZitiContext,
  type ZitiIdentity,
} from '@mcp-overlay/ziti';
import { OverlayError } from '../errors.ts';
import { type OverlayLog, SILENT } from '../log.ts';
import type { Connection, DialOptions, OverlayKind } from '../overlay.ts';
import { connectionError, overlayError } from './refusals.ts';

export interface ZitiNetworkOptions {
  readonly kind: OverlayKind;
  /** The name of an identity file. */
  readonly identityFile: string;
  /** Prepare a dial without being asked. */
  readonly dialSoon?: DialSoon | undefined;
  readonly log?: OverlayLog | undefined;
}

export interface HostOptions {
  readonly onConnection: (connection: Connection) => void;
  /** Callers can reach us, or cannot (and why). */
  readonly onReach?: (reached: boolean, error: Error | undefined) => void;
  /** Ends the wait for the first caller that can come, not the hosting. */
  readonly signal?: AbortSignal;
}

/** What of a context is used; a real one closes only once. */
type ContextConnection = Awaited<ReturnType<ZitiContext['dial']>>;

export class ZitiNetwork {
  readonly identity: ZitiIdentity;
  readonly #kind: OverlayKind;
  readonly #context: ZitiContext;

  private constructor(kind: OverlayKind, context: ZitiContext) {
    this.#kind = kind;
    this.#context = context;
    this.identity = context.identity;
  }

  /** Rejects `identity_invalid`. Asks nothing of the network yet, unless a dial comes soon. */
  static async open({ kind, identityFile, dialSoon, log = SILENT }: ZitiNetworkOptions): Promise<ZitiNetwork> {
    const identity = await translated(loadIdentity(identityFile));
    return new ZitiNetwork(kind, await translated(ZitiContext.open(identity, { dialSoon, log })));
  }

  /** Logs in, so that the next dial has not to. */
  login(signal: AbortSignal): Promise<void> {
    return translated(this.#context.login(signal));
  }

  /** Of the present login: names this identity as its controller does. */
  sessionCertificate(): Promise<SessionCertificate> {
    return translated(this.#context.sessionCertificate());
  }

  async dial(share: string, { timeoutMs, signal }: DialOptions = {}): Promise<Connection> {
    const connection = await translated(this.#context.dial(share, { timeoutMs, signal, closeMeans: 'error' }));
    return this.#connection(connection, share);
  }

  /** Resolves when callers can come. */
  async host(share: string, { onConnection, onReach, signal }: HostOptions): Promise<{ close(): Promise<void> }> {
    const listener = await translated(
      this.#context.listen(share, {
        signal,
        closeMeans: 'error',
        onConnection: (connection) => onConnection(this.#connection(connection, share)),
        onPhase: (phase, error) => {
          if (phase === 'bound' || phase === 'lost')
            onReach?.(phase === 'bound', error && asError(overlayError(error)));
        },
      }),
    );
    return { close: () => translated(listener.close()) };
  }

  /** What is made for it fails: then nobody will close it. */
  async keepIf<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  services(): Promise<Service[]> {
    return translated(this.#context.services());
  }

  close(): Promise<void> {
    return translated(this.#context.close());
  }

  /** The connection itself, with our errors. */
  #connection(connection: ContextConnection, share: string): Connection {
    const destroy = connection.destroy.bind(connection);
    connection.destroy = (error) => destroy(error && connectionError(error));
    const { remoteIdentity: claimed } = connection;
    const peer = { overlay: this.#kind, ...(claimed === undefined ? {} : { claimed }) };
    const abort = (reason: string): void => {
      connection.destroy(
        new OverlayError('connection_aborted', `the connection to share ${share} was aborted: ${reason}`),
      );
    };
    return Object.assign(connection, { peer, abort });
  }
}

async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw overlayError(error);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
