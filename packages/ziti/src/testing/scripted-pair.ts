// FOR TESTS ONLY: two connections joined by a wire that a test can hold, as a router would join them: same frames, other ids.

import type { Message } from '../channel/message.ts';
import type { ApiSession } from '../controller/types.ts';
import { loadSodium, type Sodium } from '../crypto/sodium.ts';
import { type CloseMeans, ZitiConnection } from '../edge/connection.ts';
import { type ChannelUse, EdgeChannel } from '../edge/edge-channel.ts';
import { EDGE_HEADERS, EDGE_TYPES } from '../edge/ids.ts';
import { onConnection } from '../edge/messages.ts';
import { Sealing } from '../edge/sealing.ts';
import { TIMING, type Timing } from '../edge/timing.ts';
import { ScriptedChannel } from './scripted-channel.ts';

export const SCRIPTED_SESSION: ApiSession = {
  kind: 'legacy',
  token: 'api-token',
  id: 'login-1',
  identityId: 'id-1',
  identityName: 'scripted',
  expiresAt: new Date(0),
  controller: 'https://127.0.0.1:1/edge/client/v1',
};

export interface ScriptedEnd {
  readonly channel: ScriptedChannel;
  readonly edge: EdgeChannel;
  readonly connection: ZitiConnection;
}

export interface ScriptedPair {
  readonly dialer: ScriptedEnd;
  readonly host: ScriptedEnd;
  /** Frames on the way, oldest first: `to` is where they go. */
  readonly wire: { readonly to: 'dialer' | 'host'; readonly message: Message }[];
  /** Lets the oldest frame towards that end arrive; false if there is none. */
  step(to: 'dialer' | 'host'): boolean;
  /** Everything on the way arrives, and from now on at once. */
  flow(): void;
}

export interface ScriptedPairOptions {
  readonly encrypted?: boolean;
  readonly closeMeans?: CloseMeans;
  readonly timing?: Partial<Timing>;
  /** Frames wait for `step` or `flow`. */
  readonly held?: boolean;
  readonly use?: ChannelUse;
  readonly sodium?: Sodium;
}

export async function scriptedPair(options: ScriptedPairOptions = {}): Promise<ScriptedPair> {
  const { encrypted = true, closeMeans = 'end', use = 'dial' } = options;
  const timing = { ...TIMING, ...options.timing };
  const sodium = options.sodium ?? (await loadSodium({ native: 'never' }));
  const keys = { dialer: sodium.keyPair(), host: sodium.keyPair() };
  const end = (role: 'dialer' | 'host', id: number): ScriptedEnd => {
    const channel = new ScriptedChannel();
    const edge = new EdgeChannel({ channel, use, router: 'scripted', session: SCRIPTED_SESSION, timing });
    const peerPublicKey = keys[role === 'dialer' ? 'host' : 'dialer'].publicKey;
    const own = keys[role];
    const connection = new ZitiConnection({
      channel: edge,
      id,
      service: 'echo',
      sealing: encrypted ? new Sealing({ sodium, role, own, peerPublicKey, service: 'echo' }) : undefined,
      caller: undefined,
      circuitId: undefined,
      closeMeans,
      lingerMs: timing.lingerMs,
    });
    edge.addAt(id, connection.receiver);
    return { channel, edge, connection };
  };
  const ids = { dialer: 1, host: 2 ** 31 };
  const ends = { dialer: end('dialer', ids.dialer), host: end('host', ids.host) };
  const wire: ScriptedPair['wire'] = [];
  let held = options.held ?? false;
  const step = (to: 'dialer' | 'host'): boolean => {
    const at = wire.findIndex((frame) => frame.to === to);
    const [frame] = at < 0 ? [] : wire.splice(at, 1);
    if (!frame) return false;
    forward(ends[to].channel, ids[to], frame.message);
    return true;
  };
  const join = (from: 'dialer' | 'host', to: 'dialer' | 'host'): void => {
    ends[from].channel.onSend = (message) => {
      wire.push({ to, message });
      if (!held) step(to);
    };
  };
  join('dialer', 'host');
  join('host', 'dialer');
  ends.dialer.connection.begin();
  ends.host.connection.begin();
  const flow = (): void => {
    held = false;
    while (step('dialer') || step('host'));
  };
  return { ...ends, wire, step, flow };
}

/** As a router does: flags and body of Data, nothing but the fact of a close. */
function forward(to: ScriptedChannel, id: number, message: Message): void {
  if (to.isOver) return;
  if (message.type === EDGE_TYPES.stateClosed) to.arrive(message.type, onConnection(id), 'close called');
  if (message.type !== EDGE_TYPES.data) return;
  const headers = onConnection(id);
  const flags = message.headers.bytes(EDGE_HEADERS.flags);
  if (flags) headers.setBytes(EDGE_HEADERS.flags, flags);
  to.arrive(message.type, headers, message.body);
}
