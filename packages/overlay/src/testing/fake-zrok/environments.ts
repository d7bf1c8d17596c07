// The fake's handlers for environments: enable, disable, listings (openziti/zrok controller/enable.go, disable.go).

import { type Answer, created, ok, silent } from './answers.ts';
import { type Account, accessEntry, type EnvironmentRow, environmentEntry, shareEntry } from './books.ts';
import type { World } from './world.ts';

export async function enable(world: World, account: Account, body: Record<string, unknown>): Promise<Answer> {
  const { books, ziti, limits } = world;
  const own = [...books.environments.values()].filter((env) => env.account === account).length;
  if (own >= limits.environments) return silent(401);
  const description = String(body.description ?? '');
  const { id, file } = await ziti.createIdentity(`${account.email}-${world.randomToken()}-${description}`);
  const host = typeof body.host === 'string' ? body.host : undefined;
  books.environments.set(id, { zId: id, account, description, host, at: Date.now() });
  return created({ cfg: file, identity: id });
}

export async function disable(world: World, account: Account, body: Record<string, unknown>): Promise<Answer> {
  const env = world.environmentOf(account, body.identity);
  if (!env) return silent(401);
  const { books, ziti } = world;
  for (const share of [...books.shares.values()].filter((one) => one.env === env)) await world.removeShare(share);
  for (const access of [...books.accesses.values()].filter((one) => one.env === env)) {
    await ziti.deletePolicy(access.policy);
    books.accesses.delete(access.token);
  }
  await ziti.deleteIdentity(env.zId);
  books.environments.delete(env.zId);
  return ok();
}

export function environments(world: World, account: Account): Answer {
  return ok({ environments: own(world, account).map((env) => environmentEntry(env, 'envZId')) });
}

export function overview(world: World, account: Account): Answer {
  const entries = own(world, account).map((env) => {
    const shares = [...world.books.shares.values()].filter((one) => one.env === env).map(shareEntry);
    const frontends = world
      .listedAccesses()
      .filter((one) => one.env === env)
      .map((one) => accessEntry(one, 'zId'));
    return {
      environment: environmentEntry(env, 'zId'),
      ...(frontends.length === 0 ? {} : { frontends }),
      ...(shares.length === 0 ? {} : { shares }),
    };
  });
  return ok({ environments: entries, names: null, namespaces: null });
}

function own({ books }: World, account: Account): EnvironmentRow[] {
  return [...books.environments.values()].filter((env) => env.account === account);
}
