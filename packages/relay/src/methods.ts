// What is known of MCP's methods in both eras; which of them has which: ./eras/methods.ts. Everything else passes as an
// unknown method.
// Source: modelcontextprotocol specification, revisions 2024-11-05 to 2025-11-25.

/** Newest first. `test/protocol-versions` pins them to what the official SDK exports. */
export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07'] as const;

export const LATEST_LEGACY_VERSION = LEGACY_VERSIONS[0];

/** Requests without effects: after a lost server they may be asked once more. Tool calls are not among them, whatever
 *  their annotations say (annotations are untrusted). */
const REPEATABLE: ReadonlySet<string> = new Set([
  'initialize',
  'server/discover',
  'subscriptions/listen',
  'ping',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
  'tasks/list',
  'tasks/get',
]);

export function isRepeatable(method: string): boolean {
  return REPEATABLE.has(method);
}

export interface ListKind {
  readonly method: string;
  /** Member of the result that holds the items. */
  readonly member: 'tools' | 'resources' | 'resourceTemplates' | 'prompts';
  readonly capability: 'tools' | 'resources' | 'prompts';
  readonly changed: string;
}

export const LISTS = {
  tools: {
    method: 'tools/list',
    member: 'tools',
    capability: 'tools',
    changed: 'notifications/tools/list_changed',
  },
  resources: {
    method: 'resources/list',
    member: 'resources',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
  },
  resourceTemplates: {
    method: 'resources/templates/list',
    member: 'resourceTemplates',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
  },
  prompts: {
    method: 'prompts/list',
    member: 'prompts',
    capability: 'prompts',
    changed: 'notifications/prompts/list_changed',
  },
} as const satisfies Record<string, ListKind>;

export const LIST_KINDS: readonly ListKind[] = Object.values(LISTS);

export function listKindOf(method: string): ListKind | undefined {
  return LIST_KINDS.find((kind) => kind.method === method);
}

/** Requests a server may send, and the client capability without which they are refused at once. */
export const CLIENT_CAPABILITY: Readonly<Record<string, string>> = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
};
