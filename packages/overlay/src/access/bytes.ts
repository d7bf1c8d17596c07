// Bytes that are signed, and their text. Each part stands behind its length, so that no two lists of parts are alike.

/** 4 bytes each, most significant first. */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part as Uint8Array);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

const BASE64_URL = /^[A-Za-z0-9_-]*$/;

/** undefined: it is none, or not the one way to write these bytes. */
export function fromBase64Url(text: unknown): Buffer | undefined {
  if (typeof text !== 'string' || !BASE64_URL.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
