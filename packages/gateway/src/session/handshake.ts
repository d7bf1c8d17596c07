// The answer to initialize: one backend's own words, or one answer made of several. A backend that is not ready yet may
// have anything, so what it might have is declared at once; what it has is announced by list_changed when it joins.

import { LATEST_LEGACY_VERSION, LEGACY_VERSIONS } from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';

export interface OwnIdentity {
  /** As configured; undefined: a single backend's own name is shown. */
  readonly name: string | undefined;
  readonly version: string;
}

const OWN_NAME = 'mcp-gateway';

/** How a backend that was not heard yet greeted such a client before; undefined: nobody knows. */
export interface Known {
  greeting(backend: BackendSession): JsonObject | undefined;
}

function greetingOf(backend: BackendSession, known: Known | undefined): JsonObject | undefined {
  return backend.welcome ?? (backend.starting ? known?.greeting(backend) : undefined);
}

/** What a server of these revisions can declare. */
const ANYTHING: JsonObject = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
};

/** `single`: one backend is configured, though this client may not have it. */
export function welcome(
  params: JsonObject,
  backends: readonly BackendSession[],
  own: OwnIdentity,
  single: boolean,
  known?: Known,
): JsonObject {
  const [only] = backends;
  const told = only?.asleep ? greetingOf(only, known) : only?.welcome;
  if (single && told) return own.name === undefined ? told : { ...told, serverInfo: serverInfo(own) };
  const instructions = mergeInstructions(backends, known);
  return {
    protocolVersion: agreeVersion(asString(params.protocolVersion)),
    capabilities: mergeCapabilities(backends, known),
    serverInfo: serverInfo(own),
    ...(instructions === undefined ? {} : { instructions }),
  };
}

export function serverInfo(own: OwnIdentity): JsonObject {
  return { name: own.name ?? OWN_NAME, version: own.version };
}

function agreeVersion(wanted: string | undefined): string {
  return LEGACY_VERSIONS.find((version) => version === wanted) ?? LATEST_LEGACY_VERSION;
}

export function mergeCapabilities(backends: readonly BackendSession[], known?: Known): JsonObject {
  // A client that may have nothing gets empty lists, and no error for asking.
  let merged: JsonObject = backends.length === 0 ? { tools: {}, resources: {}, prompts: {} } : {};
  for (const backend of backends) {
    merged = union(
      merged,
      greetingOf(backend, known) ? (asObject(greetingOf(backend, known)?.capabilities) ?? {}) : ANYTHING,
    );
  }
  // Backends come and go, so every list the gateway has may change.
  for (const kind of ['tools', 'resources', 'prompts']) {
    const declared = asObject(merged[kind]);
    if (declared) merged = { ...merged, [kind]: { ...declared, listChanged: true } };
  }
  return merged;
}

function union(a: JsonObject, b: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const mine = asObject(merged[key]);
    const theirs = asObject(value);
    if (mine && theirs) merged[key] = union(mine, theirs);
    else if (merged[key] !== true) merged[key] = value;
  }
  return merged;
}

/** Each server's instructions under its id, so that an agent knows of whose tools they speak. */
export function mergeInstructions(backends: readonly BackendSession[], known?: Known): string | undefined {
  const parts = backends.flatMap((backend) => {
    const text = asString(greetingOf(backend, known)?.instructions);
    return text === undefined || text === '' ? [] : [`# ${backend.id}\n\n${text}`];
  });
  return parts.length === 0 ? undefined : parts.join('\n\n');
}
