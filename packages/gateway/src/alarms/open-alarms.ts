// From the configuration to alarms: what they know already, and who is told.

import { dirname } from 'node:path';
import type { GatewayConfig } from '@mcp-overlay/config';
import { type Overlay, shareGuard } from '@mcp-overlay/overlay';
import { safeEnvironment } from '@mcp-overlay/relay';
import type { GatewayLog } from '../call/log.ts';
import { Alarms } from './alarms.ts';
import { commandOutput } from './command.ts';
import { Output } from './deliver.ts';
import { DELIVERY_MS } from './limits.ts';
import { openAlarmState } from './state.ts';
import { type WebhookTarget, webhookOutput } from './webhook.ts';

export interface OpenAlarmsOptions {
  readonly overlay: Overlay;
  readonly env: NodeJS.ProcessEnv;
  readonly log: GatewayLog;
}

/** undefined: there is no key `alarms`, or `alarms: off`: what nobody wants to hear costs nothing. Rejects where what was known cannot be read. */
export async function openAlarms(
  { alarms = 'off', share, file, aggregator }: Pick<GatewayConfig, 'alarms' | 'share' | 'file' | 'aggregator'>,
  options: OpenAlarmsOptions,
): Promise<Alarms | undefined> {
  if (alarms === 'off') return undefined;
  const { env, log } = options;
  const { command, webhook } = alarms;
  const outputs: Output[] = [];
  if (command) {
    const run = commandOutput({
      argv: command,
      cwd: dirname(file),
      env: safeEnvironment(env, {}),
      timeoutMs: DELIVERY_MS,
    });
    outputs.push(new Output('command', run, log));
  }
  if (webhook) outputs.push(new Output('webhook', webhookOutput(targetOf(webhook, options), DELIVERY_MS), log));
  const state = await openAlarmState({ share: share.token, env, log });
  return new Alarms({ config: alarms, state, outputs, gateway: share.token ?? aggregator.name ?? 'mcp-gateway', log });
}

/** HTTP proves nothing: a share that proved itself once is not told anything over it. */
function targetOf(
  webhook: { readonly url: string } | { readonly share: string },
  { overlay, env, log }: OpenAlarmsOptions,
): WebhookTarget {
  if ('url' in webhook) return webhook;
  return {
    share: webhook.share,
    dial: async (share, signal) => {
      await shareGuard({ overlay, share, env, log }).plain();
      return overlay.dial(share, { signal });
    },
  };
}
