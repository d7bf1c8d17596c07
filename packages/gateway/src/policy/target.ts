// What a rule's selection covers. Names of tools and prompts are compared as they are; a URI can be written in several
// ways, so that an allowance must fit all of them and a refusal any.

import type { Selection } from '@mcp-overlay/config';
import type { TargetKind } from '../call/call.ts';
import { compileNames, type Names } from './names.ts';
import { formsOfUri } from './uri-forms.ts';

export interface Target {
  readonly kind: TargetKind;
  /** The name, and of a URI the other ways to write it. Empty: it can be read in ways that nobody foresees. */
  readonly forms: readonly string[];
}

export interface Covers {
  backend: Names;
  /** Whether it speaks of anything of this kind. */
  kind(kind: TargetKind): boolean;
  /** Every form. */
  all(target: Target): boolean;
  /** Any form. */
  any(target: Target): boolean;
}

export function targetOf(kind: TargetKind, name: string): Target {
  return { kind, forms: kind === 'resource' ? formsOfUri(name) : [name] };
}

/** `methods`: whether a selection that names no kind covers methods too. */
export function compileSelection(selection: Selection, { methods }: { methods: boolean }): Covers {
  const { tools, prompts, resources } = selection;
  const everything = !(tools || prompts || resources || selection.methods);
  const of = (globs: readonly string[] | undefined, otherwise: boolean): Names | undefined => {
    if (globs) return globs.length === 0 ? undefined : compileNames(globs);
    return otherwise ? () => true : undefined;
  };
  const byKind: Readonly<Record<TargetKind, Names | undefined>> = {
    tool: of(tools, everything),
    prompt: of(prompts, everything),
    resource: of(resources, everything),
    method: of(selection.methods, everything && methods),
    task: of(selection.methods, everything && methods),
  };
  return {
    backend: selection.backends ? compileNames(selection.backends) : () => true,
    kind: (kind) => byKind[kind] !== undefined,
    all: ({ kind, forms }) => {
      const names = byKind[kind];
      return names !== undefined && forms.length > 0 && forms.every(names);
    },
    any: ({ kind, forms }) => {
      const names = byKind[kind];
      return names !== undefined && (forms.length === 0 || forms.some(names));
    },
  };
}
