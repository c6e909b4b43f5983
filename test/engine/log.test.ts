import { currentContext, runWith } from '../../src/log/context.js'
import { createLogger } from '../../src/log/logger.js'
import { NestLogger } from '../../src/log/nest-logger.js'
import { nodeScript } from '../support/process.js'

describe('the log', () => {
  const written = (say: (logger: ReturnType<typeof createLogger>) => void) => {
    const lines: string[] = []
    const output = { write: (line: string) => lines.push(line) }
    say(createLogger('test', { logLevel: 'info', logFormat: 'json' }, output))
    return lines.map((line) => JSON.parse(line))
  }

  it('is one JSON object a line, with time, level, program and words', () => {
    const [line, ...rest] = written((logger) => {
      logger.info({ port: 7 }, 'listening')
      logger.debug('not this')
    })
    expect(line).toMatchObject({ level: 'info', name: 'test', port: 7, msg: 'listening' })
    expect(new Date(line.time).toISOString()).toBe(line.time)
    expect(rest).toEqual([])
  })

  it.each([
    ['at the top', { joinToken: 'x9y9', token: 'x9y9', password: 'x9y9' }],
    ['in headers', { headers: { authorization: 'x9y9', Authorization: 'x9y9', cookie: 'x9y9' } }],
    ['in a request', { request: { headers: { authorization: 'x9y9' } } }],
    ['in a command', { command: { payload: { secret: 'x9y9' } } }],
  ])('never shows a secret: %s', (_, fields) => {
    const [line] = written((logger) => logger.info(fields, 'with secrets'))
    expect(JSON.stringify(line)).not.toContain('x9y9')
    expect(JSON.stringify(line)).toContain('(redacted)')
  })

  const [id, secret] = ['0123456789abcdef'.repeat(2), 'x9y9'.repeat(10).padEnd(43, 'z')]
  it.each([
    ['an API token in words', `GET /?token=kst_${id}_${secret} was refused`],
    ['a join token', `kjt_${id}_${secret}.x9y9`],
    ['a sealed text', `cannot open sealed:1:0123456789abcdef:${secret}`],
    ['a header in words', `Authorization: Bearer ${secret}`],
    ['a password in an address', 'connect to postgres://kim:x9y9@db:5432/k failed'],
    ['a password in a query', 'postgres://db/k?user=kim&password=x9y9&ssl=1'],
    ['an object that is quoted', `the body was ${JSON.stringify({ name: 'kim', newPassword: 'x9y9' })}`],
  ])('never shows a secret: %s, in a message, a field or an error', (_, text) => {
    const lines = written((logger) => {
      logger.info(text)
      logger.info({ deep: { in: { some: [{ field: text }] } } }, 'said')
      logger.error({ err: new Error(text, { cause: new Error(text) }) }, text)
    })
    expect(lines).toHaveLength(3)
    expect(JSON.stringify(lines)).not.toContain('x9y9')
    expect(JSON.stringify(lines)).toContain('(redacted)')
  })

  it('never shows a secret by its name, however deep, as text or as anything else', () => {
    const [line] = written((logger) =>
      logger.info(
        { a: { b: { c: [{ clientSecret: 'x9y9', 'set-cookie': 'a "x9y9"' }] } }, headers: { 'set-cookie': ['x9y9'] } },
        'with secrets',
      ),
    )
    expect(JSON.stringify(line)).not.toContain('x9y9')
  })

  it('leaves alone what only looks a little like a secret', () => {
    const said = {
      tokenId: id,
      path: '/api/v1/session/password',
      address: 'http://[::1]:8080/a@b',
      msg: 'a bearer of news',
    }
    expect(written((logger) => logger.info(said, said.msg))[0]).toMatchObject(said)
  })

  it('names the request and the command that each line was written for, however deep and late', async () => {
    const lines: unknown[] = []
    const logger = createLogger(
      'test',
      { logLevel: 'info', logFormat: 'json' },
      { write: (text) => lines.push(JSON.parse(text)) },
    )
    await Promise.all(
      ['a', 'b'].map((requestId) =>
        runWith({ requestId }, async () => {
          await Promise.resolve()
          logger.child({ area: 'x' }).info('asked')
          await runWith({ commandId: `of-${requestId}` }, async () => logger.info('queued'))
        }),
      ),
    )
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ requestId: 'a', area: 'x', msg: 'asked' }),
        expect.objectContaining({ requestId: 'b', commandId: 'of-b', msg: 'queued' }),
      ]),
    )
    expect(currentContext()).toEqual({})
  })

  it("carries Nest's words, with the class that spoke and the error", () => {
    const lines = written((logger) => {
      const nest = new NestLogger(logger)
      nest.warn('slow', 'Router')
      nest.error(new Error('broken'), 'Router')
      nest.log('chatter', 'Router')
    })
    expect(lines).toEqual([
      expect.objectContaining({ level: 'warn', context: 'Router', msg: 'slow' }),
      expect.objectContaining({ level: 'error', context: 'Router', msg: 'broken', err: expect.anything() }),
    ])
  })

  it.each(['json', 'pretty'])('goes on working when nobody reads it any more: %s', async (logFormat) => {
    const program = nodeScript(`
      import { createLogger } from './dist/src/log/logger.js'
      const logger = createLogger('test', { logLevel: 'info', logFormat: '${logFormat}' })
      logger.info('first')
      process.stdin.resume()
      setInterval(() => logger.info('more'), 5)
      setTimeout(() => process.exit(7), 300)
    `)
    await program.line(/first/)
    program.closeStdout()
    expect(await program.ended).toMatchObject({ code: 7 })
  })
})
