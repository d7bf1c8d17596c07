// Which of many lists of globs a name fits, in time that goes with the name and not with the lists: words are looked up,
// beginnings and ends followed letter by letter. Only globs of another form are tried one by one.

import { compileNames, type Names } from './names.ts';

interface Branch {
  readonly next: Map<string, Branch>;
  /** Lists that have a glob that ends here. */
  readonly lists: number[];
}

export class NameIndex {
  private readonly words = new Map<string, number[]>();
  private readonly beginnings: Branch = branch();
  private readonly ends: Branch = branch();
  private readonly others: { readonly matches: Names; readonly list: number }[] = [];

  constructor(lists: readonly (readonly string[])[]) {
    for (const [list, globs] of lists.entries()) for (const glob of globs) this.add(glob, list);
  }

  /** In their order, each once. */
  fitting(name: string): readonly number[] {
    const found = new Set(this.words.get(name));
    follow(this.beginnings, name, (at) => at, found);
    follow(this.ends, name, (at) => name.length - 1 - at, found);
    for (const { matches, list } of this.others) if (!found.has(list) && matches(name)) found.add(list);
    return [...found].sort((a, b) => a - b);
  }

  private add(glob: string, list: number): void {
    const plain = glob.replaceAll('*', '');
    const simple = !/[?[\]\\]/.test(glob) && glob.length - plain.length <= 1;
    if (simple && plain === glob) this.words.set(glob, [...(this.words.get(glob) ?? []), list]);
    else if (simple && glob.endsWith('*')) grow(this.beginnings, plain).push(list);
    else if (simple && glob.startsWith('*')) grow(this.ends, plain.split('').reverse().join('')).push(list);
    else this.others.push({ matches: compileNames([glob]), list });
  }
}

function branch(): Branch {
  return { next: new Map(), lists: [] };
}

function grow(root: Branch, letters: string): number[] {
  let here = root;
  for (let at = 0; at < letters.length; at += 1) {
    const letter = letters.charAt(at);
    const next = here.next.get(letter) ?? branch();
    here.next.set(letter, next);
    here = next;
  }
  return here.lists;
}

function follow(root: Branch, name: string, placeOf: (at: number) => number, found: Set<number>): void {
  let here: Branch | undefined = root;
  for (let at = 0; here; at += 1) {
    for (const list of here.lists) found.add(list);
    here = at < name.length ? here.next.get(name.charAt(placeOf(at))) : undefined;
  }
}
