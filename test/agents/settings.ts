// How each agent is told of a model and of one MCP server, in a home folder of its own: nothing of the person who runs the
// test is read or written. Keys are words that mean nothing.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from '../e2e/harness.ts';
import type { Agents } from './install.ts';

export type Server = { readonly url: string } | Command;

export interface Setting {
  readonly home: string;
  readonly modelUrl: string;
  readonly server: Server;
}

type Run = (setting: Setting, agents: Agents) => Promise<Command>;

export const RUNS: Readonly<Record<'claude' | 'codex' | 'gemini', Run>> = {
  claude: async ({ home, modelUrl, server }, { claude: [command, ...args] }) => {
    const file = join(home, 'mcp.json');
    const entry = 'url' in server ? { type: 'http', url: server.url } : { type: 'stdio', ...server };
    await writeFile(file, JSON.stringify({ mcpServers: { gw: entry } }));
    const flags = ['--mcp-config', file, '--strict-mcp-config', '--allowedTools', 'mcp__gw'];
    return {
      command,
      args: [...args, '-p', 'call the tools', ...flags],
      env: {
        ...base(home),
        CLAUDE_CONFIG_DIR: join(home, '.claude'),
        ANTHROPIC_BASE_URL: modelUrl,
        ANTHROPIC_API_KEY: 'none',
        ENABLE_TOOL_SEARCH: 'false',
        DISABLE_AUTOUPDATER: '1',
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      },
    };
  },
  codex: async ({ home, modelUrl, server }, { codex: [command, ...args] }) => {
    const toml = (value: unknown): string => JSON.stringify(value);
    const entry =
      'url' in server
        ? [`url = ${toml(server.url)}`]
        : [
            `command = ${toml(server.command)}`,
            `args = ${toml(server.args)}`,
            '[mcp_servers.gw.env]',
            ...Object.entries(server.env).map(([key, value]) => `${key} = ${toml(value)}`),
          ];
    const lines = [
      'model = "none"',
      'model_provider = "loopback"',
      '[model_providers.loopback]',
      'name = "loopback"',
      `base_url = ${toml(`${modelUrl}/v1`)}`,
      'wire_api = "responses"',
      'env_key = "NO_KEY"',
      '[mcp_servers.gw]',
      // It begins its turn without a server that is not there yet, unless it has to wait for it.
      'required = true',
      'startup_timeout_sec = 60',
      ...entry,
    ];
    await mkdir(join(home, '.codex'));
    await writeFile(join(home, '.codex', 'config.toml'), `${lines.join('\n')}\n`);
    const flags = ['--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox'];
    return {
      command,
      args: [...args, 'exec', ...flags, 'call the tools'],
      env: { ...base(home), CODEX_HOME: join(home, '.codex'), NO_KEY: 'none' },
    };
  },
  gemini: async ({ home, server }, { gemini: [command, ...args] }) => {
    const entry = 'url' in server ? { httpUrl: server.url } : server;
    await mkdir(join(home, '.gemini'));
    await writeFile(join(home, '.gemini', 'settings.json'), JSON.stringify({ mcpServers: { gw: entry } }));
    return {
      command,
      args: [...args, 'mcp', 'list'],
      env: { ...base(home), GEMINI_CLI_TRUST_WORKSPACE: 'true' },
    };
  },
};

function base(home: string): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: home };
}
