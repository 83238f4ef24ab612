/** Servers that the scenarios can be run against: what starts them and how they are reached. */
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { until } from '../../tests/lib/scope.mjs';
import { binary, startServer } from '../../tests/lib/server.mjs';

/**
 * A running server. Addresses are `host:port`.
 * @typedef {object} Running
 * @property {string} rtmp
 * @property {string} rtc
 * @property {(address: string) => string} rtmpUrl the stream's address when RTMP is reached at `address`
 * @property {string} whip
 * @property {string} whep
 * @property {{ server: string, room: string, uid: string }} [call] where a phone with the SDK publishes the stream
 */

/**
 * @typedef {object} Kind
 * @property {string} name
 * @property {(scope: import('../../tests/lib/scope.mjs').Scope) => Promise<Running>} start
 */

const [ROOM, UID] = ['bench', 'a'];
const STREAM = `${ROOM}/${UID}`;

/** @param {string} name @param {string} program @returns {Kind} */
function queqiao(name, program) {
  return {
    name,
    async start(scope) {
      const server = await startServer(scope, { program });
      return {
        rtmp: server.rtmp,
        rtc: server.rtc,
        rtmpUrl: (address) => `rtmp://${address}/demo/${STREAM}`,
        whip: server.whipUrl(STREAM),
        whep: server.whepUrl(STREAM),
        call: { server: `http://${server.http}`, room: ROOM, uid: UID },
      };
    },
  };
}

/** A TCP port that is free now. @returns {Promise<number>} */
function freeTcp() {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** @returns {Promise<number>} */
function freeUdp() {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

/**
 * As its documents advise for calls: both bridges, no cache of pictures, nothing merged, keyframes asked for as often as it can.
 * @param {{ rtmp: number, api: number, http: number, rtc: number }} ports
 */
function srsConfig({ rtmp, api, http, rtc }) {
  return `listen ${rtmp};
max_connections 100;
daemon off;
srs_log_tank console;
srs_log_level warn;
pid ./srs.pid;
http_api { enabled on; listen ${api}; }
http_server { enabled on; listen ${http}; }
stats { network 0; }
rtc_server { enabled on; listen ${rtc}; candidate 127.0.0.1; }
vhost __defaultVhost__ {
  tcp_nodelay on;
  min_latency on;
  play { gop_cache off; queue_length 10; mw_latency 0; mw_msgs 0; }
  publish { mr off; }
  rtc { enabled on; rtmp_to_rtc on; rtc_to_rtmp on; pli_for_rtmp 0.5; nack on; twcc on; }
}
`;
}

/** @param {string} program @returns {Kind} */
function srs(program) {
  return {
    name: 'srs',
    async start(scope) {
      const ports = { rtmp: await freeTcp(), api: await freeTcp(), http: await freeTcp(), rtc: await freeUdp() };
      const directory = scope.tempDir();
      const path = join(directory, 'srs.conf');
      writeFileSync(path, srsConfig(ports));
      const child = scope.spawn(program, ['-c', path], { cwd: directory });
      child.reader(1).resume();
      const api = `http://127.0.0.1:${ports.api}`;
      await until('the API of SRS', 10_000, () => {
        if (child.exit) throw new Error(`SRS ended: ${child.tail()}`);
        return fetch(`${api}/api/v1/versions`).then(({ ok }) => ok, () => false);
      });
      const query = 'app=live&stream=bench';
      return {
        rtmp: `127.0.0.1:${ports.rtmp}`,
        rtc: `127.0.0.1:${ports.rtc}`,
        rtmpUrl: (address) => `rtmp://${address}/live/bench`,
        whip: `${api}/rtc/v1/whip/?${query}`,
        whep: `${api}/rtc/v1/whep/?${query}`,
      };
    },
  };
}

/**
 * This build, and whatever it is to be held against: `srs:PROGRAM`, or `queqiao:PROGRAM` for another build, several of them
 * separated by commas.
 * @param {string} against
 * @returns {Kind[]}
 */
export function servers(against) {
  const others = against.split(',').filter((word) => word !== '');
  return [
    queqiao('queqiao', binary()),
    ...others.map((word) => {
      const [kind, ...path] = word.split(':');
      const program = path.join(':');
      if (kind === 'srs' && program) return srs(program);
      if (kind === 'queqiao' && program) return queqiao('other', program);
      throw new Error(`${word} is neither srs:PROGRAM nor queqiao:PROGRAM`);
    }),
  ];
}
