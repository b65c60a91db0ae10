/**
 * The ring's layout: parallel arrays of a power-of-two number of slots, one record a slot.
 *
 *          tail (consumer)            head (producer)
 *            v                          v
 *   +------+------+------+------+------+------+------+------+
 *   | free | DATA | DATA | DATA | END  | free | free | free |   kinds:  Uint8Array
 *   |      | ref  | ref  | ref  |      |      |      |      |   refs:   (Uint8Array | null)[]
 *   |      | s, e | s, e | s, e |      |      |      |      |   starts, ends: Int32Array
 *   +------+------+------+------+------+------+------+------+
 *     slot = counter & mask; counters grow and wrap at 2^32, so full is head - tail == slots
 *
 * A DATA slot refers to bytes [start, end) of an array that it pins; consecutive slots of one array pin it once.
 */

/** No record: the ring is empty. */
export const SLOT_NONE = 0;
/** A piece of the body. */
export const SLOT_DATA = 1;
/** The body is complete; nothing follows. */
export const SLOT_END = 2;

/**
 * Slots of a ring. 64 pieces cover a 256 KB watermark in the 4 KB and larger pieces that sockets deliver;
 * a peer that sends smaller chunks waits for the application sooner.
 */
export const RING_SLOTS = 64;
