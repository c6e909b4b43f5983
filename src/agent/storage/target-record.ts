import type { StorageOptions } from '../../wire/storage/arguments.js'
import type { StoredTarget } from './state.js'
import type { TargetOptions } from './target-options.js'

/** What the disk says of a target in this boot. */
export class TargetRecord {
  constructor(
    private readonly key: string,
    private readonly options: Pick<TargetOptions<unknown>, 'state' | 'bootId' | 'uri'>,
  ) {}

  read(): StoredTarget | null {
    const { state, bootId } = this.options
    const stored = state.targets.get(this.key)
    return stored?.bootId === bootId ? stored : null
  }

  write(ownership: StoredTarget['ownership'], options: StorageOptions): Promise<void> {
    const { state, bootId, uri } = this.options
    state.targets.set(this.key, { bootId, ownership, uri: uri.target, options })
    return state.save()
  }

  /** A disk that refuses has it still, and is told again. */
  async remove(): Promise<void> {
    const { state } = this.options
    const stored = state.targets.get(this.key)
    if (stored === undefined) return
    state.targets.delete(this.key)
    try {
      await state.save()
    } catch (error) {
      state.targets.set(this.key, stored)
      throw error
    }
  }
}
