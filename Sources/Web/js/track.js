/**
 * One source buffer and what fills it: segment after segment from where the viewer is, of whichever rendition is chosen
 * when a segment is due.
 *
 * Invariants: only `run` appends or removes, so the source buffer is never touched while it is updating. Whatever happens
 * elsewhere moves `#next` or leaves a wish, and wakes `run`; what happens while it is at work is not lost.
 */

import { bufferedUntil, segmentAt } from "./timeline.js";

/** @typedef {import("./hls.js").MediaPlaylist} MediaPlaylist */
/** @typedef {import("./hls.js").Part} Part */
/** @typedef {{type: string, load: () => Promise<{playlist: MediaPlaylist, init: ArrayBuffer}>}} Rendition */

/** How much is fetched ahead of the viewer. */
const AHEAD_SECONDS = 30;
/** How much is kept behind. */
const BEHIND_SECONDS = 30;
/** What is kept behind, and aimed for ahead, when the browser has no more room. */
const SCARCE_SECONDS = 8;
/** What stays of the quality before when the viewer has chosen another: enough to fetch the next segment meanwhile. */
const KEPT_SECONDS = 2;

export class Track {
    #video;
    #source;
    #buffer;
    #type;
    #choose;
    #fetch;
    #onFilled;
    /** Ends the fetch under way when a seek or a choice makes it useless. */
    #fetching = new AbortController();
    #aheadSeconds = AHEAD_SECONDS;
    /** @type {Rendition | null} of the last segment */
    #rendition = null;
    /** @type {import("./hls.js").Segment[]} */
    #segments = [];
    /** Index of the segment to append next. */
    #next = 0;
    #isToReplace = false;
    /** Whether something happened since `run` last looked: what happens while it appends is not lost. */
    #isWoken = false;
    #resume = () => {};
    #closing = new AbortController().signal;

    /**
     * @param {HTMLVideoElement} video
     * @param {MediaSource} source
     * @param {string} type what the buffer takes at first
     * @param {object} means
     * @param {(bufferedSeconds: number) => Rendition} means.choose what the next segment is to be of
     * @param {(part: Part, signal: AbortSignal) => Promise<ArrayBuffer>} means.fetch
     * @param {() => void} means.onFilled after every change to the buffer, and when the last segment is in it
     */
    constructor(video, source, type, { choose, fetch, onFilled }) {
        this.#video = video;
        this.#source = source;
        this.#type = type;
        this.#buffer = source.addSourceBuffer(type);
        this.#choose = choose;
        this.#fetch = fetch;
        this.#onFilled = onFilled;
    }

    /** Whether the last segment is in the buffer, and nothing is being done to it. */
    get isWhole() {
        return this.#rendition !== null && this.#next >= this.#segments.length && !this.#buffer.updating;
    }

    /**
     * @param {AbortSignal} signal
     * @returns {Promise<void>} rejected when playback cannot go on
     */
    async run(signal) {
        this.#closing = signal;
        signal.addEventListener("abort", () => this.#stop(), { once: true });
        await this.#change(this.#choose(0));
        while (!signal.aborted) {
            await this.#trim();
            if (this.#isToReplace) await this.#replace();
            const isWhole = this.#next >= this.#segments.length;
            if (isWhole) this.#onFilled();
            if (isWhole || this.#bufferedSeconds() >= this.#aheadSeconds) {
                await this.#nextEvent();
                continue;
            }
            const wanted = this.#choose(this.#bufferedSeconds());
            if (wanted === this.#rendition) await this.#appendNext();
            else await this.#change(wanted);
        }
    }

    /** The viewer looks elsewhere. */
    seek() {
        const wanted = this.#wanted();
        if (wanted !== this.#next) {
            this.#next = wanted;
            this.#fetching.abort();
        }
        this.wake();
    }

    /** What is ahead is to be shown in another quality. */
    replace() {
        this.#isToReplace = true;
        this.#fetching.abort();
        this.wake();
    }

    wake() {
        this.#isWoken = true;
        this.#resume();
    }

    #stop() {
        this.#fetching.abort();
        this.wake();
    }

    /** The segment that the viewer needs next. */
    #wanted() {
        return segmentAt(this.#segments, bufferedUntil(this.#buffer.buffered, this.#video.currentTime));
    }

    #bufferedSeconds() {
        const { currentTime } = this.#video;
        return bufferedUntil(this.#buffer.buffered, currentTime) - currentTime;
    }

    /** @param {Rendition} wanted */
    async #change(wanted) {
        const { playlist, init } = await wanted.load();
        if (this.#closing.aborted) return;
        if (this.#type !== wanted.type) this.#buffer.changeType(wanted.type);
        this.#type = wanted.type;
        await this.#append(init);
        this.#rendition = wanted;
        this.#segments = playlist.segments;
        this.#next = this.#wanted();
    }

    async #appendNext() {
        const index = this.#next;
        this.#fetching = new AbortController();
        const { signal } = this.#fetching;
        let bytes;
        try {
            bytes = await this.#fetch(this.#segments[index], signal);
        } catch (error) {
            if (signal.aborted) return;
            throw error;
        }
        if (signal.aborted) return;
        if (await this.#append(bytes)) {
            // A seek during the append has chosen another one already.
            if (this.#next === index) this.#next = index + 1;
            this.#onFilled();
        } else {
            await this.#makeRoom();
        }
    }

    /**
     * @param {ArrayBuffer} bytes
     * @returns {Promise<boolean>} false when the browser has no room
     */
    async #append(bytes) {
        try {
            this.#buffer.appendBuffer(bytes);
        } catch (error) {
            if (error instanceof DOMException && error.name === "QuotaExceededError") return false;
            throw error;
        }
        await updated(this.#buffer);
        return true;
    }

    async #trim() {
        const { currentTime } = this.#video;
        const { buffered } = this.#buffer;
        const start = buffered.length > 0 ? buffered.start(0) : currentTime;
        // Twice the distance before anything is cut, so that it does not happen with every segment.
        if (this.#source.readyState !== "open" || currentTime - start < 2 * BEHIND_SECONDS) return;
        await this.#remove(start, currentTime - BEHIND_SECONDS);
    }

    /** Drops what is ahead, from a segment's beginning on. */
    async #replace() {
        this.#isToReplace = false;
        const border = this.#segments.find(({ start }) => start >= this.#video.currentTime + KEPT_SECONDS);
        if (border) await this.#remove(border.start, Infinity);
        this.#next = this.#wanted();
    }

    async #makeRoom() {
        this.#aheadSeconds = Math.max(SCARCE_SECONDS, this.#aheadSeconds / 2);
        const { currentTime } = this.#video;
        if (currentTime > SCARCE_SECONDS) await this.#remove(0, currentTime - SCARCE_SECONDS);
        const far = currentTime + this.#aheadSeconds;
        if (bufferedUntil(this.#buffer.buffered, currentTime) < far) await this.#remove(far, Infinity);
        await this.#nextEvent();
    }

    /**
     * @param {number} start
     * @param {number} end
     */
    async #remove(start, end) {
        if (end <= start || this.#buffer.buffered.length === 0) return;
        this.#buffer.remove(start, end);
        await updated(this.#buffer);
    }

    /** Until the viewer has moved on, or somewhere else, since this was last awaited. */
    async #nextEvent() {
        if (!this.#isWoken && !this.#closing.aborted) {
            await new Promise((resolve) => {
                this.#resume = () => resolve(undefined);
            });
        }
        this.#isWoken = false;
    }
}

/** @param {SourceBuffer} buffer */
function updated(buffer) {
    return new Promise((resolve, reject) => {
        buffer.addEventListener("updateend", resolve, { once: true });
        buffer.addEventListener("error", () => reject(new Error("The browser cannot decode this video.")), { once: true });
    });
}
