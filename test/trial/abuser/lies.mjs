import { frame } from './peer.mjs'

/** Frames that are none, or whose messages are none. */
export const lies = [
  '999999999#x',
  '9'.repeat(400),
  '#',
  '-1#{}',
  '0#',
  '1e9#{}',
  'abc#{}',
  '5#{"a"',
  '2#{}',
  '4#null',
  '3#"x"',
  '2#[]',
  '17#{"pattern":"\u0000"}',
  'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000',
  '10#{"id":1}{}{}{}',
  frame({ pattern: { session: 'open' } }),
  frame({ pattern: { session: 'open' }, data: null, id: '1' }),
  frame({ pattern: { session: 'open' }, data: { __proto__: { name: 'x' }, name: ['x'] }, id: '1' }),
  frame({ pattern: '__proto__', data: {}, id: '1' }),
  frame({ pattern: { constructor: 'x' }, data: {}, id: '1' }),
  frame({ pattern: { session: 'heartbeat' }, data: { epoch: 'x' }, id: {} }),
  frame({ id: '1', isDisposed: true }),
  frame({ pattern: { command: 'report' }, data: { epoch: 1, reports: 'x' }, id: '1' }),
]
