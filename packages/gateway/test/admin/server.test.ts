// The admin socket with callers that say what no program of ours says: the gateway lives on.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { stateFolder } from '@mcp-overlay/overlay';
import { tempOverlay } from '@mcp-overlay/overlay/testing';
import { openAdmin } from '../../src/admin/server.ts';
import type { Gateway } from '../../src/gateway.ts';

test('a command that is no text is one that it does not know', async () => {
  await using temp = await tempOverlay();
  const admin = await openAdmin({ token: 'team' } as Gateway, temp.env);
  const { admin: folder } = await stateFolder(temp.env);
  for (const line of ['{"command":{"toString":1}}', '{"command":["status"]}', '[]', 'x']) {
    const socket = connect(join(folder, 'team.sock')).setEncoding('utf8');
    let text = '';
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.write(`${line}\n`);
    await once(socket, 'end');
    assert.match(text, /it does not know this command/);
  }
  await admin.close();
});
