import { type OverlayUnderTest, overlayCompliance, zrokHouse } from '../../src/testing/index.ts';

/** Two hops, each with the buffers of two sockets that grow to 6 MiB, and our own. */
const maxBytesInFlight = 32 * 1024 * 1024;

const network = async (): Promise<OverlayUnderTest> => {
  const house = await zrokHouse();
  const home = await house.environment();
  const [overlay, other] = await Promise.all([home.open(), home.open()]);
  return { overlay, other, env: home.env, [Symbol.asyncDispose]: () => house[Symbol.asyncDispose]() };
};

overlayCompliance('zrok', network, { maxBytesInFlight });
