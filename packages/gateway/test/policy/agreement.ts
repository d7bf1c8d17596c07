// The real rules and the naive ones, on the same policies and requests.

import assert from 'node:assert/strict';
import { naive } from './naive.ts';
import { randomPolicy, randomPrincipal, randomRequest } from './random-policy.ts';
import { policyOf } from './rules-of.ts';
import { randomFrom } from './sql/generated.ts';

const REQUESTS_OF_ONE = 40;

/** How often each outcome came out. */
export async function agree(pairs: number, seed: number): Promise<Readonly<Record<string, number>>> {
  const random = randomFrom(seed);
  const came = { allow: 0, deny: 0, shadow: 0 };
  for (let done = 0; done < pairs; ) {
    const written = randomPolicy(random);
    const { enforce, roles, identities, views } = written;
    const file = { enforce, roles, identities, ...(Object.keys(views).length > 0 && { views }) };
    const lines = Object.entries(file).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
    const policy = await policyOf(lines.join('\n'));
    for (let request = 0; request < REQUESTS_OF_ONE && done < pairs; request += 1, done += 1) {
      const who = randomPrincipal(random);
      const asked = randomRequest(random);
      const decision = policy.decide(who, asked);
      const real = !decision.allow ? 'deny' : decision.shadow ? 'shadow' : 'allow';
      const expected = naive(written, who, asked);
      came[expected] += 1;
      assert.equal(
        real,
        expected,
        `${real}, expected ${expected}: ${JSON.stringify({ who, asked, decision, written })}`,
      );
    }
  }
  return came;
}
