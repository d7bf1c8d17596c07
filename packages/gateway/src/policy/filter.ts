// Which tools of a backend are shown: allow or deny globs on the backend's own names. Permission binds to (backend, own
// name), so a change of prefix or alias redirects nothing.

import { type BackendConfig, compileGlob } from '@mcp-overlay/config';

/** The rule that decided, or undefined where none lets the tool through. */
export type ToolFilter = (native: string) => string | undefined;

export function toolFilter(tools: BackendConfig['tools']): ToolFilter {
  if (!tools) return () => 'all tools';
  const globs = tools.list.map((pattern) => ({ pattern, matches: compileGlob(pattern) }));
  const hit = (native: string): string | undefined => globs.find(({ matches }) => matches(native))?.pattern;
  if (tools.mode === 'allow') {
    return (native) => {
      const pattern = hit(native);
      return pattern === undefined ? undefined : `allow ${pattern}`;
    };
  }
  return (native) => (hit(native) === undefined ? 'not denied' : undefined);
}
