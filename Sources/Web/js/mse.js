/**
 * Plays an HLS stream of CMAF segments through Media Source Extensions: one source buffer for picture and sound, one
 * segment under way at a time, in order from where the viewer is.
 *
 * Invariants: only `#run` appends or removes; a seek only moves `#next` and wakes it. So a source buffer is never
 * touched while it is updating.
 */

import { fetchPatiently } from "./fetching.js";
import { parseMaster, parseMedia, PlaylistError } from "./hls.js";
import { bufferedUntil, gapEnd, segmentAt } from "./timeline.js";

/** @typedef {import("./hls.js").MediaPlaylist} MediaPlaylist */

/** How much is fetched ahead of the viewer. */
const AHEAD_SECONDS = 30;
/** How much is kept behind. */
const BEHIND_SECONDS = 30;
/** What is kept behind, and aimed for ahead, when the browser has no more room. */
const SCARCE_SECONDS = 8;

export class StreamPlayer {
    #video;
    #onRetry;
    #onError;
    #closing = new AbortController();
    /** Ends the fetch under way when a seek makes it useless. */
    #fetching = new AbortController();
    #source = new MediaSource();
    #objectURL = URL.createObjectURL(this.#source);
    #aheadSeconds = AHEAD_SECONDS;
    /** @type {MediaPlaylist | null} */
    #playlist = null;
    /** Index of the segment to append next. */
    #next = 0;
    /** Whether something happened since `#run` last looked: what happens while it appends is not lost. */
    #isWoken = false;
    #resume = () => {};

    /**
     * @param {HTMLVideoElement} video
     * @param {(attempt: number, attempts: number) => void} onRetry a fetch failed and is tried again
     * @param {(error: Error) => void} onError playback cannot go on; the player is closed
     */
    constructor(video, onRetry, onError) {
        this.#video = video;
        this.#onRetry = onRetry;
        this.#onError = onError;
    }

    /** Whether this browser can play streams by itself. */
    static get isSupported() {
        return typeof MediaSource === "function";
    }

    /**
     * @param {string} masterURL
     * @returns {void} what goes wrong comes by `onError`
     */
    play(masterURL) {
        const { signal } = this.#closing;
        this.#video.addEventListener("seeking", () => this.#seek(), { signal });
        this.#video.addEventListener("timeupdate", () => this.#wake(), { signal });
        this.#video.addEventListener("waiting", () => this.#stepOverGap(), { signal });
        this.#video.addEventListener("error", () => this.#fail(mediaError(this.#video.error)), { signal });
        this.#video.src = this.#objectURL;
        void this.#run(masterURL).catch((error) => this.#fail(error));
    }

    /** Lets go of the video element, the network and the buffers. */
    close() {
        if (this.#closing.signal.aborted) return;
        this.#closing.abort();
        this.#fetching.abort();
        this.#wake();
        URL.revokeObjectURL(this.#objectURL);
        this.#video.removeAttribute("src");
        this.#video.load();
    }

    /** @param {Error} error */
    #fail(error) {
        if (this.#closing.signal.aborted) return;
        this.close();
        this.#onError(error);
    }

    /** @param {string} masterURL */
    async #run(masterURL) {
        const { playlist, type } = await this.#load(masterURL);
        await opened(this.#source, this.#closing.signal);
        const buffer = this.#source.addSourceBuffer(type);
        this.#source.duration = playlist.duration;
        this.#playlist = playlist;
        await this.#append(buffer, await this.#fetch(playlist.init, this.#closing.signal));
        this.#seek();
        while (!this.#closing.signal.aborted) {
            await this.#trim(buffer);
            const isWhole = this.#next >= playlist.segments.length;
            if (isWhole) this.#end();
            if (isWhole || this.#isFar(buffer)) await this.#nextEvent();
            else await this.#appendNext(buffer, playlist);
        }
    }

    /** @param {string} masterURL */
    async #load(masterURL) {
        const { signal } = this.#closing;
        const text = async (/** @type {string} */ url) =>
            new TextDecoder().decode(await this.#fetch({ url, range: null }, signal));
        const variants = parseMaster(await text(masterURL), masterURL);
        // There is one source buffer: what has its sound elsewhere would be silent, or refused.
        const whole = variants.filter((variant) => !variant.audioGroup);
        if (whole.length === 0) throw new PlaylistError("This player needs picture and sound in one stream.");
        const playable = whole.find((variant) => MediaSource.isTypeSupported(typeOf(variant.codecs)));
        if (!playable) throw new PlaylistError(`This browser cannot play ${whole[0].codecs || "this video"}.`);
        return { playlist: parseMedia(await text(playable.url), playable.url), type: typeOf(playable.codecs) };
    }

    /**
     * @param {SourceBuffer} buffer
     * @param {MediaPlaylist} playlist
     */
    async #appendNext(buffer, playlist) {
        const index = this.#next;
        this.#fetching = new AbortController();
        let bytes;
        try {
            bytes = await this.#fetch(playlist.segments[index], this.#fetching.signal);
        } catch (error) {
            if (this.#fetching.signal.aborted) return;
            throw error;
        }
        if (this.#fetching.signal.aborted) return;
        if (await this.#append(buffer, bytes)) {
            // A seek during the append has chosen another one already.
            if (this.#next === index) this.#next = index + 1;
            this.#stepOverGap();
        } else {
            await this.#makeRoom(buffer);
        }
    }

    /**
     * @param {import("./hls.js").Part} part
     * @param {AbortSignal} signal
     */
    #fetch(part, signal) {
        return fetchPatiently(part, signal, this.#onRetry);
    }

    /**
     * @param {SourceBuffer} buffer
     * @param {ArrayBuffer} bytes
     * @returns {Promise<boolean>} false when the browser has no room
     */
    async #append(buffer, bytes) {
        try {
            buffer.appendBuffer(bytes);
        } catch (error) {
            if (error instanceof DOMException && error.name === "QuotaExceededError") return false;
            throw error;
        }
        await updated(buffer);
        return true;
    }

    /** @param {SourceBuffer} buffer */
    async #trim(buffer) {
        const { currentTime } = this.#video;
        const start = buffer.buffered.length > 0 ? buffer.buffered.start(0) : currentTime;
        // Twice the distance before anything is cut, so that it does not happen with every segment.
        if (this.#source.readyState !== "open" || currentTime - start < 2 * BEHIND_SECONDS) return;
        await remove(buffer, start, currentTime - BEHIND_SECONDS);
    }

    /** @param {SourceBuffer} buffer */
    async #makeRoom(buffer) {
        this.#aheadSeconds = Math.max(SCARCE_SECONDS, this.#aheadSeconds / 2);
        const { currentTime } = this.#video;
        if (currentTime > SCARCE_SECONDS) await remove(buffer, 0, currentTime - SCARCE_SECONDS);
        const far = currentTime + this.#aheadSeconds;
        if (bufferedUntil(buffer.buffered, currentTime) < far) await remove(buffer, far, Infinity);
        await this.#nextEvent();
    }

    /** @param {SourceBuffer} buffer */
    #isFar(buffer) {
        const { currentTime } = this.#video;
        return bufferedUntil(buffer.buffered, currentTime) - currentTime >= this.#aheadSeconds;
    }

    #seek() {
        if (!this.#playlist) return;
        const { buffered, currentTime } = this.#video;
        const wanted = segmentAt(this.#playlist.segments, bufferedUntil(buffered, currentTime));
        if (wanted !== this.#next) {
            this.#next = wanted;
            this.#fetching.abort();
        }
        this.#wake();
    }

    #stepOverGap() {
        const { buffered, currentTime, readyState, seeking } = this.#video;
        if (readyState > HTMLMediaElement.HAVE_CURRENT_DATA && !seeking) return;
        if (bufferedUntil(buffered, currentTime) > currentTime) return;
        const target = gapEnd(buffered, currentTime);
        if (target !== null) this.#video.currentTime = target;
    }

    #end() {
        if (this.#source.readyState === "open") this.#source.endOfStream();
    }

    #wake() {
        this.#isWoken = true;
        this.#resume();
    }

    /** Until the viewer has moved on, or somewhere else, since this was last awaited. */
    async #nextEvent() {
        if (!this.#isWoken && !this.#closing.signal.aborted) {
            await new Promise((resolve) => {
                this.#resume = () => resolve(undefined);
            });
        }
        this.#isWoken = false;
    }
}

/** @param {string} codecs */
function typeOf(codecs) {
    return codecs ? `video/mp4; codecs="${codecs}"` : "video/mp4";
}

/**
 * @param {MediaSource} source
 * @param {AbortSignal} signal
 */
function opened(source, signal) {
    if (source.readyState === "open") return Promise.resolve();
    return new Promise((resolve, reject) => {
        source.addEventListener("sourceopen", resolve, { once: true });
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
}

/**
 * @param {SourceBuffer} buffer
 * @param {number} start
 * @param {number} end
 */
async function remove(buffer, start, end) {
    if (end <= start) return;
    buffer.remove(start, end);
    await updated(buffer);
}

/** @param {SourceBuffer} buffer */
function updated(buffer) {
    return new Promise((resolve, reject) => {
        buffer.addEventListener("updateend", resolve, { once: true });
        buffer.addEventListener("error", () => reject(new Error("The browser cannot decode this video.")), { once: true });
    });
}

/** @param {MediaError | null} error */
function mediaError(error) {
    const words = {
        [MediaError.MEDIA_ERR_NETWORK]: "The video broke off on the way.",
        [MediaError.MEDIA_ERR_DECODE]: "The browser cannot decode this video.",
        [MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED]: "The browser cannot play this kind of video.",
    };
    return new Error((error && words[error.code]) || "The video cannot be played.");
}

export { mediaError };
