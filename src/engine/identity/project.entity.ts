import { Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm'
import type { Limits } from './quota-resources.js'

/** What guests, balancers, images and storage belong to. There is always a default one. */
@Entity('projects')
@Unique('uq_projects_name', ['name'])
export class Project {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('text') name!: string
  @Column('text', { default: '' }) description!: string
  @Column('integer', { default: 1 }) generation!: number
  /** What has no limit is not there. */
  @Column('jsonb', { default: {} }) limits!: Limits
  /** Whether something may still be under way that began before these limits. */
  @Column('boolean', { default: true }) limitsSettled!: boolean
  /** Of the limits: what their ETag shows. */
  @Column('integer', { default: 1 }) limitsGeneration!: number
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}

/** The one that is there from the beginning, and cannot be removed. */
export const DEFAULT_PROJECT = '00000000-0000-4000-8000-00000000d0d0'
