// PEM text (RFC 7468) to blocks and back: for identity files, enrollment answers and CA bundles. One pass, whatever the
// text; what is between the blocks is ignored, a block without end is an error.

import { X509Certificate } from 'node:crypto';
import { LIMITS } from './limits.ts';

export interface PemBlock {
  readonly label: string;
  /** With both marker lines and a final newline. */
  readonly text: string;
}

const BEGIN = '-----BEGIN ';
const DASHES = '-----';

/** Throws a plain Error whose message says what is wrong; the caller knows where the text came from. */
export function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (let from = text.indexOf(BEGIN); from !== -1; ) {
    const labelEnd = text.indexOf(DASHES, from + BEGIN.length);
    const label = labelEnd === -1 ? '' : text.slice(from + BEGIN.length, labelEnd);
    if (!/^[A-Z0-9 #]{1,64}$/.test(label)) throw new Error('a PEM block begins with a broken line');
    const endMark = `-----END ${label}-----`;
    const end = text.indexOf(endMark, labelEnd);
    if (end === -1) throw new Error(`the PEM block ${label} has no end`);
    if (blocks.length === LIMITS.certificates) throw new Error(`more than ${LIMITS.certificates} PEM blocks`);
    blocks.push({ label, text: `${text.slice(from, end).replaceAll('\r', '').trimEnd()}\n${endMark}\n` });
    from = text.indexOf(BEGIN, end + endMark.length);
  }
  return blocks;
}

/** The certificates of a text, in its order; other blocks are left out. */
export function certificatesOf(text: string): X509Certificate[] {
  return pemBlocks(text)
    .filter(({ label }) => label === 'CERTIFICATE' || label === 'X509 CERTIFICATE')
    .map((block, at) => {
      try {
        return new X509Certificate(block.text);
      } catch (cause) {
        throw new Error(`certificate ${at + 1} cannot be read`, { cause });
      }
    });
}

export function toPem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der.buffer, der.byteOffset, der.byteLength)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n');
  return `${BEGIN}${label}${DASHES}\n${lines}-----END ${label}-----\n`;
}

/** One PEM text of many certificates. X509Certificate.toString is its PEM. */
export function certificatesPem(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => `${certificate.toString().trimEnd()}\n`).join('');
}
