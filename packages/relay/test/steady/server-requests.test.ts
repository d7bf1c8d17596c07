import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault, LIMITS, type Message, readMessage } from '../../src/index.ts';
import { ServerRequests } from '../../src/steady/server-requests.ts';

function read(text: string): Message {
  const message = readMessage(Buffer.from(text), LIMITS);
  assert.ok(!isFault(message));
  return message;
}

for (const id of ['7', '"a"', '9007199254740993', '-0']) {
  test(`after a lost server, a question ${id} that is taken back is named as the client knows it`, () => {
    const requests = new ServerRequests();
    requests.lose('it died');
    const shown = requests.shown(read(`{"jsonrpc":"2.0","id":${id},"method":"roots/list"}`)).id;
    assert.notEqual(shown, id);
    const cancel = read(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`);
    const { params } = JSON.parse(requests.notification(cancel).bytes.toString('utf8'));
    assert.equal(JSON.stringify(params.requestId), shown);
  });
}
