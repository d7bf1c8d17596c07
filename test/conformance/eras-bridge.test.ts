// The conformance sets of both eras through http door and bridge.

import { testChain } from './chain.ts';
import { fixtureCommand } from './fixture.ts';

testChain('http door, bridge, fixture', async (house, era, run) => {
  await run(await house.http(await house.bridge(...fixtureCommand(era))));
});
