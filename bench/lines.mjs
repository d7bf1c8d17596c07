// Cuts a byte stream into lines: the one framer of driver, relay and server here. A long line is kept as a list of chunks
// and joined once, so a 16 MiB result costs one copy.

const NEWLINE = 10;

/** Returns the function to feed chunks to; `onLine` gets each line as a Buffer without its newline. */
export function lineReader(onLine) {
  let parts = [];
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const rest = chunk.subarray(start, end);
      if (parts.length === 0) onLine(rest);
      else {
        parts.push(rest);
        const line = Buffer.concat(parts);
        parts = [];
        onLine(line);
      }
      start = end + 1;
    }
    if (start < chunk.length) parts.push(start === 0 ? chunk : chunk.subarray(start));
  };
}
