// All detectors of a configuration, and who looks first. A decoy that is touched is that and nothing else; who hosts a share
// concerns no caller. Pure: what comes in is all they know.

import { ALARM_RULES, type AlarmRule, type AlarmsConfig } from '@mcp-overlay/config';
import { loopDetector, rateDetector, refusalsDetector } from './counting.ts';
import { type Finding, seqsOf } from './finding.ts';
import type { Habits } from './habits.ts';
import { hoursDetector } from './hours.ts';
import type { Observed, ObservedCall } from './observed.ts';

export type Detectors = (seen: Observed) => readonly Finding[];

export function detectors(config: AlarmsConfig, habits: Habits): Detectors {
  const off = new Set<AlarmRule>(config.off);
  const loop = loopDetector(config.loop);
  const rate = rateDetector(config.rate);
  const refusals = refusalsDetector(config.refusals);
  const hours = config.hours && hoursDetector(config.hours);
  const decoys = new Set(config.decoys.map(({ backend, tool }) => keyOf(backend, tool)));
  const all: Detectors = (seen) => {
    if (seen.what === 'host') return [hostFinding(seen)];
    if (seen.kind === 'tool' && decoys.has(keyOf(seen.backend, seen.target))) return [decoyFinding(seen)];
    if (seen.what === 'refused') return some([refusals(seen)]);
    const looping = off.has('loop') ? undefined : loop(seen);
    return some([looping ?? rate(seen), hours?.(seen), habits.see(seen)]);
  };
  return off.size === 0 ? all : (seen) => all(seen).filter(({ rule }) => !off.has(rule));
}

export function isAlarmRule(word: string): word is AlarmRule {
  return (ALARM_RULES as readonly string[]).includes(word);
}

function hostFinding({ backend, code, seq }: Extract<Observed, { what: 'host' }>): Finding {
  const why = `who hosts the share of ${backend} is not who it was (${code})`;
  return { rule: 'host_changed', backend, count: 1, seqs: seqsOf(seq), why };
}

function decoyFinding({ ident, backend = '', target = '', seq }: ObservedCall): Finding {
  const why = `it called ${target} of ${backend}, which is a decoy`;
  return { rule: 'decoy', ident, backend, target, count: 1, seqs: seqsOf(seq), why };
}

function keyOf(backend = '', tool = ''): string {
  return `${backend}\n${tool}`;
}

function some(findings: readonly (Finding | undefined)[]): readonly Finding[] {
  return findings.filter((finding) => finding !== undefined);
}
