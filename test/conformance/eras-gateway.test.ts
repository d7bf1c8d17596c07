// The conformance sets of both eras through http door, gateway and bridge.

import { testChain } from './chain.ts';
import { fixtureCommand } from './fixture.ts';

testChain('http door, gateway, bridge, fixture', async (house, era, run) => {
  const bridge = await house.bridge(...fixtureCommand(era));
  const gateway = await house.gateway([{ id: 'fixture', transport: { type: 'share', share_token: bridge } }]);
  await run(await house.http(gateway));
});
