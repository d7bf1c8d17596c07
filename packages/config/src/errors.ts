// What is wrong with a file, or worth knowing of it: problems, notes, and the one error class of the package.
// A file is read to its end and all its problems are thrown at once, in file order. No text shows a secret place's value.

export const CONFIG_ERROR_CODES = ['config_invalid'] as const;

export type ConfigErrorCode = (typeof CONFIG_ERROR_CODES)[number];

/** A place in a file. Line and column count from 1; line 0 means the file as a whole. */
export interface Spot {
  readonly line: number;
  readonly col: number;
  /** As in `backends[0].transport.command`; '' at the root. */
  readonly key: string;
}

export interface ConfigProblem extends Spot {
  /** What was expected and what was found. */
  readonly expected: string;
  readonly hint?: string;
  /** `file:line:col: key: …` with the hint, on one line. */
  readonly text: string;
}

export type NoteKind =
  | 'ignored-key'
  | 'differs'
  | 'inline-secret'
  | 'disabled'
  | 'renamed'
  | 'unsafe'
  | 'literal'
  | 'later';

export interface ConfigNote extends Spot {
  readonly kind: NoteKind;
  /** `file:line:col: key: …`, as a person reads it. */
  readonly text: string;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigErrorCode = 'config_invalid';
  readonly file: string;
  readonly line: number;
  readonly col: number;
  readonly key: string;
  readonly expected: string;
  /** Of the only problem; with several, each line of the message carries its own. */
  readonly hint: string | undefined;
  readonly all: readonly ConfigProblem[];

  constructor(file: string, problems: readonly [ConfigProblem, ...ConfigProblem[]], options: { cause?: unknown } = {}) {
    const [first, ...rest] = problems;
    super(messageOf(file, first, rest), options.cause === undefined ? undefined : { cause: options.cause });
    this.file = file;
    this.line = first.line;
    this.col = first.col;
    this.key = first.key;
    this.expected = first.expected;
    this.hint = rest.length === 0 ? first.hint : undefined;
    this.all = problems;
  }
}

export interface Report {
  /** As the user named it. */
  readonly file: string;
  problem(spot: Spot, expected: string, hint?: string): void;
  note(spot: Spot, kind: NoteKind, text: string): void;
  /** Makes problems of the notes of this kind that were taken down so far. */
  refuse(kind: NoteKind): void;
  /** In file order. */
  notes(): readonly ConfigNote[];
  /** Throws what was found, if anything was. */
  end(): void;
  failed(): boolean;
}

/** One broken line can make thousands of problems; a person reads the first ones. */
const MAX_SHOWN = 50;

export const WHOLE_FILE: Spot = { line: 0, col: 0, key: '' };

export function openReport(file: string): Report {
  const problems: ConfigProblem[] = [];
  let notes: { readonly note: ConfigNote; readonly said: string }[] = [];
  const problem: Report['problem'] = (spot, expected, hint) => {
    const text = `${placeOf(file, spot)}${expected}${hint === undefined ? '' : `; ${hint}`}`;
    problems.push({ ...plain(spot), expected, ...(hint === undefined ? {} : { hint }), text });
  };
  return {
    file,
    problem,
    note: (spot, kind, text) => {
      notes.push({ note: { ...plain(spot), kind, text: placeOf(file, spot) + text }, said: text });
    },
    refuse: (kind) => {
      for (const { note, said } of notes) if (note.kind === kind) problem(note, said);
      notes = notes.filter(({ note }) => note.kind !== kind);
    },
    notes: () => notes.map(({ note }) => note).sort(inFileOrder),
    failed: () => problems.length > 0,
    end: () => {
      const [first, ...rest] = problems.sort(inFileOrder);
      if (first) throw new ConfigError(file, [first, ...rest]);
    },
  };
}

function messageOf(file: string, first: ConfigProblem, rest: readonly ConfigProblem[]): string {
  if (rest.length === 0) return placeOf(file, first) + first.expected;
  const lines = [first, ...rest].slice(0, MAX_SHOWN).map((problem) => problem.text);
  const more = rest.length + 1 - lines.length;
  return [...lines, ...(more > 0 ? [`${file}: ${more} more problems`] : [])].join('\n');
}

function placeOf(file: string, { line, col, key }: Spot): string {
  return `${file}${line === 0 ? '' : `:${line}:${col}`}: ${key === '' ? '' : `${key}: `}`;
}

function plain({ line, col, key }: Spot): Spot {
  return { line, col, key };
}

function inFileOrder(a: Spot, b: Spot): number {
  return a.line - b.line || a.col - b.col;
}
