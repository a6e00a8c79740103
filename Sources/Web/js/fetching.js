/** Fetching with patience: a node that dies, a network that changes, a service that restarts are waited out. */

/** Waits between tries: about half a minute in all, longer than a failover or a restart takes. */
const WAITS_MILLISECONDS = [300, 700, 1500, 3000, 5000, 8000, 10_000];
/** How long one try may take: 16 MB at 5 Mbit/s. */
const TRY_MILLISECONDS_MAX = 25_000;

/** What could not be fetched, in words. */
export class FetchError extends Error {
    /**
     * @param {string} message
     * @param {number} status 0 when nothing answered
     */
    constructor(message, status) {
        super(message);
        this.status = status;
    }
}

/**
 * @param {import("./hls.js").Part} part
 * @param {AbortSignal} signal
 * @param {(attempt: number, attempts: number) => void} onRetry told before each wait
 * @returns {Promise<ArrayBuffer>}
 * @throws {FetchError} when all tries failed, or one got an answer that will not change
 * @throws {DOMException} `AbortError` when the signal says so
 */
export async function fetchPatiently(part, signal, onRetry) {
    const attempts = WAITS_MILLISECONDS.length + 1;
    for (let attempt = 1; ; attempt += 1) {
        try {
            return await fetchOnce(part, signal);
        } catch (error) {
            signal.throwIfAborted();
            if (!(error instanceof FetchError) || !isWorthRetrying(error.status) || attempt === attempts) throw error;
            onRetry(attempt, attempts);
            await sleep(WAITS_MILLISECONDS[attempt - 1], signal);
        }
    }
}

/**
 * @param {import("./hls.js").Part} part
 * @param {AbortSignal} signal
 * @returns {Promise<ArrayBuffer>}
 */
async function fetchOnce({ url, range }, signal) {
    /** @type {Record<string, string>} */
    const headers = range ? { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` } : {};
    let response, bytes;
    try {
        const either = AbortSignal.any([signal, AbortSignal.timeout(TRY_MILLISECONDS_MAX)]);
        response = await fetch(url, { headers, signal: either });
        bytes = await response.arrayBuffer();
    } catch {
        throw new FetchError("The streaming service does not answer.", 0);
    }
    if (response.status === 404) throw new FetchError("The streaming service does not have this video.", 404);
    if (!response.ok) throw new FetchError(`The streaming service answered ${response.status}.`, response.status);
    if (range && bytes.byteLength !== range.length) {
        throw new FetchError("The streaming service sent another part than was asked for.", 0);
    }
    return bytes;
}

/** @param {number} status */
function isWorthRetrying(status) {
    return status === 0 || status === 408 || status === 429 || status >= 500;
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal ends the wait early
 * @returns {Promise<void>}
 */
function sleep(milliseconds, signal) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(done, milliseconds);
        signal.addEventListener("abort", stop, { once: true });
        function done() {
            signal.removeEventListener("abort", stop);
            resolve();
        }
        function stop() {
            clearTimeout(timer);
            reject(signal.reason);
        }
    });
}
