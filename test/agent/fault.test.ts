import 'reflect-metadata'
import { FaultError, faultOf, makeFault } from '../../src/agent/fault.js'
import { failed, superseded } from '../../src/agent/outcomes.js'
import { Fault } from '../../src/wire/session.js'
import { parseWire } from '../../src/wire/validate.js'

const FACE = '\u{1f600}'
/** One too many, and a pair across the limit. */
const LONG = `x${FACE.repeat(2500)}`
/** As a tool may say it when it is given something binary. */
const ODD = 'bad magic \0\ud83d in superblock'

const faults: readonly (readonly [made: string, make: (message: string) => Fault | undefined])[] = [
  ['of a typed failure', (message) => faultOf(new FaultError('mount', message, 477))],
  ['of what broke', (message) => faultOf(new TypeError(message))],
  ['of what is no error', (message) => faultOf(message)],
  ['by hand', (message) => makeFault('connect', message)],
  ['of a command that failed', (message) => failed('bad-payload', message).fault],
  ['of a command that was superseded', (message) => superseded(message).fault],
]

describe.each(faults)('a fault made %s', (_made, make) => {
  it('fits the wire, and ends in no half of a character', () => {
    const fault = make(LONG)
    expect(parseWire(Fault, fault)).toEqual(fault)
    expect(fault?.message).toBe(`x${FACE.repeat(1999)}`)
  })

  it('holds nothing that cannot be stored', () => {
    expect(make(ODD)?.message).toBe('bad magic \ufffd\ufffd in superblock')
  })
})
