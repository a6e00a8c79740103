/**
 * One media source from its beginning to its end: its tracks, and the one place where they are joined.
 *
 * What is `whole` is one track; what comes apart is two, picture and sound, each with a source buffer of its own.
 */

import { gapEnd, bufferedUntil } from "./timeline.js";
import { Track } from "./track.js";

/** @typedef {import("./track.js").Rendition} Rendition */
/** @typedef {import("./hls.js").Part} Part */
/** @typedef {(bufferedSeconds: number) => Rendition} Choose */

export class Playback {
    #video;
    #onError;
    #closing = new AbortController();
    #source = new MediaSource();
    #objectURL = URL.createObjectURL(this.#source);
    /** @type {Track[]} the picture first */
    #tracks = [];

    /**
     * @param {HTMLVideoElement} video
     * @param {(error: Error) => void} onError playback cannot go on
     */
    constructor(video, onError) {
        this.#video = video;
        this.#onError = onError;
    }

    /**
     * @param {Choose[]} choices of the picture, or of both, and then of the sound where it comes apart
     * @param {(part: Part, signal: AbortSignal) => Promise<ArrayBuffer>} fetch
     * @returns {void} what goes wrong comes by `onError`
     */
    play(choices, fetch) {
        const { signal } = this.#closing;
        const each = (/** @type {(track: Track) => void} */ action) => () => this.#tracks.forEach(action);
        this.#video.addEventListener("seeking", each((track) => track.seek()), { signal });
        this.#video.addEventListener("timeupdate", each((track) => track.wake()), { signal });
        this.#video.addEventListener("waiting", () => this.#stepOverGap(), { signal });
        this.#video.addEventListener("error", () => this.#fail(mediaError(this.#video.error)), { signal });
        this.#video.src = this.#objectURL;
        void this.#run(choices, fetch).catch((error) => this.#fail(error));
    }

    /** Shows another quality as soon as can be. */
    replacePicture() {
        this.#tracks[0]?.replace();
    }

    /** Lets go of the video element, the network and the buffers. */
    close() {
        if (this.#closing.signal.aborted) return;
        this.#closing.abort();
        URL.revokeObjectURL(this.#objectURL);
        this.#video.removeAttribute("src");
        this.#video.load();
    }

    /** @param {Error} error */
    #fail(error) {
        if (!this.#closing.signal.aborted) this.#onError(error);
    }

    /**
     * @param {Choose[]} choices
     * @param {(part: Part, signal: AbortSignal) => Promise<ArrayBuffer>} fetch
     */
    async #run(choices, fetch) {
        const { signal } = this.#closing;
        // Before anything is appended: afterwards a browser takes no more source buffers.
        const first = await Promise.all(choices.map((choose) => prepared(choose(0))));
        await opened(this.#source, signal);
        if (signal.aborted) return;
        this.#source.duration = Math.max(...first.map(({ duration }) => duration));
        const onFilled = () => this.#onFilled();
        this.#tracks = first.map(
            ({ type }, index) => new Track(this.#video, this.#source, type, { choose: choices[index], fetch, onFilled }));
        await Promise.all(this.#tracks.map((track) => track.run(signal)));
    }

    #onFilled() {
        if (this.#closing.signal.aborted) return;
        if (this.#source.readyState === "open" && this.#tracks.every((track) => track.isWhole)) this.#source.endOfStream();
        this.#stepOverGap();
    }

    #stepOverGap() {
        const { buffered, currentTime, readyState, seeking } = this.#video;
        if (readyState > HTMLMediaElement.HAVE_CURRENT_DATA && !seeking) return;
        if (bufferedUntil(buffered, currentTime) > currentTime) return;
        const target = gapEnd(buffered, currentTime);
        if (target !== null) this.#video.currentTime = target;
    }
}

/** @param {Rendition} rendition */
async function prepared(rendition) {
    const { playlist } = await rendition.load();
    return { type: rendition.type, duration: playlist.duration };
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

/** @param {MediaError | null} error */
export function mediaError(error) {
    const words = {
        [MediaError.MEDIA_ERR_NETWORK]: "The video broke off on the way.",
        [MediaError.MEDIA_ERR_DECODE]: "The browser cannot decode this video.",
        [MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED]: "The browser cannot play this kind of video.",
    };
    return new Error((error && words[error.code]) || "The video cannot be played.");
}
