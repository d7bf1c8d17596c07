// The reference server of this project's dependencies, as a script and as a host of each HTTP transport.

import { join } from 'node:path';
import { type House, root } from '../e2e/harness.ts';
import { type ForeignHost, foreign, startHost } from './foreign.ts';

export const everythingFile = join(
  root,
  'node_modules',
  '@modelcontextprotocol',
  'server-everything',
  'dist',
  'index.js',
);

export function everythingHost(house: House, mode: 'sse' | 'streamableHttp'): Promise<ForeignHost> {
  return startHost(foreign(house, everythingFile, [mode]));
}
