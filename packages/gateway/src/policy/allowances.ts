// How much each caller, tool and backend may still be used: one book for all sessions of a gateway, so that several sessions
// of one identity share its budgets. It is bounded: a budget that is whole is forgotten when room is needed, and where there
// is none nobody new is counted, for a caller that is not counted must not pass.

import type { AllowanceConfig, AllowancesConfig, IdentityConfig, ToolAllowance } from '@mcp-overlay/config';
import type { Principal } from '@mcp-overlay/overlay';
import type { Refusal } from '../call/limited.ts';
import { budgetOf, isOwner, whoOf } from './callers.ts';
import { POLICY_CAPS } from './caps.ts';
import type { LimitClock } from './clock.ts';
import { type LimitRow, Meter, type MeterNames, type Refused } from './meter.ts';
import { compileNames, type Names } from './names.ts';
import type { Spent } from './spent.ts';

/** A call that may go on holds its places until it is released; one that may not is told which limit it was. */
export type Passage = { release(): void } | { readonly refused: Refusal };

/** The limits of one caller. */
export interface CallerLimits {
  /** A request of it, before it costs anything. */
  enter(): Passage;
  /** It goes to this backend. `tool`: the backend's own name, of a call of a tool. */
  spend(backend: string, tool: string | undefined): Passage;
}

export interface AllowancesOptions {
  readonly config: AllowancesConfig;
  /** Nicknames. */
  readonly identities: readonly IdentityConfig[];
  readonly spent: Spent;
  readonly clock: LimitClock;
}

interface ToolBudget {
  readonly name: string;
  readonly key: string;
  readonly config: ToolAllowance;
  readonly backend: Names;
  readonly tool: Names;
}

/** Where there is no room for one more caller. */
const FULL_RETRY_MS = 1000;
const SWEEP_MS = 1000;
const ROWS = 100;
const FREE: Passage = { release: () => {} };

export class Allowances {
  private readonly options: AllowancesOptions;
  private readonly tools: readonly ToolBudget[];
  /** Of what does not depend on who calls: as many as the file has entries. */
  private readonly common = new Map<string, Meter>();
  /** Of callers. */
  private readonly meters = new Map<string, Meter>();
  private swept = Number.NEGATIVE_INFINITY;

  constructor(options: AllowancesOptions) {
    this.options = options;
    this.tools = options.config.tools.map((config, index) => ({
      name: `tools[${index}]`,
      // The day's count outlives the file's order.
      key: `tools ${JSON.stringify([config.backends, config.tools, config.per])}`,
      config,
      backend: compileNames(config.backends),
      tool: compileNames(config.tools),
    }));
  }

  /** The same counts of this day under another configuration. */
  under(config: AllowancesConfig, identities: readonly IdentityConfig[]): Allowances {
    return new Allowances({ ...this.options, config, identities });
  }

  /** Whether they count in the same book. */
  continues(before: Allowances): boolean {
    return this.options.spent === before.options.spent;
  }

  /** undefined: nothing limits what it does. */
  of(principal: Principal): CallerLimits | undefined {
    const { config, identities } = this.options;
    const budget = budgetOf(principal, config);
    const who = whoOf(principal, identities);
    const tools = this.tools.filter(({ config: { per } }) => per === 'all' || !isOwner(principal));
    const limited = budget && Object.keys(budget.allowance).some((key) => key !== 'name' && key !== 'is');
    if (!limited && tools.length === 0 && config.backends.size === 0) return undefined;
    return {
      enter: () => {
        if (!budget || !limited) return FREE;
        const name = `identities.${budget.entry}`;
        return this.pass([this.own({ name, who, key: `identities ${who}` }, budget.allowance)]);
      },
      spend: (backend, tool) => this.pass(this.covering(tools, who, backend, tool)),
    };
  }

  /** What is near its limit or refused somebody lately; the latest first. */
  rows(): readonly LimitRow[] {
    const rows = [...this.common.values(), ...this.meters.values()].flatMap((meter) => meter.rows());
    const order = (a: LimitRow, b: LimitRow): number => (b.lastRefused ?? '').localeCompare(a.lastRefused ?? '');
    return rows.sort(order).slice(0, ROWS);
  }

  /** What daily budgets hold, where another process counts on from here. */
  get spent(): Pick<Spent, 'flush' | 'stopWriting' | 'catchUp'> {
    return this.options.spent;
  }

  close(): Promise<void> {
    return this.options.spent.close();
  }

  private covering(
    tools: readonly ToolBudget[],
    who: string,
    backend: string,
    tool: string | undefined,
  ): (Meter | Refused)[] {
    const found: (Meter | Refused)[] = [];
    const { backends } = this.options.config;
    const allowance = backends.get(backend);
    if (allowance) {
      const names = { name: `backends.${backend}`, who: undefined, key: `backends ${backend}` };
      found.push(this.meter(this.common, names, allowance));
    }
    if (tool === undefined) return found;
    for (const { name, key, config, backend: ofBackend, tool: ofTool } of tools) {
      if (!ofBackend(backend) || !ofTool(tool)) continue;
      if (config.per === 'identity') found.push(this.own({ name, who, key: `${key} ${who}` }, config));
      else found.push(this.meter(this.common, { name, who: undefined, key }, config));
    }
    return found;
  }

  /** Of all of them or of none. */
  private pass(meters: readonly (Meter | Refused)[]): Passage {
    let worst: Refused | undefined;
    for (const meter of meters) {
      const refusal = meter instanceof Meter ? meter.refusal() : meter;
      if (refusal && refusal.retryAfterMs > (worst?.retryAfterMs ?? 0)) worst = refusal;
    }
    if (worst) {
      worst.note();
      return { refused: { limit: worst.limit, retryAfterMs: worst.retryAfterMs } };
    }
    const taken = meters.filter((meter) => meter instanceof Meter);
    for (const meter of taken) meter.take();
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        for (const meter of taken) meter.release();
      },
    };
  }

  private own(names: MeterNames, config: AllowanceConfig): Meter | Refused {
    const { meters } = this;
    const known = meters.get(`${names.name} ${names.who}`);
    if (known) return known;
    if (meters.size >= POLICY_CAPS.rememberedCallers) this.sweep();
    if (meters.size >= POLICY_CAPS.rememberedCallers) {
      return { limit: `${names.name}.room`, retryAfterMs: FULL_RETRY_MS, note: () => {} };
    }
    return this.meter(meters, names, config);
  }

  private meter(among: Map<string, Meter>, names: MeterNames, config: AllowanceConfig): Meter {
    const key = `${names.name} ${names.who ?? ''}`;
    const known = among.get(key);
    if (known) return known;
    const made = new Meter(names, config, this.options.spent, this.options.clock);
    among.set(key, made);
    return made;
  }

  /** Looks at all of them, so not for each call that finds no room. */
  private sweep(): void {
    const now = this.options.clock.mono();
    if (now - this.swept < SWEEP_MS) return;
    this.swept = now;
    for (const [key, meter] of this.meters) if (meter.isIdle()) this.meters.delete(key);
  }
}
