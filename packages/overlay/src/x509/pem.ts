// PEM, read loosely as everybody writes it: blocks between their marks, remarks around them passed over.

export interface PemBlock {
  /** `CERTIFICATE`, `EC PRIVATE KEY` … */
  readonly label: string;
  readonly der: Buffer;
  /** With its marks. */
  readonly text: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*)-----END \1-----/g;

export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([whole, label = '', body = '']) => ({
    label,
    // Old encrypted keys have header lines; they are never decoded here.
    der: Buffer.from(body.replace(/\s/g, ''), 'base64'),
    text: whole,
  }));
}

export function pemOf(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
