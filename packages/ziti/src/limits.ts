// Caps on everything a stranger can size. Each has a reason here, an error code (./errors.ts) and a test.

const KiB = 1024;
const MiB = 1024 * KiB;

export const LIMITS = {
  // identity files and enrollment
  /** An identity file, and each file it names. A chain and a bundle of a hundred CAs are far below. */
  identityBytes: MiB,
  /** Certificates in one chain or bundle: parsing one costs about 0.1 ms, Go's own bundles hold a handful. */
  certificates: 512,
  /** An enrollment token. Real ones have 1 KiB. */
  jwtBytes: 64 * KiB,
  /** A DER document: the CA bundle of a controller. 512 certificates of 2 KiB. */
  derBytes: MiB,
  // the controller's REST interface
  /** One answer of a controller: 500 services with configs fit in 2 MiB. */
  answerBytes: 8 * MiB,
  /** Services of one identity: 500 for each page. */
  services: 50_000,
  /** Services that we remember by name; the oldest are asked for again. */
  rememberedServices: 1000,
  /** An address of a controller or router. Host names end at 253. */
  urlChars: 2048,
  /** Controllers of one network that we take from a list. */
  controllers: 32,
  /** Routers of one session. */
  routersPerSession: 1000,
  /** Text of a controller that goes into an error message. */
  quotedChars: 200,
  // frames and channels
  /** Body of one frame. 15 MiB in one frame were seen to cross real routers; SDKs send 16 or 32 KiB. */
  frameBodyBytes: 16 * MiB,
  /** Headers of one frame, keys and lengths included. Application data of a dial is the only large one. */
  frameHeaderBytes: 128 * KiB,
  /** Headers of one frame. The protocol knows about 60. */
  frameHeaders: 256,
  /** The first frame of a router, before we know that it is one. Real answers have 100 bytes. */
  helloFrameBytes: 64 * KiB,
  /** Queued towards a router that does not read: here bulk data should wait, */
  channelSoftQueueBytes: 256 * KiB,
  /** and here the channel is given up: somebody did not wait. */
  channelQueueBytes: 64 * MiB,
  /** Requests of one channel that wait for an answer. 200 dials at once are normal. */
  channelRequests: 4096,
  /** One message of a WebSocket that carries a channel: a whole frame with its TLS records. Go sends one message for each
   * record, Node may put many together. */
  wsMessageBytes: 20 * MiB,
  /** The head of a proxy's answer. */
  proxyHeadBytes: 16 * KiB,
  /** Messages sealed with one key. At 2^32 the counter of libsodium starts again and the key changes, which Go peers do not
   * follow. */
  streamMessages: 2 ** 32 - 2,
  // dials, binds and connections
  /** Text of a router or peer that we keep or show. The longest refusal of 1.6 has 300. */
  peerTextChars: 500,
  /** Application data of a dial; it must fit into the headers of one frame with room to spare. */
  appDataBytes: 64 * KiB,
  /** Received for one connection and not yet read: above it the channel is not read for a moment. */
  connectionBufferBytes: 4 * MiB,
  /** The same over all connections of one channel. */
  channelBufferBytes: 64 * MiB,
  /** Connections and binds of one channel. One idle connection costs about 10 KiB. */
  connectionsPerChannel: 16_384,
  /** Frames of a connection that may come before we know its keys; 12 000 dials showed none. */
  earlyFrames: 64,
  /** Channels to one router that carry dials: a stalled stream holds up only those it shares one with. */
  dialChannelsPerRouter: 4,
} as const;

export type Limits = { readonly [K in keyof typeof LIMITS]: number };
