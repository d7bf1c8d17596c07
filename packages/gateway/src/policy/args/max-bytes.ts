// How long a value may be: a text in UTF-8, anything else as its JSON.

import { stringifyExact } from '@mcp-overlay/relay';
import type { Matcher } from './matcher.ts';

export function maxBytesMatcher(maxBytes: number): Matcher {
  return (value) => {
    const bytes = Buffer.byteLength(typeof value === 'string' ? value : stringifyExact(value));
    return bytes <= maxBytes ? undefined : { expected: `at most ${maxBytes} bytes` };
  };
}
