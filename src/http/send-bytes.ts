import type { FastifyReply } from 'fastify'

/** The bytes as a Buffer, wherever they are: not copied. */
export function viewOf (bytes: Uint8Array): Buffer { return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) }

/**
 * Sends bytes as they are. Fastify alone would take a view of shared memory for an object and make JSON of it; a serializer of
 * one's own goes before that, so that megabytes of BTF need not be copied on the event loop.
 */
export function sendBytes (reply: FastifyReply, bytes: Buffer): FastifyReply { return reply.serializer(asIs).send(bytes) }

function asIs (payload: unknown): string { return payload as string } // Fastify hands a Buffer on, too; its type knows only text
