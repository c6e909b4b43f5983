import { mkdir } from 'node:fs/promises'
import type { Server } from 'node:http'
import { basename, dirname } from 'node:path'
import { listenPrivately } from '../agent/host/private-socket.js'
import { run } from '../agent/host/run.js'
import type { Logger } from '../agent/logger.js'
import { lockStateDirectory } from '../agent/state-lock.js'
import { closeXmlRpcServer, createXmlRpcServer } from '../agent/xmlrpc/server.js'
import { AliveHosts } from './alive-hosts.js'
import type { BrokerConfig, BrokerTcp } from './config.js'
import { HostLock } from './host-lock.js'
import { brokerMethods, callsOf } from './methods.js'
import { monitorTypes } from './monitors/monitor-types.js'
import { Monitors } from './monitors/monitors.js'
import { MonitorsFile } from './monitors/monitors-file.js'
import { withSystemMethods } from './system-methods.js'
import { ProcessIo } from './whiteboard/io.js'
import { Lives } from './whiteboard/lives.js'
import { Whiteboard } from './whiteboard/whiteboard.js'

/** Below the time that callers wait: the original's agent gives up after 30 s. */
const WHITEBOARD_MS = 10_000
const LIMITS = { bodyBytes: 1024 * 1024, connections: 256 }

export interface Broker {
  stop(): Promise<void>
}

/**
 * Serves at once, whether the whiteboard is there or not: what needs it answers a fault until it is (B2).
 * @throws StateDirectoryError when another broker runs on the state directory, or it cannot be used
 */
export async function startBroker(config: BrokerConfig, logger: Logger): Promise<Broker> {
  const lock = await lockStateDirectory(config.stateDir, 'broker')
  const whiteboard = new Whiteboard(new ProcessIo({ path: config.whiteboard, deadlineMs: WHITEBOARD_MS, logger }))
  const monitors = new Monitors({
    types: monitorTypes,
    tools: {
      run,
      libvirtUri: config.libvirtUri,
      readWhiteboard: async () => {
        await whiteboard.read().catch(() => undefined)
        return whiteboard.health
      },
    },
    file: new MonitorsFile(config.stateDir, logger),
    logger,
  })
  const hostLock = new HostLock({ hostId: config.hostId, whiteboard, lives: new Lives(), logger })
  const methods = callsOf(
    withSystemMethods(brokerMethods({ monitors, whiteboard, alive: new AliveHosts(), lock: hostLock })),
  )
  const server = () => createXmlRpcServer({ methods, logger, limits: LIMITS })
  await monitors.resume()
  const closings = [await listenOnSocket(server(), config)]
  if (config.tcp) closings.push(await listenOnTcp(server(), config.tcp))
  logger.info(
    { socket: config.socket, tcp: config.tcp, whiteboard: config.whiteboard, hostId: config.hostId },
    'the broker serves',
  )
  return {
    stop: async () => {
      for (const close of closings) await close()
      hostLock.unwatch()
      monitors.close()
      whiteboard.close()
      await lock.release()
    },
  }
}

async function listenOnSocket(server: Server, config: BrokerConfig): Promise<() => Promise<void>> {
  const directory = dirname(config.socket)
  await mkdir(directory, { recursive: true, mode: 0o755 })
  const access = { mode: config.socketMode, owner: config.socketOwner }
  const socket = await listenPrivately(server, directory, basename(config.socket), access)
  return async () => {
    await closeXmlRpcServer(server)
    await socket.remove()
  }
}

async function listenOnTcp(server: Server, { host, port }: BrokerTcp): Promise<() => Promise<void>> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, resolve)
  })
  return () => closeXmlRpcServer(server)
}
