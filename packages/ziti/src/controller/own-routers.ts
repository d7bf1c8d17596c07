// The routers that this identity may use, whichever service: `GET /current-identity/edge-routers` (openziti/edge-api client.yml).
// Those of a service are among them, but only its session says which.

import type { Api } from './api.ts';
import { type Controllers, trouble } from './controllers.ts';
import { edgeRoutersOf } from './edge-routers.ts';
import { refused, troubled } from './refusals.ts';
import type { EdgeRouterInfo } from './types.ts';

export interface OwnRoutersOptions {
  readonly api: Api;
  readonly controllers: Controllers;
}

export async function ownRouters(
  { api, controllers }: OwnRoutersOptions,
  signal: AbortSignal | undefined,
): Promise<EdgeRouterInfo[]> {
  const doing = 'asking for the edge routers of this identity';
  const { answer, controller } = await api.call({ method: 'GET', path: '/current-identity/edge-routers' }, signal);
  if (answer.ok) return edgeRoutersOf({ edgeRouters: answer.data });
  if (trouble(answer.refusal)) throw troubled(answer.refusal, doing, controllers.urls);
  throw refused(answer.refusal, doing, controller);
}
