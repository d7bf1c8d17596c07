// Shared by the tests of this package: a file's text in, what came of it out.

import assert from 'node:assert/strict';
import { ConfigError, type GatewayConfig, type ParsedConfig, parseGatewayConfig } from '../src/index.ts';

export const ENV = { HOME: '/home/ann', TOKEN: 'from-env', EMPTY: '' };

export function parse(text: string, file = 'g.yml', env: Record<string, string> = ENV): ParsedConfig {
  return parseGatewayConfig(text, { file, env, cwd: '/etc/mcp' });
}

export function configOf(text: string, file?: string): GatewayConfig {
  return parse(text, file).config;
}

export function errorOf(text: string, file?: string): ConfigError {
  try {
    parse(text, file);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${String(error)}`);
    return error;
  }
  assert.fail(`accepted: ${text.slice(0, 200)}`);
}

/** Every problem as a person reads it. */
export function problemsOf(text: string, file?: string): string[] {
  return errorOf(text, file).all.map((problem) => problem.text);
}

export function notesOf(text: string, file?: string): string[] {
  return parse(text, file).notes.map((note) => note.text);
}

/** A file with one backend, whose transport is stdio unless told. */
export function withBackend(rest: string, transport = 'type: stdio, command: srv'): string {
  return `backends:\n  - id: a\n    transport: { ${transport} }\n${rest}`;
}

export function onlyTransport(text: string, file?: string) {
  const [backend] = configOf(text, file).backends;
  assert.ok(backend);
  return backend.transport;
}
