// The host's end of all links of a share: reads the dialer's line, decides new, resumed or refused, and keeps broken links
// until somebody comes back for them or their window is over.
// Invariant: a link is resumed only by the principal that opened it and with its secret id; to anybody else an existing
// id, an expired one and an invented one look the same.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { RelayError } from '../errors.ts';
import { LIMITS, type Limits } from '../limits.ts';
import { type CloseReason, DONE } from '../transport.ts';
import { type Clock, type LinkLog, SILENT, SYSTEM_CLOCK } from './clock.ts';
import { farewell } from './first-bytes.ts';
import { readFirstLine } from './first-line.ts';
import { HostedLink, type HostLink, type LinkInfo } from './hosted-link.ts';
import { type Judgement, NOBODY_IN_PARTICULAR, type Peer } from './judgement.ts';
import type { LinkStats } from './link.ts';
import {
  encodeQuestion,
  encodeRefusal,
  encodeWelcome,
  type Hello,
  type PeerProof,
  type Refusal,
  readHello,
  readTold,
  type Welcome,
} from './preamble.ts';

export interface LinkHostOptions<P extends Peer = Peer> {
  readonly by: string;
  readonly limits?: Limits;
  /** How long a broken link is kept after its last open call. */
  readonly windowMs?: number;
  /** Links of one principal, live and broken. Default: as many as of all. */
  readonly linksPerPrincipal?: number;
  readonly log?: LinkLog;
  readonly clock?: Clock;
  /** Who this is, and whether it may come in. Asked for each connection, so that one let in once can be shut out. */
  judge(connection: Duplex, proof: PeerProof | null): Judgement<P> | Promise<Judgement<P>>;
  /** What to offer as proof on this very connection. */
  proof?(connection: Duplex): PeerProof | null | Promise<PeerProof | null>;
  /** A last word on a new link, after its principal is known. */
  refuse?(info: LinkInfo<P>): Refusal | undefined;
  /** Seconds for which outcomes of calls are kept; told to every dialer. */
  readonly once?: number | undefined;
  /** Which ledger keeps them, among those of other hosts of the share. */
  readonly ledger?: string | undefined;
  /** Before a new link is looked at: what must be known first. undefined: nothing. */
  before?(info: LinkInfo<P>): Promise<void> | undefined;
  /** Its session is here and waits for it: the link takes no room of its own, and is not asked after with `refuse`. */
  awaits?(info: LinkInfo<P>): boolean;
  /** A new link. Nothing is delivered before it is started. Returns whether its session's servers are as it left them;
   *  undefined: that is not known. */
  onLink(link: HostLink, info: LinkInfo<P>): boolean | undefined;
  /** It was taken up again by this principal: the same id with the same rights, newly judged. */
  onReturn?(link: HostLink, principal: P): void;
  /** A link broke, or was taken up again. */
  onState?(link: HostLink, phase: 'up' | 'down', reason: string | undefined): void;
}

/** Connections that have not finished their first line. Each may hold 64 KiB for 10 s. */
const MAX_HANDSHAKES = 256;
/** A full or leaving host wants to be asked again after this. */
const RETRY_MS = 1000;

const NOTHING = Buffer.alloc(0);

export class LinkHost<P extends Peer = Peer> {
  readonly #options: LinkHostOptions<P>;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #log: LinkLog;
  /** By hash of the id, so that looking one up takes no time that depends on the id. */
  readonly #links = new Map<string, HostedLink>();
  #handshakes = 0;
  #closed = false;

  constructor(options: LinkHostOptions<P>) {
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#log = options.log ?? SILENT;
  }

  /** Takes a connection that begins with `MCP-LINK/`; `head` is what was read of it. */
  accept(connection: Duplex, head: Buffer = NOTHING): void {
    connection.on('error', () => {});
    if (this.#closed) {
      this.#refuse(connection, { code: 'away', reason: 'this host is shutting down', retryMs: RETRY_MS });
    } else if (this.#handshakes >= MAX_HANDSHAKES) {
      this.#refuse(connection, { code: 'busy', reason: 'too many connections begin here at once', retryMs: RETRY_MS });
    } else {
      this.#handshakes += 1;
      void this.#handshake(connection, head).finally(() => {
        this.#handshakes -= 1;
      });
    }
  }

  /** Live and broken. */
  count(): number {
    return this.#links.size;
  }

  links(): (LinkStats & { session: string; principal: string; by: string })[] {
    return [...this.#links.values()].map((link) => ({
      session: link.session,
      principal: link.principal,
      by: link.by,
      ...link.stats(),
    }));
  }

  /** Ends all links and takes no more. 'away' lets the peers come back to a successor. */
  async close(reason: CloseReason = DONE): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#links.values()].map((link) => link.close(reason)));
  }

  async #handshake(connection: Duplex, head: Buffer): Promise<void> {
    try {
      const hello = readHello(await this.#line(connection, head));
      let judged = await this.#options.judge(connection, hello.proof);
      if ('refused' in judged) return this.#refuse(connection, judged.refused);
      const proof = (await this.#options.proof?.(connection)) ?? null;
      if (connection.destroyed) return;
      if ('asks' in judged) {
        connection.write(encodeQuestion(proof));
        judged = await this.#options.judge(connection, readTold(await this.#line(connection, NOTHING)));
        if ('asks' in judged) throw new RelayError('link_protocol', 'the dialer announces and does not tell');
        if ('refused' in judged) return this.#refuse(connection, judged.refused);
        if (connection.destroyed) return;
      }
      if (this.#find(hello, judged.principal.id) === undefined) {
        await this.#options.before?.(infoOf(hello, judged.principal));
        if (connection.destroyed) return;
      }
      const refusal = this.#welcome(connection, hello, judged, proof);
      if (refusal) this.#refuse(connection, refusal);
    } catch (error) {
      if (!(error instanceof RelayError)) this.#log.warn({ error: String(error) }, 'handshake failed');
      const known =
        error instanceof RelayError ? error : new RelayError('link_refused', 'this host cannot take the link');
      this.#refuse(connection, { code: known.code, reason: known.message });
    }
  }

  async #line(connection: Duplex, head: Buffer): Promise<Buffer> {
    const { preambleBytes, handshakeMs } = this.#limits;
    const first = { head, maxBytes: preambleBytes, timeoutMs: handshakeMs, clock: this.#clock };
    const { line, rest } = await readFirstLine(connection, first);
    // What it sent could not know which link it would belong to.
    if (rest.length > 0) throw new RelayError('link_protocol', 'the dialer did not wait for the answer');
    return line;
  }

  #welcome(
    connection: Duplex,
    hello: Hello,
    { principal, as }: { readonly principal: P; readonly as?: string },
    proof: PeerProof | null,
  ): Refusal | undefined {
    const facts = { proof, ...(as !== undefined && { as }), ...this.#keeps(principal) };
    if (this.#closed) return { code: 'away', reason: 'this host is shutting down', retryMs: RETRY_MS };
    const known = this.#find(hello, principal.id);
    if (known && !known.canResume(hello.got)) {
      const reason = {
        code: 'link_protocol',
        reason: 'the dialer claims what was never sent, or wants what it acknowledged',
      };
      known.fail(reason);
      return reason;
    }
    if (known) {
      this.#answer(connection, known, { got: known.takeGot(), fresh: false, ...facts });
      known.attach(connection, hello.got, NOTHING);
      known.resumed();
      this.#options.onReturn?.(known, principal);
      this.#log.info({ principal: principal.id, by: known.by }, 'link resumed');
      this.#options.onState?.(known, 'up', undefined);
      return undefined;
    }
    const info = infoOf(hello, principal);
    const awaited = this.#options.awaits?.(info) === true;
    const refusal = awaited ? undefined : (this.#makeRoom(principal.id) ?? this.#options.refuse?.(info));
    if (refusal) return refusal;
    const link = this.#open(info);
    let kept: boolean | undefined;
    try {
      kept = this.#options.onLink(link, info);
    } catch (error) {
      link.abandon({ code: 'link_refused', reason: 'the host could not take the link' });
      throw error;
    }
    this.#answer(connection, link, { got: 0, fresh: true, ...facts, ...(kept !== undefined && { kept }) });
    link.attach(connection, 0, NOTHING);
    const event = awaited ? 'session goes on over another link' : 'link opened';
    this.#log.info({ principal: principal.id, by: info.by }, event);
    return undefined;
  }

  /** Keys are of a principal: to another one, or in another ledger, the same key is another call. */
  #keeps({ id }: P): Pick<Welcome, 'once' | 'ledger'> {
    const { once, ledger } = this.#options;
    // Of two of whom nothing is proven nobody knows that they are one: what one asked is not told to the other.
    if (once === undefined || id === NOBODY_IN_PARTICULAR) return {};
    if (ledger === undefined) return { once };
    return { once, ledger: createHash('sha256').update(`${ledger}\n${id}`).digest('hex').slice(0, 32) };
  }

  /** The link that hello asks for, if it is this principal's. All comparisons are made, whatever the first ones say. */
  #find(hello: Hello, principal: string): HostedLink | undefined {
    if (hello.link === null) return undefined;
    const link = this.#links.get(keyOf(hello.link));
    if (!link) return undefined;
    const same = [
      sameText(link.id, hello.link),
      sameText(link.principal, principal),
      sameText(link.session, hello.session),
    ];
    return same.every((equal) => equal) ? link : undefined;
  }

  #open(info: LinkInfo<P>): HostedLink {
    const id = randomBytes(16).toString('hex');
    const link: HostedLink = new HostedLink({
      id,
      info,
      limits: this.#limits,
      windowMs: this.#options.windowMs ?? this.#limits.linkWindowMs,
      clock: this.#clock,
      log: this.#log,
      onBreak: ({ reason }) => {
        this.#log.info({ principal: info.principal.id, by: info.by, reason }, 'link broken');
        this.#options.onState?.(link, 'down', reason);
      },
      onClosed: () => this.#links.delete(keyOf(id)),
    });
    this.#links.set(keyOf(id), link);
    return link;
  }

  /** Room for one more: the longest broken goes, live ones stay. */
  #makeRoom(principal: string): Refusal | undefined {
    const all = [...this.#links.values()];
    const theirs = all.filter((link) => link.principal === principal);
    const crowded = theirs.length >= (this.#options.linksPerPrincipal ?? Infinity) ? theirs : all;
    if (crowded === all && all.length < this.#limits.sessions) return undefined;
    const [oldest] = crowded
      .filter((link) => link.brokenAt !== undefined)
      .sort((a, b) => (a.brokenAt ?? 0) - (b.brokenAt ?? 0));
    if (!oldest) return { code: 'busy', reason: 'too many sessions are open here', retryMs: RETRY_MS };
    oldest.abandon({ code: 'link_expired', reason: 'the link was broken and its room was needed' });
    return undefined;
  }

  #answer(connection: Duplex, link: HostedLink, facts: Omit<Welcome, 'link' | 'window' | 'by'>): void {
    const window = Math.floor(link.windowMs / 1000);
    connection.write(encodeWelcome({ link: link.id, window, by: this.#options.by, ...facts }));
  }

  #refuse(connection: Duplex, refusal: Refusal): void {
    this.#log.info({ code: refusal.code, reason: refusal.reason }, 'link refused');
    farewell(connection, encodeRefusal(refusal), this.#clock);
  }
}

function infoOf<P extends Peer>({ link, session, by, via, proof }: Hello, principal: P): LinkInfo<P> {
  return { principal, session, by, via, proof, returning: link !== null };
}

function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('base64');
}

function sameText(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
