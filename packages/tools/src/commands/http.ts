// `mcp-tools http TOKEN`: the flags of the loopback door; the door itself is ../http-door.ts, loaded when it is opened.

import type { Command } from '@mcp-overlay/cli';

export const httpCommand: Command = {
  usage: 'http <token>',
  access: true,
  describe: 'a loopback HTTP door to a share (Streamable HTTP and SSE)',
  positionals: { token: { type: 'string', describe: 'the share token of a gateway or bridge' } },
  options: {
    bind: { type: 'string', default: '127.0.0.1:8080', describe: 'loopback address, or unix:/path' },
    'no-auth': { type: 'boolean', describe: 'no secret: every program of this machine may use it' },
    'new-secret': { type: 'boolean', describe: 'forget the old URL' },
    'allow-origin': { type: 'string', array: true, nargs: 1, describe: 'a web origin that may use it' },
    stateless: { type: 'boolean', describe: 'no HTTP sessions' },
    'json-response': { type: 'boolean', describe: 'prefer JSON to event streams' },
  },
  examples: [['$0 http my-gateway', 'prints {"url":"http://127.0.0.1:8080/…/mcp"}']],
  run: async (flags) => (await import('../http-door.ts')).serveHttp(flags),
};
