// Legacy tasks of the scripted server (2025-11-25, basic/utilities/tasks): a call with `task` answers at once, and its
// result is fetched by `tasks/result`, which waits.

import { randomUUID } from 'node:crypto';
import { RpcError } from './server.mjs';

export function createTasks(server, callTool) {
  const tasks = new Map();

  function find(taskId) {
    const task = tasks.get(taskId);
    if (task === undefined) throw new RpcError(-32602, `Unknown task: ${taskId}`);
    return task;
  }

  function settle(task, status, statusMessage) {
    if (task.view.status !== 'working') return;
    Object.assign(task.view, {
      status,
      lastUpdatedAt: new Date().toISOString(),
      ...(statusMessage ? { statusMessage } : {}),
    });
    server.notify('notifications/tasks/status', { ...task.view });
  }

  function create(params, { token }) {
    const now = new Date().toISOString();
    const view = {
      taskId: randomUUID(),
      status: 'working',
      createdAt: now,
      lastUpdatedAt: now,
      ttl: params.task.ttl ?? null,
      pollInterval: 50,
    };
    const abort = new AbortController();
    const outcome = callTool(params, { id: view.taskId, signal: abort.signal, token }).then(
      (result) => ({ result }),
      (error) => ({ error }),
    );
    const task = { view, outcome, abort };
    tasks.set(view.taskId, task);
    outcome.then(({ error }) => settle(task, error === undefined ? 'completed' : 'failed', error?.message));
    return { task: { ...view } };
  }

  const methods = {
    'tasks/get': ({ taskId }) => ({ ...find(taskId).view }),
    'tasks/list': () => ({ tasks: [...tasks.values()].map(({ view }) => ({ ...view })) }),
    'tasks/cancel': ({ taskId }) => {
      const task = find(taskId);
      if (task.view.status !== 'working') throw new RpcError(-32602, `Task is ${task.view.status} already`);
      settle(task, 'cancelled');
      task.abort.abort();
      return { ...task.view };
    },
    'tasks/result': async ({ taskId }) => {
      const task = find(taskId);
      const { result, error } = await task.outcome;
      if (task.view.status === 'cancelled') throw new RpcError(-32602, 'Task was cancelled');
      if (error !== undefined) throw error;
      return { ...result, _meta: { ...result._meta, 'io.modelcontextprotocol/related-task': { taskId } } };
    },
  };

  return { create, methods };
}
