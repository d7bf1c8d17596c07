// What backends are given of the gateway they belong to.

import type { BackendConfig, ResolveOptions } from '@mcp-overlay/config';
import type { AccessSource, Overlay } from '@mcp-overlay/overlay';
import type { ChildCount, Fault, Limits, Sandbox, SteadyState } from '@mcp-overlay/relay';
import type { GatewayLog } from '../call/log.ts';

export interface BackendSurroundings {
  /** Opens the overlay a backend names, or the gateway's own. */
  overlayOf(kind: BackendConfig['transport'] & { type: 'share' }): Promise<Overlay>;
  readonly env: NodeJS.ProcessEnv;
  /** Where the token is for shares that name none of their own. */
  readonly access?: AccessSource | undefined;
  /** Program and version, told to hosts that we dial. */
  readonly by: string;
  readonly log: GatewayLog;
  readonly limits: Limits;
  /** Of sessions with the server that no client sees: those that serve modern requests at a legacy one. */
  onState(state: SteadyState): void;
  /** A line of such a server that was no message. */
  onStray(fault: Fault): void;
  /** Who hosts a share is not who it was, or does not prove it. */
  onHostDoubt?(backend: string, code: string): void;
  /** Of a backend that has none of its own. */
  readonly connectTimeoutMs: number;
  /** Servers that run now, of all sessions. */
  readonly children: ChildCount;
  /** What children are put into. */
  readonly sandbox: Sandbox;
  /** false: the machine has no room for servers that nobody uses. */
  mayWarm?(): boolean;
  /** How references to secrets are read. */
  readonly secrets: ResolveOptions;
  /** Takes secrets out of what is told or logged. */
  hide(text: string): string;
}
