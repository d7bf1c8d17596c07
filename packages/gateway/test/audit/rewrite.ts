// What somebody with a key can do: records changed and authenticated anew, with all that follows.

import { createHash } from 'node:crypto';
import { keyId } from '../../src/audit/keys.ts';
import { hmac } from '../../src/audit/line-hash.ts';
import { splitLines } from './sample.ts';

/** Lines under this key, changed and chained again from the first change on. */
export function rewrite(segment: Buffer, key: Buffer, change: (text: string) => string): Buffer {
  let prev: string | undefined;
  const lines = splitLines(segment).map((line) => {
    const text = line.toString().trimEnd();
    const chained = prev === undefined ? text : text.replace(/"prev":"[0-9a-f]{64}"/, `"prev":"${prev}"`);
    const made = text.includes(`"kid":"${keyId(key, 'k')}"`) ? withMac(change(chained), key) : chained;
    prev = createHash('sha256').update(made).digest('hex');
    return `${made}\n`;
  });
  return Buffer.from(lines.join(''));
}

/** The same record, by somebody with another key. */
export function resign(line: Buffer, key: Buffer): Buffer {
  const text = line.toString().trimEnd();
  return Buffer.from(`${withMac(text.replace(/"kid":"[^"]+"/, `"kid":"${keyId(key, 'k')}"`), key)}\n`);
}

function withMac(text: string, key: Buffer): string {
  const body = text.slice(0, text.lastIndexOf(',"mac":'));
  return `${body},"mac":"${hmac(key, `mcp-audit/v1\n${body}`).toString('hex')}"}`;
}
