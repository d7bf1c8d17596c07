#!/usr/bin/env node
// mcp-gateway: aggregates servers into one share. Commands load what they need, nothing more.

import { main } from '@mcp-overlay/cli';
import { alarmsCommand } from './commands/alarms.ts';
import { approveCommand } from './commands/approve.ts';
import { auditCommand } from './commands/audit.ts';
import { checkCommand } from './commands/check.ts';
import { drainCommand } from './commands/drain.ts';
import { peersCommand } from './commands/peers.ts';
import { policyCommand } from './commands/policy.ts';
import { reloadCommand } from './commands/reload.ts';
import { runCommand } from './commands/run.ts';
import { scrubCommand } from './commands/scrub.ts';
import { statusCommand } from './commands/status.ts';
import { tokenCommand } from './commands/token.ts';
import { vaultCommand } from './commands/vault.ts';

await main({
  name: 'mcp-gateway',
  describe: 'One dark share for many MCP servers.',
  commands: [
    runCommand,
    checkCommand,
    statusCommand,
    drainCommand,
    reloadCommand,
    peersCommand,
    approveCommand,
    policyCommand,
    auditCommand,
    alarmsCommand,
    tokenCommand,
    vaultCommand,
    scrubCommand,
  ],
});
