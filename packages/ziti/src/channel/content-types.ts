// Content types below 1000: what a channel says about itself (openziti/channel messages.go), and the headers it uses for that
// (message.go, ziti edge_client.proto). Types and headers of connections belong to ../edge/messages.ts.

export const CHANNEL_TYPES = {
  hello: 0,
  ping: 1,
  result: 2,
  latency: 3,
  latencyResponse: 4,
  heartbeat: 5,
  raw: 6,
} as const;

/** The first content type of an application; everything below is the channel's own. */
export const FIRST_APPLICATION_TYPE = 1000;

export const CHANNEL_HEADERS = {
  /** string, Hello answer: the channel's id at the router. */
  connectionId: 0,
  /** int32: sequence of the message that this one answers. */
  replyFor: 1,
  /** bool, in a Result. */
  resultSuccess: 2,
  /** text, Hello answer: `v1.6.0|…` or JSON. */
  helloVersion: 4,
  /** string, Hello answer: the router's id. */
  id: 8,
  /** int32, refused Hello: 0 unspecified, 1 busy, 2 not permitted. */
  helloRejectClass: 13,
  /** Any bytes: an answer repeats them. */
  reflected: 128,
  /** bytes, in our Hello: token of the API session. */
  sessionToken: 1002,
} as const;
