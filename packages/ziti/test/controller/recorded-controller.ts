// The whole control half against an HTTPS server that says what a real controller 1.6.0 said. A test replaces single answers.

import { type ControllerOptions, createController } from '../../src/controller/controller.ts';
import type { Controller } from '../../src/controller/types.ts';
import { type Asked, type HttpsController, type Reply, startHttpsController } from '../https-controller.ts';
import { recorded, recordedAnswer } from '../recorded.ts';

type Answer = Reply | ((asked: Asked) => Reply | undefined | Promise<Reply | undefined>);

export interface RecordedController extends AsyncDisposable {
  readonly server: HttpsController;
  readonly controller: Controller;
  /** `METHOD /path` without base and query → what is said instead. */
  readonly says: Map<string, Answer>;
}

const WITHOUT_OIDC = recordedAnswer('legacy', 'GET', /no-such-path/, 404);

export async function startRecordedController(options: ControllerOptions = {}): Promise<RecordedController> {
  const says = new Map<string, Answer>();
  const server = await startHttpsController(async (asked) => {
    const own = says.get(keyOf(asked));
    const said = typeof own === 'function' ? await own(asked) : own;
    return said ?? recordedReply(asked);
  });
  const controller = createController(server.identity(), { random: () => 0, busyPausesMs: [1, 1], ...options });
  return {
    server,
    controller,
    says,
    async [Symbol.asyncDispose]() {
      await controller.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

export function keyOf({ method, path }: Asked): string {
  return `${method} ${path.replace('/edge/client/v1', '').replace(/\?.*/, '')}`;
}

/** What was said to the dialer of the recordings; without OIDC, since its tokens are bound to its random values. */
export function recordedReply(asked: Asked): Reply {
  const key = keyOf(asked);
  if (asked.path.startsWith('/oidc')) return WITHOUT_OIDC;
  if (key === 'POST /sessions') {
    const { type, serviceId } = JSON.parse(asked.body) as { type: string; serviceId: string };
    const found = recorded('legacy').find(
      ({ asked: body }) =>
        (body as { type?: string })?.type === type && (body as { serviceId?: string }).serviceId === serviceId,
    );
    return found ?? recordedAnswer('refusals', 'POST', /sessions$/, 404);
  }
  const exact = recorded('legacy').find(({ method, path }) => method === asked.method && path === asked.path);
  const near = recorded('legacy').find((one) => keyOf({ ...asked, method: one.method, path: one.path }) === key);
  if (asked.path.includes('filter=')) {
    const name = new URL(asked.path, 'https://x').searchParams.get('filter');
    const same = recorded('legacy').find(({ path }) => new URL(path, 'https://x').searchParams.get('filter') === name);
    return same ?? recordedAnswer('legacy', 'GET', /no-such-service/);
  }
  return exact ?? near ?? WITHOUT_OIDC;
}
