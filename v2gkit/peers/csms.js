// A foreign CSMS: the strict server of an npm package, driven through one session.
//
//     node csms.js FOLDER PACKAGE VERSION        FOLDER holds node_modules, PACKAGE is ocpp-ws-io or ocpp-rpc, VERSION ocpp2.1 or ocpp2.0.1
//
// Prints one JSON object per line: the port, each call that it heard, each answer that it got, and each failure of its strict validation.
'use strict';

const [folder, name, version] = process.argv.slice(2);
const theirs = require('node:module').createRequire(`${folder}/`)(name);
const say = (said) => process.stdout.write(`${JSON.stringify(said)}\n`);
const strict = { protocols: [version], strictMode: true };
const dynamic = version === 'ocpp2.1';
const RPC = name === 'ocpp-rpc';
const server = RPC ? new theirs.RPCServer(strict) : new theirs.OCPPServer(strict);

const POWER = -8000; // W
const state = { transaction: '', steered: false, stopping: false };

const ANSWERS = {
  BootNotification: () => ({ status: 'Accepted', interval: 60, currentTime: new Date().toISOString() }),
  Heartbeat: () => ({ currentTime: new Date().toISOString() }),
  Authorize: () => ({ idTokenInfo: { status: 'Accepted' }, ...(dynamic ? { allowedEnergyTransfer: ['DC', 'DC_BPT'] } : {}) }),
  NotifyEVChargingNeeds: () => ({ status: 'Accepted' }),
  NotifyEVChargingSchedule: () => ({ status: 'Accepted' }),
  TransactionEvent: () => ({}),
  NotifyReport: () => ({}),
  StatusNotification: () => ({}),
  NotifyEvent: () => ({}),
  SecurityEventNotification: () => ({}),
};

/** Calls the station, and says what it answered. */
async function ask(client, action, payload) {
  try {
    const answer = await (RPC ? client.call(action, payload) : client.call(version, action, payload));
    say({ answered: action, payload: answer });
  } catch (error) {
    say({ failed: action, error: String(error), details: error.details });
  }
}

/** What this CSMS does once it has answered a call: the story of the session. */
async function then(client, action, payload) {
  if (action === 'BootNotification') {
    await ask(client, 'GetBaseReport', { requestId: 1, reportBase: 'FullInventory' });
    const variable = { component: { name: 'SampledDataCtrlr' }, variable: { name: 'TxUpdatedInterval' }, attributeValue: '1' };
    await ask(client, 'SetVariables', { setVariableData: [variable] });
  } else if (action === 'NotifyEVChargingNeeds' && !state.steered) {
    state.steered = true;
    await ask(client, 'SetChargingProfile', { evseId: 1, chargingProfile: profile() });
  } else if (action === 'TransactionEvent') {
    state.transaction = payload.transactionInfo.transactionId;
    if (follows(payload) && !state.stopping) {
      state.stopping = true;
      await ask(client, 'GetCompositeSchedule', { evseId: 1, duration: 60 });
      await ask(client, 'RequestStopTransaction', { transactionId: state.transaction });
    }
  }
}

/** In 2.1 a discharge, in 2.0.1, which has no word for it, a limit. */
function profile() {
  const period = dynamic ? { operationMode: 'CentralSetpoint', setpoint: POWER } : { limit: -POWER };
  return {
    id: 1,
    stackLevel: 0,
    chargingProfilePurpose: 'TxProfile',
    chargingProfileKind: 'Relative',
    transactionId: state.transaction,
    chargingSchedule: [{ id: 1, chargingRateUnit: 'W', chargingSchedulePeriod: [{ startPeriod: 0, ...period }] }],
  };
}

/** Whether the meter shows what the profile asks for. */
function follows(event) {
  const sampled = (event.meterValue ?? []).flatMap((one) => one.sampledValue);
  const wanted = dynamic ? 'Power.Active.Export' : 'Power.Active.Import';
  return sampled.some((one) => one.measurand === wanted && Math.abs(one.value + POWER) < 0.02 * Math.abs(POWER));
}

server.on('client', (client) => {
  client.on('strictValidationFailure', (failure) => {
    const error = failure.error ?? failure;
    say({ failure: String(error), details: error.details, message: failure.message ?? null });
  });
  for (const action of Object.keys(ANSWERS)) {
    const handler = ({ params }) => {
      say({ heard: action, payload: params });
      setImmediate(() => then(client, action, params));
      return ANSWERS[action]();
    };
    if (RPC) client.handle(action, handler);
    else client.handle(version, action, handler);
  }
  client.on('disconnect', () => say({ left: client.identity }));
});

(async () => {
  if (RPC) server.auth((accept) => accept());
  else server.auth((context) => context.accept());
  const listening = await server.listen(0, '127.0.0.1');
  say({ port: listening.address().port });
})();
