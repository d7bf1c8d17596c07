// Which server asks? A client must show it (specification, elicitation "User Interaction Model"), so where several meet the
// question carries its backend's name.

import { asObject, type JsonObject } from '../call/json.ts';

export const BACKEND_META = 'mcp-overlay/backend';

/** The questions of an `input_required` result, or of a task, with the name of who asks. */
export function tagQuestions(backend: string, result: JsonObject): JsonObject {
  const requests = asObject(result.inputRequests);
  if (!requests) return result;
  const tagged = Object.entries(requests).map(([key, value]) => {
    const request = asObject(value) ?? {};
    const params = asObject(request.params) ?? {};
    const _meta = { ...asObject(params._meta), [BACKEND_META]: backend };
    return [key, { ...request, params: { ...params, _meta } }] as const;
  });
  return { ...result, inputRequests: Object.fromEntries(tagged) };
}
