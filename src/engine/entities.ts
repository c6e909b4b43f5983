import { BalancerGeneration } from './balancing/balancer-generation.entity.js'
import { BalancingDevice } from './balancing/balancing-device.entity.js'
import { Certificate } from './balancing/certificate.entity.js'
import { AvailabilityZone, AvailabilityZoneProfile, Flavor, FlavorProfile } from './balancing/flavor.entity.js'
import { HealthMonitor } from './balancing/health-monitor.entity.js'
import { L7Policy } from './balancing/l7-policy.entity.js'
import { L7Rule } from './balancing/l7-rule.entity.js'
import { Listener } from './balancing/listener.entity.js'
import { LoadBalancer } from './balancing/load-balancer.entity.js'
import { Member } from './balancing/member.entity.js'
import { Pool } from './balancing/pool.entity.js'
import { Replica } from './cluster/replica.entity.js'
import { Command } from './commands/command.entity.js'
import { HostSequence } from './commands/host-sequence.entity.js'
import { Event } from './events/event.entity.js'
import { Guest } from './guests/guest.entity.js'
import { GuestClaim, HostPromise } from './guests/guest-claim.entity.js'
import { GuestMessage } from './guests/guest-message.entity.js'
import { GuestNic } from './guests/guest-nic.entity.js'
import { GuestSnapshot } from './guests/guest-snapshot.entity.js'
import { Image } from './guests/image.entity.js'
import { Volume } from './guests/volume.entity.js'
import { Host } from './hosts/host.entity.js'
import { Quarantined } from './hosts/quarantined.entity.js'
import { Tombstone } from './hosts/tombstone.entity.js'
import { ApiToken } from './identity/api-token.entity.js'
import { AuditAnchor } from './identity/audit-anchor.entity.js'
import { AuditEntry } from './identity/audit-entry.entity.js'
import { UnchainedAuditEntry } from './identity/audit-unchained.entity.js'
import { CertificateAuthority } from './identity/certificate-authority.entity.js'
import { ExternalIdentity } from './identity/external-identity.entity.js'
import { HostCertificate } from './identity/host-certificate.entity.js'
import { IdentityProvider } from './identity/identity-provider.entity.js'
import { JoinTokenRow } from './identity/join-token.entity.js'
import { Project } from './identity/project.entity.js'
import { RoleBinding } from './identity/role-binding.entity.js'
import { TicketKey } from './identity/ticket-key.entity.js'
import { User } from './identity/user.entity.js'
import { WebSession } from './identity/web-session.entity.js'
import { Network } from './networks/network.entity.js'
import { NetworkAddress } from './networks/network-address.entity.js'
import { IdempotencyKey } from './platform/idempotency-key.entity.js'
import { Incarnation } from './platform/incarnation.entity.js'
import { LimitCounter } from './platform/limit-counter.entity.js'
import { Schedule } from './platform/schedule.entity.js'
import { SealingCheck } from './platform/sealing-check.entity.js'
import { Setting } from './platform/setting.entity.js'
import { OwnStorageConnection } from './storage/own-storage-connection.entity.js'
import { Storage } from './storage/storage.entity.js'
import { StorageConnection } from './storage/storage-connection.entity.js'
import { StorageRefusal } from './storage/storage-refusal.entity.js'
import { UntoldConnections } from './storage/untold-connections.entity.js'

/** Every table that has an entity. */
export const entities = [
  AvailabilityZone,
  AvailabilityZoneProfile,
  BalancerGeneration,
  BalancingDevice,
  Certificate,
  Flavor,
  FlavorProfile,
  HealthMonitor,
  L7Policy,
  L7Rule,
  Listener,
  LoadBalancer,
  Member,
  Pool,
  ApiToken,
  AuditAnchor,
  AuditEntry,
  CertificateAuthority,
  Command,
  Event,
  ExternalIdentity,
  Guest,
  GuestClaim,
  GuestMessage,
  GuestNic,
  GuestSnapshot,
  Host,
  HostCertificate,
  HostPromise,
  HostSequence,
  IdempotencyKey,
  IdentityProvider,
  Image,
  Incarnation,
  LimitCounter,
  JoinTokenRow,
  OwnStorageConnection,
  UntoldConnections,
  Network,
  NetworkAddress,
  Project,
  Quarantined,
  Replica,
  RoleBinding,
  Schedule,
  SealingCheck,
  Setting,
  Storage,
  StorageConnection,
  StorageRefusal,
  TicketKey,
  Tombstone,
  UnchainedAuditEntry,
  User,
  Volume,
  WebSession,
]
