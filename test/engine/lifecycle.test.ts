import { eventually } from '../support/eventually.js'
import { nodeScript, type TestProcess } from '../support/process.js'

describe('a program that runs until it is stopped', () => {
  const program = (body: string, stopLimitMs = 60_000): TestProcess =>
    nodeScript(`
      import { runUntilStopped } from './dist/src/cli/lifecycle.js'
      import { createLogger } from './dist/src/log/logger.js'
      const logger = createLogger('test', { logLevel: 'info', logFormat: 'json' })
      const never = new Promise(() => setInterval(() => {}, 1000))
      await runUntilStopped({ logger, stopLimitMs: ${stopLimitMs}, start: async () => { ${body} } })
    `)

  it('stops once, in order, and ends with 0', async () => {
    const running = program(`
      setInterval(() => {}, 1000)
      logger.info('up')
      return { stop: async () => { logger.info('drained') } }`)
    await running.line(/"up"/)
    running.signal('SIGTERM')
    expect(await running.ended).toEqual({ code: 0, signal: null })
    expect(running.stdout).toMatch(/"stopping".*"drained".*"stopped"/s)
  })

  it('stops when the signal came before it was up', async () => {
    const running = program(`
      logger.info('starting')
      await new Promise((resolve) => process.once('SIGTERM', () => setTimeout(resolve, 50)))
      return { stop: async () => { logger.info('drained') } }`)
    await running.line(/"starting"/)
    running.signal('SIGTERM')
    expect(await running.ended).toEqual({ code: 0, signal: null })
    expect(running.stdout).toMatch(/"drained"/)
  })

  it('takes the same signal from a terminal and from a runner between for one, and ends at once with 70 on a second', async () => {
    const running = program(`logger.info('up'); return { stop: () => never }`)
    await running.line(/"up"/)
    const startedMs = performance.now()
    running.signal('SIGINT')
    await running.line(/"stopping"/)
    await eventually(() => {
      running.signal('SIGINT')
      expect(running.stdout).toMatch(/a second signal/)
    })
    expect(await running.ended).toEqual({ code: 70, signal: null })
    expect(performance.now() - startedMs).toBeGreaterThan(500)
  })

  it('ends with 70 when it has not stopped in time', async () => {
    const running = program(`logger.info('up'); return { stop: () => never }`, 100)
    await running.line(/"up"/)
    running.signal('SIGTERM')
    expect(await running.ended).toEqual({ code: 70, signal: null })
    expect(running.stdout).toMatch(/did not stop in time/)
  })

  it.each([
    ['an exception that nobody caught', `setTimeout(() => { throw new Error('of nobody') }, 10)`],
    ['a rejection that nobody handled', `Promise.reject(new Error('of nobody'))`],
  ])('logs %s as fatal and ends with 70', async (_, fault) => {
    const running = program(`${fault}; return { stop: async () => {} }`)
    expect(await running.ended).toEqual({ code: 70, signal: null })
    expect(running.stdout).toMatch(/"level":"fatal".*of nobody/)
  })
})
