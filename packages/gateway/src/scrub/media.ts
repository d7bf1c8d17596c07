// Images, audio and blobs are not looked into: only whether they are what their MIME type says, and how large. A picture with
// words in it passes; docs/SCRUBBING.md says so.

/** More is seldom meant for a model. */
const LARGE_BYTES = 8 * 1024 * 1024;

const SIGNATURES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^image\/png$/, ['89504e47']],
  [/^image\/jpe?g$/, ['ffd8ff']],
  [/^image\/gif$/, ['47494638']],
  [/^image\/webp$/, ['52494646']],
  [/^image\/bmp$/, ['424d']],
  [/^audio\/(?:x-)?wav$/, ['52494646']],
  [/^audio\/ogg$/, ['4f676753']],
  [/^audio\/flac$/, ['664c6143']],
  [/^audio\/(?:mpeg|mp3)$/, ['494433', 'fffb', 'fff3', 'fff2', 'fffa']],
  [/^application\/pdf$/, ['25504446']],
];

export function mediaRules({ mimeType, base64 }: { readonly mimeType: unknown; readonly base64: string }): string[] {
  const rules: string[] = [];
  const known = SIGNATURES.find(([type]) => type.test(String(mimeType).toLowerCase()));
  const head = Buffer.from(base64.slice(0, 16), 'base64').toString('hex');
  if (known && !known[1].some((start) => head.startsWith(start))) rules.push('media-type');
  if (base64.length * 0.75 > LARGE_BYTES) rules.push('media-size');
  return rules;
}
