// HTTP peers may pretty-print a body; a Message is one line. Only whitespace between tokens is touched: a raw newline
// inside a string is no JSON, stays where it is, and is refused by `readMessage` like any other broken text.

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Changes the bytes in place: the caller owns them. */
export function compactJson(body: Buffer): Buffer {
  if (!body.includes(LF) && !body.includes(CR)) return body;
  let inString = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (inString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === LF || byte === CR) {
      body[at] = SPACE;
    }
  }
  return body;
}
