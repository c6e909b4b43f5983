import { type Caller, mayInPlane } from '../../platform/caller.js'
import { Forbidden } from '../../platform/errors.js'
import { isLocalCaller } from './credentials.js'

/** Octavia's administrators: those of the plane, and whoever the setting lets in without credentials. */
export const isKeeper = (caller: Caller): boolean => mayInPlane(caller, 'admin') || isLocalCaller(caller)

/** @throws Forbidden */
export function requireKeeper(caller: Caller): void {
  if (!isKeeper(caller)) throw notAllowed()
}

export const notAllowed = (): Forbidden => new Forbidden('Policy does not allow this request to be performed.')
