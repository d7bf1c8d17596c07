// The version of the toolkit: put in by the bundler, read from the root manifest when run from source.

import { readFileSync } from 'node:fs';

declare const __MCP_OVERLAY_VERSION__: string | undefined;

export function toolkitVersion(): string {
  if (typeof __MCP_OVERLAY_VERSION__ === 'string') return __MCP_OVERLAY_VERSION__;
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}
