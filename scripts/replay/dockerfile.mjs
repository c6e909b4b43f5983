/**
 * A Dockerfile as stages of steps, with what it says about starting the image. Only what ours uses is understood;
 * anything else is an error, so that nothing is skipped in silence.
 */
export function parseDockerfile(text) {
  const stages = []
  for (const [instruction, rest] of instructions(text)) {
    const parse = parsers[instruction]
    if (!parse) throw new Error(`${instruction} is not known here: teach it to scripts/replay`)
    if (instruction !== 'FROM' && stages.length === 0) throw new Error(`${instruction} stands before the first FROM`)
    parse(rest, stages)
  }
  return stages
}

const parsers = {
  FROM: (rest, stages) => {
    const [, image, name] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest)
    stages.push({ image, name: name ?? String(stages.length), steps: [], stopSignal: 'SIGTERM' })
  },
  ARG: step('variables', (rest) => pairs(rest)),
  ENV: step('variables', (rest) => pairs(rest)),
  WORKDIR: step('workdir', (rest) => rest),
  COPY: step('copy', copyOf),
  RUN: step('run', commandOf),
  USER: step('user', (rest) => rest),
  CMD: (rest, stages) => {
    stages.at(-1).command = commandOf(rest)
  },
  STOPSIGNAL: (rest, stages) => {
    stages.at(-1).stopSignal = rest
  },
  HEALTHCHECK: (rest, stages) => {
    stages.at(-1).healthcheck = commandOf(rest.replace(/^(--\S+\s+)*CMD\s+/, ''))
  },
  EXPOSE: () => {},
  VOLUME: () => {},
}

function step(kind, read) {
  return (rest, stages) => stages.at(-1).steps.push({ kind, value: read(rest), text: rest })
}

/** Each instruction with its argument on one line: comments out, continued lines joined. */
function instructions(text) {
  const joined = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, ' ')
  return joined
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, instruction, rest] = /^\s*(\w+)\s+(.*)$/.exec(line)
      return [instruction.toUpperCase(), rest.trim()]
    })
}

function copyOf(rest) {
  const words = rest.split(/\s+/)
  const flags = Object.fromEntries(
    words.filter((word) => word.startsWith('--')).map((word) => word.slice(2).split('=')),
  )
  for (const flag of Object.keys(flags)) {
    if (flag !== 'from') throw new Error(`COPY --${flag} is not known here`)
  }
  const paths = words.filter((word) => !word.startsWith('--'))
  return { from: flags.from, sources: paths.slice(0, -1), target: paths.at(-1) }
}

/** Exec form as it is, shell form through the shell. */
function commandOf(rest) {
  return rest.startsWith('[') ? JSON.parse(rest) : ['/bin/sh', '-c', rest]
}

function pairs(rest) {
  return [...rest.matchAll(/(\w+)(?:=("[^"]*"|\S*))?/g)].map(([, name, value]) => [name, value?.replace(/^"|"$/g, '')])
}
