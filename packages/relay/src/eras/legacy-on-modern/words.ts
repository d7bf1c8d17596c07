// What a modern server says, as a legacy one would have said it. Members that both eras have stay as they are.

import { RPC_ERRORS } from '../../errors.ts';
import { asObject, CODES, type JsonObject, META, metaOf, objectOf, type RpcErrorValue } from '../envelope.ts';

/** The answer to initialize. */
export function legacyWelcome(discovered: JsonObject, protocolVersion: string): JsonObject {
  const { supportedVersions: _versions, capabilities, ...rest } = discovered;
  const serverInfo = asObject(metaOf(discovered)[META.serverInfo]) ?? { name: 'unknown', version: '0' };
  return { protocolVersion, capabilities: objectOf(capabilities), serverInfo, ...legacyResult(rest) };
}

/** Without what only the newer revision knows. */
export function legacyResult(result: JsonObject): JsonObject {
  const { resultType, ttlMs: _ttl, cacheScope: _scope, ...rest } = result;
  const kept = resultType === undefined || resultType === 'complete' ? rest : { ...rest, resultType };
  const meta = metaOf(result);
  if (meta[META.serverInfo] === undefined) return kept;
  const { [META.serverInfo]: _serverInfo, ...others } = meta;
  const { _meta, ...bare } = kept as JsonObject;
  return Object.keys(others).length === 0 ? bare : { ...bare, _meta: others };
}

/** Errors of the envelope are between us and the server: its client sent none. */
export function legacyError(error: RpcErrorValue): RpcErrorValue {
  const ours = error.code === CODES.headerMismatch || error.code === CODES.unsupportedVersion;
  return ours ? { ...error, code: RPC_ERRORS.internal_error } : error;
}
