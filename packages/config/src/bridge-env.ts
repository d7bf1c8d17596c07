// `--env` of mcp-bridge: K=V sets a variable of the server; K alone passes our own on, which keeps secrets out of argv.

import { ConfigError, WHOLE_FILE } from './errors.ts';
import type { Environment } from './expand.ts';
import { quoteText } from './node.ts';

export function parseBridgeEnv(words: readonly string[], env: Environment): Record<string, string> {
  const variables = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    if (!/^[^=\0\s]+$/.test(name)) {
      throw refused(`expected K=V or K (got ${at < 0 ? quoteText(word) : 'a value without a name'})`);
    }
    const value = at < 0 ? (Object.hasOwn(env, name) ? env[name] : undefined) : word.slice(at + 1);
    if (value === undefined)
      throw refused(`variable ${quoteText(name).slice(1, -1)} is not set`, `set it, or write --env ${name}=VALUE`);
    if (value.includes('\0')) throw refused(`the value of ${name} contains a NUL character`);
    variables.set(name, value);
  }
  return Object.fromEntries(variables);
}

function refused(expected: string, hint?: string): ConfigError {
  const text = `--env: ${expected}`;
  return new ConfigError('--env', [{ ...WHOLE_FILE, expected, ...(hint === undefined ? {} : { hint }), text }]);
}
