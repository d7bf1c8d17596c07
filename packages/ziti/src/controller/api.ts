// Requests that need a login. A 401 renews it and asks again: once with a legacy login; with OIDC first with a fresh access
// token, then with a fresh login. A legacy login whose controller is gone is made anew on another one.

import { type ApiAnswer, apiAnswer, type Refusal } from './answers.ts';
import type { ApiSessions } from './api-session.ts';
import { type Controllers, isTrouble, trouble } from './controllers.ts';
import { loginHeaders } from './login.ts';
import type { RestClient } from './rest-client.ts';
import type { ApiSession } from './types.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST';
  /** Below the base URL, with query. */
  readonly path: string;
  readonly json?: unknown;
}

export interface ApiResult {
  readonly answer: ApiAnswer;
  /** The login that was used. */
  readonly session: ApiSession;
  /** Base URL of who answered. */
  readonly controller: string;
}

export interface Api {
  call(request: ApiRequest, signal?: AbortSignal): Promise<ApiResult>;
}

export interface ApiOptions {
  readonly client: RestClient;
  readonly controllers: Controllers;
  readonly sessions: ApiSessions;
}

export function createApi({ client, controllers, sessions }: ApiOptions): Api {
  async function send(request: ApiRequest, session: ApiSession, url: string, signal?: AbortSignal): Promise<ApiResult> {
    const answer = await client.send({
      method: request.method,
      url: url + request.path,
      headers: loginHeaders(session),
      ...(request.json === undefined ? {} : { body: { type: 'application/json', text: JSON.stringify(request.json) } }),
      signal,
    });
    return { answer: apiAnswer(answer, new URL(url).host), session, controller: url };
  }

  /** What to do about a refusal; false: nothing, it is final. */
  async function remedy(request: ApiRequest, { answer, session }: ApiResult, tries: number, signal?: AbortSignal) {
    if (answer.ok) return false;
    const { status, code } = answer.refusal;
    const isOidc = session.kind === 'oidc';
    if (status === 401 && tries === 0) await sessions.renew(session, signal);
    else if (status === 401 && tries === 1 && isOidc) sessions.invalidate(session);
    // 1.6.0 answers so to the access token of a deleted identity.
    else if (status === 500 && code === undefined && tries === 0 && isOidc && request.method === 'POST') {
      sessions.invalidate(session);
    } else return false;
    return true;
  }

  return {
    async call(request, signal) {
      for (let tries = 0; ; tries++) {
        const session = await sessions.get(signal);
        const only = session.kind === 'legacy' ? session.controller : undefined;
        try {
          const result = await controllers.inTurn(
            (url) => send(request, session, url, signal),
            ({ answer }) => trouble(refusalIn(answer)),
            { only, signal },
          );
          if (!(await remedy(request, result, tries, signal))) return result;
        } catch (error) {
          if (tries > 0 || only === undefined || controllers.urls.length < 2 || !isTrouble(error)) throw error;
          sessions.invalidate(session);
        }
      }
    },
  };
}

function refusalIn(answer: ApiAnswer): Refusal | undefined {
  return answer.ok ? undefined : answer.refusal;
}
