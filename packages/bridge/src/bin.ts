#!/usr/bin/env node
// mcp-bridge: one stdio server as a dark service.

import { main } from '@mcp-overlay/cli';
import { bridgeCommand } from './command.ts';

await main({
  name: 'mcp-bridge',
  describe: 'One stdio MCP server as a dark service.',
  usage: '$0 [options] COMMAND [ARGS…]',
  commands: [bridgeCommand],
  haltAtFirstWord: true,
});
