import { createHandlers, type HandlerContext, type Handlers, type Keepers } from '../../../src/agent/handlers.js'
import { subjectKey } from '../../../src/wire/commands.js'

export type Acted = { readonly kind: string; readonly subject: string; readonly generation: number }

/** Handlers that note what they did and do what the test says. */
export class ScriptedHandlers {
  readonly acted: Acted[] = []
  running = 0
  mostAtOnce = 0
  /** Runs inside every handler. */
  act: (context: HandlerContext) => Promise<void> = async () => undefined

  readonly table: Handlers = {
    ...createHandlers({} as Keepers),
    'storage.manage': async ({ uri }, context) => {
      await this.note('storage.manage', context)
      return { target: uri }
    },
    'storage.unmanage': async (_payload, context) => {
      await this.note('storage.unmanage', context)
      return { outcome: 'released' }
    },
    'storage.reset': async (_payload, context) => {
      await this.note('storage.reset', context)
      return { target: subjectKey(context.subject) }
    },
    'balancing.apply': async (_payload, context) => {
      await this.note('balancing.apply', context)
      return {}
    },
    'balancing.remove': async (_payload, context) => {
      await this.note('balancing.remove', context)
      return { outcome: 'removed' }
    },
    'balancing.check': async (_payload, context) => {
      await this.note('balancing.check', context)
      return { accepted: true, words: '', current: null, planned: null }
    },
  }

  private async note(kind: string, context: HandlerContext): Promise<void> {
    this.acted.push({ kind, subject: context.subject, generation: context.generation })
    this.running += 1
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running)
    try {
      await this.act(context)
    } finally {
      this.running -= 1
    }
  }
}
