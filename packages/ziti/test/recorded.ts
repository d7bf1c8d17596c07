// What a real controller said (fixtures/exchanges.jsonl, fixtures/enrollment.json), and where the whole recordings are.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface RecordedExchange {
  readonly set: 'legacy' | 'refusals' | 'enrollErrors' | 'oidc';
  readonly method: string;
  readonly path: string;
  readonly asked?: unknown;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly clientCert: boolean;
}

const fixtures = join(import.meta.dirname, 'fixtures');
const [head, ...exchanges] = readFileSync(join(fixtures, 'exchanges.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

/** When they were recorded: tokens were valid then. */
export const RECORDED_AT = Date.parse(head.now);

export function recorded(set: RecordedExchange['set']): RecordedExchange[] {
  return exchanges.filter((exchange: RecordedExchange) => exchange.set === set);
}

/** The first one that fits; throws if there is none. */
export function recordedAnswer(
  set: RecordedExchange['set'],
  method: string,
  path: RegExp,
  status = 200,
): RecordedExchange {
  const found = recorded(set).find((one) => one.method === method && path.test(one.path) && one.status === status);
  if (found === undefined) throw new Error(`no recording of ${method} ${path} with ${status}`);
  return found;
}

export const ENROLLMENT = JSON.parse(readFileSync(join(fixtures, 'enrollment.json'), 'utf8')) as {
  readonly token: string;
  readonly now: string;
  readonly serverChain: readonly string[];
  readonly cacerts: string;
  readonly csr: string;
  readonly issued: { readonly data: { readonly cert: string } };
  readonly identityFile: { readonly ztAPI: string; readonly id: { key: string; cert: string; ca: string } };
};

const folder = process.env.ZITI_TRACES_DIR ?? fileURLToPath(new URL('../../../../shared/ziti-traces', import.meta.url));

/** Every REST exchange of the whole recordings; undefined when they are not on this machine. */
export function wholeRecordings(): { file: string; status: number; path: string; body: unknown }[] | undefined {
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .filter((file) => file.endsWith('.jsonl'))
    .flatMap((file) => {
      const lines = readFileSync(join(folder, file), 'utf8').trim().split('\n');
      return lines
        .map((line) => JSON.parse(line))
        .filter(({ kind }) => kind === 'rest')
        .map(({ status, path, responseBody }) => ({ file, status, path, body: responseBody }));
    });
}
