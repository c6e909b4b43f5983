import { XmlRpcFault } from '../../src/agent/xmlrpc/fault.js'
import { readCall } from '../../src/agent/xmlrpc/read-call.js'
import type { XmlRpcValue } from '../../src/agent/xmlrpc/value.js'
import { writeFault, writeReply } from '../../src/agent/xmlrpc/write-reply.js'

const call = (values: string): string =>
  `<?xml version="1.0"?><methodCall><methodName>m</methodName><params>${values}</params></methodCall>`
const read = (text: string) => readCall(Buffer.from(text))
const readValue = (value: string): XmlRpcValue | undefined =>
  read(call(`<param><value>${value}</value></param>`)).params[0]

function faultOf(work: () => unknown): XmlRpcFault {
  try {
    work()
  } catch (error) {
    if (error instanceof XmlRpcFault) return error
    throw error
  }
  throw new Error('it was taken')
}

const values: readonly (readonly [xml: string, value: XmlRpcValue])[] = [
  ['<int>-7</int>', -7],
  ['<i4>+2147483647</i4>', 2_147_483_647],
  ['<i8>9007199254740991</i8>', 9_007_199_254_740_991],
  ['<i8>-9223372036854775808</i8>', -9_223_372_036_854_775_808n],
  ['<boolean>1</boolean>', true],
  ['<boolean>0</boolean>', false],
  ['<string> a &lt;b&gt; &amp;&#xe9; </string>', ' a <b> &é '],
  ['<string><![CDATA[<x>&]]>!</string>', '<x>&!'],
  ['<string></string>', ''],
  ['untyped', 'untyped'],
  ['', ''],
  ['<double>-12.5e-1</double>', -1.25],
  ['<dateTime.iso8601>19980717T14:08:55</dateTime.iso8601>', new Date('1998-07-17T14:08:55Z')],
  ['<dateTime.iso8601>1998-07-17T14:08:55+02:00</dateTime.iso8601>', new Date('1998-07-17T12:08:55Z')],
  ['<base64>AAEC\n/w==</base64>', Buffer.from([0, 1, 2, 255])],
  ['<nil/>', null],
  ['<array><data/></array>', []],
  ['<array><data><value><int>1</int></value><value>two</value></data></array>', [1, 'two']],
  ['<struct/>', {}],
  ['<struct><member><name>a</name><value><int>1</int></value></member></struct>', { a: 1 }],
]

const refused: readonly (readonly [what: string, value: string])[] = [
  ['an int beyond 32 bits', '<int>2147483648</int>'],
  ['an i8 beyond 64 bits', '<i8>9223372036854775808</i8>'],
  ['an int that is none', '<int>0x10</int>'],
  ['a boolean of words', '<boolean>true</boolean>'],
  ['a double that is not finite', '<double>NaN</double>'],
  ['a double beyond all bounds', '<double>1e999</double>'],
  ['the 30th of February', '<dateTime.iso8601>20260230T00:00:00</dateTime.iso8601>'],
  ['base64 that is none', '<base64>A</base64>'],
  ['an unknown type', '<date>1</date>'],
  ['a type called like a property of every object', '<constructor/>'],
  ['two types in one value', '<int>1</int><int>2</int>'],
  ['text beside a type', 'x<int>1</int>'],
  ['a struct that names a member twice', `<struct>${'<member><name>a</name><value/></member>'.repeat(2)}</struct>`],
  ['a member without a value', '<struct><member><name>a</name></member></struct>'],
  ['an array without data', '<array><value/></array>'],
]

describe('a call', () => {
  it.each(values)('reads %s', (xml, value) => {
    expect(readValue(xml)).toEqual(value)
  })

  it.each(refused)('refuses %s', (_, value) => {
    expect(faultOf(() => readValue(value)).code).toBe(-32600)
  })

  it('names its method, and may do without parameters', () => {
    expect(read('<methodCall><methodName> a.b/c </methodName></methodCall>')).toEqual({ method: 'a.b/c', params: [] })
    expect(faultOf(() => read('<methodCall><methodName>a b</methodName></methodCall>')).code).toBe(-32600)
    expect(faultOf(() => read('<methodResponse/>')).code).toBe(-32600)
  })

  it('may name members as objects name what they inherit', () => {
    const value = readValue('<struct><member><name>__proto__</name><value>x</value></member></struct>') as object
    expect(Object.keys(value)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  it('is UTF-8, and says so if it says anything', () => {
    expect(faultOf(() => readCall(Buffer.from([0x3c, 0xff, 0x3e]))).code).toBe(-32702)
    const latin = '<?xml version="1.0" encoding="ISO-8859-1"?><methodCall/>'
    expect(faultOf(() => read(latin)).code).toBe(-32701)
    expect(read(`\ufeff<?xml version='1.0' encoding='utf-8'?>${call('').slice(21)}`).method).toBe('m')
  })

  it.each([
    '',
    '<',
    '<a>',
    '<a></b>',
    '<a/><b/>',
    '<a b=c/>',
    'text',
    '<a/><![CDATA[x]]>',
    '<a>\u0001</a>',
    '<a>&#0;</a>',
    '<a>&nosuch;</a>',
    '<a>&nbsp;</a>',
  ])('is well-formed, as %j is not', (text) => {
    expect(faultOf(() => read(text)).code).toBe(-32700)
  })
})

describe('an attack', () => {
  const laughs = [
    '<!DOCTYPE lolz [<!ENTITY lol "lol">',
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `<!ENTITY lol${n} "${`&lol${n === 1 ? '' : n - 1};`.repeat(10)}">`),
    ']>',
  ].join('')

  it('by entities that hold entities is refused before one is looked at', () => {
    const startedMs = performance.now()
    const fault = faultOf(() => read(`<?xml version="1.0"?>${laughs}${call('<param>&lol9;</param>').slice(21)}`))
    expect(fault.message).toContain('a DTD is not taken')
    expect(performance.now() - startedMs).toBeLessThan(5_000)
  })

  it.each([
    '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    '<!DOCTYPE a PUBLIC "a" "http://127.0.0.1/"><a/>',
    '<?xml-stylesheet href="x"?><a/>',
  ])('by what leads elsewhere is refused: %s', (text) => {
    expect(faultOf(() => read(text)).message).toContain('is refused')
  })

  it('by depth is refused while it is read', () => {
    const deep = (levels: number) =>
      `${'<array><data><value>'.repeat(levels)}${'</value></data></array>'.repeat(levels)}`
    expect(readValue(deep(40))).toEqual(expect.any(Array))
    expect(faultOf(() => readValue(deep(5000))).message).toContain('nested deeper')
  })

  it('by number is refused while it is read', () => {
    const many = `<array><data>${'<value/>'.repeat(20_001)}</data></array>`
    expect(faultOf(() => readValue(many)).message).toContain('elements')
  })

  it('by one long text takes no longer than the text is', () => {
    const startedMs = performance.now()
    expect(readValue(`<string>${'a&amp;'.repeat(40_000)}</string>`)).toHaveLength(80_000)
    expect(performance.now() - startedMs).toBeLessThan(10_000)
  })
})

describe('a reply', () => {
  const written = (value: XmlRpcValue) => /<param><value>(.*)<\/value><\/param>/s.exec(writeReply(value))?.[1]

  it.each(values)('says what was read from %s so that it is read alike', (_, value) => {
    expect(readValue(written(value)!)).toEqual(value)
  })

  it('says what fits 32 bits as an int, and what does not as an i8', () => {
    expect([written(2 ** 31 - 1), written(2 ** 31), written(0.5)]).toEqual([
      '<int>2147483647</int>',
      '<i8>2147483648</i8>',
      '<double>0.5</double>',
    ])
  })

  it('escapes what is markup, keeps line ends, and replaces what XML cannot hold', () => {
    expect(readValue(written('<&>\r\n"]]>')!)).toBe('<&>\r\n"]]>')
    expect(readValue(written('a\0b\ud800c\uffffd\u001b')!)).toBe('a\ufffdb\ufffdc\ufffdd\ufffd')
  })

  it('refuses what XML-RPC has no type for', () => {
    expect(() => writeReply(Number.NaN)).toThrow(RangeError)
    expect(() => writeReply(2n ** 63n)).toThrow(RangeError)
  })

  it('of a fault holds its number and its words', () => {
    expect(writeFault(new XmlRpcFault(-32601, 'no <m>'))).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse><fault><value><struct>' +
        '<member><name>faultCode</name><value><int>-32601</int></value></member>' +
        '<member><name>faultString</name><value><string>no &lt;m&gt;</string></value></member>' +
        '</struct></value></fault></methodResponse>\n',
    )
  })
})
