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
  /** What names of this kind must fit one of. */
  globs(kind: TargetKind): readonly string[];
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
  const of = (globs: readonly string[] | undefined, otherwise: boolean): readonly string[] =>
    globs ?? (otherwise ? ['*'] : []);
  const globs: Readonly<Record<TargetKind, readonly string[]>> = {
    tool: of(tools, everything),
    prompt: of(prompts, everything),
    resource: of(resources, everything),
    method: of(selection.methods, everything && methods),
    task: of(selection.methods, everything && methods),
  };
  const compiled = (kind: TargetKind): Names | undefined =>
    globs[kind].length === 0 ? undefined : compileNames(globs[kind]);
  const byKind: Readonly<Record<TargetKind, Names | undefined>> = {
    tool: compiled('tool'),
    prompt: compiled('prompt'),
    resource: compiled('resource'),
    method: compiled('method'),
    task: compiled('task'),
  };
  return {
    globs: (kind) => globs[kind],
    backend: selection.backends ? compileNames(selection.backends) : () => true,
    kind: (kind) => byKind[kind] !== undefined,
    all: ({ kind, forms }) => {
      const names = byKind[kind];
      if (names === undefined) return false;
      const [first, second] = forms;
      // Nearly always there is one way to write it.
      if (second === undefined) return first !== undefined && names(first);
      return forms.every((form) => names(form));
    },
    any: ({ kind, forms }) => {
      const names = byKind[kind];
      return names !== undefined && (forms.length === 0 || forms.some((form) => names(form)));
    },
  };
}
