// The two-era fixture (test/fixtures/eras) as what a test needs of it: a command for a bridge, a URL for a gateway.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type FixtureEra = 'legacy' | 'modern' | 'both';

const program = fileURLToPath(new URL('../fixtures/eras/main.mjs', import.meta.url));

export function fixtureCommand(era: FixtureEra): readonly [string, ...string[]] {
  return [process.execPath, program, '--era', era];
}

export interface HttpFixture extends AsyncDisposable {
  readonly url: string;
}

export async function httpFixture(era: FixtureEra): Promise<HttpFixture> {
  const [command, ...args] = fixtureCommand(era);
  // What it says on stderr are the wrong headers that the suite sends on purpose.
  const child = spawn(command, [...args, '--http'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}
