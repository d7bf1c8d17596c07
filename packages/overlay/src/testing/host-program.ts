// A program that hosts a share and echoes what it is sent, for tests that kill or freeze a host. Arguments: the overlay's
// kind, then the share (none: an ephemeral one). Says its token on stdout, and ends with its stdin.

import { openOverlay } from '../open-overlay.ts';
import type { OverlayKind } from '../overlay.ts';

const [kind, share] = process.argv.slice(2);
const { overlay } = await openOverlay({ env: process.env, kind: kind as OverlayKind });
const options = { onConnection: (connection: NodeJS.ReadWriteStream) => void connection.pipe(connection) };
const listener = share === undefined ? await overlay.listenEphemeral(options) : await overlay.listen(share, options);
process.stdout.write(`${listener.share}\n`);
process.stdin.resume().once('end', () => void overlay.close());
