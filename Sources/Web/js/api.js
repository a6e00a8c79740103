/**
 * The site's own API, and the one place that knows where the streaming service is.
 *
 * @typedef {object} Video
 * @property {string} video_id
 * @property {string} title
 * @property {number} duration_sec
 * @property {"uploading" | "active" | "failed" | "deleted"} status
 * @property {string} created_at
 * @property {number} view_count
 * @property {number} size_bytes
 * @property {string | null} [error]
 * @property {boolean} has_thumbnail
 *
 * @typedef {object} StorageNode
 * @property {string} node_id
 * @property {"healthy" | "degraded" | "down"} status
 * @property {number} disk_usage_percent
 * @property {number} chunk_count
 * @property {string[]} corrupt_chunks
 * @property {string | null} [impairment] what it cannot do, in its own words
 *
 * @typedef {object} Stats
 * @property {number} total_videos
 * @property {number} total_chunks
 * @property {number} total_replicas
 * @property {StorageNode[]} nodes
 *
 * @typedef {object} Health
 * @property {string} status
 * @property {Record<string, {status: string, url: string, error?: string | null}>} services
 *
 * @typedef {object} UploadReport
 * @property {string} video_id
 * @property {string} status
 * @property {number} progress
 * @property {string | null} [error]
 *
 * @typedef {object} ChunkValue
 * @property {string} stream
 * @property {number} sequence
 * @property {number} size_bytes
 * @property {string} checksum
 * @property {string[]} nodes
 *
 * @typedef {object} ConsensusAcceptor what an acceptor says of itself; `error` is why it has no say
 * @property {string} node_id
 * @property {string | null} [acceptor_id] who decides
 * @property {string | null} [present_acceptor_id] whom the node has now
 * @property {number | null} [version]
 * @property {string | null} [error]
 * @property {string | null} [promised_ballot]
 * @property {string | null} [accepted_ballot]
 * @property {ChunkValue | null} [accepted_value]
 * @property {string | null} [stored_checksum]
 *
 * @typedef {object} Consensus
 * @property {string} chunk_id
 * @property {string} phase
 * @property {string} group
 * @property {number} quorum
 * @property {ConsensusAcceptor[]} acceptors
 *
 * @typedef {object} TraceEvent
 * @property {number} time_microseconds
 * @property {string} kind
 * @property {string | null} [from]
 * @property {string | null} [to]
 * @property {number | null} [sent_microseconds]
 * @property {{type: string, ballot?: string | null, value?: string | null} | null} [message]
 * @property {string} text
 *
 * @typedef {object} AcceptorState
 * @property {string} node
 * @property {boolean} is_up
 * @property {number | null} [version]
 * @property {string | null} [promised]
 * @property {string | null} [accepted_ballot]
 * @property {string | null} [accepted_value]
 *
 * @typedef {object} ClientState
 * @property {string} name
 * @property {boolean} is_up
 * @property {string} phase
 * @property {string | null} [ballot]
 * @property {string | null} [value]
 * @property {string | null} [decided]
 *
 * @typedef {object} TraceStep an event, and what it left behind
 * @property {TraceEvent} event
 * @property {AcceptorState[]} acceptors
 * @property {ClientState[]} clients
 * @property {string[]} chosen
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} title
 * @property {string} summary
 * @property {string[]} nodes
 * @property {string[]} clients
 * @property {TraceStep[]} steps
 *
 * @typedef {object} Config
 * @property {string} streaming_url
 * @property {string} metadata_url
 */

/** How long an answer of the site may take. */
const REQUEST_MILLISECONDS_MAX = 20_000;

/** An answer that is not what was asked for. `status` is 0 when there was none at all. */
export class ApiError extends Error {
    /**
     * @param {number} status
     * @param {string} message a sentence for people
     */
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

/**
 * What a service said went wrong, out of the text of its answer.
 * @param {string} text
 * @param {string} fallback
 * @returns {string}
 */
export function detailOf(text, fallback) {
    try {
        const detail = JSON.parse(text)?.detail;
        if (typeof detail !== "string" || !detail) return fallback;
        return detail[0].toUpperCase() + detail.slice(1);
    } catch {
        return fallback;
    }
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<any>} the JSON of the answer, undefined when it has none
 */
async function call(path, init = {}) {
    let response, text;
    try {
        response = await fetch(path, { ...init, signal: AbortSignal.timeout(REQUEST_MILLISECONDS_MAX) });
        text = await response.text();
    } catch {
        throw new ApiError(0, "V-Stack does not answer. Is it running, and are you connected?");
    }
    if (!response.ok) throw new ApiError(response.status, detailOf(text, `V-Stack answered ${response.status}.`));
    try {
        return text ? JSON.parse(text) : undefined;
    } catch {
        throw new ApiError(response.status, "V-Stack answered something that is not JSON.");
    }
}

/** @returns {Promise<Config>} */
export const config = () => call("/api/config");

/** @returns {Promise<Health>} */
export const health = () => call("/api/health");

/** @returns {Promise<Stats>} */
export const stats = () => call("/api/stats");

/**
 * @param {number} limit
 * @param {number} offset
 * @returns {Promise<Video[]>} newest first
 */
export const videos = (limit, offset) => call(`/api/videos?limit=${limit}&offset=${offset}`);

/**
 * @param {string} id
 * @returns {Promise<Video>}
 */
export const video = (id) => call(`/api/videos/${encodeURIComponent(id)}`);

/**
 * @param {string} id
 * @returns {Promise<{total_chunks: number, chunks: {chunk_id: string, sequence_num: number}[]}>}
 */
export const manifest = (id) => call(`/api/videos/${encodeURIComponent(id)}/manifest`);

/**
 * @param {string} chunk
 * @returns {Promise<Consensus>}
 */
export const consensus = (chunk) => call(`/api/consensus/${encodeURIComponent(chunk)}`);

/** @returns {Promise<{name: string, title: string, summary: string}[]>} */
export const scenarios = () => call("/api/scenarios");

/**
 * @param {string} name
 * @returns {Promise<Scenario>}
 */
export const scenario = (name) => call(`/api/scenarios/${encodeURIComponent(name)}`);

/** @param {string} id */
export const deleteVideo = (id) => call(`/api/videos/${encodeURIComponent(id)}`, { method: "DELETE" });

/** @param {string} id */
export const countView = (id) => call(`/api/videos/${encodeURIComponent(id)}/view`, { method: "POST" });

/**
 * @param {string} session
 * @returns {Promise<UploadReport>}
 */
export const uploadStatus = (session) => call(`/api/upload/status/${encodeURIComponent(session)}`);

/**
 * Where a video's parts are.
 * @param {Config} config
 * @param {string} id
 */
export function addresses(config, id) {
    const stream = `${config.streaming_url}/stream/${encodeURIComponent(id)}`;
    return {
        master: `${stream}/master.m3u8`,
        original: `${stream}/original`,
        thumbnail: `${stream}/thumbnail.jpg`,
        manifest: `${config.metadata_url}/manifest/${encodeURIComponent(id)}`,
        page: `${location.origin}/#/watch/${encodeURIComponent(id)}`,
    };
}
