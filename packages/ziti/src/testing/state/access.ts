// Who may do what: the policies of a test network, asked anew each time.

import type { Identity, Service } from './records.ts';

export type Right = 'Dial' | 'Bind';

export function rightsOf(identity: Identity, service: Service): Right[] {
  const { dial = 'all', bind = 'all' } = service.permissions;
  const holds = (names: 'all' | readonly string[]): boolean => names === 'all' || names.includes(identity.name);
  const rights: Right[] = [];
  if (holds(bind)) rights.push('Bind');
  if (holds(dial)) rights.push('Dial');
  return rights;
}

export function servedBy(service: Service, router: string): boolean {
  const { routers } = service.permissions;
  return routers === undefined || routers.includes(router);
}
