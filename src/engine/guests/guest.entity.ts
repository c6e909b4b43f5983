import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn, Unique } from 'typeorm'
import type { AgentPort, GuestPower, GuestStatus, RestartPolicy } from '../../wire/guests/terms.js'
import type { Fault } from '../../wire/session.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'
import type { GuestStep } from './guests.states.js'
import type { PlacementHints } from './placement.js'

/** As its subject, its events and the holder of its addresses call it. */
export const GUEST_NOUN = 'guest'

/** A guest, and the workflow that makes it: what comes next is `step` (docs/adr/0056). */
@Entity('guests')
@Unique('uq_guests_project_id_name', ['projectId', 'name'])
@Index('ix_guests_created_at', ['createdAt', 'id'])
@Index('ix_guests_host_id', ['hostId'])
@Index('ix_guests_image_id', ['imageId'])
@Index('ix_guests_step_deadline_at', ['stepDeadlineAt'], { where: 'step_deadline_at IS NOT NULL' })
export class Guest {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Project', 'id', { name: 'fk_guests_project_id' })
  projectId!: string
  @Column('text') name!: string
  @Column('jsonb', { default: {} }) labels!: Readonly<Record<string, string>>
  @Column('uuid')
  @ForeignKey('Image', 'id', { name: 'fk_guests_image_id' })
  imageId!: string
  @Column('integer') vcpus!: number
  @Column('integer') memoryMib!: number
  @Column('text', { array: true, default: {} }) sshKeys!: string[]
  @Column('text', { nullable: true }) sealedUserData!: string | null
  @Column('jsonb', { default: {} }) placement!: PlacementHints
  @Column('text') restartPolicy!: RestartPolicy
  @Column('integer') bootTimeoutMs!: number
  @Column('integer') prepareTimeoutMs!: number
  @Column('integer') stopGraceMs!: number
  @Column('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_guests_host_id' })
  hostId!: string
  /** Raised when it moves to another host. */
  @Column('integer', { default: 1 }) placementGeneration!: number
  /** How often it was built: raised by a rebuild, of which nothing of the one before counts any more. */
  @Column('integer', { default: 1 }) build!: number
  /** As it is wanted. */
  @Column('text', { default: 'RUNNING' }) power!: GuestPower
  @Column('integer', { default: 1 }) generation!: number
  /** As `digestOf` makes it of the intent that its host was told last. */
  @Column('text', { default: '' }) intentDigest!: string
  @Column('text') provisioningStatus!: ProvisioningStatus
  /** Null: nothing is under way. */
  @Column('text', { nullable: true }) step!: GuestStep | null
  /** Of a step that waits for something else than a command. */
  @Column('timestamptz', { nullable: true }) stepDeadlineAt!: Date | null
  @Column('uuid', { nullable: true }) commandId!: string | null
  /** Its `type` is the layer that failed. */
  @Column('jsonb', { nullable: true }) fault!: Fault | null
  @Column('timestamptz', { nullable: true }) faultAt!: Date | null
  /** The end of what it had written to its serial console when it failed. */
  @Column('text', { nullable: true }) consoleTail!: string | null
  @Column('text', { default: 'UNKNOWN' }) operatingStatus!: GuestStatus
  @Column('text', { nullable: true }) bootId!: string | null
  @Column('text', { default: 'NEVER' }) agentPort!: AgentPort
  @Column('integer', { default: 0 }) restarts!: number
  @Column('jsonb', { nullable: true }) observedFault!: Fault | null
  @Column('timestamptz', { nullable: true }) observedAt!: Date | null
  @Column('integer', { nullable: true }) observedGeneration!: number | null
  /** The last pong, and of which boot it was (G2). */
  @Column('text', { nullable: true }) pongBootId!: string | null
  @Column('timestamptz', { nullable: true }) pongAt!: Date | null
  @Column('timestamptz', { nullable: true }) activeAt!: Date | null
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
