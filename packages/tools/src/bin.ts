#!/usr/bin/env node
// mcp-tools: connects agents to shares, manages persistent shares, joins networks. Commands load what they need, nothing more.

import { main } from '@mcp-overlay/cli';
import { httpCommand } from './commands/http.ts';
import { keyCommand } from './commands/key.ts';
import { disableCommand, enableCommand, enrollCommand } from './commands/membership.ts';
import { narrowCommand } from './commands/narrow.ts';
import { receiptsCommand } from './commands/receipts.ts';
import { runCommand } from './commands/run.ts';
import { createCommand, deleteCommand, listCommand } from './commands/shares.ts';
import { statusCommand } from './commands/status.ts';
import { trustCommand } from './commands/trust.ts';

await main({
  name: 'mcp-tools',
  describe: 'Connects agents to MCP shares.',
  commands: [
    runCommand,
    httpCommand,
    createCommand,
    deleteCommand,
    listCommand,
    statusCommand,
    trustCommand,
    receiptsCommand,
    narrowCommand,
    keyCommand,
    enableCommand,
    disableCommand,
    enrollCommand,
  ],
});
