// What a legacy server says, as a modern one would have said it. Members that both eras have stay as they are.

import { RPC_ERRORS } from '../../errors.ts';
import {
  arrayOf,
  asObject,
  asString,
  type JsonObject,
  META,
  MODERN_VERSIONS,
  objectOf,
  type RpcErrorValue,
} from '../envelope.ts';
import { CACHEABLE, UNCACHED } from '../methods.ts';

/** Up to 2025-11-25; a modern server must not send them. */
const NOT_FOUND = -32002;
export const URL_ELICITATION = -32042;

/** The answer to server/discover, from that to initialize. */
export function modernWelcome(welcome: JsonObject): JsonObject {
  const { protocolVersion: _version, serverInfo, capabilities, _meta, ...rest } = welcome;
  // Tasks of the older kind have no methods any more.
  const { tasks: _tasks, ...declared } = objectOf(capabilities);
  const info = asObject(serverInfo);
  return {
    resultType: 'complete',
    supportedVersions: [...MODERN_VERSIONS],
    capabilities: declared,
    ...UNCACHED,
    ...rest,
    _meta: { ...objectOf(_meta), ...(info === undefined ? {} : { [META.serverInfo]: info }) },
  };
}

export function modernResult(method: string, result: JsonObject): JsonObject {
  return { resultType: 'complete', ...(CACHEABLE.has(method) ? UNCACHED : {}), ...result };
}

export function modernError(error: RpcErrorValue): RpcErrorValue {
  return error.code === NOT_FOUND ? { ...error, code: RPC_ERRORS.invalid_params } : error;
}

/** URLs that the client has to visit before it may ask again, as questions; none: the error is another one. */
export function urlQuestions({ code, data }: RpcErrorValue): readonly JsonObject[] {
  if (code !== URL_ELICITATION) return [];
  return arrayOf(objectOf(data).elicitations).flatMap((item) => {
    const elicitation = asObject(item);
    if (asString(elicitation?.url) === undefined) return [];
    return [{ method: 'elicitation/create', params: { mode: 'url', ...elicitation } }];
  });
}
