// Tells a share token from what people write in its place: a port, an address, a URL, a path.

import { isIP } from 'node:net';
import type { Refusal } from './shape.ts';

const EXAMPLE = 'a share token looks like my-gateway or x7k2mq9w0abc; the host prints it';
/** Names of local and zrok shares, and of OpenZiti services. */
const TOKEN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function shareTokenRefusal(value: string): Refusal | undefined {
  const what = mistakenFor(value);
  if (what !== undefined) return { refused: `a share token, but that is ${what}`, hint: EXAMPLE };
  return TOKEN.test(value) ? undefined : { refused: 'a share token', hint: EXAMPLE };
}

function mistakenFor(value: string): string | undefined {
  if (/^:?[0-9]{1,5}$/.test(value) && Number(value.replace(':', '')) <= 65535) return 'a port';
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(value)) return 'a URL';
  if (isIP(value) !== 0 || /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}$/.test(value)) return 'an address';
  if (/[/\\]/.test(value) || /^[.~]/.test(value)) return 'a path';
  return undefined;
}
