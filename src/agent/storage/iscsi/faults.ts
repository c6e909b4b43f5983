import { FaultError } from '../../fault.js'
import { notPermitted } from '../faults.js'

export const loginFailed = (message: string) => new FaultError('iscsi-login', message, 464)
export const setupFailed = (message: string) => new FaultError('iscsi-setup', message, 465)
export const interfaceFailed = (message: string) => new FaultError('iscsi-interface', message, 473)
export const logoutFailed = (message: string) => new FaultError('iscsi-logout', message, 474)
export const discoveryFailed = (message: string) => new FaultError('iscsi-discovery', message, 475)
export const authenticationFailed = (message: string) => new FaultError('authentication', message, 476)
export const iscsidSilent = (message: string) => new FaultError('iscsid', `iscsid does not answer: ${message}`, 465)
/** What of a session does not work, though it may be there. */
export const sessionFailed = (message: string) => new FaultError('iscsi-session', message, 451)
export const unitMissing = (message: string) => new FaultError('iscsi-lun', message, 451)

export type IscsiStep = 'setup' | 'interface' | 'login' | 'logout'

type FaultOf = (words: string) => FaultError

const byStep: Readonly<Record<IscsiStep, FaultOf>> = {
  setup: setupFailed,
  interface: interfaceFailed,
  login: loginFailed,
  logout: logoutFailed,
}

const TIMED_OUT = 8
/** iscsiadm(8), EXIT STATUS. What is not here is a failure of the step that was made. */
const byExitCode: Readonly<Partial<Record<number, FaultOf>>> = {
  3: setupFailed,
  4: loginFailed,
  5: loginFailed,
  6: setupFailed,
  7: setupFailed,
  10: logoutFailed,
  12: (words) => setupFailed(`the kernel has no iSCSI over TCP (iscsi_tcp): ${words}`),
  13: notPermitted,
  14: setupFailed,
  17: discoveryFailed,
  18: iscsidSilent,
  19: loginFailed,
  20: iscsidSilent,
  22: setupFailed,
  24: authenticationFailed,
  25: discoveryFailed,
  26: discoveryFailed,
}

/** What is wrong with the set-up is, while the interface is made, wrong with that. */
export function faultOfExit(step: IscsiStep, code: number, words: string): FaultError {
  if (code === TIMED_OUT) return timedOut(step, words)
  const meant = byExitCode[code] ?? byStep[step]
  return step === 'interface' && meant === setupFailed ? interfaceFailed(words) : meant(words)
}

/** The number is the step's: one that was to end a session has not failed to begin it. */
export const timedOut = (step: IscsiStep, message: string): FaultError =>
  new FaultError('timeout', message, byStep[step](message).number)
