// The conformance sets of both eras through http door and gateway, in front of a server over HTTP.

import { testChain } from './chain.ts';
import { httpFixture } from './fixture.ts';

testChain('http door, gateway, http fixture', async (house, era, run) => {
  await using fixture = await httpFixture(era);
  const transport = { type: 'http', endpoint: fixture.url, protocol: 'streamable', allow_insecure: true };
  await run(await house.http(await house.gateway([{ id: 'fixture', transport }])));
});
