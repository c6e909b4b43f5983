import { type DynamicModule, Module, type Provider, type Type } from '@nestjs/common'
import { PARAMTYPES_METADATA, SELF_DECLARED_DEPS_METADATA } from '@nestjs/common/constants.js'
import { NestFactory } from '@nestjs/core'
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger'
import { version } from '../../config/version.js'
import { createHttpAdapter } from './http-server.js'
import { completeDocument } from './openapi-completion.js'

/** The document of a module's routes, from its controllers alone: nothing of it is constructed, connects or listens. */
export async function generateDocument(module: Type): Promise<OpenAPIObject> {
  const controllers = controllersOf(module)
  @Module({ controllers, providers: [...new Set(controllers.flatMap(dependenciesOf))].map(placeholder) })
  class DocumentModule {}
  const adapter = createHttpAdapter({
    httpBodyLimitBytes: 1024 * 1024,
    requestTimeoutMs: 30_000,
    drainTimeoutMs: 0,
    trustedProxies: [],
    hsts: false,
  })
  const app = await NestFactory.create(DocumentModule, adapter, {
    preview: true,
    logger: ['error'],
    abortOnError: false,
  })
  return completeDocument(SwaggerModule.createDocument(app, head()))
}

const head = () =>
  new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Keelson')
    .setDescription(
      'Storage connections, load balancers, guests and HA brokers of many hosts, through one program. ' +
        'What a host must do is answered 202 with the Location of its command; errors are RFC 9457 problem documents.',
    )
    .setVersion(version)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer('/', 'This engine')
    .build()

/** What a module says of itself, in its decorator and, if it is dynamic, beside it. */
function said<T>(module: Type | DynamicModule, key: 'imports' | 'controllers'): T[] {
  const [type, own] = 'module' in module ? [module.module, module[key]] : [module, undefined]
  return [...(Reflect.getMetadata(key, type) ?? []), ...((own ?? []) as T[])]
}

function controllersOf(module: Type | DynamicModule, seen = new Set<unknown>()): Type[] {
  if (seen.has(module)) return []
  seen.add(module)
  const imported = said<Type | DynamicModule>(module, 'imports').flatMap((other) => controllersOf(other, seen))
  return [...new Set([...imported, ...said<Type>(module, 'controllers')])]
}

/** Tokens, as Nest resolves them: even a preview wants each to be there. */
function dependenciesOf(controller: Type): unknown[] {
  const types: unknown[] = [...(Reflect.getMetadata(PARAMTYPES_METADATA, controller) ?? [])]
  const named: { index: number; param: unknown }[] = Reflect.getMetadata(SELF_DECLARED_DEPS_METADATA, controller) ?? []
  for (const { index, param } of named) types[index] = param
  return types
}

const placeholder = (token: unknown): Provider => ({ provide: token as Type, useValue: {} })
