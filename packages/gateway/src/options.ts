// What a gateway is started with: its configuration, its network, and what the command line said.

import type { GatewayConfig, SecretString } from '@mcp-overlay/config';
import type { AccessSource, Overlay } from '@mcp-overlay/overlay';
import type { GatewayLog } from './call/log.ts';
import type { Scrubbing } from './scrub/open.ts';
import type { Predecessor } from './succession/take-over.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  /** As the user named it. */
  readonly file?: string;
  readonly overlay: Overlay;
  readonly env: NodeJS.ProcessEnv;
  /** What `--identity` names: for shares on other overlays than the gateway's own. */
  readonly identity?: string | undefined;
  /** Trust files of the command line, beside those of the configuration. */
  readonly trust?: readonly string[] | undefined;
  /** A token for shares behind us that name none of their own. */
  readonly access?: AccessSource | undefined;
  readonly version: string;
  /** An audit log that was changed is left, and another begun. */
  readonly acceptBroken?: boolean;
  readonly log: GatewayLog;
  /** What looks through texts of servers; absent: nothing does. */
  readonly scrub?: Scrubbing | undefined;
  /** Of a vault that wants one. Absent: nobody is at a terminal. */
  readonly passphrase?: (() => Promise<SecretString>) | undefined;
  /** Who has the share now and agreed to lose it. */
  readonly predecessor?: Predecessor | undefined;
  onLost(error: Error): void;
}
