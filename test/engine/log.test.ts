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
