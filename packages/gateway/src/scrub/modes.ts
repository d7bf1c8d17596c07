// What is done about a rule's hits: by tool, else by backend, else by `scrub`, else as the rule itself says. Within each,
// what is said of the rule comes before what is said of all.

import { compileGlob, type ScrubConfig, type ScrubOverride } from '@mcp-overlay/config';
import type { Mode, RuleInfo } from './pattern.ts';

export interface Modes {
  of(rule: RuleInfo): Mode;
  /** Every text of results is wrapped, whatever is in it. */
  readonly wraps: boolean;
}

export interface ModeSources {
  /** undefined: nothing is configured, and so nothing is changed. */
  readonly config: ScrubConfig | undefined;
  readonly backends: readonly { readonly id: string; readonly scrub?: ScrubOverride }[];
}

type Level = { readonly mode: Mode | undefined; readonly rule: (id: string) => Mode | undefined };

export class ModeTable {
  private readonly sources: ModeSources;
  private readonly chosen: ReadonlySet<string>;
  private readonly top: Level;
  private readonly byBackend: ReadonlyMap<string, Level>;
  private readonly byTool: readonly {
    readonly backend: string;
    readonly matches: (tool: string) => boolean;
    readonly level: Level;
  }[];
  private readonly known = new Map<string, Modes>();

  constructor(sources: ModeSources) {
    this.sources = sources;
    const { config, backends } = sources;
    this.chosen = new Set((config?.pii ?? []).map((kind) => `pii-${kind}`));
    this.top = levelOf(config ?? { rules: {} });
    this.byBackend = new Map(backends.flatMap(({ id, scrub }) => (scrub ? [[id, levelOf(scrub)]] : [])));
    this.byTool = (config?.tools ?? []).map((override) => {
      const globs = override.tools.map(compileGlob);
      const matches = (tool: string): boolean => globs.some((glob) => glob(tool));
      return { backend: override.backend, matches, level: levelOf(override) };
    });
  }

  /** Something may be done besides recording. */
  get configured(): boolean {
    return this.sources.config !== undefined || this.byBackend.size > 0;
  }

  for(backend: string, tool?: string): Modes {
    const overrides =
      tool === undefined ? [] : this.byTool.filter((one) => one.backend === backend && one.matches(tool));
    const key = `${backend}\n${overrides.map((one) => this.byTool.indexOf(one)).join(',')}`;
    const known = this.known.get(key);
    if (known) return known;
    const own = this.byBackend.get(backend);
    const modes = this.modes([...overrides.map(({ level }) => level).reverse(), ...(own ? [own] : []), this.top]);
    this.known.set(key, modes);
    return modes;
  }

  /** Every way in which something of this backend may be dealt with, its tools told apart as the overrides tell them. */
  allOf(backend: string): readonly Modes[] {
    const own = this.byBackend.get(backend);
    const below = [...(own ? [own] : []), this.top];
    const tools = this.byTool.filter((one) => one.backend === backend);
    return [this.for(backend), ...tools.map(({ level }) => this.modes([level, ...below]))];
  }

  /** Whether nobody anywhere could hear of it: then nothing looks for it. */
  isOff(rule: RuleInfo): boolean {
    const levels = [undefined, ...this.byBackend.values(), ...this.byTool.map(({ level }) => level)];
    return levels.every((level) => this.modes(level ? [level, this.top] : [this.top]).of(rule) === 'off');
  }

  private modes(levels: readonly Level[]): Modes {
    const base = levels.find(({ mode }) => mode !== undefined)?.mode;
    return {
      wraps: base === 'wrap',
      of: (rule) => {
        const wanted = this.chosen.has(rule.id);
        for (const level of levels) {
          const own = level.rule(rule.id);
          if (own !== undefined) return own;
          if (level.mode === undefined) continue;
          if (level.mode === 'off' || (rule.mode === 'off' && !wanted)) return 'off';
          return level.mode === 'wrap' ? 'flag' : level.mode;
        }
        return wanted && rule.mode === 'off' ? 'flag' : rule.mode;
      },
    };
  }
}

function levelOf({ mode, rules }: ScrubOverride): Level {
  const globs = Object.entries(rules).filter(([id]) => /[*?]/.test(id));
  const matchers = globs.map(([id, chosen]) => ({ matches: compileGlob(id), chosen }));
  return {
    mode,
    rule: (id) => rules[id] ?? matchers.findLast(({ matches }) => matches(id))?.chosen,
  };
}
