// Joins the agent's stdio with a share. The agent's streams end only when the agent ends them, or when the share could
// never be reached.

import type { Readable, Writable } from 'node:stream';
import { type CloseReason, describeFault, LIMITS, relay, streamTransport, within } from '@mcp-overlay/relay';
import { openShareSession, type ShareSessionOptions } from './share-session.ts';

/** After the agent's end of input, or when we are told to end: how long answers on their way are still written. */
const LAST_ANSWERS_MS = 1000;

export interface AttachOptions extends ShareSessionOptions {
  readonly input: Readable;
  readonly output: Writable;
  /** Ends the session as if the agent had. */
  readonly signal: AbortSignal;
}

export interface Attached {
  readonly reason: CloseReason;
  /** Set when the share was never reached. */
  readonly failure: unknown;
}

export async function attach(options: AttachOptions): Promise<Attached> {
  const { input, output, signal, log } = options;
  const { server, kept, firstAttempt, failure } = openShareSession(options);
  const agent = streamTransport({ input, output, limits: LIMITS, answersAfterEndMs: LAST_ANSWERS_MS });
  const onEnd = (): void => {
    agent.pause();
    void within(LAST_ANSWERS_MS, server.idle()).then(() => agent.close());
  };
  if (signal.aborted) onEnd();
  signal.addEventListener('abort', onEnd, { once: true });
  const reason = await relay(agent, kept, {
    // An agent that only looked whether there is something learns it by the exit code.
    beforeServerClose: () => within(LAST_ANSWERS_MS, firstAttempt),
    onFault: (side, fault) => log.warn({ side, fault: describeFault(fault) }, 'message skipped'),
  });
  signal.removeEventListener('abort', onEnd);
  return { reason, failure: failure() };
}
