// One client of the gateway, whatever it speaks: its legacy session and its modern requests are two clients to everything
// behind (relay/eras/split), each opened by the first message of its era.

import { type CloseReason, type Era, splitEras, type Transport, within } from '@mcp-overlay/relay';
import { LegacySession } from './legacy-session.ts';
import { ModernSession } from './modern-session.ts';
import type { OpenCalls } from './open-calls.ts';
import { RequestGate } from './request-gate.ts';
import type { SessionOriginInfo, SessionSettings } from './settings.ts';

export interface EraSession {
  readonly calls: number;
  readonly openCalls: number;
  readonly open: Pick<OpenCalls, 'values' | 'idle' | 'endOfThese'>;
  backendStates(): BackendState[];
  relist(): void;
  gain(now: SessionSettings): void;
  drain(): Promise<void>;
  close(reason?: CloseReason): Promise<void>;
  readonly closed: Promise<void>;
}

export interface BackendState {
  readonly id: string;
  readonly phase: string;
  readonly reason: string | undefined;
}

/** A call that has no answer yet, without anything of its contents. */
export interface OpenRequest {
  readonly method: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly backend: string | undefined;
  /** The backend's own name of the tool, prompt or resource. */
  readonly target: string | undefined;
}

export class ClientSession {
  readonly info: SessionOriginInfo;
  readonly openedAt = Date.now();
  /** Why we ended it; undefined: the client did. */
  ended: CloseReason | undefined;
  private readonly client: RequestGate;
  private readonly settings: SessionSettings;
  private more: SessionSettings | undefined;
  private readonly sessions = new Map<Era, EraSession>();
  private resolveClosed: () => void = () => {};
  readonly closed: Promise<void>;

  constructor(client: Transport, info: SessionOriginInfo, settings: SessionSettings) {
    this.client = new RequestGate(client, settings.limits.softQueueBytes);
    this.info = info;
    this.settings = settings;
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
    splitEras(
      this.client,
      {
        legacy: (lane) => this.add('legacy', new LegacySession(lane, info, settings)),
        modern: (lane) => this.add('modern', new ModernSession(lane, info, settings)),
      },
      { onClosed: () => this.resolveClosed() },
    );
  }

  /** Under which configuration it is. */
  get origin(): SessionSettings['origin'] {
    return this.settings.origin;
  }

  get generation(): number {
    return this.settings.origin?.number ?? 0;
  }

  /** What it may see has changed: the client is told to list anew where it does. */
  relist(): void {
    for (const session of this.sessions.values()) session.relist();
  }

  /** It is under a configuration that has more than the one it began under: what is new it has too. */
  gain(now: SessionSettings): void {
    this.more = now;
    for (const session of this.sessions.values()) session.gain(now);
  }

  get calls(): number {
    return this.sum(({ calls }) => calls);
  }

  get openCalls(): number {
    return this.sum(({ openCalls }) => openCalls);
  }

  /** Of the session that talks to it; before anything was said nobody does. */
  backendStates(): BackendState[] {
    const [first] = this.sessions.values();
    if (first) return first.backendStates();
    return this.settings.backends.map(({ backend }) => ({ id: backend.id, phase: 'opening', reason: undefined }));
  }

  /** Takes no new requests; resolves when no call is open. */
  async drain(): Promise<void> {
    await Promise.all([...this.sessions.values()].map((session) => session.drain()));
  }

  /** New requests wait; resolves with whether the session came to a moment without open calls within `ms`. */
  async hold(ms: number): Promise<boolean> {
    this.client.shut();
    return within(ms, this.untilIdle());
  }

  /** What waited goes on its way. Resolves when every call that was open before has ended. */
  async goOn(): Promise<void> {
    const ends = Promise.all([...this.sessions.values()].map(({ open }) => open.endOfThese()));
    this.client.reopen();
    await ends;
  }

  /** How long it has had no open call and said nothing; 0: it is not idle. */
  get idleMs(): number {
    return this.openCalls > 0 ? 0 : performance.now() - this.client.heardAt;
  }

  /** Longest open first. */
  openRequests(): OpenRequest[] {
    const all = [...this.sessions.values()].flatMap(({ open }) => [...open.values()]);
    return all
      .map(({ method, since, trail }) => ({ method, since, backend: trail.backend, target: trail.target?.name }))
      .sort((a, b) => a.since - b.since);
  }

  private async untilIdle(): Promise<void> {
    while (this.openCalls > 0) await Promise.all([...this.sessions.values()].map(({ open }) => open.idle()));
  }

  async close(reason?: CloseReason): Promise<void> {
    this.ended ??= reason;
    await Promise.all([...this.sessions.values()].map((session) => session.close(reason)));
    await this.client.close(reason);
  }

  private add(era: Era, session: EraSession): void {
    this.sessions.set(era, session);
    if (this.more) session.gain(this.more);
    // The end of one is the end of the client.
    void session.closed.then(async () => {
      await Promise.all([...this.sessions.values()].map((other) => other.close()));
      this.resolveClosed();
    });
  }

  private sum(of: (session: EraSession) => number): number {
    return [...this.sessions.values()].reduce((sum, session) => sum + of(session), 0);
  }
}
