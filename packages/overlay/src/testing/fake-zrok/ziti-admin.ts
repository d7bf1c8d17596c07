// What a zrok controller asks of the OpenZiti network behind it. The fake controller drives a test network through this;
// tests of the REST alone give it a network that only keeps names.

export interface ZitiAdmin {
  /** Makes and enrolls an identity; `file` is the text of its identity file. */
  createIdentity(name: string): Promise<{ readonly id: string; readonly file: string }>;
  deleteIdentity(id: string): Promise<void>;
  /** End-to-end encryption required. Resolves with its id. */
  createService(name: string): Promise<string>;
  deleteService(id: string): Promise<void>;
  /** Lets one identity dial or bind one service. Resolves with its id. */
  createPolicy(type: 'Dial' | 'Bind', identityId: string, serviceId: string): Promise<string>;
  deletePolicy(id: string): Promise<void>;
}

/** Keeps books and moves no bytes. */
export function paperNetwork(): ZitiAdmin & { readonly policies: ReadonlyMap<string, readonly string[]> } {
  let count = 0;
  const next = (prefix: string): string => {
    count += 1;
    return `${prefix}${count}`;
  };
  const policies = new Map<string, readonly string[]>();
  return {
    policies,
    createIdentity: async (name) => {
      const id = next('Id.');
      return { id, file: `${JSON.stringify({ ztAPI: 'https://127.0.0.1:1280/edge/client/v1', id: { key: name } })}\n` };
    },
    deleteIdentity: async () => {},
    createService: async () => next('service'),
    deleteService: async () => {},
    createPolicy: async (type, identity, service) => {
      const id = next('policy');
      policies.set(id, [type, identity, service]);
      return id;
    },
    deletePolicy: async (id) => void policies.delete(id),
  };
}
