// The vendor's own client against a server: what it was told, as one line of JSON.
// Usage: node client.cjs '{"modules", "base", "apiKey", "token", "agent", "queue"}'
'use strict';
const path = require('path');
const asked = JSON.parse(process.argv[2]);
const Statistics = require(path.join(asked.modules, 'genesys-statistics-client-js'));
const logger = require(path.join(asked.modules, 'winston'));

logger.remove(logger.transports.Console);
const SUBSCRIPTION = '11111111-2222-3333-4444-555555555555';
const patience = setTimeout(() => { console.error('no update came'); process.exit(1); }, 20000);

async function main() {
  const client = new Statistics(asked.apiKey, asked.base);
  const update = new Promise((resolve) => client.on(client.UPDATES_EVENT, resolve));
  await client.initialize(asked.token);
  const created = await client.createSubscription(SUBSCRIPTION, [
    { statisticId: 'state', objectId: asked.agent, objectType: 'Agent', name: 'CurrentAgentState' },
    {
      statisticId: 'waiting', objectId: asked.queue, objectType: 'Queue',
      definition: {
        notificationMode: 'Immediate', insensitivity: 0,
        category: 'CurrentNumber', subject: 'DNAction', mainMask: 'CallWait',
      },
    },
    { statisticId: 'unknown', objectId: asked.agent, objectType: 'Agent', name: 'NoSuchStatistic' },
  ]);
  const updated = await update;
  const peeked = await client.peekSubscriptionStats(SUBSCRIPTION, ['state', 'waiting']);
  const read = await client.getStatValue('Total_Answered', asked.queue, 'Queue');
  const several = await client.getStatValues([
    { name: 'InboundCalls', objectId: asked.agent, objectType: 'Agent' },
  ]);
  const deleted = await client.deleteSubscription(SUBSCRIPTION);
  client.destroy();
  clearTimeout(patience);
  process.stdout.write(JSON.stringify({ created, updated, peeked, read, several, deleted }) + '\n',
    () => process.exit(0));
}

main().catch((error) => { console.error(error); process.exit(1); });
