// The answer to server/discover: one backend's own words, or one answer made of several. Versions and name are ours.

import { META, MODERN_VERSIONS, UNCACHED } from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';
import { asObject, type JsonObject } from '../call/json.ts';
import { type Known, mergeCapabilities, mergeInstructions, type OwnIdentity, serverInfo } from './handshake.ts';

/** Extensions whose ids and URIs are told apart where several backends meet; methods of others could not be routed. */
const RELAYABLE = ['io.modelcontextprotocol/tasks', 'io.modelcontextprotocol/ui'];

/** `personal`: what is shown depends on who asks. */
export function discovered(
  backends: readonly BackendSession[],
  own: OwnIdentity,
  single: boolean,
  personal: boolean,
  known?: Known,
): JsonObject {
  const [only] = backends;
  if (single && only?.welcome) {
    const { welcome } = only;
    const info = own.name === undefined ? {} : { [META.serverInfo]: serverInfo(own) };
    const _meta = { ...asObject(welcome._meta), ...info };
    const kept = personal ? { cacheScope: 'private' } : {};
    return { resultType: 'complete', ...UNCACHED, ...welcome, ...kept, supportedVersions: [...MODERN_VERSIONS], _meta };
  }
  const instructions = mergeInstructions(backends, known);
  const capabilities = mergeCapabilities(backends, known);
  const extensions = Object.entries(asObject(capabilities.extensions) ?? {}).filter(([id]) => RELAYABLE.includes(id));
  const { extensions: _all, tasks: _tasks, ...rest } = capabilities;
  return {
    resultType: 'complete',
    supportedVersions: [...MODERN_VERSIONS],
    capabilities: extensions.length === 0 ? rest : { ...rest, extensions: Object.fromEntries(extensions) },
    ...(instructions === undefined ? {} : { instructions }),
    // Backends come and go, and what is shown depends on who asks.
    ...UNCACHED,
    _meta: { [META.serverInfo]: serverInfo(own) },
  };
}
