// Ids of legacy tasks carry their backend where several meet: `<backend>.<id>`. Ids that the client made for tasks of its
// own (a server may ask it to sample as a task) are left alone; who was told of one owns it.

import { asObject, asString, type JsonObject } from '../call/json.ts';

const RELATED = 'io.modelcontextprotocol/related-task';

export interface TaskIds {
  toNative(taskId: string): { readonly backend: string; readonly taskId: string } | undefined;
  /** Task ids in a result or notification params of this backend, made public. */
  publish(backend: string, value: JsonObject): JsonObject;
}

export function singleTaskIds(backend: string): TaskIds {
  return { toNative: (taskId) => ({ backend, taskId }), publish: (_backend, value) => value };
}

export function prefixedTaskIds(): TaskIds {
  return {
    toNative: (taskId) => {
      const dot = taskId.indexOf('.');
      return dot > 0 ? { backend: taskId.slice(0, dot), taskId: taskId.slice(dot + 1) } : undefined;
    },
    publish: (backend, value) => {
      const own = (task: JsonObject): JsonObject => {
        const id = asString(task.taskId);
        return id === undefined ? task : { ...task, taskId: `${backend}.${id}` };
      };
      let changed = own(value);
      const task = asObject(value.task);
      if (task) changed = { ...changed, task: own(task) };
      if (Array.isArray(value.tasks)) {
        changed = { ...changed, tasks: value.tasks.map((item) => own(asObject(item) ?? {})) };
      }
      const meta = asObject(value._meta);
      const related = asObject(meta?.[RELATED]);
      return related ? { ...changed, _meta: { ...meta, [RELATED]: own(related) } } : changed;
    },
  };
}
