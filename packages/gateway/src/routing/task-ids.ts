// Ids of legacy tasks carry their backend where several meet: `<backend>.<id>`. Ids that the client made for tasks of its
// own (a server may ask it to sample as a task) are left alone; who was told of one owns it.

import { asObject, asString, type JsonObject } from '../call/json.ts';

/** `_meta` of what belongs to a task names it here. */
export const RELATED = 'io.modelcontextprotocol/related-task';

export interface TaskIds {
  toNative(taskId: string): { readonly backend: string; readonly taskId: string } | undefined;
  /** Task ids in a result or notification params of this backend, made public. */
  publish(backend: string, value: JsonObject): JsonObject;
  /** Only the task that params belong to: other ids in what a server asks or tells may be the client's own. */
  publishRelated(backend: string, params: JsonObject): JsonObject;
  /** The other way round, in what the client says to this backend. */
  nativeRelated(backend: string, value: JsonObject): JsonObject;
}

export function singleTaskIds(backend: string): TaskIds {
  const unchanged = (_backend: string, value: JsonObject): JsonObject => value;
  return {
    toNative: (taskId) => ({ backend, taskId }),
    publish: unchanged,
    publishRelated: unchanged,
    nativeRelated: unchanged,
  };
}

export function prefixedTaskIds(): TaskIds {
  const own = (backend: string, task: JsonObject): JsonObject => {
    const id = asString(task.taskId);
    return id === undefined ? task : { ...task, taskId: `${backend}.${id}` };
  };
  const toNative: TaskIds['toNative'] = (taskId) => {
    const dot = taskId.indexOf('.');
    return dot > 0 ? { backend: taskId.slice(0, dot), taskId: taskId.slice(dot + 1) } : undefined;
  };
  const publishRelated = (backend: string, value: JsonObject): JsonObject =>
    withRelated(value, (related) => own(backend, related));
  return {
    toNative,
    nativeRelated: (backend, value) =>
      withRelated(value, (related) => {
        const owned = toNative(asString(related.taskId) ?? '');
        return owned?.backend === backend ? { ...related, taskId: owned.taskId } : related;
      }),
    publish: (backend, value) => {
      let changed = own(backend, value);
      const task = asObject(value.task);
      if (task) changed = { ...changed, task: own(backend, task) };
      if (Array.isArray(value.tasks)) {
        changed = { ...changed, tasks: value.tasks.map((item) => own(backend, asObject(item) ?? {})) };
      }
      return publishRelated(backend, changed);
    },
    publishRelated,
  };
}

function withRelated(value: JsonObject, change: (related: JsonObject) => JsonObject): JsonObject {
  const meta = asObject(value._meta);
  const related = asObject(meta?.[RELATED]);
  return related ? { ...value, _meta: { ...meta, [RELATED]: change(related) } } : value;
}
