import 'reflect-metadata'
import { describeBalancingContract } from './balancing.contract.js'
import { simulatedAppliance, simulatedHost } from './support/simulated-balancing.js'

describeBalancingContract('a simulated host', simulatedHost)
describeBalancingContract('a simulated appliance', simulatedAppliance)
