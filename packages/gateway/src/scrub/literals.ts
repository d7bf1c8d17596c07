// Looks for thousands of words at once (Aho and Corasick 1975), in one pass that reads each character once: the prefilter
// before every pattern. Works on text and on the raw bytes of a message alike; letters are compared without case.

/** Smaller than any real table of ours by far: 500 patterns have some 10,000 characters of literals. */
const MAX_STATES = 200_000;

export class LiteralFinder {
  readonly literals: readonly string[];
  private readonly classOf = new Uint16Array(65_536);
  private readonly width: number;
  /** `next[state + class]`; states are multiples of the width. */
  private readonly next: Int32Array;
  /** By state: 1 where a literal ends. */
  private readonly ends: Uint8Array;
  /** By state number: indices of the literals that end there. */
  private readonly found: readonly (readonly number[])[];

  /** `literals` in lower case, none empty. */
  constructor(literals: readonly string[]) {
    this.literals = literals;
    let classes = 1;
    for (const literal of literals) {
      for (let at = 0; at < literal.length; at += 1) {
        const code = literal.charCodeAt(at);
        if (this.classOf[code] !== 0) continue;
        this.classOf[code] = classes;
        const upper = literal.charAt(at).toUpperCase();
        if (upper.length === 1) this.classOf[upper.charCodeAt(0)] = classes;
        classes += 1;
      }
    }
    this.width = classes;
    const trie = buildTrie(literals, this.classOf);
    if (trie.children.length > MAX_STATES) throw new RangeError('too many literals');
    const { next, found } = link(trie, classes);
    this.next = next;
    this.found = found;
    this.ends = Uint8Array.from(found, (list) => (list.length > 0 ? 1 : 0));
  }

  /** `visit(literal, end)` for each occurrence, ordered by its end. */
  eachIn(text: string, visit: (literal: number, end: number) => void): void {
    const { next, classOf, ends, width, found } = this;
    let state = 0;
    for (let at = 0; at < text.length; at += 1) {
      state = next[state + (classOf[text.charCodeAt(at)] as number)] as number;
      if (state === 0) continue;
      const number = state / width;
      if (ends[number] === 1) for (const literal of found[number] as readonly number[]) visit(literal, at + 1);
    }
  }

  /** Marks in `seen` which literals occur. For a caller that looks at every byte itself: see ./glance.ts. */
  step(state: number, byte: number): number {
    return this.next[state + (this.classOf[byte] as number)] as number;
  }

  literalsAt(state: number): readonly number[] {
    return state === 0 ? NONE : (this.found[state / this.width] as readonly number[]);
  }

  /** For inner loops of others. */
  tables(): { next: Int32Array; classOf: Uint16Array; ends: Uint8Array; width: number } {
    const { next, classOf, ends, width } = this;
    return { next, classOf, ends, width };
  }
}

const NONE: readonly number[] = [];

interface Trie {
  readonly children: Map<number, number>[];
  readonly own: number[][];
}

function buildTrie(literals: readonly string[], classOf: Uint16Array): Trie {
  const children: Map<number, number>[] = [new Map()];
  const own: number[][] = [[]];
  literals.forEach((literal, index) => {
    let node = 0;
    for (let at = 0; at < literal.length; at += 1) {
      const key = classOf[literal.charCodeAt(at)] as number;
      const known = children[node]?.get(key);
      if (known !== undefined) {
        node = known;
        continue;
      }
      children[node]?.set(key, children.length);
      node = children.length;
      children.push(new Map());
      own.push([]);
    }
    own[node]?.push(index);
  });
  return { children, own };
}

/** Breadth first: a node's failure link is shorter than the node, so it is complete when it is needed. */
function link({ children, own }: Trie, width: number): { next: Int32Array; found: number[][] } {
  const next = new Int32Array(children.length * width);
  const found = own.map((list) => [...list]);
  const fail = new Int32Array(children.length);
  const queue: number[] = [0];
  for (let head = 0; head < queue.length; head += 1) {
    const node = queue[head] as number;
    const failure = fail[node] as number;
    const row = node * width;
    if (node !== 0) {
      next.copyWithin(row, failure * width, failure * width + width);
      for (const literal of found[failure] ?? []) found[node]?.push(literal);
    }
    for (const [key, child] of children[node] ?? []) {
      fail[child] = node === 0 ? 0 : (next[failure * width + key] as number) / width;
      next[row + key] = child * width;
      queue.push(child);
    }
  }
  return { next, found };
}
