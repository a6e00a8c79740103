/** Where in a video a player is, and what it should fetch next. Pure. */

/** @typedef {import("./hls.js").Segment} Segment */

/** How far the end of a buffered range may differ from the playlist's times: a few frames. */
const TOLERANCE_SECONDS = 0.15;
/** A hole this small between buffered ranges is stepped over. */
const GAP_SECONDS_MAX = 0.5;

/**
 * The end of the buffered range that holds the position; the position itself when none does.
 * @param {TimeRanges} buffered
 * @param {number} position
 * @returns {number}
 */
export function bufferedUntil(buffered, position) {
    for (let index = 0; index < buffered.length; index += 1) {
        if (buffered.start(index) <= position + TOLERANCE_SECONDS && position < buffered.end(index)) {
            return buffered.end(index);
        }
    }
    return position;
}

/**
 * The first segment that has something after the time.
 * @param {Segment[]} segments
 * @param {number} time
 * @returns {number} its index; the number of segments when there is none
 */
export function segmentAt(segments, time) {
    const index = segments.findIndex((segment) => segment.end > time + TOLERANCE_SECONDS);
    return index < 0 ? segments.length : index;
}

/**
 * Where to jump when playback stands before a small hole.
 * @param {TimeRanges} buffered
 * @param {number} position
 * @returns {number | null} null when it does not
 */
export function gapEnd(buffered, position) {
    for (let index = 0; index < buffered.length; index += 1) {
        const start = buffered.start(index);
        if (start > position && start - position <= GAP_SECONDS_MAX) return start;
    }
    return null;
}
