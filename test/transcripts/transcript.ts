// The format of a transcript: what is typed at a prompt, and what comes back, word for word.
//   # a remark                      - file NAME     its lines follow, indented by two spaces; `bin/…` can be run
//   $ VAR=x mcp-tools list          runs to its end
//   ~ mcp-gateway status            the same, again and again until the answer is this one
//   & gw mcp-gateway run x.yml      starts and goes on once it wrote a line; {{gw}} is then its share token
//   % gw SIGTERM                    ends it: its exit code, all of stderr, stdout after the first line; -: it ends by itself
//   < stdin   > stdout   ! stderr   = exit code (0 where none is written); `!*`: whatever stderr says.
// Log records are no part of it
// What differs from run to run stands in double braces: see mask() in ./play.ts.

export interface Step {
  readonly kind: 'run' | 'until' | 'start' | 'end' | 'file';
  /** Line of the file, from 1. */
  readonly line: number;
  /** The first line, as it stands in the file. */
  readonly text: string;
  readonly name: string;
  readonly words: readonly string[];
  readonly stdin: readonly string[];
  /** Of a file step: its contents. */
  readonly stdout: readonly string[];
  /** undefined: not looked at. */
  readonly stderr: readonly string[] | undefined;
  readonly code: number;
}

interface Draft {
  kind: Step['kind'];
  line: number;
  text: string;
  name: string;
  words: string[];
  stdin: string[];
  stdout: string[];
  stderr: string[] | undefined;
  code: number;
}

const OPENINGS: Readonly<Record<string, Step['kind']>> = {
  $: 'run',
  '~': 'until',
  '&': 'start',
  '%': 'end',
  '-': 'file',
};

export function readTranscript(text: string): Step[] {
  const steps: Draft[] = [];
  let draft: Draft | undefined;
  for (const [at, line] of text.split('\n').entries()) {
    const kind = line[1] === ' ' ? OPENINGS[line[0] ?? ''] : undefined;
    const body = line.slice(2);
    if (kind !== undefined) {
      draft = opened(kind, at + 1, line);
      steps.push(draft);
    } else if (line.startsWith('#') || line === '') {
      draft = undefined;
    } else if (draft === undefined) {
      throw new Error(`line ${at + 1}: no command before it: ${line}`);
    } else if (draft.kind === 'file') {
      draft.stdout.push(body);
    } else if (line === '!*') {
      draft.stderr = undefined;
    } else if (line[0] === '<') draft.stdin.push(body);
    else if (line[0] === '>') draft.stdout.push(body);
    else if (line[0] === '!') draft.stderr?.push(body);
    else if (line[0] === '=') draft.code = Number(body);
    else throw new Error(`line ${at + 1}: not understood: ${line}`);
  }
  return steps;
}

/** The step as a transcript would have it that was recorded just now. */
export function writeStep(step: Step): string {
  const lines = (mark: string, texts: readonly string[]): string[] => texts.map((text) => `${mark} ${text}`.trimEnd());
  if (step.kind === 'file') return [step.text, ...lines(' ', step.stdout)].join('\n');
  return [
    step.text,
    ...lines('<', step.stdin),
    ...lines('>', step.stdout),
    ...(step.stderr === undefined ? ['!*'] : lines('!', step.stderr)),
    ...(step.code === 0 ? [] : [`= ${step.code}`]),
  ].join('\n');
}

function opened(kind: Step['kind'], line: number, text: string): Draft {
  const words = text.slice(2).split(' ');
  const named = kind === 'start' || kind === 'end' || kind === 'file';
  const name = named ? (words[0] ?? '') : '';
  return { kind, line, text, name, words: named ? words.slice(1) : words, stdin: [], stdout: [], stderr: [], code: 0 };
}
