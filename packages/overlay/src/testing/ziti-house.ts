// A test network as a zrok controller's or an administrator's: each policy lets one identity use one service.

import type { TestNetwork } from '@mcp-overlay/ziti/testing';
import type { ZitiAdmin } from './fake-zrok/ziti-admin.ts';

interface Policy {
  readonly type: 'Dial' | 'Bind';
  readonly identity: string;
  readonly service: string;
}

/** Encryption required, nobody lets in: services are used by policy. */
export function administrate(network: TestNetwork): ZitiAdmin {
  const names = new Map<string, string>();
  const policies = new Map<string, Policy>();
  let count = 0;

  const nameOf = (id: string): string => {
    const name = names.get(id);
    if (name === undefined) throw new Error(`nothing has the id ${id}`);
    return name;
  };
  const applied = (service: string): void => {
    const allowed = (type: Policy['type']): string[] =>
      [...policies.values()].flatMap((one) => (one.type === type && one.service === service ? [one.identity] : []));
    network.setPermissions(service, { dial: allowed('Dial'), bind: allowed('Bind') });
  };

  return {
    createIdentity: async (name) => {
      const identity = network.addIdentity(name);
      names.set(identity.id, name);
      return { id: identity.id, file: `${identity.json}\n` };
    },
    deleteIdentity: async (id) => network.removeIdentity(nameOf(id)),
    createService: async (name) => {
      const { id } = network.addService(name, { dial: [], bind: [] });
      names.set(id, name);
      return id;
    },
    deleteService: async (id) => {
      const name = nameOf(id);
      names.delete(id);
      network.removeService(name);
    },
    createPolicy: async (type, identityId, serviceId) => {
      count += 1;
      const id = `policy-${count}`;
      const policy = { type, identity: nameOf(identityId), service: nameOf(serviceId) };
      policies.set(id, policy);
      applied(policy.service);
      return id;
    },
    deletePolicy: async (id) => {
      const policy = policies.get(id);
      policies.delete(id);
      if (policy && [...names.values()].includes(policy.service)) applied(policy.service);
    },
  };
}
