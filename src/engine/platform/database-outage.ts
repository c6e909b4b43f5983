import { types } from 'node:util'
import { sqlState } from './database.js'

/** What Node says of a socket to a server that is not there. */
const systemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
])

const sqlStates = new Set([
  '40001', // serialization_failure, after every attempt
  '40P01', // deadlock_detected, likewise
  '53300', // too_many_connections
  '55P03', // lock_not_available
  '57014', // query_canceled: the statement timeout
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '25006', // read_only_sql_transaction: a standby, until the address follows the primary
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
])

/** How messages begin for which pg and TypeORM have no codes. */
const messages = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'Client has encountered a connection error',
  'Cannot use a pool after calling end',
  'Query read timeout',
  'Driver not Connected',
  // the connection broke within a transaction
  'Database connection provided by a query runner was already released',
] as const

/** Whether the database is away, or so busy that the same request may soon succeed. */
export function isDatabaseOutage(error: unknown): boolean {
  // not instanceof: Node's own errors are of another realm where code runs in a VM context
  if (!types.isNativeError(error)) return false
  const state = sqlState(error)
  if (state && (sqlStates.has(state) || systemCodes.has(state) || state.startsWith('08'))) return true
  return messages.some((start) => error.message.startsWith(start)) || isDatabaseOutage(error.cause)
}
