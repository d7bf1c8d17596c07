// Notices when the host of a share behind us is not who it was, or does not prove what it proved before.

import type { ShareGuard } from '@mcp-overlay/overlay';

const DOUBTS: ReadonlySet<unknown> = new Set(['host_changed', 'host_unproven', 'host_downgraded']);

export function noticingDoubts(guard: ShareGuard, notice: (code: string) => void): ShareGuard {
  const noticed = async <T>(run: Promise<T>): Promise<T> => {
    try {
      return await run;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (DOUBTS.has(code)) notice(String(code));
      throw error;
    }
  };
  const { tell } = guard;
  return {
    prove: (connection) => guard.prove(connection),
    verify: (connection, proof, as) => noticed(guard.verify(connection, proof, as)),
    ...(tell && { tell: (connection, proof) => noticed(tell(connection, proof)) }),
    plain: () => noticed(guard.plain()),
  };
}
