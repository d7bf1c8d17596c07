// The fake's handlers for shares and accesses (openziti/zrok controller/share.go, unshare.go, updateShare.go, access.go,
// unaccess.go, updateAccess.go), faults of the real one included: a grant that is not known fails after the service was
// made, and keeps its name taken; a description of an access is forgotten; accesses outlive their share.

import { type Answer, created, emptyText, framework, ok, silent, text } from './answers.ts';
import { type Account, accessEntry, shareEntry } from './books.ts';
import type { World } from './world.ts';

type Body = Record<string, unknown>;

const TOKEN = /^[a-z0-9-]{3,32}$/;
/** Stands in for the word list. */
const PROFANE = /darn/;
const ENUMS: Readonly<Record<string, readonly string[]>> = {
  shareMode: ['public', 'private'],
  backendMode: ['proxy', 'web', 'tcpTunnel', 'udpTunnel', 'caddy', 'drive', 'socks'],
  permissionMode: ['open', 'closed'],
};

export async function share(world: World, account: Account, body: Body): Promise<Answer> {
  for (const [name, allowed] of Object.entries(ENUMS)) {
    const value = body[name];
    if (value === undefined || allowed.includes(String(value))) continue;
    return framework(422, `${name} in body should be one of [${allowed.join(' ')}]`, 606);
  }
  const env = world.environmentOf(account, body.envZId);
  if (!env) return silent(401);
  const { books, ziti } = world;
  const token = textOf(body.privateShareToken) || world.randomToken();
  if (!TOKEN.test(token) || PROFANE.test(token)) {
    return text(409, `requested private share token '${token}' has invalid unique name`);
  }
  if (books.services.has(token)) return text(409, `service name '${token}' is already in use`);
  if (body.authScheme !== 'none' && body.authScheme !== 'basic') return emptyText(500);
  const zId = await ziti.createService(token);
  books.services.add(token);
  const policies = new Set([await ziti.createPolicy('Bind', env.zId, zId)]);
  const permissionMode = textOf(body.permissionMode) || 'open';
  const grants = permissionMode === 'closed' ? listOf(body.accessGrants) : [];
  if (!grants.every((email) => world.accountOf(email))) return emptyText(500);
  books.shares.set(token, {
    token,
    zId,
    env,
    backendMode: textOf(body.backendMode),
    target: textOf(body.target),
    permissionMode,
    grants,
    policies,
    at: Date.now(),
  });
  return created({ frontendProxyEndpoints: null, shareToken: token });
}

export async function unshare(world: World, account: Account, body: Body): Promise<Answer> {
  const env = world.environmentOf(account, body.envZId);
  const row = world.books.shares.get(textOf(body.shareToken));
  if (!env || row?.env !== env) return silent(404);
  await world.removeShare(row);
  return ok();
}

export function updateShare(world: World, account: Account, body: Body): Answer {
  const row = world.books.shares.get(textOf(body.shareToken));
  if (!row || row.env.account !== account) return silent(404);
  const [added, removed] = [listOf(body.addAccessGrants), listOf(body.removeAccessGrants)];
  if (![...added, ...removed].every((email) => world.accountOf(email))) return silent(400);
  row.grants.push(...added);
  for (const email of removed) while (row.grants.includes(email)) row.grants.splice(row.grants.indexOf(email), 1);
  return ok();
}

export function shareDetail(world: World, account: Account, token: string): Answer {
  const row = world.books.shares.get(token);
  return row?.env.account === account ? ok(shareEntry(row)) : silent(404);
}

export function shares(world: World, account: Account, query: URLSearchParams): Answer {
  const rows = [...world.books.shares.values()].filter(
    (row) =>
      row.env.account === account &&
      (query.get('envZId') ?? row.env.zId) === row.env.zId &&
      (query.get('shareMode') ?? 'private') === 'private' &&
      (query.get('backendMode') ?? row.backendMode) === row.backendMode &&
      row.token.includes(query.get('shareToken') ?? ''),
  );
  return ok({ shares: rows.map(shareEntry) });
}

export async function access(world: World, account: Account, body: Body): Promise<Answer> {
  const env = world.environmentOf(account, body.envZId);
  if (!env) return silent(401);
  const row = world.books.shares.get(textOf(body.shareToken));
  if (!row) return silent(404);
  const granted = row.env.account === account || row.grants.includes(account.email);
  if (row.permissionMode === 'closed' && !granted) return silent(401);
  const policy = await world.ziti.createPolicy('Dial', env.zId, row.zId);
  row.policies.add(policy);
  const token = world.randomToken(true);
  world.books.accesses.set(token, {
    id: world.nextId(),
    token,
    env,
    share: row,
    policy,
    bindAddress: textOf(body.bindAddress) || undefined,
    description: undefined,
    at: Date.now(),
  });
  return created({ backendMode: row.backendMode, frontendToken: token });
}

export function updateAccess(world: World, account: Account, body: Body): Answer {
  const row = world.books.accesses.get(textOf(body.frontendToken));
  if (!row || row.env.account !== account) return silent(404);
  row.bindAddress = textOf(body.bindAddress) || undefined;
  row.description = textOf(body.description) || undefined;
  return ok();
}

export async function unaccess(world: World, account: Account, body: Body): Promise<Answer> {
  const env = world.environmentOf(account, body.envZId);
  if (!env) return silent(401);
  const row = world.books.accesses.get(textOf(body.frontendToken));
  if (row?.env !== env) return silent(404);
  await world.ziti.deletePolicy(row.policy);
  row.share.policies.delete(row.policy);
  world.books.accesses.delete(row.token);
  return ok();
}

export function accesses(world: World, account: Account, query: URLSearchParams): Answer {
  const rows = world
    .listedAccesses()
    .filter(
      (row) =>
        row.env.account === account &&
        (query.get('envZId') ?? row.env.zId) === row.env.zId &&
        (row.bindAddress ?? '').includes(query.get('bindAddress') ?? ''),
    );
  return ok({ accesses: rows.map((row) => accessEntry(row, 'envZId')) });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
