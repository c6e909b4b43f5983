const colours = process.stdout.isTTY && !process.env.NO_COLOR
const paint = (code) => (text) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)
const bold = paint(1)
const dim = paint(2)
const green = paint(32)
const red = paint(31)

const startedMs = performance.now()
let chapters = 0

const write = (line) => process.stdout.write(`${line}\n`)
const seconds = () => `${((performance.now() - startedMs) / 1_000).toFixed(1)} s`.padStart(7)

/** What a reader is told while things happen: chapters, what is done in them, and what is seen. */
export const tell = {
  title: (text) => write(bold(text)),
  chapter: (text) => write(`\n${bold(`${++chapters}. ${text}`)}`),
  done: (text) => write(`${dim(seconds())}  ${green('ok')}  ${text}`),
  doing: (text) => write(`${dim(seconds())}  ..  ${text}`),
  /** Real output of something, as it is. */
  seen: (text) => {
    for (const line of String(text).split('\n')) write(`${' '.repeat(13)}${dim(line)}`)
  },
  plain: (text = '') => write(text),
  failed: (text) => write(`${dim(seconds())}  ${red('no')}  ${red(text)}`),
}
