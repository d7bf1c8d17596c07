// The first frame of a channel, and later tokens (ziti router/xgress_edge/accept.go, connections.go validateApiSession,
// listener.go processTokenUpdate). The answer is always yes; who is not welcome finds the socket closed afterwards.

import { readJwt } from '../pki/jwt.ts';
import { JWT_PREFIX, loginOf, touch } from '../state/login.ts';
import { newId } from '../state/network-state.ts';
import type { RouterChannel } from './channel.ts';
import type { Frame } from './frame.ts';
import type { Router } from './router.ts';
import { H, T } from './wire.ts';

/** openziti/channel classic_listener.go, readHelloV2. */
const MAX_HELLO_HEADER_BYTES = 16384;
const MAX_HELLO_BODY_BYTES = 4192;

/** True when the Hello was answered. */
export function processHello(router: Router, channel: RouterChannel, frame: Frame): boolean {
  const headerBytes = [...frame.headers.values()].reduce((sum, value) => sum + 8 + value.length, 0);
  const tooLarge = headerBytes > MAX_HELLO_HEADER_BYTES || frame.body.length > MAX_HELLO_BODY_BYTES;
  if (frame.type !== T.hello || tooLarge) {
    channel.cut();
    return false;
  }
  const answer = {
    [H.replyFor]: frame.sequence,
    [H.success]: true,
    [H.channelId]: newId(4),
    [H.routerId]: router.id,
    [H.version]: `${router.version.text}|local|2020-01-01 01:01:01|linux|amd64`,
    [H.supportsBindSuccess]: true,
    ...(router.version.major >= 2 ? { [H.supportsPostureChecks]: true } : {}),
  };
  channel.send(T.result, answer, '', { sequence: -1 });
  const token = frame.headers.get(H.token)?.toString() ?? '';
  const login = loginOf(router.state, token);
  if ('refused' in login) {
    // A real router asks around for this long whether somebody knows the token.
    const timer = setTimeout(() => channel.cut(), router.state.timing.badTokenMs);
    channel.onClose(() => clearTimeout(timer));
    return true;
  }
  const { session } = login;
  const { fingerprint } = channel;
  const own = fingerprint !== undefined && session.identity.fingerprints.has(fingerprint);
  if (!own) {
    channel.cutAfterWrites();
    return true;
  }
  touch(router.state, session);
  channel.apiSession = session;
  channel.accessToken = token;
  router.state.changed();
  return true;
}

/** Answers nothing to a channel with a legacy login, nor to what is no JWT. */
export function processUpdateToken(router: Router, channel: RouterChannel, frame: Frame): void {
  const token = frame.body.toString();
  const current = channel.apiSession;
  if (current?.kind !== 'oidc' || !token.startsWith(JWT_PREFIX)) return;
  const claims = readJwt(token, router.state.jwtKeys);
  const login = loginOf(router.state, token);
  const asked = claims?.z_asid;
  let failure = '';
  if (asked !== undefined && asked !== current.id) {
    const ids = `current: ${current.id}, new: ${asked}`;
    failure = `failed to update a JWT based api session: bearer token api session ids did not match, ${ids}`;
  } else if ('refused' in login) failure = 'JWT bearer token failed to validate: token has invalid claims';
  const headers = { [H.replyFor]: frame.sequence };
  if (failure !== '') channel.send(T.updateTokenFailure, headers, failure);
  else {
    channel.accessToken = token;
    channel.send(T.updateTokenSuccess, headers);
  }
}
