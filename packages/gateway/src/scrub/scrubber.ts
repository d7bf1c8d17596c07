// Scrubbing of one gateway: rules, modes and threads, shared by all sessions. Looks through what goes by, does what is
// configured, and tells what it found. Visibility, not a boundary: a text that no rule knows passes.

import type { ScrubHit } from '../call/call.ts';
import { hitsOf, isWrappable, newMarks, redact } from './act.ts';
import { hostCheck } from './hosts.ts';
import { SCRUB_LIMITS } from './limits.ts';
import { type Looked, lookThrough, mayHold } from './look.ts';
import { type ModeSources, type Modes, ModeTable } from './modes.ts';
import type { Mode, PatternSpec, RuleInfo, Surface } from './pattern.ts';
import { openPool, type WorkerPool } from './pool.ts';
import { Rulebook } from './rulebook.ts';
import { Scanner } from './scan.ts';
import { mapTexts } from './texts.ts';

/** Where a text came from, for whoever hears of a hit. */
export interface ScrubPlace {
  readonly backend: string;
  readonly method: string;
  /** Of a call: the backend's own name of what was asked for. */
  readonly target?: string;
  /** Number of the call's intent in the record. */
  readonly of?: number;
}

export type HitSink = (place: ScrubPlace, hits: readonly ScrubHit[]) => void;

export interface ScrubberOptions extends ModeSources {
  readonly specs: readonly PatternSpec[];
}

/** What became of a value. */
export type Scrubbed =
  | { readonly value: unknown; readonly hits: readonly ScrubHit[] }
  /** Nothing of it may be passed on; `hits` say why. */
  | { readonly blocked: string; readonly hits: readonly ScrubHit[] };

interface Engine {
  readonly book: Rulebook;
  readonly scanner: Scanner;
  readonly pool: WorkerPool;
}

export class Scrubber {
  modes: ModeTable;
  /** Counts what replaced the rules: what was found by older ones does not hold. */
  version = 0;
  private options: ScrubberOptions;
  private specs: readonly PatternSpec[];
  private count: number | undefined;
  /** Made when the first text comes: a gateway that carries none pays nothing. */
  private made: Engine | undefined;
  private readonly counts = new Map<string, number>();
  /** By backend, whether anything of it could be withheld: asked with every call. */
  private readonly blocking = new Map<string, boolean>();
  /** Definitions and greetings come again with every session: what was found in one text. */
  private readonly known = new Map<string, Looked>();

  constructor(options: ScrubberOptions) {
    this.options = options;
    this.modes = new ModeTable(options);
    this.specs = options.specs;
  }

  /** Other patterns from now on; messages being looked through are looked through with the old ones. */
  use(specs: readonly PatternSpec[], sources: ModeSources = this.options): void {
    const old = this.made;
    this.specs = specs;
    this.options = { ...sources, specs };
    this.modes = new ModeTable(this.options);
    this.made = undefined;
    this.count = undefined;
    this.version += 1;
    this.known.clear();
    this.blocking.clear();
    void old?.pool.close();
  }

  /** Patterns that somebody could hear of. */
  get rules(): number {
    this.count ??= this.specs.filter((rule) => !this.modes.isOff(rule)).length;
    return this.count;
  }

  /** By rule: how often it was found since the start. */
  hits(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.counts);
  }

  get argumentsMode(): 'off' | 'flag' | 'block' {
    return this.options.config?.arguments ?? 'off';
  }

  get notes(): boolean {
    return this.options.config?.note === true;
  }

  async close(): Promise<void> {
    await this.made?.pool.close();
  }

  /** A message's bytes at a glance: whether its texts need a look. */
  mayHold(bytes: Uint8Array): boolean {
    return this.engine.book.patterns.length > 0 && mayHold(bytes, this.engine.book);
  }

  /** Looks through on this thread: small messages, and those whose order counts. */
  lookNow(value: unknown, surface: Surface): Looked {
    return lookThrough(value, surface, this.engine.scanner, SCRUB_LIMITS.inlineWork);
  }

  /** For whoever has time: a person at a terminal. */
  lookPatiently(value: unknown, surface: Surface): Looked {
    return lookThrough(value, surface, this.engine.scanner, Number.POSITIVE_INFINITY);
  }

  rule(id: string): RuleInfo | undefined {
    return this.engine.book.rules.get(id);
  }

  /** In a worker; what is too long for one is not looked at. */
  async lookLater(bytes: Uint8Array, holds: 'message' | 'body', surface: Surface): Promise<Looked> {
    if (bytes.length > SCRUB_LIMITS.messageBytes) return { texts: [], partly: true };
    return this.engine.pool.look({ bytes, holds, surface });
  }

  /** The same text again costs nothing. */
  lookAgain(value: unknown, surface: Surface): Looked {
    const key = `${surface} ${JSON.stringify(value)}`;
    const known = this.known.get(key);
    if (known) return known;
    const looked = this.lookNow(value, surface);
    if (this.known.size >= MAX_KNOWN) this.known.clear();
    if (key.length <= MAX_KNOWN_CHARS) this.known.set(key, looked);
    return looked;
  }

  /** Does what is configured with what was found in `value`, which began on `surface`. */
  act(looked: Looked, modes: Modes, surface: Surface, value: () => unknown): Scrubbed {
    const onTimeout = looked.partly ? this.onTimeout(modes) : 'flag';
    const unscanned: ScrubHit[] = looked.partly ? [this.partly(onTimeout)] : [];
    const modeOf = (rule: RuleInfo): Mode => modes.of(rule);
    const hits = [...hitsOf(looked.texts, (id) => this.engine.book.rules.get(id), modeOf), ...unscanned];
    for (const { rule, count } of hits) this.counts.set(rule, (this.counts.get(rule) ?? 0) + count);
    const blocking = hits.filter(({ mode }) => mode === 'block').map(({ rule }) => rule);
    if (blocking.length > 0) return { blocked: [...new Set(blocking)].join(', '), hits };
    const byIndex = new Map(looked.texts.map((text) => [text.index, text]));
    // What was not looked at may hold what a rule would wrap.
    const wrapsAll = modes.wraps || (looked.partly && this.does(modes, 'wrap'));
    const changing = wrapsAll || hits.some(({ mode }) => mode === 'redact' || mode === 'wrap');
    if (!changing) return { value: value(), hits };
    const marks = newMarks();
    let index = -1;
    const changed = mapTexts(value(), surface, (text, on) => {
      index += 1;
      const found = byIndex.get(index)?.findings ?? [];
      const inMode = (wanted: Mode) => found.filter(({ rule }) => this.modeOfId(rule, modes) === wanted);
      const clean = redact(text, inMode('redact'));
      const wraps = (wrapsAll || inMode('wrap').length > 0) && isWrappable(on);
      return wraps ? marks.wrap(clean) : clean;
    });
    return { value: changed, hits };
  }

  private modeOfId(id: string, modes: Modes): Mode {
    const rule = this.engine.book.rules.get(id);
    return rule ? modes.of(rule) : 'off';
  }

  private partly(mode: 'flag' | 'block'): ScrubHit {
    return { rule: 'unscanned', severity: 'low', surface: 'text', mode, count: 1, at: [] };
  }

  private onTimeout(modes: Modes): 'flag' | 'block' {
    const configured = this.options.config?.onTimeout;
    if (configured !== undefined) return configured;
    // Where something is to be taken out or held back, what nobody looked at is held back.
    return this.does(modes, 'block', 'redact') ? 'block' : 'flag';
  }

  /** Whether anything of this backend, or of a tool of it, could be withheld. */
  mayBlock(backend: string): boolean {
    if (!this.modes.configured) return false;
    const known = this.blocking.get(backend);
    if (known !== undefined) return known;
    const all = this.modes.allOf(backend);
    const may = all.some((modes) => this.onTimeout(modes) === 'block' || this.does(modes, 'block'));
    this.blocking.set(backend, may);
    return may;
  }

  private does(modes: Modes, ...wanted: readonly Mode[]): boolean {
    for (const rule of this.engine.book.rules.values()) if (wanted.includes(modes.of(rule))) return true;
    return false;
  }

  private get engine(): Engine {
    this.made ??= this.build(this.specs);
    return this.made;
  }

  private build(specs: readonly PatternSpec[]): Engine {
    const { config } = this.options;
    const book = new Rulebook(specs, (rule) => this.modes.isOff(rule));
    const kept = book.patterns.map(({ spec }) => spec);
    return {
      book,
      scanner: new Scanner(book, hostCheck(config?.hosts)),
      pool: openPool({ specs: kept, hosts: config?.hosts, work: SCRUB_LIMITS.work }),
    };
  }
}

/** Some sessions' tools; a few MB at most. */
const MAX_KNOWN = 2000;
const MAX_KNOWN_CHARS = 16 * 1024;
