import sax from 'sax'
import { faultCodes, XmlRpcFault } from './fault.js'

export interface XmlElement {
  readonly name: string
  readonly children: XmlElement[]
  text: string
}

export interface XmlLimits {
  readonly maxDepth: number
  readonly maxElements: number
}

/** Also not as a reference. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const IMPOSSIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/

/**
 * The elements of a document that holds nothing else: no DTD and thus no entity but the five of XML, no processing
 * instruction. The limits hold while it is read, so that a small document cannot become a large tree.
 * @throws XmlRpcFault
 */
export function readXml(body: Uint8Array, limits: XmlLimits): XmlElement {
  // its types do not know the option
  const parser = sax.parser(true, { trim: false, strictEntities: true } as sax.SAXOptions)
  const open: XmlElement[] = []
  let elements = 0
  let root: XmlElement | null = null

  parser.onerror = (error) => {
    throw notWellFormed(error.message.split('\n')[0]!)
  }
  parser.ondoctype = () => refuse('a DTD is not taken')
  parser.onsgmldeclaration = () => refuse('a declaration is not taken')
  parser.onprocessinginstruction = ({ name, body: told }) => {
    if (name !== 'xml') refuse('a processing instruction is not taken')
    refuseOtherEncoding(told)
  }
  parser.onopentag = ({ name }) => {
    if (open.length === 0 && root !== null) throw notWellFormed('a second element stands beside the first')
    elements += 1
    if (elements > limits.maxElements) refuse(`more than ${limits.maxElements} elements`)
    if (open.length === limits.maxDepth) refuse(`nested deeper than ${limits.maxDepth} elements`)
    const element: XmlElement = { name, children: [], text: '' }
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  }
  parser.onclosetag = () => void open.pop()
  const take = (text: string) => {
    if (IMPOSSIBLE.test(text)) throw notWellFormed('a character that XML does not have')
    const element = open.at(-1)
    if (element !== undefined) element.text += text
    else if (text.trim() !== '') throw notWellFormed('text stands beside the element')
  }
  parser.ontext = take
  parser.oncdata = take

  parser.write(decode(body)).close()
  if (root === null) throw notWellFormed('it has no element')
  return root
}

/** As XML has it read: line ends are one newline each. */
function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body).replace(/\r\n?/g, '\n')
  } catch {
    throw new XmlRpcFault(faultCodes.invalidCharacter, 'the XML is not UTF-8')
  }
}

function refuseOtherEncoding(declaration: string): void {
  const encoding = /encoding\s*=\s*["']([^"']*)["']/.exec(declaration)?.[1]
  if (encoding === undefined || /^(utf-?8|us-ascii)$/i.test(encoding)) return
  throw new XmlRpcFault(faultCodes.unsupportedEncoding, 'the XML is in another encoding than UTF-8')
}

const notWellFormed = (why: string) => new XmlRpcFault(faultCodes.notWellFormed, `the XML is not well-formed: ${why}`)

function refuse(what: string): never {
  throw new XmlRpcFault(faultCodes.invalidRequest, `the XML is refused: ${what}`)
}
