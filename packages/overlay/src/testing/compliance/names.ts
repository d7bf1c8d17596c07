// Names for shares, good and bad, and the simplest host.

import { randomInt } from 'node:crypto';
import type { ListenOptions } from '../../overlay.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789-';
export const FOREIGN = ['A', '_', '.', '/', '\\', ' ', '\0', '\n', ':', '~', '%', 'é', 'ß', '٣', '😀', '\u202e'];
export const NOT_TOKENS = [
  '',
  'a',
  'ab',
  'a'.repeat(33),
  '..',
  '../',
  '../../etc/passwd',
  'abc\n',
  ' abc',
  'abc ',
  'ABC',
  'a/b/c',
];
export const EDGE_TOKENS = ['abc', '---', '000', 'a'.repeat(32), '-ab', 'ab-', '0x0', 'constructor', '--help'];

export const echo: ListenOptions = { onConnection: (connection) => void connection.pipe(connection) };

export function randomName(): string {
  return Array.from({ length: randomInt(3, 33) }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
