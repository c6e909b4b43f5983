import 'reflect-metadata'
import { createHaproxyDriver } from '../../src/agent/balancing/drivers/haproxy.js'
import { createNginxDriver } from '../../src/agent/balancing/drivers/nginx.js'
import { describeBalancingContract } from '../contract/balancing.contract.js'
import { realBalancing } from '../contract/support/real-balancing.js'
import { fromRoot } from '../support/process.js'
import { describeWith } from './support/needs.js'

const checkerScript = fromRoot('dist/src/agent/balancing/drivers/nginx/checker-main.js')

describeWith(['nginx'], 'nginx under the contract of all drivers', () => {
  describeBalancingContract('nginx', () =>
    realBalancing('nginx', (options) => createNginxDriver({ ...options, checkerScript })),
  )
})

describeWith(['haproxy'], 'HAProxy under the contract of all drivers', () => {
  describeBalancingContract('haproxy', () => realBalancing('haproxy', createHaproxyDriver))
})
