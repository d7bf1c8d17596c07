// The words that a schema is made of. A shape knows how a value is written, reads it, and says what it expected; fields
// carry description, default and example, so that one table drives validation, hints and the reference (doc.ts).
// A shape that cannot read a value reports the problem and returns undefined; the file is read on to its end.

import type { GatewayConfig } from './config.ts';
import type { Report, Spot } from './errors.ts';
import type { Expand } from './expand.ts';
import { nearest } from './nearest.ts';
import { type At, describeNode, isNothing, type Node, quoteText } from './node.ts';

export interface Reading {
  readonly report: Report;
  readonly format: GatewayConfig['format'];
  readonly expand: Expand;
  /** For what will not run: a variable that is not set makes its value absent and no problem. */
  readonly expandLeniently: Expand;
  /** An absolute path, `~/` and paths relative to the file resolved. */
  path(text: string, spot: Spot): string | undefined;
}

export interface Shape<T> {
  /** How it is written, as an error and the reference say it. */
  readonly form: string;
  read(node: Node, spot: Spot, reading: Reading): T | undefined;
  /** Of an object: what its keys are. */
  readonly fields?: Fields;
  /** Of a list or mapping: what its values are. */
  readonly element?: Shape<unknown>;
  readonly later?: Readonly<Record<string, string>>;
}

export interface Field<T> {
  readonly shape: Shape<T>;
  readonly about: string;
  /** As the reference shows it. */
  readonly default?: string;
  readonly example?: string;
  readonly required?: boolean;
  /** Other names of the key, accepted alike. */
  readonly aliases?: readonly string[];
  /** Values of the object's `type` that this key belongs to. */
  readonly only?: readonly string[];
  /** A key without a value is an error here: taken as absent it would open what was meant to be closed. */
  readonly neverEmpty?: boolean;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

export type ObjectOf<F extends Fields> = {
  readonly [K in keyof F]: (F[K] extends Field<infer T> ? T : never) | undefined;
} & {
  /** Keys with a value in the file, by their first name. */
  readonly given: ReadonlySet<string>;
  /** Where a key stands, or the object itself. */
  spotOf(key?: keyof F & string): Spot;
};

export interface ObjectOptions {
  /** Keys of later versions and what they will do: refused, so that nobody relies on a rule that is not there. */
  readonly later?: Readonly<Record<string, string>>;
  /** Where a key that is unknown here belongs. */
  readonly elsewhere?: Readonly<Record<string, string>>;
  /** In files made for other programs an unknown key is said and passed over. */
  readonly foreign?: boolean;
}

export function object<F extends Fields>(fields: F, options: ObjectOptions = {}): Shape<ObjectOf<F>> {
  const firstName = new Map<string, string>();
  for (const [name, field] of Object.entries(fields)) {
    for (const word of [name, ...(field.aliases ?? [])]) firstName.set(word, name);
  }
  return {
    form: 'a mapping',
    fields,
    ...(options.later === undefined ? {} : { later: options.later }),
    read: (node, spot, reading) => {
      if (node.kind !== 'map') {
        if (!isNothing(node)) wrong(node, spot, 'a mapping', reading);
        return undefined;
      }
      const values: Record<string, unknown> = {};
      const spots = new Map<string, Spot>();
      const given = new Set<string>();
      for (const [word, entry] of node.entries) {
        const name = firstName.get(word);
        const at: Spot = { ...entry.at, key: join(spot.key, word) };
        const field = name === undefined ? undefined : fields[name];
        if (name === undefined || field === undefined) {
          unknownKey(word, at, firstName, options, reading);
        } else if (spots.has(name)) {
          reading.report.problem(at, `${word} and ${spots.get(name)?.key.split('.').at(-1)} are the same key`);
        } else {
          spots.set(name, at);
          if (isNothing(entry.value)) {
            if (field.neverEmpty)
              reading.report.problem(at, `expected ${field.shape.form} (got nothing)`, 'or remove the key');
            continue;
          }
          given.add(name);
          values[name] = field.shape.read(entry.value, { ...entry.value.at, key: at.key }, reading);
        }
      }
      for (const [name, field] of Object.entries(fields)) {
        if (field.required && !given.has(name)) {
          reading.report.problem(
            { ...(spots.get(name) ?? spot), key: join(spot.key, name) },
            `missing: ${field.about}`,
          );
        }
      }
      const extra = { given, spotOf: (key?: string) => (key === undefined ? spot : (spots.get(key) ?? spot)) };
      return Object.assign(values, extra) as ObjectOf<F>;
    },
  };
}

function unknownKey(
  word: string,
  spot: Spot,
  known: ReadonlyMap<string, string>,
  { later, elsewhere, foreign }: ObjectOptions,
  { report }: Reading,
): void {
  if (foreign) {
    const meant = nearest(word, known.keys());
    report.note(
      spot,
      'ignored-key',
      `ignored, we do not know this key${meant === undefined ? '' : ` (did you mean ${meant}?)`}`,
    );
    return;
  }
  if (later && Object.hasOwn(later, word)) {
    report.problem(spot, `this version does not have it yet: ${later[word]}`, 'remove the key');
    return;
  }
  const place = elsewhere && Object.hasOwn(elsewhere, word) ? elsewhere[word] : undefined;
  const meant = nearest(word, [...known.keys(), ...Object.keys(later ?? {})]);
  const hint =
    place !== undefined
      ? `${word} belongs under ${place}`
      : meant !== undefined
        ? `did you mean ${meant}?`
        : `known here: ${[...new Set(known.values())].join(', ')}`;
  report.problem(spot, 'unknown key', hint);
}

export interface TextOptions {
  /** The value is not shown in errors. */
  readonly secret?: boolean;
  /** `true` and `false` are taken as the words they are: variables of an environment. */
  readonly booleans?: boolean;
}

/** What a parser answers when the text is not what it should be. */
export interface Refusal {
  readonly refused: string;
  readonly hint?: string;
}

/** A shape that is written as text. `raw` is what stands in the file, variables not yet replaced. */
export function parsed<T>(
  form: string,
  parse: (value: string, spot: Spot, reading: Reading, raw: string) => T | Refusal | undefined,
  options: TextOptions = {},
): Shape<T> {
  return {
    form,
    read: (node, spot, reading) => {
      const raw = checkedRaw(node, spot, form, reading, options);
      if (raw === undefined) return undefined;
      const value = reading.expand(raw, spot);
      if (value === undefined) return undefined;
      const result = parse(value, spot, reading, raw);
      if (!isRefusal(result)) return result;
      const got = options.secret ? '' : ` (got ${raw === '' ? 'empty text' : describeNode(node)})`;
      reading.report.problem(spot, `expected ${result.refused}${got}`, result.hint);
      return undefined;
    },
  };
}

/** What stands in the file, variables not yet replaced; undefined: a problem was reported. */
export function checkedRaw(
  node: Node,
  spot: Spot,
  form: string,
  reading: Reading,
  options: TextOptions,
): string | undefined {
  const raw = textOf(node, options);
  if (raw === undefined) return wrong(node, spot, form, reading, options.secret);
  if (!raw.includes('\0') && !LONE_SURROGATE.test(raw)) return raw;
  reading.report.problem(spot, `expected ${form} without NUL or broken characters`);
  return undefined;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

export function text(options: TextOptions & { form?: string; pattern?: RegExp; hint?: string } = {}): Shape<string> {
  const form = options.form ?? 'text';
  return parsed<string>(
    form,
    (value) => {
      if (options.pattern ? options.pattern.test(value) : value !== '') return value;
      return { refused: form, ...(options.hint === undefined ? {} : { hint: options.hint }) };
    },
    options,
  );
}

export function path(): Shape<string> {
  return parsed<string>('a path', (value, spot, reading) =>
    value === '' ? { refused: 'a path' } : reading.path(value, spot),
  );
}

export function bool(): Shape<boolean> {
  return {
    form: 'true or false',
    read: (node, spot, reading) => {
      if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
      return wrong(node, spot, 'true or false', reading);
    },
  };
}

export function choice<const T extends string>(
  values: readonly T[],
  hints: Readonly<Record<string, string>> = {},
): Shape<T> {
  const form = values.length === 1 ? `${values[0]}` : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
  return parsed<T>(form, (value) => {
    const found = values.find((one) => one === value);
    if (found !== undefined) return found;
    const meant = nearest(value, values);
    const hint = Object.hasOwn(hints, value)
      ? hints[value]
      : meant === undefined
        ? undefined
        : `did you mean ${meant}?`;
    return { refused: form, ...(hint === undefined ? {} : { hint }) };
  });
}

/** `unit`: how a number of it is written as text. */
export function count(
  min: number,
  max: number,
  unit?: { form: string; parse(text: string): number | undefined },
): Shape<number> {
  const form = `${unit?.form ?? 'a whole number'}, ${min} to ${max}`;
  const inRange = (value: number): boolean => Number.isInteger(value) && value >= min && value <= max;
  return {
    form,
    read: (node, spot, reading) => {
      if (node.kind === 'scalar' && typeof node.value === 'number' && inRange(node.value)) return node.value;
      const written =
        node.kind === 'scalar' && typeof node.value === 'string' ? reading.expand(node.value, spot) : undefined;
      const value = written === undefined ? undefined : (unit?.parse(written) ?? undefined);
      if (value !== undefined && inRange(value)) return value;
      return wrong(node, spot, form, reading);
    },
  };
}

export function list<T>(element: Shape<T>): Shape<readonly T[]> {
  return {
    form: `a list of ${element.form}`,
    element,
    read: (node, spot, reading) => {
      if (isNothing(node)) return [];
      if (node.kind !== 'list') return wrong(node, spot, 'a list', reading);
      return node.items.flatMap((item, index) => {
        const value = element.read(item, { ...item.at, key: `${spot.key}[${index}]` }, reading);
        return value === undefined ? [] : [value];
      });
    },
  };
}

/** Keys are the user's own words. */
export function mapping<T>(element: Shape<T>, keys: { form: string; pattern: RegExp }): Shape<ReadonlyMap<string, T>> {
  return {
    form: `a mapping of ${keys.form} to ${element.form}`,
    element,
    read: (node, spot, reading) => {
      if (node.kind !== 'map') return wrong(node, spot, 'a mapping', reading);
      const values = new Map<string, T>();
      for (const [key, entry] of node.entries) {
        const at = { ...entry.at, key: join(spot.key, key) };
        if (!keys.pattern.test(key)) reading.report.problem(at, `expected ${keys.form} (got ${quoteText(key)})`);
        const value = element.read(
          entry.value,
          { ...(isNothing(entry.value) ? entry.at : entry.value.at), key: at.key },
          reading,
        );
        if (value !== undefined) values.set(key, value);
      }
      return values;
    },
  };
}

export function wrong(node: Node, spot: Spot, form: string, { report }: Reading, secret?: boolean): undefined {
  report.problem(spot, `expected ${form} (got ${describeNode(node, secret)})`);
  return undefined;
}

/** The field itself, kept by name so that a table reads as a table. */
export function field<T>(shape: Shape<T>, about: string, rest: Omit<Field<T>, 'shape' | 'about'> = {}): Field<T> {
  return { shape, about, ...rest };
}

function textOf(node: Node, { booleans }: TextOptions): string | undefined {
  if (node.kind !== 'scalar' || node.value === null) return undefined;
  return typeof node.value === 'boolean' && !booleans ? undefined : node.text;
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refused' in value;
}

export function join(parent: string, key: string): string {
  const word = /^[A-Za-z0-9_-]{1,64}$/.test(key) ? key : quoteText(key);
  return parent === '' ? word : `${parent}.${word}`;
}

export function rootSpot(at: At): Spot {
  return { ...at, key: '' };
}
