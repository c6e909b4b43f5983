import { getMetadataStorage } from 'class-validator'

type Storage = ReturnType<typeof getMetadataStorage>
type Rules = ReturnType<Storage['getTargetValidationMetadatas']>
// class-validator's own word for a class
// biome-ignore lint/complexity/noBannedTypes: as above
type Target = Function

interface Kept {
  /** The class of the object that it is a part of. */
  readonly within: unknown
  readonly always: boolean
  readonly strictGroups: boolean
  readonly rules: Rules
}

/**
 * class-validator gathers the rules of a class anew for every object that it looks at, out of those of all classes there are.
 * They are kept here until another rule is declared.
 */
export function keepRules(storage: Storage = getMetadataStorage()): void {
  let kept = new Map<Target, Kept[]>()
  const gather = storage.getTargetValidationMetadatas.bind(storage)
  const add = storage.addValidationMetadata.bind(storage)
  storage.addValidationMetadata = (metadata) => {
    kept = new Map()
    add(metadata)
  }
  storage.getTargetValidationMetadatas = (target, within, always, strictGroups, groups) => {
    if (groups && groups.length > 0) return gather(target, within, always, strictGroups, groups)
    const ofTarget = kept.get(target) ?? []
    const known = ofTarget.find(
      (one) => one.within === within && one.always === always && one.strictGroups === strictGroups,
    )
    if (known) return known.rules
    const rules = gather(target, within, always, strictGroups, groups)
    kept.set(target, [...ofTarget, { within, always, strictGroups, rules }])
    return rules
  }
}

keepRules()
