/** Which quality to fetch next: by how fast the last segments came and how much is buffered. Pure. */

/** @typedef {import("./hls.js").Variant} Variant */

/** Half-lives of the two averages in seconds of fetching: what counts is the lower, so a slump is believed at once. */
const HALF_LIVES = [2, 8];
/** A fetch of less than this says more of the answer's delay than of the line. */
const BYTES_MIN = 16 * 1024;
/** The share of the line that is used: less while little is buffered, all of it while there is time to change. */
const CAREFUL_SHARE = 0.5;
const USUAL_SHARE = 0.8;
const LITTLE_SECONDS = 6;
const PLENTY_SECONDS = 15;

/** How fast the line is. */
export class Throughput {
    #averages = HALF_LIVES.map((halfLife) => ({ halfLife, bits: 0, seconds: 0 }));

    /**
     * @param {number} bytes
     * @param {number} seconds
     */
    add(bytes, seconds) {
        if (bytes < BYTES_MIN || !(seconds > 0)) return;
        for (const average of this.#averages) {
            const kept = 0.5 ** (seconds / average.halfLife);
            average.bits = average.bits * kept + bytes * 8;
            average.seconds = average.seconds * kept + seconds;
        }
    }

    /** Bits per second; null before anything was measured. */
    get bitsPerSecond() {
        const rates = this.#averages.filter(({ seconds }) => seconds > 0).map(({ bits, seconds }) => bits / seconds);
        return rates.length > 0 ? Math.min(...rates) : null;
    }
}

/**
 * The best that the line carries. Before anything is known it is the lowest, so that the first picture comes soon.
 * @param {Variant[]} variants at least one
 * @param {Variant | null} current what was fetched last
 * @param {number | null} bitsPerSecond
 * @param {number} bufferedSeconds ahead of where the viewer is
 * @returns {Variant}
 */
export function choose(variants, current, bitsPerSecond, bufferedSeconds) {
    const ascending = [...variants].sort((a, b) => a.bandwidth - b.bandwidth);
    if (bitsPerSecond === null) return current ?? ascending[0];
    const share = bufferedSeconds < LITTLE_SECONDS ? CAREFUL_SHARE : USUAL_SHARE;
    const best = ascending.findLast((variant) => variant.bandwidth <= bitsPerSecond * share) ?? ascending[0];
    // With much in hand a line that is just fast enough is no reason to show less.
    const mayStay = current && bufferedSeconds >= PLENTY_SECONDS && current.bandwidth <= bitsPerSecond;
    return mayStay && current.bandwidth > best.bandwidth ? current : best;
}
