import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { ExitError, exitCodes } from '../config/exit.js'
import type { Logger } from '../log/logger.js'
import { isLoopback } from '../wire/loopback.js'
import type { EngineConfig } from './config.js'
import { fingerprintOf } from './identity/certificates.js'
import type { EngineCertificate } from './identity/engine-certificate.js'

/** How REST speaks TLS. */
export interface RestTls {
  readonly options: SecureContextOptions
  /** Of the certificate, where another authority than the plane's has signed it. */
  readonly fingerprint: string | null
  /** Calls back with what takes the place of `options`, until `stop`. */
  follow(apply: (options: SecureContextOptions) => void): void
  stop(): void
}

type TlsConfig = Pick<EngineConfig, 'http' | 'tls' | 'tlsCertFile' | 'tlsKeyFile'>

const LOOK_MS = 10_000
const MIN_VERSION = 'TLSv1.2'

/**
 * A given certificate is shown wherever REST listens; without one, plain HTTP is for the loopback alone, and elsewhere the
 * plane's own authority signs. Null: plain HTTP.
 * @throws ExitError
 */
export async function restTls(
  config: TlsConfig,
  certificate: EngineCertificate,
  logger: Pick<Logger, 'info' | 'warn'>,
): Promise<RestTls | null> {
  const { http, tls, tlsCertFile, tlsKeyFile } = config
  if (tlsCertFile !== null && tlsKeyFile !== null) return fromFiles(tlsCertFile, tlsKeyFile, logger)
  return tls === 'off' || isLoopback(http.host) ? null : fromPlane(certificate)
}

/** What cannot be meant, before anything is started. @throws ExitError */
export function requireSafe({ http, tls, tlsCertFile, tlsKeyFile }: TlsConfig): void {
  if ((tlsCertFile === null) !== (tlsKeyFile === null)) {
    throw wrong('tlsCertFile and tlsKeyFile (KEELSON_TLS_CERT_FILE, KEELSON_TLS_KEY_FILE) go together')
  }
  if (tls === 'off' && tlsCertFile !== null) throw wrong('tls is off, and a tlsCertFile is given: which of the two?')
  if (tls === 'off' && !isLoopback(http.host)) {
    throw wrong(
      `REST would be served without TLS on ${http.host}: plain HTTP is for loopback addresses alone. ` +
        'Leave tls (KEELSON_TLS) at auto, or give a tlsCertFile',
    )
  }
}

function fromPlane(certificate: EngineCertificate): RestTls {
  const optionsOf = ({ key, chain }: { key: string; chain: string }) =>
    ({ key, cert: chain, minVersion: MIN_VERSION }) as const
  return {
    options: optionsOf(certificate.credentials),
    fingerprint: null,
    follow: (apply) => {
      certificate.onChange((credentials) => apply(optionsOf(credentials)))
      // it may have been made anew since the server was
      apply(optionsOf(certificate.credentials))
    },
    stop: () => undefined,
  }
}

/** A file that changes is read again; what it then holds is taken only when it is whole. */
async function fromFiles(certFile: string, keyFile: string, logger: Pick<Logger, 'info' | 'warn'>): Promise<RestTls> {
  let known = await stamp(certFile, keyFile)
  const options = await readPair(certFile, keyFile).catch((cause: unknown) => {
    throw wrong(`tlsCertFile ${certFile} and tlsKeyFile ${keyFile}: ${(cause as Error).message}`, cause)
  })
  let timer: NodeJS.Timeout | null = null
  const look = async (apply: (options: SecureContextOptions) => void): Promise<void> => {
    const now = await stamp(certFile, keyFile)
    if (now === known) return
    apply(await readPair(certFile, keyFile))
    known = now
    logger.info({ certFile }, 'REST shows the certificate that is in its file now')
  }
  return {
    options,
    fingerprint: fingerprintOf(new X509Certificate(options.cert)),
    follow: (apply) => {
      timer = setInterval(() => {
        look(apply).catch((err: unknown) =>
          logger.warn({ err, certFile }, 'the certificate of REST cannot be read anew'),
        )
      }, LOOK_MS).unref()
    },
    stop: () => {
      if (timer) clearInterval(timer)
    },
  }
}

async function readPair(certFile: string, keyFile: string) {
  const options = { cert: await readFile(certFile), key: await readFile(keyFile), minVersion: MIN_VERSION } as const
  createSecureContext(options)
  return options
}

const stamp = async (...files: string[]): Promise<string> =>
  (await Promise.all(files.map((file) => stat(file).catch(() => null)))).map((found) => `${found?.mtimeMs}`).join()

const wrong = (message: string, cause?: unknown): ExitError =>
  new ExitError(exitCodes.configuration, message, { cause })
