// The calls of zrok's REST API that private shares need (openziti/zrok specs/src/*.yml), as functions with our errors.
// A refusal says who refused and what to do; "not there" where that is a normal answer is a value.

import { ENABLE_MS } from './limits.ts';
import { Refusals } from './refusals.ts';
import { type Rest, type RestRequest, zrokRest } from './rest.ts';

export interface ZrokShare {
  readonly token: string;
  readonly envZId: string;
  readonly shareMode: string;
  readonly backendMode: string;
  /** Free text of whoever made it. */
  readonly target: string;
  readonly createdAt: Date;
}

export interface ZrokAccess {
  readonly frontendToken: string;
  readonly envZId: string;
  readonly shareToken: string;
  /** Free text of whoever made it: where a tunnel of zrok's programs listens, a mark of ours. */
  readonly bindAddress: string;
}

export interface ZrokEnvironmentInfo {
  readonly envZId: string;
  readonly description: string;
}

export interface NewShare {
  readonly envZId: string;
  readonly token: string;
  readonly target: string;
  /** Whether every account of the instance may have access to it. */
  readonly open: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Matches what controllers accept (compatibility.version_patterns: `^(refs/(heads|tags)/)?v2\.0`). */
export const CLIENT_VERSION = 'v2.0 [mcp-overlay]';

export class ZrokApi {
  readonly apiEndpoint: string;
  readonly #rest: Rest;
  readonly #refusals: Refusals;

  constructor(apiEndpoint: string, accountToken: string) {
    this.apiEndpoint = apiEndpoint;
    this.#rest = zrokRest(apiEndpoint, accountToken);
    this.#refusals = new Refusals(apiEndpoint);
  }

  /** Rejects `peer_incompatible`. */
  async checkVersion(options: CallOptions = {}): Promise<void> {
    const body = { clientVersion: CLIENT_VERSION };
    const answer = await this.#rest({ method: 'POST', path: '/clientVersionCheck', body, ...options });
    if (answer.status !== 200) throw this.#refusals.version(answer);
  }

  /** Makes an environment with an OpenZiti identity, private key included. Rejects `account_refused`, `environment_refused`. */
  async enable(body: { description: string; host: string }): Promise<{ envZId: string; identity: string }> {
    const answer = await this.#call({ method: 'POST', path: '/enable', body, timeoutMs: ENABLE_MS }, 201, () =>
      this.#refusals.environmentLimit(),
    );
    const { identity: envZId, cfg: identity } = fieldsOf(answer);
    if (typeof envZId !== 'string' || typeof identity !== 'string') throw this.#refusals.nonsense('POST /enable');
    return { envZId, identity };
  }

  /** False when the account has no such environment. */
  async disable(envZId: string): Promise<boolean> {
    const answer = await this.#call({ method: 'POST', path: '/disable', body: { identity: envZId } }, 200, () => GONE);
    return answer !== GONE;
  }

  /** Rejects `share_exists`, `bad_token`, `environment_refused`. */
  async share({ envZId, token, target, open }: NewShare): Promise<void> {
    const body = {
      envZId,
      shareMode: 'private',
      privateShareToken: token,
      backendMode: 'proxy',
      target,
      // Left out it is a 500; the mode left out is an open share.
      authScheme: 'none',
      permissionMode: open ? 'open' : 'closed',
    };
    const answer = await this.#call({ method: 'POST', path: '/share', body }, 201, ({ status, text }) => {
      if (status === 401) return this.#refusals.environmentGone(envZId, 'or a limit of the account is reached');
      return status === 409 ? this.#refusals.conflict(token, text) : undefined;
    });
    if (fieldsOf(answer).shareToken !== token) throw this.#refusals.nonsense('POST /share');
  }

  /** Lets accounts have access. Rejects `grant_unknown`, `share_unknown`. */
  async addGrants(token: string, emails: readonly string[]): Promise<void> {
    await this.#call(
      { method: 'PATCH', path: '/share', body: { shareToken: token, addAccessGrants: emails } },
      200,
      ({ status }) => {
        if (status === 400) return this.#refusals.unknownGrant(token, emails);
        return status === 404 ? this.#refusals.unknownShare(token) : undefined;
      },
    );
  }

  /** False when this environment has no such share. */
  async unshare(envZId: string, token: string, options: CallOptions = {}): Promise<boolean> {
    const body = { envZId, shareToken: token };
    return this.#removed({ method: 'DELETE', path: '/unshare', body, ...options });
  }

  /** Lets an environment dial. Rejects `share_unknown`, `not_permitted`, `environment_refused`. */
  async access(
    { envZId, token, bindAddress }: { envZId: string; token: string; bindAddress: string },
    options: CallOptions = {},
  ): Promise<string> {
    // A description is taken and forgotten (controller/access.go); the address is kept.
    const body = { envZId, shareToken: token, bindAddress };
    const answer = await this.#call({ method: 'POST', path: '/access', body, ...options }, 201, async ({ status }) => {
      if (status === 404) return this.#refusals.unknownShare(token);
      if (status !== 401) return undefined;
      // The same answer for two reasons; the account's environments tell them apart.
      const own = (await this.environments(options)).some((one) => one.envZId === envZId);
      return own ? this.#refusals.notGranted(token) : this.#refusals.environmentGone(envZId);
    });
    const { frontendToken } = fieldsOf(answer);
    if (typeof frontendToken !== 'string') throw this.#refusals.nonsense('POST /access');
    return frontendToken;
  }

  /** False when this environment has no such access. */
  async unaccess(
    { envZId, token, frontendToken }: { envZId: string; token: string; frontendToken: string },
    options: CallOptions = {},
  ): Promise<boolean> {
    const body = { frontendToken, envZId, shareToken: token };
    return this.#removed({ method: 'DELETE', path: '/unaccess', body, ...options });
  }

  /** undefined: none of this account's. */
  async shareDetail(token: string, options: CallOptions = {}): Promise<ZrokShare | undefined> {
    const path = `/detail/share/${encodeURIComponent(token)}`;
    const answer = await this.#call({ method: 'GET', path, ...options }, 200, ({ status }) =>
      status === 404 ? GONE : undefined,
    );
    if (answer === GONE) return undefined;
    const share = shareOf(answer);
    if (!share) throw this.#refusals.nonsense('GET /detail/share');
    return share;
  }

  /** The account's, of all its environments. */
  async shares(): Promise<ZrokShare[]> {
    const answer = await this.#call({ method: 'GET', path: '/shares?shareMode=private' }, 200);
    return listOf(answer, 'shares').flatMap((one) => shareOf(one) ?? []);
  }

  async accesses(envZId: string, options: CallOptions = {}): Promise<ZrokAccess[]> {
    const path = `/accesses?envZId=${encodeURIComponent(envZId)}`;
    const answer = await this.#call({ method: 'GET', path, ...options }, 200);
    return listOf(answer, 'accesses').flatMap((one) => {
      const { frontendToken, envZId, shareToken, bindAddress } = fieldsOf(one);
      if (typeof frontendToken !== 'string' || typeof envZId !== 'string') return [];
      return { frontendToken, envZId, shareToken: textOf(shareToken), bindAddress: textOf(bindAddress) };
    });
  }

  async environments(options: CallOptions = {}): Promise<ZrokEnvironmentInfo[]> {
    const answer = await this.#call({ method: 'GET', path: '/environments', ...options }, 200);
    return listOf(answer, 'environments').flatMap((one) => {
      const { envZId, description } = fieldsOf(one);
      return typeof envZId === 'string' ? { envZId, description: textOf(description) } : [];
    });
  }

  async #removed(request: RestRequest): Promise<boolean> {
    const { envZId } = fieldsOf(request.body);
    const answer = await this.#call(request, 200, ({ status }) => {
      if (status === 404) return GONE;
      return status === 401 ? this.#refusals.environmentGone(textOf(envZId)) : undefined;
    });
    return answer !== GONE;
  }

  /** The body of the expected answer, or what `refused` makes of another: a value, or an error that is thrown. */
  async #call(
    request: RestRequest,
    expected: number,
    refused: (refusal: Refusal) => Refused | Promise<Refused> = () => undefined,
  ): Promise<unknown> {
    const { status, body } = await this.#rest(request);
    if (status === expected) return body;
    // Only a bad account token is answered with an object: an empty 401 is about the environment or the share.
    if (status === 401 && 'code' in fieldsOf(body)) throw this.#refusals.account();
    const verdict = await refused({ status, text: textOf(body) });
    if (verdict === GONE) return GONE;
    if (verdict) throw verdict;
    // An unexpected answer may be that of a controller of another age.
    await this.checkVersion({ ...(request.signal ? { signal: request.signal } : {}) });
    throw this.#refusals.unexpected(request, { status, body });
  }
}

interface Refusal {
  readonly status: number;
  readonly text: string;
}

const GONE = Symbol('gone');
type Refused = Error | typeof GONE | undefined;

function shareOf(value: unknown): ZrokShare | undefined {
  const { shareToken, envZId, shareMode, backendMode, target, createdAt } = fieldsOf(value);
  if (typeof shareToken !== 'string' || typeof envZId !== 'string') return undefined;
  return {
    token: shareToken,
    envZId,
    shareMode: textOf(shareMode),
    backendMode: textOf(backendMode),
    target: textOf(target),
    createdAt: new Date(typeof createdAt === 'number' ? createdAt : 0),
  };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** An empty list may be null or missing. */
function listOf(value: unknown, member: string): unknown[] {
  const list = fieldsOf(value)[member];
  return Array.isArray(list) ? list : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
