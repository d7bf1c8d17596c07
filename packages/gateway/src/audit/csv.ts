// One line of a table, RFC 4180: cells in quotes may hold commas and doubled quotes; line breaks in cells are not read.

export function parseCsvLine(line: string): string[] {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let cell = '';
      at += 1;
      for (;;) {
        const quote = text.indexOf('"', at);
        cell += text.slice(at, quote < 0 ? text.length : quote);
        if (quote < 0) return [...cells, cell];
        at = quote + 1;
        if (text[at] !== '"') break;
        cell += '"';
        at += 1;
      }
      cells.push(cell);
      const comma = text.indexOf(',', at);
      if (comma < 0) return cells;
      at = comma + 1;
    } else {
      const comma = text.indexOf(',', at);
      cells.push(text.slice(at, comma < 0 ? text.length : comma));
      if (comma < 0) return cells;
      at = comma + 1;
    }
  }
}
